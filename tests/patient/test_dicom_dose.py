from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.dicom_dose import DoseType, DoseUnits, _scaling, read_dose, write_dose
from isodose.patient.dicom_object import complete_identity, ds_text
from isodose.patient.grid import Grid
from isodose.patient.patient import DicomIdentity
from isodose.patient.volume import Volume

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"
GRID = Grid((-31.5, 12.25, -100.0), (1.5, 2.0, 3.0), (6, 14, 20))
IDENTITY = DicomIdentity("Test^Block", "T-7")


def dose() -> Volume:
    return Volume(GRID, np.random.default_rng(7).gamma(2.0, 10.0, GRID.shape))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_dose(tmp_path / "dose.dcm", dose(), IDENTITY)
    return tmp_path / "dose.dcm"


def edit(path: Path, change: Callable[[Dataset], None]) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def test_comes_back_the_same(file: Path) -> None:
    read = read_dose(file)
    # 32 bits hold more than a float32 does.
    assert read.volume.values == pytest.approx(dose().values, rel=2e-7, abs=1e-8)
    assert read.volume.grid.matches(GRID, 1e-6)
    assert (read.units, read.dose_type, read.summation) == (DoseUnits.GY, DoseType.PHYSICAL, "PLAN")
    assert read.frame_of_reference_uid == complete_identity(IDENTITY).frame_of_reference_uid
    assert read.plan_uid


def test_simpleitk_sees_the_same(file: Path) -> None:
    image = sitk.ReadImage(str(file))
    # It gives the stored integers of a dose, and the scaling as metadata.
    values = sitk.GetArrayFromImage(image) * float(image.GetMetaData("3004|000e"))
    assert values == pytest.approx(dose().values, rel=1e-6, abs=1e-7)
    assert image.GetSpacing() == pytest.approx(GRID.spacing_mm)
    assert image.GetOrigin() == pytest.approx(GRID.origin_mm)


def test_as_pydicom_sees_it(file: Path) -> None:
    dataset = pydicom.dcmread(file)
    assert dataset.pixel_array * dataset.DoseGridScaling == pytest.approx(dose().values, rel=1e-6, abs=1e-7)
    assert dataset.FrameIncrementPointer == 0x3004000C
    assert list(dataset.PixelSpacing) == [2.0, 1.5]
    assert list(dataset.GridFrameOffsetVector) == [0, 3, 6, 9, 12, 15]
    assert len(str(dataset.DoseGridScaling)) <= 16
    for keyword in ("PatientBirthDate", "StudyDate", "OperatorsName", "SeriesNumber", "AccessionNumber"):
        assert keyword in dataset


@given(st.floats(1e-12, 1e6), st.sampled_from([2**31 - 1, 2**32 - 1]))
def test_scaling_never_overflows_nor_wastes_bits(largest: float, full_scale: int) -> None:
    scaling = _scaling(largest, full_scale)
    assert float(ds_text(scaling)[0]) == scaling
    assert round(largest / scaling) <= full_scale
    assert scaling <= largest / full_scale * (1 + 1e-7)


def test_zero_dose(tmp_path: Path) -> None:
    write_dose(tmp_path / "d.dcm", Volume(GRID, np.zeros(GRID.shape)), IDENTITY)
    assert not read_dose(tmp_path / "d.dcm").volume.values.any()


def test_absolute_frame_positions(file: Path) -> None:
    edit(file, lambda d: setattr(d, "GridFrameOffsetVector", [-100 + 3 * k for k in range(6)]))
    assert read_dose(file).volume.grid.matches(GRID, 1e-6)


def test_falling_frame_positions(file: Path) -> None:
    def change(d: Dataset) -> None:
        d.ImagePositionPatient = [-31.5, 12.25, -85]
        d.GridFrameOffsetVector = [-3 * k for k in range(6)]
        d.PixelData = np.ascontiguousarray(d.pixel_array[::-1]).tobytes()

    edit(file, change)
    read = read_dose(file)
    assert read.volume.grid.matches(GRID, 1e-6)
    assert read.volume.values == pytest.approx(dose().values, rel=2e-7, abs=1e-8)


def test_feet_first_offsets_count_along_the_normal(file: Path) -> None:
    def change(d: Dataset) -> None:
        d.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        d.ImagePositionPatient = [-31.5 + 19 * 1.5, 12.25, -85]
        d.PixelData = np.ascontiguousarray(d.pixel_array[::-1, :, ::-1]).tobytes()

    edit(file, change)
    read = read_dose(file)
    assert read.volume.grid.matches(GRID, 1e-6)
    assert read.volume.values == pytest.approx(dose().values, rel=2e-7, abs=1e-8)


