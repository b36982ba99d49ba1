from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.dicom_ct import write_ct
from isodose.patient.dicom_structures import read_contours, read_structures, structures_on
from isodose.patient.dicom_structures_writer import write_structures
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Contour, Role, Structure

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"


@pytest.fixture
def file(patient: Patient, tmp_path: Path) -> Path:
    ct = write_ct(tmp_path, patient.ct, patient.identity)
    write_structures(tmp_path / "RTSTRUCT.dcm", patient.structures.values(), patient.identity, ct)
    return tmp_path / "RTSTRUCT.dcm"


def edit(path: Path, change: Callable[[Dataset], None]) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def contour(points: list[tuple[float, float]], z: float, kind: str = "CLOSED_PLANAR") -> Dataset:
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(points)
    item.ContourData = [v for x, y in points for v in (x, y, z)]
    return item


def box(x: float, y: float, side: float) -> list[tuple[float, float]]:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def with_contours(file: Path, *items: Dataset) -> Path:
    """Replace the contours of the first region."""
    edit(file, lambda d: setattr(d.ROIContourSequence[0], "ContourSequence", list(items)))
    return file


def test_comes_back_the_same(file: Path, patient: Patient) -> None:
    read = read_structures(file, patient.grid)
    assert list(read) == list(patient.structures)
    for name, structure in patient.structures.items():
        assert (read[name].role, read[name].colour) == (structure.role, structure.colour)
    target, organ = read["CTV high"], read["Organ"]
    assert np.array_equal(target.occupancy, patient.structures["CTV high"].occupancy)
    assert sum(c.hole for c in target.contours) == 2
    assert organ.volume_cm3 == pytest.approx(patient.structures["Organ"].volume_cm3, rel=0.02)
    assert read["Empty"].is_empty


def test_drawn_contours_come_back_to_a_millionth(patient: Patient, tmp_path: Path) -> None:
    t = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    drawn = tuple(
        Contour(float(z), np.column_stack([-17 + 9 * np.cos(t), 25 + 7 * np.sin(t)])) for z in (-97, -94, -91)
    )
    structure = Structure("Drawn", Role.GTV, patient.grid, np.zeros(patient.grid.shape, np.float32), drawn)
    ct = write_ct(tmp_path, patient.ct, patient.identity)
    write_structures(tmp_path / "s.dcm", [structure], patient.identity, ct)
    (region,) = read_contours(tmp_path / "s.dcm")
    assert (region.role, region.number) == (Role.GTV, 1)
    for a, b in zip(drawn, region.contours, strict=True):
        assert a.z_mm == b.z_mm
        assert b.points_mm == pytest.approx(a.points_mm, abs=6e-7)


def test_as_pydicom_sees_it(file: Path, patient: Patient) -> None:
    dataset = pydicom.dcmread(file)
    assert dataset.Modality == "RTSTRUCT"
    assert dataset.StructureSetLabel
    for keyword in ("StructureSetDate", "StructureSetTime", "StudyDate", "PatientSex", "OperatorsName"):
        assert keyword in dataset
    slice_uids = {pydicom.dcmread(p).SOPInstanceUID for p in file.parent.glob("CT*.dcm")}
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert {i.ReferencedSOPInstanceUID for i in series.ContourImageSequence} == slice_uids
    for item in dataset.ROIContourSequence[0].ContourSequence:
        assert item.ContourGeometricType == "CLOSED_PLANAR"
        assert len(item.ContourData) == 3 * item.NumberOfContourPoints
        assert all(len(str(v)) <= 16 for v in item.ContourData)
        assert item.ContourImageSequence[0].ReferencedSOPInstanceUID in slice_uids
    assert "ContourSequence" not in dataset.ROIContourSequence[2]


def test_contours_longer_than_64_kib(patient: Patient, tmp_path: Path) -> None:
    t = np.linspace(0, 2 * np.pi, 20000, endpoint=False)
    drawn = tuple(Contour(z, np.column_stack([9 * np.cos(t), 30 + 9 * np.sin(t)])) for z in (-97.0, -94.0))
    structure = Structure("Long", Role.ORGAN, patient.grid, np.zeros(patient.grid.shape, np.float32), drawn)
    ct = write_ct(tmp_path, patient.ct, patient.identity)
    write_structures(tmp_path / "s.dcm", [structure], patient.identity, ct)
    assert len(read_contours(tmp_path / "s.dcm")[0].contours[0].points_mm) == 20000


