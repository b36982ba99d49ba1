from __future__ import annotations

import runpy
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.patient.openkbp import is_openkbp, read_openkbp
from isodose.patient.structure import Role

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"


def flat(posterior: int, left: int, feet: int) -> int:
    return (posterior * 128 + left) * 128 + feet


def write(path: Path, lines: Iterable[str]) -> None:
    path.write_text(",data\n" + "".join(line + "\n" for line in lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    block = [flat(p, q, r) for p in range(20, 40) for q in range(30, 60) for r in range(50, 55)]
    write(tmp_path / "ct.csv", [f"{i},{21000 if i == block[0] else 1040.0}" for i in block])
    write(tmp_path / "dose.csv", [f"{flat(25, 35, 52)},66.6"])
    write(tmp_path / "PTV70.csv", [f"{flat(25, 35, 52)},"])
    write(tmp_path / "Brainstem.csv", [f"{flat(39, 59, 50)},"])
    write(tmp_path / "possible_dose_mask.csv", [f"{i}," for i in block[:100]])
    (tmp_path / "voxel_dimensions.csv").write_text("3.5\n3.0\n2.5\n")
    return tmp_path


def test_axes_values_and_roles(folder: Path) -> None:
    assert is_openkbp(folder)
    patient = read_openkbp(folder)
    assert patient.grid.spacing_mm == (3.0, 3.5, 2.5)
    at = (127 - 52, 25, 35)
    assert patient.ct.values[at] == 40
    assert patient.ct.values[0, 0, 0] == -1000
    assert patient.ct.values.max() == 3095
    assert patient.dose is not None
    assert patient.dose.values[at] == pytest.approx(66.6)
    assert np.argwhere(patient.structures["PTV70"].mask).tolist() == [list(at)]
    assert [s.name for s in patient.targets] == ["PTV70"]
    assert patient.structures["Brainstem"].role is Role.ORGAN
    assert patient.external is not None
    assert patient.external.mask.sum() == 20 * 30 * 5
    # The brainstem's one voxel lies further to the head, to the left and posterior.
    difference = np.argwhere(patient.structures["Brainstem"].mask)[0] - at
    assert (difference > 0).all()


BAD = {
    "header": ("PTV70.csv", "index,value\n1,\n", "header"),
    "index beyond the volume": ("PTV70.csv", f",data\n{128**3},\n", "index: found 2097152"),
    "negative index": ("PTV70.csv", ",data\n-1,\n", "index: found -1"),
    "no number": ("ct.csv", ",data\n5,abc\n", "rows"),
    "ct without values": ("ct.csv", ",data\n5,\n", "data"),
    "not a number": ("dose.csv", ",data\n5,nan\n", "data"),
    "twice": ("dose.csv", ",data\n5,1\n5,2\n", "twice"),
    "mask with values": ("PTV70.csv", ",data\n5,0.5\n", "mask"),
    "two dimensions": ("voxel_dimensions.csv", "3\n3\n", "three positive numbers"),
    "zero spacing": ("voxel_dimensions.csv", "3\n3\n0\n", "three positive numbers"),
    "empty": ("ct.csv", "", "header: found nothing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named(folder: Path, case: str) -> None:
    name, text, message = BAD[case]
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}: .*{message}"):
        read_openkbp(folder)


def test_missing_ct(folder: Path) -> None:
    (folder / "ct.csv").unlink()
    assert not is_openkbp(folder)
    with pytest.raises(InputError, match=r"ct\.csv: file: found no such file"):
        read_openkbp(folder)


def test_real_patient(tmp_path: Path) -> None:
    source = SHARED / "data" / "openkbp"
    if not source.exists():
        pytest.skip("the shared data are not beside the checkout")
    tools = runpy.run_path(str(source / "expand.py"))
    tools["expand"](source / "train" / "pt_1.kbp.xz", tmp_path / "pt_1")
    raw = tools["decode"]((source / "train" / "pt_1.kbp.xz").read_bytes())
    patient = read_openkbp(tmp_path / "pt_1")
    assert patient.structures["PTV70"].mask.sum() == raw["rois"]["PTV70"].sum()
    centre = {n: np.argwhere(s.mask).mean(axis=0) for n, s in patient.structures.items()}
    assert centre["Brainstem"][0] > centre["Mandible"][0] > centre["SpinalCord"][0]
    assert centre["LeftParotid"][2] > centre["RightParotid"][2]
    assert centre["Mandible"][1] < centre["SpinalCord"][1]
    assert patient.dose is not None
    assert patient.dose.values[patient.structures["PTV70"].mask].mean() == pytest.approx(70, abs=3)
    assert patient.external is not None
    assert not np.any(patient.dose.values[~patient.external.mask])
