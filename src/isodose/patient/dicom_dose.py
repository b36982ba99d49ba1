"""Reading and writing DICOM RT Dose."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import RTDoseStorage, RTIonPlanStorage

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.dicom_object import (
    axis_signs,
    complete_identity,
    ds_text,
    naming,
    new_object,
    new_uid,
    open_dicom,
    required,
    required_numbers,
    save_dicom,
    sequence_item,
    stamp_date,
)
from isodose.patient.grid import Grid
from isodose.patient.patient import DicomIdentity
from isodose.patient.volume import Volume


class DoseUnits(StrEnum):
    """Unit of a DICOM dose; relative also holds what DICOM has no unit for, named in the comment."""

    GY = "GY"
    RELATIVE = "RELATIVE"


class DoseType(StrEnum):
    """What a DICOM dose is: absorbed, weighted by biological effect, or a difference (an uncertainty)."""

    PHYSICAL = "PHYSICAL"
    EFFECTIVE = "EFFECTIVE"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class DicomDose:
    """A dose distribution and what its file says about it.

    Parameters
    ----------
    volume
        The numbers, in the unit below.
    units, dose_type
        What they are.
    summation
        Dose Summation Type, such as PLAN or BEAM.
    comment
        Dose Comment; names the quantity and its unit where the unit is relative.
    frame_of_reference_uid, instance_uid
        The dose's frame of reference and its own SOP Instance UID.
    plan_uid
        SOP Instance UID of the plan it belongs to; empty if none is named.
    """

    volume: Volume
    units: DoseUnits
    dose_type: DoseType
    summation: str
    comment: str
    frame_of_reference_uid: str
    instance_uid: str
    plan_uid: str


def _frame_positions(
    dataset: FileDataset, frames: int, z: float, normal: int, path: Path
) -> NDArray[np.float64]:
    """Height of each frame in mm.

    The offsets count from the image position along the normal if the first is 0, and are the heights
    themselves if the first equals the image position's z (PS3.3 C.8.8.3.2).
    """
    if frames == 1 and dataset.get("GridFrameOffsetVector") is None:
        return np.array([z])
    offsets = required_numbers(dataset, "GridFrameOffsetVector", frames, path)
    if offsets[0] == 0:
        return z + normal * offsets
    if normal > 0 and math.isclose(offsets[0], z, rel_tol=0, abs_tol=1e-3):
        return offsets
    expected = f"0, or {z:g} as ImagePositionPatient has it"
    raise InputError("GridFrameOffsetVector", f"{offsets[0]:g} first", expected, path)


def _even_distance(heights: NDArray[np.float64], dataset: FileDataset, path: Path) -> float:
    """Distance of frames in mm, from low to high; refuses uneven ones."""
    if heights.size == 1:
        thickness = dataset.get("SliceThickness")
        if thickness:
            return float(thickness)
        spacing = float(required_numbers(dataset, "PixelSpacing", 2, path)[0])
        warnings.warn(
            f"{path}: a dose of one frame without SliceThickness; taken to be {spacing:g} mm thick, as its "
            "PixelSpacing",
            IsodoseWarning,
            stacklevel=4,
        )
        return spacing
    gaps = np.diff(heights)
    if gaps.min() <= 0 or np.ptp(gaps) > 0.01:
        found = f"distances of {gaps.min():g} to {gaps.max():g} mm"
        raise InputError("GridFrameOffsetVector", found, "evenly spaced frames", path)
    return float(heights[-1] - heights[0]) / (heights.size - 1)


def _frames(dataset: FileDataset, path: Path) -> NDArray[np.float32]:
    """Values ``[frames, rows, columns]`` times the scaling."""
    scaling = float(required_numbers(dataset, "DoseGridScaling", 1, path)[0])
    if scaling <= 0:
        raise InputError("DoseGridScaling", scaling, "a positive number", path)
    try:
        pixels = dataset.pixel_array
    except Exception as error:  # pydicom and its decoders raise many types for damaged pixels
        found = f"pixels that cannot be decoded ({error})"
        raise InputError("PixelData", found, "as many as rows, columns and frames say", path) from error
    frames = int(dataset.get("NumberOfFrames") or 1)
    shape = (frames, int(dataset.Rows), int(dataset.Columns))
    if pixels.size != math.prod(shape):
        raise InputError("PixelData", f"shape {pixels.shape}", f"shape {shape}", path)
    values: NDArray[np.float32] = (pixels.reshape(shape) * scaling).astype(np.float32)
    return values


def read_dose(path: str | Path) -> DicomDose:
    """Read an RT Dose, with its frames in either of the two ways that DICOM allows.

    Parameters
    ----------
    path
        RTDOSE file.

    Raises
    ------
    InputError
        For a file that is no dose, a rotated grid, uneven or contradictory frame positions, an unknown unit
        or type, or damaged pixels. It names the element.

    Warns
    -----
    IsodoseWarning
        For a single frame of unknown thickness.
    """
    file = Path(path)
    with naming(file):
        return _parsed(open_dicom(file, RTDoseStorage), file)


def _parsed(dataset: FileDataset, file: Path) -> DicomDose:
    """Check and convert a dose object."""
    units = str(required(dataset, "DoseUnits", file)).strip().upper()
    kind = str(required(dataset, "DoseType", file)).strip().upper()
    if units not in set(DoseUnits):
        raise InputError("DoseUnits", units, " or ".join(DoseUnits), file)
    if kind not in set(DoseType):
        raise InputError("DoseType", kind, ", ".join(DoseType), file)
    sign_x, sign_y = axis_signs(dataset, file)
    x, y, z = required_numbers(dataset, "ImagePositionPatient", 3, file)
    dy, dx = required_numbers(dataset, "PixelSpacing", 2, file)
    values = _frames(dataset, file)
    heights = _frame_positions(dataset, len(values), float(z), sign_x * sign_y, file)
    if heights.size > 1 and heights[-1] < heights[0]:
        heights, values = heights[::-1], values[::-1]
    dz = _even_distance(heights, dataset, file)
    values = values[:, ::sign_y, ::sign_x]
    _, ny, nx = values.shape
    x = x if sign_x > 0 else x - (nx - 1) * dx
    y = y if sign_y > 0 else y - (ny - 1) * dy
    plans = dataset.get("ReferencedRTPlanSequence") or []
    return DicomDose(
        Volume(Grid((x, y, float(heights[0])), (dx, dy, dz), values.shape), values),
        DoseUnits(units),
        DoseType(kind),
        str(dataset.get("DoseSummationType") or ""),
        str(dataset.get("DoseComment") or ""),
        str(dataset.get("FrameOfReferenceUID") or ""),
        str(dataset.get("SOPInstanceUID") or ""),
        str(plans[0].get("ReferencedSOPInstanceUID") or "") if plans else "",
    )


def write_dose(
    path: str | Path,
    volume: Volume,
    identity: DicomIdentity,
    *,
    units: DoseUnits = DoseUnits.GY,
    dose_type: DoseType = DoseType.PHYSICAL,
    summation: str = "PLAN",
    comment: str = "",
    plan_uid: str = "",
) -> str:
    """Write an RT Dose of 32 bits per voxel.

    Parameters
    ----------
    path
        File to write, in an existing folder.
    volume
        The numbers on any grid. Negative ones are allowed in a dose of type ERROR only.
    identity
        Patient and study, as of the CT; missing UIDs are derived from the patient's name and ID.
    units
        Gy, or relative for a quantity that DICOM has no unit for (an LET); then the comment must name
        quantity and unit.
    dose_type
        Physical, effective (weighted by RBE; then the comment must name the model) or error (an uncertainty).
    summation
        Dose Summation Type.
    comment
        Dose Comment.
    plan_uid
        SOP Instance UID of the RT Ion Plan it belongs to. By default a UID derived from the study stands in,
        because readers expect one.

    Returns
    -------
    str
        SOP Instance UID of the dose.

    Raises
    ------
    InputError
        For values that are not finite or negative, or a missing comment.
    OutputError
        If the file cannot be written.
    """
    values, grid = volume.values, volume.grid
    signed = dose_type is DoseType.ERROR
    _check_values(values, signed, path)
    if not comment and (units is DoseUnits.RELATIVE or dose_type is DoseType.EFFECTIVE):
        expected = "the quantity, its unit and its model, as DICOM has no field for them"
        raise InputError("comment", "nothing", expected, path)
    who = complete_identity(identity)
    content = hashlib.sha256(values.tobytes()).hexdigest()
    uid = new_uid("RTDOSE", who.study_uid, content, str(grid), units, dose_type, summation, comment, plan_uid)
    dataset = new_object(RTDoseStorage, who, uid, uid, comment or f"{dose_type.lower()} dose")
    stamp_date(dataset, "InstanceCreation")
    dataset.DoseUnits, dataset.DoseType, dataset.DoseSummationType = str(units), str(dose_type), summation
    if comment:
        dataset.DoseComment = comment
    plan = plan_uid or new_uid("plan", who.study_uid)
    dataset.ReferencedRTPlanSequence = [
        sequence_item(ReferencedSOPClassUID=RTIonPlanStorage, ReferencedSOPInstanceUID=plan)
    ]
    _place(dataset, grid)
    _store(dataset, values, signed)
    save_dicom(dataset, path)
    return uid


def _check_values(values: NDArray[np.float32], signed: bool, path: str | Path) -> None:
    """Refuse numbers that the pixels cannot hold."""
    if not np.all(np.isfinite(values)):
        raise InputError("dose", "values that are not finite", "finite numbers", path)
    if not signed and values.min() < 0:
        raise InputError("dose", float(values.min()), "no negative value", path)


def _place(dataset: Dataset, grid: Grid) -> None:
    """Set the elements that place the frames."""
    dataset.ImagePositionPatient = ds_text(grid.origin_mm)
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = ds_text((grid.spacing_mm[1], grid.spacing_mm[0]))
    dataset.SliceThickness = ds_text(grid.spacing_mm[2])[0]
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = grid.shape
    dataset.FrameIncrementPointer = 0x3004000C
    dataset.GridFrameOffsetVector = ds_text(grid.spacing_mm[2] * np.arange(grid.shape[0]))


def _store(dataset: Dataset, values: NDArray[np.float32], signed: bool) -> None:
    """Set the pixels, and the scaling by which they span the integers of 32 bits."""
    scaling = _scaling(float(np.abs(values).max()), 2**31 - 1 if signed else 2**32 - 1)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 32, 32, 31
    dataset.PixelRepresentation = int(signed)
    dataset.DoseGridScaling = ds_text(scaling)[0]
    stored = np.rint(values.astype(np.float64) / scaling)
    dataset.PixelData = stored.astype("<i4" if signed else "<u4").tobytes()


def _scaling(largest: float, full_scale: int) -> float:
    """Scaling whose decimal string brings the largest value just inside the integers."""
    if largest <= 0:
        return 1e-6
    exact = largest / full_scale
    scaling = float(ds_text(exact)[0])
    if scaling < exact:
        # Sixteen characters always hold nine significant digits of a number of this size.
        step = 10.0 ** (math.floor(math.log10(exact)) - 8)
        scaling = float(ds_text(math.ceil(exact / step + 1e-6) * step)[0])
    return scaling
