"""What all DICOM objects share: opening them with checks, and the modules that every written one carries."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, ImplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from isodose import __version__
from isodose.errors import InputError, IsodoseError
from isodose.patient.files import atomic_path
from isodose.patient.patient import DicomIdentity

MODALITY: dict[str, str] = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.481.2": "RTDOSE",
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
    "1.2.840.10008.5.1.4.1.1.481.5": "RTPLAN",
    "1.2.840.10008.5.1.4.1.1.481.8": "RTPLAN",
    "1.2.840.10008.5.1.4.1.1.481.9": "RTRECORD",
}
"""Modality by SOP class UID, of the objects that isodose reads or writes."""


DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, NotImplementedError,
    EOFError, OSError, struct.error, InvalidDicomError, BytesLengthException, RecursionError,
)  # fmt: skip
"""What pydicom raises, now or at the first use of an element, for a file that is not as it should be."""


@contextmanager
def naming(file: str | Path) -> Iterator[None]:
    """Turn what damaged data raise into an error that names the file."""
    try:
        yield
    except IsodoseError:
        raise
    except DAMAGE as error:
        found = f"damaged data ({type(error).__name__}: {error})"
        raise InputError("file", found, "elements as the DICOM standard has them", file) from error


def open_dicom(path: str | Path, sop_class: UID | None = None, *, header_only: bool = False) -> FileDataset:
    """Open a DICOM file and check what it is.

    Parameters
    ----------
    path
        The file.
    sop_class
        The class it must have, if any.
    header_only
        Whether to leave the pixels on disk.

    Raises
    ------
    InputError
        If the file cannot be opened, is not DICOM or of another class.
    """
    try:
        dataset = dcmread(path, stop_before_pixels=header_only)
    except OSError as error:
        raise InputError("file", error.strerror or str(error), "a readable DICOM file", path) from error
    except DAMAGE as error:
        raise InputError("file", "no readable DICOM data", "a DICOM file", path) from error
    found = dataset.get("SOPClassUID")
    if sop_class is not None and found != sop_class:
        name = getattr(found, "name", None) or "nothing"
        raise InputError("SOPClassUID", name, sop_class.name, path)
    return dataset


def required(dataset: Dataset, keyword: str, file: str | Path, place: str = "") -> Any:
    """Value of an element that must be there and not be empty.

    Raises
    ------
    InputError
        If it is missing, empty or not readable as its type.
    """
    try:
        value = dataset.get(keyword)
    except DAMAGE as error:
        raise InputError(place + keyword, f"an unreadable value ({error})", "a valid one", file) from error
    if value is None or (hasattr(value, "__len__") and len(value) == 0):
        raise InputError(place + keyword, "nothing", "a value", file)
    return value


def required_numbers(dataset: Dataset, keyword: str, count: int, file: str | Path) -> NDArray[np.float64]:
    """Finite numbers ``(count,)`` of an element that must be there."""
    value = required(dataset, keyword, file)
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(keyword, value, f"{count} numbers", file) from error
    if numbers.shape != (count,) or not np.all(np.isfinite(numbers)):
        raise InputError(keyword, value, f"{count} finite numbers", file)
    return numbers


def axis_signs(dataset: Dataset, file: str | Path, tolerance: float = 1e-4) -> tuple[int, int]:
    """Directions of columns along x and of rows along y, each 1 or -1.

    Raises
    ------
    InputError
        If the image's axes are not those of the patient: a tilted gantry, a sagittal or an oblique image.
    """
    cosines = required_numbers(dataset, "ImageOrientationPatient", 6, file)
    signs = int(np.sign(cosines[0])), int(np.sign(cosines[4]))
    if not np.allclose(cosines, [signs[0], 0, 0, 0, signs[1], 0], rtol=0, atol=tolerance) or 0 in signs:
        expected = "axial slices aligned with the patient's axes (no tilt, no rotation)"
        raise InputError("ImageOrientationPatient", cosines.tolist(), expected, file)
    return signs


def new_uid(*entropy: object) -> str:
    """Make a UID of nothing but what is given, so that the same input gives the same object."""
    return str(generate_uid(entropy_srcs=[repr(part) for part in entropy]))


def complete_identity(identity: DicomIdentity) -> DicomIdentity:
    """Identity with every UID filled in; missing ones follow from the patient's name and ID alone."""
    who = (identity.patient_name, identity.patient_id)
    study = identity.study_uid or new_uid("study", *who)
    return replace(
        identity,
        study_uid=study,
        frame_of_reference_uid=identity.frame_of_reference_uid or new_uid("frame of reference", study),
        structure_set_uid=identity.structure_set_uid or new_uid("structure set", study),
    )


