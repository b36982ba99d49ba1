"""Reading and writing DICOM CT series."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.dicom_object import (
    axis_signs,
    complete_identity,
    dicom_files,
    ds_text,
    names,
    naming,
    new_object,
    new_uid,
    open_dicom,
    required,
    required_numbers,
    save_dicom,
)
from isodose.patient.grid import Grid
from isodose.patient.patient import DicomIdentity
from isodose.patient.volume import Volume

POSITION_TOLERANCE_MM = 0.01
"""How far slices may be off a regular, untilted stack."""

AIR_HU = -1000.0
"""What padding outside the reconstructed circle stands for."""


@dataclass(frozen=True, slots=True)
class CtSeries:
    """A CT and what its files say beyond the numbers.

    Parameters
    ----------
    volume
        Hounsfield units.
    position
        Patient position (HFS, HFP, FFS or FFP).
    identity
        Patient, study and frame of reference.
    series_uid
        Series Instance UID.
    instance_uids
        SOP Instance UID of every slice, from low to high z.
    """

    volume: Volume
    position: str
    identity: DicomIdentity
    series_uid: str
    instance_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Slice:
    """Header of one slice and where it lies."""

    path: Path
    header: FileDataset
    position_mm: tuple[float, float, float]


def _is_localiser(header: Dataset) -> bool:
    """Whether an image is a planning radiograph rather than a slice."""
    return "LOCALIZER" in [str(v).upper() for v in header.get("ImageType") or []]


def _headers(paths: Sequence[Path]) -> list[_Slice]:
    """Headers of the slices, localisers left out."""
    slices = []
    for path in paths:
        header = open_dicom(path, CTImageStorage, header_only=True)
        with naming(path):
            if _is_localiser(header):
                continue
            x, y, z = required_numbers(header, "ImagePositionPatient", 3, path)
            slices.append(_Slice(path, header, (float(x), float(y), float(z))))
    return slices


def _one_series(slices: list[_Slice], series_uid: str | None, folder: Path) -> list[_Slice]:
    """Slices of the series asked for, or of the only one there is."""
    series: dict[str, list[_Slice]] = {}
    for one in slices:
        series.setdefault(str(required(one.header, "SeriesInstanceUID", one.path)), []).append(one)
    listed = "; ".join(
        f"{uid} ({len(members)} slices, {members[0].header.get('SeriesDescription') or 'no description'})"
        for uid, members in series.items()
    )
    if series_uid is not None and series_uid not in series:
        raise InputError("SeriesInstanceUID", series_uid, f"one of {listed or 'none'}", folder)
    if not series:
        raise InputError("folder", "no CT slice", "the slices of a CT series", folder)
    if series_uid is None and len(series) > 1:
        raise InputError("SeriesInstanceUID", f"{len(series)} CT series: {listed}", "a single series", folder)
    return series[series_uid or next(iter(series))]


def _check_same(slices: list[_Slice]) -> None:
    """Refuse slices that differ in what all slices of a volume share."""
    first = slices[0]
    shared = ("FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "PatientPosition", "Rows", "Columns")
    for one in slices[1:]:
        for keyword in shared:
            if one.header.get(keyword) != first.header.get(keyword):
                expected = f"{first.header.get(keyword)} as in {first.path.name}"
                raise InputError(keyword, one.header.get(keyword), expected, one.path)
        for keyword, count in (("PixelSpacing", 2), ("ImageOrientationPatient", 6)):
            found = required_numbers(one.header, keyword, count, one.path)
            expected_numbers = required_numbers(first.header, keyword, count, first.path)
            if not np.allclose(found, expected_numbers, rtol=0, atol=1e-4):
                expected = f"{expected_numbers.tolist()} as in {first.path.name}"
                raise InputError(keyword, found.tolist(), expected, one.path)


def _without_copies(slices: list[_Slice]) -> list[_Slice]:
    """Slices from low to high; the same file twice counts once, two slices in one place are refused."""
    ordered = sorted(slices, key=lambda s: s.position_mm[2])
    kept: list[_Slice] = []
    for one in ordered:
        if not kept or one.position_mm[2] - kept[-1].position_mm[2] > POSITION_TOLERANCE_MM:
            kept.append(one)
            continue
        last = kept[-1]
        same = one.header.get("SOPInstanceUID") == last.header.get("SOPInstanceUID")
        if not (same and np.array_equal(_hounsfield(one.path), _hounsfield(last.path))):
            found = f"the position {list(one.position_mm)} of {last.path.name} again"
            raise InputError("ImagePositionPatient", found, "each slice once", one.path)
        warnings.warn(f"{one.path}: a copy of {last.path.name}, left out", IsodoseWarning, stacklevel=5)
    return kept


def _slice_distance(slices: list[_Slice], folder: Path) -> float:
    """Slice distance in mm of a regular, untilted stack.

    For a single slice it is the slice thickness.
    """
    positions = np.array([s.position_mm for s in slices])
    if len(slices) == 1:
        only = slices[0]
        thickness = float(required_numbers(only.header, "SliceThickness", 1, only.path)[0])
        warnings.warn(
            f"{only.path}: a CT of one slice; its thickness is taken to be SliceThickness, {thickness:g} mm",
            IsodoseWarning,
            stacklevel=4,
        )
        return thickness
    drift = np.abs(positions[:, :2] - positions[0, :2]).max(axis=1)
    if drift.max() > POSITION_TOLERANCE_MM:
        worst = slices[int(drift.argmax())]
        found = f"{list(worst.position_mm)}, where {slices[0].path.name} has {list(slices[0].position_mm)}"
        expected = "the same x and y in all slices (a stack sheared by a tilted gantry cannot be used)"
        raise InputError("ImagePositionPatient", found, expected, worst.path)
    gaps = np.diff(positions[:, 2])
    usual = float(np.median(gaps))
    bad = np.flatnonzero(np.abs(gaps - usual) > POSITION_TOLERANCE_MM)
    if bad.size:
        i = int(bad[0])
        missing = f", {round(gaps[i] / usual) - 1} missing" if gaps[i] > 1.5 * usual else ""
        found = (
            f"{gaps[i]:g} mm between z = {positions[i, 2]:g} ({slices[i].path.name}) and "
            f"{positions[i + 1, 2]:g} ({slices[i + 1].path.name}){missing}"
        )
        raise InputError("ImagePositionPatient", found, f"slices {usual:g} mm apart throughout", folder)
    # The ends give the mean distance, which sums up without drift over many slices.
    return float(positions[-1, 2] - positions[0, 2]) / (len(slices) - 1)


def _stored(dataset: FileDataset, path: Path) -> NDArray[np.int32]:
    """Decode pixel values ``[rows, columns]``, with unused high bits removed and the sign applied."""
    try:
        pixels = dataset.pixel_array
    except Exception as error:  # pydicom and its decoders raise many types for damaged pixels
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        found = f"pixels that cannot be decoded ({error})"
        raise InputError(
            "PixelData", found, f"a readable {getattr(syntax, 'name', 'image')}", path
        ) from error
    expected = (int(dataset.Rows), int(dataset.Columns))
    if pixels.shape != expected:
        raise InputError("PixelData", f"an image of shape {pixels.shape}", f"one of shape {expected}", path)
    allocated, stored = int(dataset.BitsAllocated), int(dataset.get("BitsStored", dataset.BitsAllocated))
    top = int(dataset.get("HighBit", stored - 1)) + 1
    if stored > top or top > allocated or allocated > 16:
        found = f"{stored} stored of {allocated} bits with high bit {top - 1}"
        raise InputError("BitsStored", found, "at most 16 bits, all within those allocated", path)
    mask = (1 << stored) - 1
    values: NDArray[np.int32] = (pixels.astype(np.int32) >> (top - stored)) & mask
    if int(dataset.get("PixelRepresentation", 0)) == 1:
        values = np.where(values >> (stored - 1), values - (1 << stored), values).astype(np.int32)
    return values


def _padding(dataset: FileDataset, stored: NDArray[np.int32]) -> NDArray[np.bool_] | None:
    """Pixels outside the reconstructed circle, by their padding value or range of values."""
    if dataset.get("PixelPaddingValue") is None:
        return None
    signed = int(dataset.get("PixelRepresentation", 0)) == 1
    limits = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = dataset.get(keyword)
        if value is not None:
            # Writers give the 16 bits now as signed, now as unsigned number.
            number = int(value) & 0xFFFF
            limits.append(number - 0x10000 if signed and number >= 0x8000 else number)
    return (stored >= min(limits)) & (stored <= max(limits))


def _hounsfield(path: Path) -> NDArray[np.float32]:
    """Hounsfield units ``[rows, columns]`` of a slice, by its own rescale values."""
    with naming(path):
        return _rescaled(open_dicom(path, CTImageStorage), path)


def _rescaled(dataset: FileDataset, path: Path) -> NDArray[np.float32]:
    """Scale stored values by what the slice itself says, with padding as air."""
    slope = float(required_numbers(dataset, "RescaleSlope", 1, path)[0])
    intercept = float(required_numbers(dataset, "RescaleIntercept", 1, path)[0])
    unit = str(dataset.get("RescaleType") or "HU").strip().upper()
    if unit not in ("HU", "US"):
        raise InputError("RescaleType", unit, "HU", path)
    if slope == 0:
        raise InputError("RescaleSlope", slope, "a number other than 0", path)
    stored = _stored(dataset, path)
    values = (stored * slope + intercept).astype(np.float32)
    padding = _padding(dataset, stored)
    if padding is not None:
        values[padding] = AIR_HU
    return values


def _identity(header: Dataset) -> DicomIdentity:
    """Patient, study and frame of reference of a slice."""
    return DicomIdentity(
        patient_name=str(header.get("PatientName") or ""),
        patient_id=str(header.get("PatientID") or ""),
        study_uid=str(header.get("StudyInstanceUID") or ""),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
    )


def read_ct(folder: str | Path, *, series_uid: str | None = None) -> CtSeries:
    """Read a CT series from a folder and its sub-folders, whatever the names of the files.

    Slices are ordered by position. Localisers and objects that are no CT are passed over.

    Parameters
    ----------
    folder
        The folder, or a single slice.
    series_uid
        Which series, if the folder holds several.

    Returns
    -------
    CtSeries
        Hounsfield units on a grid along the patient's axes.

    Raises
    ------
    InputError
        For no or several series; slices missing, twice in a place, tilted, rotated or of unlike size, spacing
        or frame of reference; a missing rescale value; damaged pixels. It names the file and the element.

    Warns
    -----
    IsodoseWarning
        If the same object occurs twice, or for a single slice.
    """
    root = Path(folder)
    slices = _one_series(_headers(_slice_files(root)), series_uid, root)
    first = slices[0]
    with naming(first.path):
        required(first.header, "FrameOfReferenceUID", first.path)
        sign_x, sign_y = axis_signs(first.header, first.path)
        _check_same(slices)
    slices = _without_copies(slices)
    dz = _slice_distance(slices, root)
    dy, dx = required_numbers(first.header, "PixelSpacing", 2, first.path)
    values = np.stack([_hounsfield(one.path) for one in slices])[:, ::sign_y, ::sign_x]
    x, y, z = slices[0].position_mm
    _, ny, nx = values.shape
    origin = (x if sign_x > 0 else x - (nx - 1) * dx, y if sign_y > 0 else y - (ny - 1) * dy, z)
    position = _patient_position(first)
    return CtSeries(
        Volume(Grid(origin, (float(dx), float(dy), dz), values.shape), values),
        position,
        _identity(first.header),
        str(first.header.SeriesInstanceUID),
        tuple(str(required(one.header, "SOPInstanceUID", one.path)) for one in slices),
    )


def _slice_files(root: Path) -> list[Path]:
    """Files of CT slices in a folder, or the single one given; a CT in one file is refused."""
    if root.is_file():
        return [root]
    found = dicom_files(root)
    enhanced = found.get(EnhancedCTImageStorage, [])
    if enhanced:
        raise InputError("SOPClassUID", f"enhanced CT ({names(enhanced)})", "a CT of single slices", root)
    return found.get(CTImageStorage, [])


def _patient_position(one: _Slice) -> str:
    """How the patient lies, head first supine where a slice does not say."""
    position = str(one.header.get("PatientPosition") or "").strip()
    if not position:
        warnings.warn(f"{one.path}: no PatientPosition; taken to be HFS", IsodoseWarning, stacklevel=3)
        return "HFS"
    if position not in ("HFS", "HFP", "FFS", "FFP"):
        raise InputError("PatientPosition", position, "HFS, HFP, FFS or FFP", one.path)
    return position


def _slope_and_intercept(values: NDArray[np.float32]) -> tuple[float, float]:
    """Rescale values: whole Hounsfield units where they fit signed 16 bits, else the finest that do."""
    low, high = float(values.min()), float(values.max())
    if low >= -32768 and high <= 32767 and np.array_equal(values, np.rint(values)):
        return 1.0, 0.0
    slope = float(ds_text((high - low) / 65000 or 1.0)[0])
    return slope, float(ds_text(low + 32500 * slope)[0])


def write_ct(
    folder: str | Path, volume: Volume, identity: DicomIdentity, *, position: str = "HFS"
) -> CtSeries:
    """Write a CT as a series of slices ``CT.0001.dcm`` and so on, from low to high z.

    Whole Hounsfield units are kept exactly; others to 1/65000 of their range.

    Parameters
    ----------
    folder
        An existing folder; use ``isodose.patient.files.atomic_folder`` to have it whole or not at all.
    volume
        Hounsfield units.
    identity
        Patient and study; missing UIDs are derived from the patient's name and ID.
    position
        Patient position.

    Returns
    -------
    CtSeries
        What was written, with the UIDs given to the series and the slices.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    who = complete_identity(identity)
    grid = volume.grid
    content = hashlib.sha256(volume.values.tobytes()).hexdigest()
    series = f"{content} {grid} {position}"
    slope, intercept = _slope_and_intercept(volume.values)
    uids, series_uid = [], ""
    for k, z in enumerate(grid.axis_mm("z")):
        uid = new_uid("CT", who.study_uid, series, k)
        dataset = new_object(CTImageStorage, who, uid, series, "CT")
        dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        dataset.InstanceNumber = k + 1
        dataset.PatientPosition = position
        dataset.AcquisitionNumber = None
        dataset.KVP = None
        dataset.SliceThickness = ds_text(grid.spacing_mm[2])[0]
        dataset.ImagePositionPatient = ds_text((*grid.origin_mm[:2], z))
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = ds_text((grid.spacing_mm[1], grid.spacing_mm[0]))
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.Rows, dataset.Columns = grid.shape[1:]
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation = 1
        dataset.RescaleSlope, dataset.RescaleIntercept = ds_text((slope, intercept))
        dataset.RescaleType = "HU"
        stored = np.rint((volume.values[k].astype(np.float64) - intercept) / slope)
        dataset.PixelData = np.clip(stored, -32768, 32767).astype("<i2").tobytes()
        save_dicom(dataset, Path(folder) / f"CT.{k + 1:04d}.dcm")
        uids.append(uid)
        series_uid = str(dataset.SeriesInstanceUID)
    return CtSeries(volume, position, who, series_uid, tuple(uids))
