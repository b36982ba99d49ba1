from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import Dataset

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.dicom_ct import read_ct, write_ct
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"


@pytest.fixture
def folder(patient: Patient, tmp_path: Path) -> Path:
    write_ct(tmp_path, patient.ct, patient.identity)
    return tmp_path


def edit(path: Path, change: Callable[[Dataset], None]) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def slices(folder: Path) -> list[Path]:
    return sorted(folder.glob("CT*.dcm"))


def test_comes_back_the_same(folder: Path, patient: Patient) -> None:
    ct = read_ct(folder)
    assert np.array_equal(ct.volume.values, patient.ct.values)
    assert ct.volume.grid.matches(patient.grid, 1e-6)
    assert ct.position == "HFS"
    assert (ct.identity.patient_name, ct.identity.patient_id) == ("Test^Block", "T-7")
    assert len(set(ct.instance_uids)) == patient.grid.shape[0]


def test_simpleitk_sees_the_same(folder: Path, patient: Patient) -> None:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    assert np.array_equal(sitk.GetArrayFromImage(image), patient.ct.values)
    assert image.GetOrigin() == pytest.approx(patient.grid.origin_mm)
    assert image.GetSpacing() == pytest.approx(patient.grid.spacing_mm)


def test_parts_of_hounsfield_units_are_kept_to_the_promised_step(patient: Patient, tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(-1000, 3000, patient.grid.shape)
    write_ct(tmp_path, Volume(patient.grid, values), patient.identity)
    step = 4000 / 65000
    assert np.abs(read_ct(tmp_path).volume.values - values).max() <= 0.51 * step


def test_every_type_2_element_is_there(folder: Path) -> None:
    dataset = pydicom.dcmread(slices(folder)[0])
    general = "PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber ReferringPhysicianName"
    for keyword in (
        *general.split(),
        "SeriesNumber",
        "PositionReferenceIndicator",
        "AcquisitionNumber",
        "KVP",
    ):
        assert keyword in dataset, keyword
    assert str(dataset.PatientName)
    assert dataset.PatientID


def test_same_input_gives_the_same_uids(patient: Patient, tmp_path: Path) -> None:
    uids = []
    for name in "ab":
        (tmp_path / name).mkdir()
        uids.append(write_ct(tmp_path / name, patient.ct, patient.identity).instance_uids)
    assert uids[0] == uids[1]
    other = write_ct(tmp_path / "b", Volume(patient.grid, patient.ct.values + 1), patient.identity)
    assert not set(other.instance_uids) & set(uids[0])


def test_order_is_by_position_whatever_the_names_and_numbers(folder: Path, patient: Patient) -> None:
    for i, path in enumerate(slices(folder)):
        edit(path, lambda d: setattr(d, "InstanceNumber", 1))
        path.rename(folder / f"{'xfcabd'[i]}.ima")
    (folder / "notes.txt").write_text("no DICOM")
    assert np.array_equal(read_ct(folder).volume.values, patient.ct.values)


@pytest.mark.parametrize(("row", "column"), [(-1, -1), (-1, 1), (1, -1)])
def test_other_directions_of_rows_and_columns(folder: Path, patient: Patient, row: int, column: int) -> None:
    grid = patient.grid

    def turn(d: Dataset) -> None:
        x, y, z = (float(v) for v in d.ImagePositionPatient)
        x = x if row > 0 else x + (grid.shape[2] - 1) * grid.spacing_mm[0]
        y = y if column > 0 else y + (grid.shape[1] - 1) * grid.spacing_mm[1]
        d.ImagePositionPatient = [x, y, z]
        d.ImageOrientationPatient = [row, 0, 0, 0, column, 0]
        d.PatientPosition = "FFS"
        d.PixelData = np.ascontiguousarray(d.pixel_array[::column, ::row]).tobytes()

    for path in slices(folder):
        edit(path, turn)
    ct = read_ct(folder)
    assert np.array_equal(ct.volume.values, patient.ct.values)
    assert ct.volume.grid.matches(grid, 1e-6)
    assert ct.position == "FFS"


def test_rescale_is_by_slice_and_padding_is_air(folder: Path, patient: Patient) -> None:
    def change(d: Dataset) -> None:
        stored = d.pixel_array.astype(np.int32) + 1024
        stored[0, :3] = 63536
        d.PixelRepresentation = 0
        d.RescaleIntercept, d.RescaleSlope = -512, "0.5"
        d.add_new("PixelPaddingValue", "US", 63536)
        d.PixelData = stored.astype("<u2").tobytes()

    edit(slices(folder)[2], change)
    values = read_ct(folder).volume.values
    expected = patient.ct.values.copy()
    expected[2] /= 2
    expected[2, 0, :3] = -1000
    assert np.array_equal(values, expected)


def test_twelve_bits_with_something_above_them(folder: Path, patient: Patient) -> None:
    def change(d: Dataset) -> None:
        stored = d.pixel_array.astype(np.int32) & 0xFFF | 0x5000
        d.BitsStored, d.HighBit = 12, 11
        d.PixelData = stored.astype("<u2").tobytes()

    for path in slices(folder):
        edit(path, change)
    assert np.array_equal(read_ct(folder).volume.values, patient.ct.values)


def test_missing_slice(folder: Path) -> None:
    slices(folder)[2].unlink()
    with pytest.raises(
        InputError, match=r"ImagePositionPatient: found 6 mm between .*CT\.0002.*CT\.0004.*1 missing"
    ):
        read_ct(folder)


def test_uneven_slices(folder: Path) -> None:
    edit(slices(folder)[-1], lambda d: setattr(d, "ImagePositionPatient", [-31.5, 12.25, -84.5]))
    with pytest.raises(InputError, match=r"found 3\.5 mm .*expected slices 3 mm apart"):
        read_ct(folder)


def test_two_slices_in_one_place(folder: Path) -> None:
    first, second = slices(folder)[:2]
    place = pydicom.dcmread(first).ImagePositionPatient
    edit(second, lambda d: setattr(d, "ImagePositionPatient", place))
    with pytest.raises(InputError, match=r"CT\.0002\.dcm: ImagePositionPatient.*CT\.0001\.dcm again"):
        read_ct(folder)


def test_same_file_twice_counts_once_with_a_warning(folder: Path, patient: Patient) -> None:
    shutil.copy(slices(folder)[3], folder / "copy.dcm")
    with pytest.warns(IsodoseWarning, match="a copy of"):
        ct = read_ct(folder)
    assert np.array_equal(ct.volume.values, patient.ct.values)


def test_gantry_tilt(folder: Path) -> None:
    tilt = np.deg2rad(10)
    for path in slices(folder):
        cosines = [1, 0, 0, 0, float(np.cos(tilt)), float(np.sin(tilt))]
        edit(path, lambda d, c=cosines: setattr(d, "ImageOrientationPatient", c))  # type: ignore[misc]
    with pytest.raises(InputError, match=r"ImageOrientationPatient.*no tilt"):
        read_ct(folder)


def test_sheared_stack(folder: Path) -> None:
    for k, path in enumerate(slices(folder)):
        edit(path, lambda d, k=k: setattr(d, "ImagePositionPatient", [-31.5, 12.25 + 0.5 * k, -100 + 3 * k]))
    with pytest.raises(InputError, match=r"CT\.0006.*tilted gantry"):
        read_ct(folder)


def test_mixed_series_are_refused_and_one_can_be_chosen(folder: Path, patient: Patient) -> None:
    (folder / "other").mkdir()
    shifted = Volume(patient.grid, patient.ct.values + 100)
    second = write_ct(folder / "other", shifted, patient.identity)
    with pytest.raises(InputError, match=rf"SeriesInstanceUID: found 2 CT series.*{second.series_uid}"):
        read_ct(folder)
    assert np.array_equal(read_ct(folder, series_uid=second.series_uid).volume.values, shifted.values)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("FrameOfReferenceUID", "1.2.3"),
        ("PixelSpacing", [2.0, 1.6]),
        ("PatientID", "someone else"),
        ("PatientPosition", "HFP"),
    ],
)
def test_slices_that_differ(folder: Path, keyword: str, value: object) -> None:
    edit(slices(folder)[4], lambda d: setattr(d, keyword, value))
    with pytest.raises(InputError, match=rf"CT\.0005\.dcm: {keyword}"):
        read_ct(folder)


