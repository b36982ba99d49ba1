"""Calibrations in YAML: what is read, and what is refused with the key's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.patient import hounsfield_file
from isodose.patient.hounsfield import Above
from isodose.patient.hounsfield_file import read_calibration

GOOD = """
name: planning CT
density: [[-1000, 0.0012], [0, 1.0], [0, 1.02], [1500, 1.9]]
composition:
  - {from_hu: -1000, material: air}
  - {from_hu: -900, name: soft, elements: {H: 0.11, O: 0.89}}
  - {from_hu: 300, material: bone_cortical}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "table.yaml"
    file.write_text(text)
    return file


def test_good_table(tmp_path: Path) -> None:
    table = read_calibration(written(tmp_path, GOOD))
    assert table.name == "planning CT"
    assert [m.name for m in table.materials] == ["air", "soft", "bone_cortical"]
    assert table.above is Above.REFUSE
    assert table.density_of_hu([-0.001, 0.0, 750.0]) == pytest.approx([1.0, 1.02, 1.46], abs=1e-5)
    assert table.materials[2].density_g_cm3 == pytest.approx(
        1.02 + 0.88 * 0.6
    )  # in the middle of 300 to 1500


def test_example_of_the_documentation_is_a_good_table(tmp_path: Path) -> None:
    text = (hounsfield_file.__doc__ or "").split("next bin::")[1]
    table = read_calibration(written(tmp_path, "\n".join(line[4:] for line in text.splitlines())))
    assert table.above is Above.CLAMP
    assert table.end_hu == 1600


def test_rsp_table(tmp_path: Path) -> None:
    table = read_calibration(written(tmp_path, "name: h\nrsp: [[-1024, 0.001], [0, 1], [3000, 2.5]]\n"))
    assert table.rsp_of_hu(1500) == pytest.approx(1.75)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: planning CT", "nane: planning CT", r"nane: found an unknown key|name: found nothing"),
        ("density:", "densities:", r"densities: found an unknown key, expected one of .*density"),
        ("[0, 1.02], [1500", "[-5, 1.02], [1500", r"density\[2\]: found -5 HU"),
        ("[1500, 1.9]", "[1500, heavy]", r"density\[3\]\[1\]: found 'heavy'"),
        ("[1500, 1.9]", "[1500, .nan]", r"density\[3\]\[1\]"),
        ("O: 0.89", "O: 0.69", r"composition\[1\].elements: found a sum of 0.8"),
        ("O: 0.89", "Xx: 0.89", r"composition\[1\].elements: .*Xx"),
        ("material: bone_cortical", "material: bone", r"composition\[2\].material: found 'bone'"),
        (
            "material: bone_cortical",
            "materiel: bone_cortical",
            r"composition\[2\].materiel: found an unknown key",
        ),
        ("from_hu: 300", "from_hu: -950", r"composition\[2\].from_hu"),
        ("material: bone_cortical", "name: nothing", r"composition\[2\]: found neither"),
        ("name: planning CT", "name: [planning", r"line \d+"),
        ("name: planning CT", "name: planning CT\nabove: ignore", r"above: found 'ignore'"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    file = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError, match=expected) as error:
        read_calibration(file)
    assert "table.yaml" in str(error.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml"):
        read_calibration(tmp_path / "none.yaml")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_any_text_is_refused_in_order(tmp_path: Path, text: str) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(text, encoding="utf-8", errors="replace", newline="")
    with pytest.raises(InputError):
        read_calibration(file)
