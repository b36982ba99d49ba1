from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.images import WRITABLE, read_image, write_image
from isodose.patient.volume import Volume

GRID = Grid((-31.5, 12.25, -100.0), (1.5, 2.0, 3.0), (6, 14, 20))


def volume() -> Volume:
    return Volume(GRID, np.random.default_rng(7).normal(0, 40, GRID.shape))


@pytest.mark.parametrize("suffix", WRITABLE)
def test_comes_back_the_same(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", volume())
    read = read_image(tmp_path / f"a{suffix}")
    assert np.array_equal(read.values, volume().values)
    assert read.grid.matches(GRID, 1e-4)  # NIfTI keeps its affine in float32


def test_nibabel_sees_the_same_place(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nii.gz", volume())
    image = nibabel.load(tmp_path / "a.nii.gz")
    right, anterior, superior = (image.affine @ [3, 5, 2, 1])[:3]
    assert (-right, -anterior, superior) == pytest.approx(GRID.position_mm([2, 5, 3]).tolist(), abs=1e-4)
    assert np.asarray(image.dataobj)[3, 5, 2] == volume().values[2, 5, 3]


@pytest.mark.parametrize("order", ["RAS", "LPS", "PIR", "SAL"])
def test_any_order_and_direction_of_axes(tmp_path: Path, order: str) -> None:
    image = sitk.GetImageFromArray(volume().values)
    image.SetOrigin(GRID.origin_mm)
    image.SetSpacing(GRID.spacing_mm)
    sitk.WriteImage(sitk.DICOMOrient(image, order), str(tmp_path / "a.nrrd"))
    read = read_image(tmp_path / "a.nrrd")
    assert np.array_equal(read.values, volume().values)
    assert read.grid.matches(GRID)


def test_rotated_volume_is_refused(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(volume().values)
    c, s = np.cos(0.1), np.sin(0.1)
    image.SetDirection([c, -s, 0, s, c, 0, 0, 0, 1])
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    with pytest.raises(InputError, match=r"a\.mha: direction.*no rotation"):
        read_image(tmp_path / "a.mha")


def test_what_is_no_volume(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5))), str(tmp_path / "flat.mha"))
    sitk.WriteImage(
        sitk.GetImageFromArray(np.zeros((4, 5, 6, 3)), isVector=True), str(tmp_path / "vector.mha")
    )
    (tmp_path / "text.nrrd").write_text("nothing")
    write_image(tmp_path / "cut.mha", volume())
    (tmp_path / "cut.mha").write_bytes((tmp_path / "cut.mha").read_bytes()[:900])
    for name in ("flat.mha", "vector.mha", "text.nrrd", "cut.mha", "none.nii", "a.png"):
        with pytest.raises(InputError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(InputError, match=r"a\.mhd"):
        write_image(tmp_path / "a.mhd", volume())


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the size of files")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_end_of_zeros_that_was_not_written_is_missed(tmp_path: Path, suffix: str) -> None:
    values = np.zeros((20, 20, 20))
    values[:5] = np.random.default_rng(3).random((5, 20, 20))
    code = (
        "import resource, signal, sys, numpy as np\n"
        "from isodose.errors import OutputError\n"
        "from isodose.patient.grid import Grid\n"
        "from isodose.patient.images import write_image\n"
        "from isodose.patient.volume import Volume\n"
        "values, whole = np.load(sys.argv[1]), int(sys.argv[3])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (whole - 30, whole - 30))\n"
        "try:\n"
        "    write_image(sys.argv[2], Volume(Grid((0, 0, 0), (1, 1, 1), values.shape), values))\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )
    np.save(tmp_path / "values.npy", values)
    whole = tmp_path / f"whole{suffix}"
    write_image(whole, Volume(Grid((0, 0, 0), (1, 1, 1), values.shape), values))
    size = str(whole.stat().st_size)
    run = [sys.executable, "-c", code, str(tmp_path / "values.npy"), str(tmp_path / f"cut{suffix}"), size]
    result = subprocess.run(run, capture_output=True, text=True, check=True, env=os.environ)
    assert "could not be written whole" in result.stdout
    assert not (tmp_path / f"cut{suffix}").exists()