@pytest.mark.parametrize(
    "keyword", ["RescaleSlope", "RescaleIntercept", "PixelSpacing", "ImagePositionPatient", "PixelData"]
)
def test_missing_elements_are_named(folder: Path, keyword: str) -> None:
    edit(slices(folder)[1], lambda d: delattr(d, keyword))
    with pytest.raises(InputError, match=rf"CT\.0002\.dcm: {keyword}"):
        read_ct(folder)


def test_short_pixels(folder: Path) -> None:
    edit(slices(folder)[1], lambda d: setattr(d, "PixelData", d.PixelData[:-40]))
    with pytest.raises(InputError, match=r"CT\.0002\.dcm: PixelData"):
        read_ct(folder)


def test_localiser_is_passed_over(folder: Path, patient: Patient) -> None:
    shutil.copy(slices(folder)[0], folder / "scout.dcm")

    def change(d: Dataset) -> None:
        d.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        d.SOPInstanceUID = "1.2.3.4"
        d.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    edit(folder / "scout.dcm", change)
    assert np.array_equal(read_ct(folder).volume.values, patient.ct.values)


def test_no_ct_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CT slice"):
        read_ct(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_ct(tmp_path / "none")


def test_position_must_be_known(folder: Path) -> None:
    for path in slices(folder):
        edit(path, lambda d: setattr(d, "PatientPosition", "HFDR"))
    with pytest.raises(InputError, match="PatientPosition: found HFDR"):
        read_ct(folder)


def test_missing_position_is_said(folder: Path) -> None:
    for path in slices(folder):
        edit(path, lambda d: delattr(d, "PatientPosition"))
    with pytest.warns(IsodoseWarning, match="taken to be HFS"):
        read_ct(folder)


def test_identity_given_is_kept(patient: Patient, tmp_path: Path) -> None:
    identity = replace(patient.identity, study_uid="1.2.3", frame_of_reference_uid="1.2.4")
    write_ct(tmp_path, patient.ct, identity, position="FFP")
    ct = read_ct(tmp_path)
    assert (ct.identity.study_uid, ct.identity.frame_of_reference_uid, ct.position) == (
        "1.2.3",
        "1.2.4",
        "FFP",
    )


def test_real_slice() -> None:
    path = SHARED / "data" / "eclipse_breast" / "ct.0.dcm"
    if not path.exists():
        pytest.skip("the shared data are not beside the checkout")
    with pytest.warns(IsodoseWarning, match="a CT of one slice"):
        ct = read_ct(path)
    assert ct.volume.grid.origin_mm == (-275.0, -524.0, 168.5593)
    assert ct.volume.values.max() == 1457