def test_on_another_grid(file: Path, patient: Patient) -> None:
    regions = read_contours(file)
    for spacing in (0.8, 4.0):
        structures = structures_on(patient.grid.resampled(spacing), regions)
        expected = patient.structures["CTV high"].volume_cm3
        assert structures["CTV high"].volume_cm3 == pytest.approx(expected, rel=2e-5)


def test_single_plane_takes_the_distance_of_the_others(file: Path, patient: Patient) -> None:
    with_contours(file, contour(box(-20, 20, 10), -91))
    grid = patient.grid.resampled(1.0)
    assert structures_on(grid, read_contours(file))["CTV high"].volume_cm3 == pytest.approx(0.3, rel=1e-4)


def test_contained_contour_is_a_hole_with_a_warning(file: Path, patient: Patient) -> None:
    with_contours(file, contour(box(-20, 20, 10), -91), contour(box(-18, 22, 4), -91))
    with pytest.warns(IsodoseWarning, match=r"taken for holes: 'CTV high' \(1\)"):
        structures = read_structures(file, patient.grid)
    assert structures["CTV high"].volume_cm3 == pytest.approx(0.3 * 0.84, rel=1e-4)


def test_exclusive_or(file: Path, patient: Patient) -> None:
    kind = "CLOSEDPLANAR_XOR"
    with_contours(file, contour(box(-20, 20, 10), -91, kind), contour(box(-15, 25, 10), -91, kind))
    volume = read_structures(file, patient.grid.resampled(0.5))["CTV high"].volume_cm3
    # The two voxels where the outlines cross are filled to within half a voxel.
    assert volume == pytest.approx(3 * (200 - 2 * 25) / 1000, abs=2 * 0.5 * 0.5**2 * 3 / 1000 + 1e-5)


def test_keyhole(file: Path, patient: Patient) -> None:
    outer, inner = box(-20, 20, 10), box(-18, 22, 4)
    with_contours(file, contour([*outer, outer[0], *inner, inner[0]], -91))
    (region, *_) = read_contours(file)
    assert [c.hole for c in region.contours] == [False, True]
    volume = read_structures(file, patient.grid)["CTV high"].volume_cm3
    assert volume == pytest.approx(0.3 * 0.84, rel=1e-4)


def test_several_contours_a_slice_and_a_repeated_last_point(file: Path, patient: Patient) -> None:
    first = box(-30, 14, 5)
    with_contours(file, contour([*first, first[0]], -91), contour(box(-15, 25, 10), -91))
    assert read_structures(file, patient.grid)["CTV high"].volume_cm3 == pytest.approx(0.375, rel=1e-4)


def test_open_and_degenerate_contours_are_passed_over_with_a_warning(file: Path) -> None:
    good, line = contour(box(-20, 20, 10), -91), contour([(0, 20), (5, 20)], -91)
    with_contours(file, good, contour([(0, 20), (9, 20), (9, 30)], -91, "OPEN_PLANAR"), line)
    with pytest.warns(IsodoseWarning) as caught:
        (region, *_) = read_contours(file)
    assert len(region.contours) == 1
    texts = " ".join(str(w.message) for w in caught)
    assert "open contours passed over: 'CTV high' (1)" in texts
    assert "fewer than 3 points passed over: 'CTV high' (1)" in texts


def test_point_is_an_empty_structure(file: Path, patient: Patient) -> None:
    with_contours(file, contour([(0, 20)], -91, "POINT"))
    assert read_structures(file, patient.grid)["CTV high"].is_empty


def test_another_frame_of_reference(file: Path) -> None:
    with pytest.raises(
        InputError, match=r"RTSTRUCT\.dcm: ROI 'CTV high', ReferencedFrameOfReferenceUID.*1\.2\.3"
    ):
        read_contours(file, frame_of_reference_uid="1.2.3")


