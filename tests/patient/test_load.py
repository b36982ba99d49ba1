from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from isodose.errors import InputError, IsodoseWarning, OutputError
from isodose.patient import load
from isodose.patient.dicom_dose import DoseType, DoseUnits, write_dose
from isodose.patient.load import load_patient, write_patient_dicom
from isodose.patient.patient import Patient


@pytest.fixture
def folder(patient: Patient, tmp_path: Path) -> Path:
    write_patient_dicom(patient, tmp_path / "dicom")
    return tmp_path / "dicom"


def test_dicom_folder_comes_back_the_same(folder: Path, patient: Patient) -> None:
    read = load_patient(folder)
    assert read.name == "T-7"
    assert np.array_equal(read.ct.values, patient.ct.values)
    assert list(read.structures) == list(patient.structures)
    target = read.structures["CTV high"]
    assert np.array_equal(target.occupancy, patient.structures["CTV high"].occupancy)
    assert read.dose is not None
    assert patient.dose is not None
    assert read.dose.values == pytest.approx(patient.dose.values, rel=2e-7, abs=1e-8)
    assert read.dose.grid.matches(patient.dose.grid, 1e-6)


def test_second_writing_is_the_first(folder: Path, tmp_path: Path) -> None:
    first = load_patient(folder)
    write_patient_dicom(first, tmp_path / "again")
    second = load_patient(tmp_path / "again")
    assert second.identity == first.identity
    for name, structure in first.structures.items():
        assert np.array_equal(second.structures[name].occupancy, structure.occupancy), name
        assert len(second.structures[name].contours) == len(structure.contours)


def test_objects_share_study_and_frame_and_name_the_structure_set(folder: Path) -> None:
    objects = [pydicom.dcmread(p) for p in folder.iterdir()]
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert len({o[keyword].value for o in objects}) == 1
    assert len({o.SeriesInstanceUID for o in objects}) == 3
    assert len({o.SOPInstanceUID for o in objects}) == len(objects)
    uid = next(o.SOPInstanceUID for o in objects if o.Modality == "RTSTRUCT")
    assert load_patient(folder).identity.structure_set_uid == uid


def test_uncertainty_and_let_beside_the_dose_are_no_reference(folder: Path, patient: Patient) -> None:
    assert patient.dose is not None
    write_dose(folder / "u.dcm", patient.dose, patient.identity, dose_type=DoseType.ERROR)
    write_dose(folder / "l.dcm", patient.dose, patient.identity, units=DoseUnits.RELATIVE, comment="LETd")
    assert load_patient(folder).dose is not None


def test_several_doses_are_not_chosen_from(folder: Path, patient: Patient) -> None:
    assert patient.dose is not None
    write_dose(folder / "second.dcm", patient.dose, patient.identity, comment="another")
    with pytest.warns(IsodoseWarning, match=r"several doses of a plan.*second\.dcm"):
        assert load_patient(folder).dose is None


def test_several_structure_sets(folder: Path) -> None:
    shutil.copy(folder / "RTSTRUCT.dcm", folder / "other.dcm")
    with pytest.raises(InputError, match=r"RTSTRUCT: found 2 structure sets.*other\.dcm"):
        load_patient(folder)


def test_structure_set_of_another_frame(folder: Path) -> None:
    dataset = pydicom.dcmread(folder / "RTSTRUCT.dcm")
    for roi in dataset.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = "1.2.3"
    dataset.save_as(folder / "RTSTRUCT.dcm")
    with pytest.raises(InputError, match=r"RTSTRUCT\.dcm: ROI 'CTV high', ReferencedFrameOfReferenceUID"):
        load_patient(folder)


def test_structure_set_drawn_on_another_series_of_the_frame(folder: Path) -> None:
    dataset = pydicom.dcmread(folder / "RTSTRUCT.dcm")
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
    dataset.save_as(folder / "RTSTRUCT.dcm")
    with pytest.warns(IsodoseWarning, match=r"drawn on another CT series"):
        load_patient(folder)


def test_structures_drawn_beyond_the_ct_are_named(folder: Path) -> None:
    for path in sorted(folder.glob("CT*.dcm"))[-3:]:
        path.unlink()
    with pytest.warns(IsodoseWarning, match="drawn beyond the CT.*: CTV high, Organ$"):
        load_patient(folder)


def test_folder_in_use(folder: Path, patient: Patient) -> None:
    before = sorted(p.name for p in folder.iterdir())
    with pytest.raises(OutputError, match="exists already"):
        write_patient_dicom(patient, folder)
    assert sorted(p.name for p in folder.iterdir()) == before


def test_failure_half_way_leaves_nothing(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(load, "write_structures", full)
    with pytest.raises(OutputError, match="No space left"):
        write_patient_dicom(patient, tmp_path / "dicom")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_patient(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CT slice"):
        load_patient(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load_patient(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="found a file"):
        load_patient(tmp_path / "file")