def ds_text(values: ArrayLike) -> list[str]:
    """Numbers as DICOM decimal strings of at most 16 characters, as exact as these allow."""
    return [format_number_as_ds(float(v)) for v in np.ravel(values)]


def new_object(
    sop_class: UID, identity: DicomIdentity, instance_uid: str, series: str, description: str
) -> Dataset:
    """Start a dataset with what every object carries: patient, study, series, frame of reference, equipment.

    Parameters
    ----------
    sop_class
        What it is to be.
    identity
        Patient and study; missing UIDs are derived.
    instance_uid
        The object's own UID.
    series
        Whatever tells its series from others of the study.
    description
        Series description, at most 64 characters.
    """
    who = complete_identity(identity)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    # Contours and spot maps may exceed the 64 KiB that an explicit decimal string or float list can hold.
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = UID(instance_uid)
    dataset.Modality = MODALITY[str(sop_class)]
    dataset.PatientName = who.patient_name or "isodose^phantom"
    dataset.PatientID = who.patient_id or "isodose"
    dataset.StudyInstanceUID = who.study_uid
    dataset.SeriesInstanceUID = new_uid("series", who.study_uid, dataset.Modality, series)
    dataset.FrameOfReferenceUID = who.frame_of_reference_uid
    dataset.SeriesDescription = description[:64]
    dataset.Manufacturer = "isodose"
    dataset.ManufacturerModelName = "isodose"
    dataset.SoftwareVersions = __version__
    empty = "PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber ReferringPhysicianName"
    for keyword in (*empty.split(), "PositionReferenceIndicator", "OperatorsName", "SeriesNumber"):
        setattr(dataset, keyword, None if keyword == "SeriesNumber" else "")
    dataset.InstanceNumber = 1
    return dataset


def stamp_date(dataset: Dataset, *prefixes: str) -> None:
    """Set the date and time elements whose keywords begin so (``StructureSet``, ``InstanceCreation``)."""
    now = datetime.datetime.now()
    for prefix in prefixes:
        setattr(dataset, prefix + "Date", now.strftime("%Y%m%d"))
        setattr(dataset, prefix + "Time", now.strftime("%H%M%S"))


def sequence_item(**elements: Any) -> Dataset:
    """Dataset with the elements given by keyword, for use in a sequence."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def save_dicom(dataset: Dataset, path: str | Path) -> None:
    """Write a dataset as a DICOM file, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_path(path) as partial:
        dataset.save_as(partial, enforce_file_format=True)


def dicom_files(folder: str | Path) -> dict[str, list[Path]]:
    """DICOM files of a folder and its sub-folders by SOP class UID; other files are passed over.

    Raises
    ------
    InputError
        If the folder cannot be read, or a file named ``.dcm`` is damaged: it might be the missing slice.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError("folder", "no such folder", "a folder of DICOM files", root)
    found: dict[str, list[Path]] = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        try:
            header: Dataset = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno:
                raise InputError("file", error.strerror, "a readable file", path) from error
            header = Dataset()
        kind = str(header.get("SOPClassUID", ""))
        if kind:
            found.setdefault(kind, []).append(path)
        elif path.suffix.lower() == ".dcm":
            raise InputError("file", "no readable DICOM data", "a DICOM file, as its name says", path)
    return found


def names(paths: Sequence[str | Path], limit: int = 4) -> str:
    """File names for a message, not too many of them."""
    shown = ", ".join(Path(p).name for p in paths[:limit])
    return shown if len(paths) <= limit else f"{shown} and {len(paths) - limit} more"