def test_effective_relative_and_error(tmp_path: Path) -> None:
    signed = Volume(GRID, np.random.default_rng(1).normal(0, 0.1, GRID.shape))
    write_dose(tmp_path / "e.dcm", signed, IDENTITY, dose_type=DoseType.ERROR)
    error = read_dose(tmp_path / "e.dcm")
    assert error.dose_type is DoseType.ERROR
    assert error.volume.values == pytest.approx(signed.values, rel=1e-6, abs=1e-9)
    comment = "LETd in keV/um"
    write_dose(tmp_path / "l.dcm", dose(), IDENTITY, units=DoseUnits.RELATIVE, comment=comment)
    let = read_dose(tmp_path / "l.dcm")
    assert (let.units, let.comment) == (DoseUnits.RELATIVE, comment)
    write_dose(tmp_path / "r.dcm", dose(), IDENTITY, dose_type=DoseType.EFFECTIVE, comment="RBE 1.1")
    assert read_dose(tmp_path / "r.dcm").dose_type is DoseType.EFFECTIVE


def test_what_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "d.dcm"
    values = dose().values.copy()
    values[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        write_dose(path, Volume(GRID, values), IDENTITY)
    values[0, 0, 0] = -1
    with pytest.raises(InputError, match="no negative"):
        write_dose(path, Volume(GRID, values), IDENTITY)
    for options in ({"units": DoseUnits.RELATIVE}, {"dose_type": DoseType.EFFECTIVE}):
        with pytest.raises(InputError, match="comment"):
            write_dose(path, dose(), IDENTITY, **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


BAD: dict[str, tuple[Callable[[Dataset], None], str]] = {
    "offsets": (
        lambda d: setattr(d, "GridFrameOffsetVector", [5, 8, 11, 14, 17, 20]),
        "GridFrameOffsetVector",
    ),
    "uneven": (lambda d: setattr(d, "GridFrameOffsetVector", [0, 3, 6, 9, 12, 18]), "evenly spaced"),
    "count": (
        lambda d: setattr(d, "GridFrameOffsetVector", [0, 3]),
        "GridFrameOffsetVector.*6 finite numbers",
    ),
    "unit": (lambda d: setattr(d, "DoseUnits", "CGY"), "DoseUnits: found CGY"),
    "no unit": (lambda d: delattr(d, "DoseUnits"), "DoseUnits: found nothing"),
    "type": (lambda d: setattr(d, "DoseType", "BED"), "DoseType: found BED"),
    "scaling": (lambda d: delattr(d, "DoseGridScaling"), "DoseGridScaling"),
    "zero scaling": (lambda d: setattr(d, "DoseGridScaling", 0), "DoseGridScaling"),
    "turned": (
        lambda d: setattr(d, "ImageOrientationPatient", [0, 1, 0, -1, 0, 0]),
        "ImageOrientationPatient",
    ),
    "pixels": (lambda d: setattr(d, "PixelData", d.PixelData[:400]), "PixelData"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_doses_are_named(file: Path, case: str) -> None:
    change, message = BAD[case]
    edit(file, change)
    with pytest.raises(InputError, match=rf"dose\.dcm: .*{message}"):
        read_dose(file)


def test_example_of_pydicom() -> None:
    read = read_dose(get_testdata_file("rtdose.dcm"))
    assert (read.units, read.summation, read.volume.grid.shape) == (DoseUnits.RELATIVE, "BEAM", (15, 10, 10))
    raw = pydicom.dcmread(get_testdata_file("rtdose.dcm"))
    assert read.volume.values == pytest.approx(raw.pixel_array * 1e-6)


def test_single_frame_says_what_thickness_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    write_dose(path, Volume(Grid((0, 0, 5), (2, 2, 3), (1, 4, 5)), np.ones((1, 4, 5))), IDENTITY)
    assert read_dose(path).volume.grid == Grid((0, 0, 5), (2, 2, 3), (1, 4, 5))
    edit(path, lambda d: delattr(d, "SliceThickness"))
    edit(path, lambda d: delattr(d, "GridFrameOffsetVector"))
    with pytest.warns(IsodoseWarning, match="one frame"):
        assert read_dose(path).volume.grid.spacing_mm == (2, 2, 2)


def test_more_positions_than_frames_are_refused() -> None:
    with pytest.raises(InputError, match="GridFrameOffsetVector"):
        read_dose(get_testdata_file("rtdose_1frame.dcm"))


def test_real_dose_of_eclipse() -> None:
    path = SHARED / "data" / "eclipse_breast" / "rtdose.dcm"
    if not path.exists():
        pytest.skip("the shared data are not beside the checkout")
    read = read_dose(path)
    # Eclipse gives the maximum as 104.862666666667 % of 14 Gy, the prescription of the plan beside it.
    assert read.volume.values.max() == pytest.approx(14.68077, abs=2e-5)
    assert read.volume.grid.spacing_mm == pytest.approx((2.5, 2.5, 3.0))
    assert read.plan_uid == "1.2.246.352.71.5.320687012.24189.20090603083342"
