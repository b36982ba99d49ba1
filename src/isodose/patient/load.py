"""One way in and out for patients: a DICOM folder, a folder of OpenKBP, or a built-in one by name."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTDoseStorage, RTStructureSetStorage

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.dicom_ct import CtSeries, read_ct, write_ct
from isodose.patient.dicom_dose import DicomDose, DoseType, DoseUnits, read_dose, write_dose
from isodose.patient.dicom_object import dicom_files, names, naming, open_dicom, required
from isodose.patient.dicom_structures import read_structures
from isodose.patient.dicom_structures_writer import write_structures
from isodose.patient.files import atomic_folder
from isodose.patient.openkbp import is_openkbp, read_openkbp
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume


def load_patient(source: str | Path) -> Patient:
    """Load a patient from a folder or, where there is no such path, a built-in one by name.

    Parameters
    ----------
    source
        DICOM folder, folder of an OpenKBP patient, or a name such as ``water``.

    Raises
    ------
    InputError
        If it is neither, or what is there cannot be used.
    """
    path = Path(source)
    if path.is_dir():
        return read_openkbp(path) if is_openkbp(path) else read_patient_dicom(path)
    if path.exists() or len(path.parts) > 1:
        found = "a file" if path.exists() else "no such folder"
        raise InputError("patient", found, "a DICOM folder, a folder of OpenKBP or a built-in name", path)
    from isodose.patient.builtin import builtin_patient

    return builtin_patient(str(source))


def _series_of(structure_set: Dataset) -> list[str]:
    """Series that a structure set says it was drawn on."""
    return [
        str(series.get("SeriesInstanceUID"))
        for frame in structure_set.get("ReferencedFrameOfReferenceSequence") or []
        for study in frame.get("RTReferencedStudySequence") or []
        for series in study.get("RTReferencedSeriesSequence") or []
    ]


def _leaves(structure: Structure) -> bool:
    """Whether a structure was drawn more than a voxel beyond its grid."""
    grid = structure.grid
    if not structure.contours:
        return False
    points = np.concatenate([c.points_mm for c in structure.contours])
    heights = [c.z_mm for c in structure.contours]
    lower, upper = (*points.min(axis=0), min(heights)), (*points.max(axis=0), max(heights))
    return bool(
        np.any(np.subtract(grid.lower_mm, lower) > grid.spacing_mm)
        or np.any(np.subtract(upper, grid.upper_mm) > grid.spacing_mm)
    )


def _structures(files: list[Path], ct: CtSeries, folder: Path) -> tuple[dict[str, Structure], str]:
    """Structures of the only structure set of the CT's frame of reference, and its UID."""
    frame = ct.identity.frame_of_reference_uid
    if not files:
        return {}, ""
    if len(files) > 1:
        raise InputError("RTSTRUCT", f"{len(files)} structure sets ({names(files)})", "only one", folder)
    structures = read_structures(files[0], ct.volume.grid, frame_of_reference_uid=frame)
    beyond = [s.name for s in structures.values() if _leaves(s)]
    if beyond:
        warnings.warn(
            f"{files[0]}: drawn beyond the CT, where it is cut off: {', '.join(beyond)}",
            IsodoseWarning,
            stacklevel=4,
        )
    header = open_dicom(files[0], RTStructureSetStorage)
    with naming(files[0]):
        uid, drawn_on = str(required(header, "SOPInstanceUID", files[0])), _series_of(header)
    if drawn_on and ct.series_uid not in drawn_on:
        warnings.warn(
            f"{files[0]}: drawn on another CT series of the same frame of reference ({', '.join(drawn_on)}) "
            f"than the one read ({ct.series_uid})",
            IsodoseWarning,
            stacklevel=4,
        )
    return structures, uid


def _dose(files: list[Path], ct: CtSeries, folder: Path) -> Volume | None:
    """Find the only plan dose in Gy of the CT's frame of reference; of none or several there is none."""
    candidates: list[tuple[Path, DicomDose]] = []
    for file in files:
        header = open_dicom(file, RTDoseStorage, header_only=True)
        with naming(file):
            in_gray = header.get("DoseUnits") == DoseUnits.GY and header.get("DoseType") != DoseType.ERROR
            of_plan = header.get("DoseSummationType") in ("PLAN", "MULTI_PLAN")
        if in_gray and of_plan:
            candidates.append((file, read_dose(file)))
    same = [c for c in candidates if c[1].frame_of_reference_uid == ct.identity.frame_of_reference_uid]
    if len(same) == 1:
        return same[0][1].volume
    if candidates:
        why = "several doses of a plan" if same else "doses of another frame of reference"
        listed = names([file for file, _ in candidates])
        warnings.warn(f"{folder}: {why} ({listed}); none is taken as reference", IsodoseWarning, stacklevel=4)
    return None


def read_patient_dicom(folder: str | Path, *, series_uid: str | None = None) -> Patient:
    """Read a patient from a DICOM folder: CT, structure set and dose, the latter two where there are any.

    Parameters
    ----------
    folder
        The folder; sub-folders are searched, and files of other kinds passed over.
    series_uid
        Which CT series, if there are several.

    Raises
    ------
    InputError
        For a CT that cannot be used (see ``read_ct``), several structure sets, or one of another frame of
        reference.

    Warns
    -----
    IsodoseWarning
        If there are several doses of a plan, or none in the frame of reference of the CT.
    """
    root = Path(folder)
    found = dicom_files(root)
    ct = read_ct(root, series_uid=series_uid)
    structures, structure_set = _structures(found.get(RTStructureSetStorage, []), ct, root)
    return Patient(
        name=ct.identity.patient_id or root.name,
        ct=ct.volume,
        structures=structures,
        dose=_dose(found.get(RTDoseStorage, []), ct, root),
        position=ct.position,
        identity=replace(ct.identity, structure_set_uid=structure_set),
    )


def write_patient_dicom(patient: Patient, folder: str | Path) -> CtSeries:
    """Write a patient as a DICOM folder: CT slices, RTSTRUCT.dcm and, if there is one, RTDOSE.dcm.

    Parameters
    ----------
    patient
        What to write.
    folder
        A new or an empty folder.

    Returns
    -------
    CtSeries
        The series as written, with its UIDs.

    Raises
    ------
    OutputError
        If the folder is not empty or cannot be written; nothing is left behind then.
    """
    with atomic_folder(folder) as partial:
        ct = write_ct(partial, patient.ct, patient.identity, position=patient.position)
        if patient.structures:
            write_structures(partial / "RTSTRUCT.dcm", patient.structures.values(), patient.identity, ct)
        if patient.dose is not None:
            write_dose(partial / "RTDOSE.dcm", patient.dose, patient.identity)
    return ct