BAD_CONTOURS: dict[str, tuple[Callable[[Dataset], None], str]] = {
    "not planar": (lambda c: setattr(c, "ContourData", [0, 0, 1, 9, 0, 2, 9, 9, 3, 0, 9, 1]), "one z"),
    "not triples": (lambda c: setattr(c, "ContourData", [0, 0, 1, 9]), "finite triples"),
    "wrong count": (lambda c: setattr(c, "NumberOfContourPoints", 9), "4 points of ContourData"),
    "no type": (lambda c: delattr(c, "ContourGeometricType"), "ContourGeometricType"),
    "odd type": (lambda c: setattr(c, "ContourGeometricType", "CIRCLE"), "found CIRCLE"),
    "no numbers": (lambda c: c["ContourData"].__dict__.update(_value="x\\y\\z"), "ContourData"),
}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("case", BAD_CONTOURS)
def test_bad_contours_are_named(file: Path, case: str) -> None:
    change, message = BAD_CONTOURS[case]
    item = contour(box(-20, 20, 10), -91)
    change(item)
    with_contours(file, item)
    with pytest.raises(InputError, match=rf"RTSTRUCT\.dcm: .*ContourSequence\[0\].*{message}"):
        read_contours(file)


def test_repeated_names_are_told_apart(file: Path) -> None:
    edit(file, lambda d: setattr(d.StructureSetROISequence[1], "ROIName", "CTV high"))
    with pytest.warns(IsodoseWarning, match="'CTV high #2'"):
        assert [r.name for r in read_contours(file)] == ["CTV high", "CTV high #2", "Empty"]


def test_structure_too_thin_for_contours_is_told(patient: Patient, tmp_path: Path) -> None:
    thin = Structure("thin", Role.ORGAN, patient.grid, np.full(patient.grid.shape, 0.3, np.float32))
    ct = write_ct(tmp_path, patient.ct, patient.identity)
    with pytest.warns(IsodoseWarning, match=r"S\.dcm: structure 'thin' .*without contours"):
        write_structures(tmp_path / "S.dcm", [thin], patient.identity, ct)


def test_names_made_up_for_repeated_ones_are_no_others(file: Path) -> None:
    def rename(dataset: Dataset) -> None:
        for roi, name in zip(dataset.StructureSetROISequence, ("A", "A #3", "A"), strict=True):
            roi.ROIName = name

    edit(file, rename)
    with pytest.warns(IsodoseWarning, match='"A #3\'"'):
        assert [r.name for r in read_contours(file)] == ["A", "A #3", "A #3'"]


def test_a_ct_is_no_structure_set(file: Path) -> None:
    with pytest.raises(InputError, match="SOPClassUID: found CT Image Storage, expected RT Structure Set"):
        read_contours(next(file.parent.glob("CT*.dcm")))
    (file.parent / "text").write_text("nothing")
    with pytest.raises(InputError, match="text: file: found no readable DICOM"):
        read_contours(file.parent / "text")
    with pytest.raises(InputError, match="No such file"):
        read_contours(file.parent / "none.dcm")


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_give_input_errors(file: Path, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(128, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(200, len(content)))
    damaged = file.parent / "damaged.dcm"
    damaged.write_bytes(content[:cut])
    try:
        regions = read_contours(damaged)
    except InputError as error:
        assert error.file == damaged  # noqa: PT017 - a damaged file may still be readable
    else:
        assert all(np.isfinite(c.points_mm).all() for r in regions for c in r.contours)


def test_real_structure_set_of_eclipse() -> None:
    path = SHARED / "data" / "eclipse_breast" / "rtss.dcm"
    if not path.exists():
        pytest.skip("the shared data are not beside the checkout")
    with pytest.warns(IsodoseWarning, match="'Lt Lung'"):
        regions = read_contours(path)
    grid = Grid((-228.6541915, -419.2444776, -122.4407), (2.5, 2.5, 3.0), (98, 129, 194))
    structures = structures_on(grid, regions)
    # Volumes in cm3 as Eclipse's DVHs in the dose file beside it give them. Eclipse's own are 0.2 to 1.5 %
    # smaller than area times slice distance for these regions of more than 60 cm3.
    for name, volume in {
        "Breast": 396.23,
        "Heart": 437.46,
        "Lt Lung": 2008.95,
        "Tumor Bed Block": 62.88,
    }.items():
        assert structures[name].volume_cm3 == pytest.approx(volume, rel=0.016), name
    assert structures["Areola"].is_empty
    assert structures["Tumor Bed"].role is Role.CTV
