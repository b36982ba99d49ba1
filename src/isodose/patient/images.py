"""Volumes as NIfTI, MetaImage and NRRD files, through SimpleITK.

SimpleITK works in the patient frame of DICOM (LPS); it converts NIfTI's and NRRD's frames by itself.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name by which it is known

from isodose.errors import InputError, OutputError
from isodose.patient.files import atomic_path
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume

READABLE = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
"""Suffixes of the files that can be read."""

WRITABLE = (".nii", ".nii.gz", ".mha", ".nrrd")
"""Suffixes of the files that can be written: those that keep header and values in one file."""


def has_suffix(path: str | Path, suffixes: tuple[str, ...]) -> bool:
    """Whether a file name ends in one of the suffixes, whatever the case."""
    return Path(path).name.lower().endswith(suffixes)


def read_image(path: str | Path) -> Volume:
    """Read a volume.

    Parameters
    ----------
    path
        NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd) or NRRD (.nrrd, .nhdr) file of one number per voxel, in
        three dimensions, along the patient's axes in any order and direction.

    Raises
    ------
    InputError
        If it cannot be read, is not such a volume or is rotated against the patient's axes.
    """
    file = Path(path)
    if not has_suffix(file, READABLE):
        raise InputError("file", file.name, f"a file that ends in {', '.join(READABLE)}", file)
    if not file.is_file():
        raise InputError("file", "no such file", "a volume", file)
    try:
        image: Any = sitk.ReadImage(str(file))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError("file", f"no readable volume ({reason})", "a complete file", file) from error
    dimensions, numbers = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if dimensions != 3 or numbers != 1:
        found = f"{dimensions} dimensions, {numbers} numbers per voxel"
        raise InputError("volume", found, "3 dimensions, 1 number per voxel", file)
    image = cast(Any, sitk.DICOMOrient)(image, "LPS")
    direction = np.reshape(image.GetDirection(), (3, 3))
    if not np.allclose(direction, np.eye(3), rtol=0, atol=1e-4):
        found = np.round(direction, 4).tolist()
        raise InputError("direction", found, "axes along those of the patient (no rotation)", file)
    values = sitk.GetArrayFromImage(image)
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise InputError("volume", f"values of type {values.dtype}", "real numbers", file)
    return Volume(Grid(image.GetOrigin(), image.GetSpacing(), values.shape), values)


def write_image(path: str | Path, volume: Volume) -> None:
    """Write a volume as float32, compressed where the format can.

    Parameters
    ----------
    path
        File to write (.nii, .nii.gz, .mha or .nrrd), in an existing folder.
    volume
        What to write.

    Raises
    ------
    InputError
        For another suffix.
    OutputError
        If it cannot be written.
    """
    file = Path(path)
    if not has_suffix(file, WRITABLE):
        raise InputError("file", file.name, f"a file that ends in {', '.join(WRITABLE)}", file)
    image: Any = sitk.GetImageFromArray(volume.values)
    image.SetOrigin(volume.grid.origin_mm)
    image.SetSpacing(volume.grid.spacing_mm)
    with atomic_path(file) as partial:
        try:
            sitk.WriteImage(image, str(partial), useCompression=not file.name.lower().endswith(".nii"))
            written = sitk.ReadImage(str(partial))
        except RuntimeError as error:
            raise OutputError(f"{file}: could not be written; nothing was left behind") from error
        # ITK does not notice a full disk with every format, so the file is read back before it counts.
        whole = np.array_equal(sitk.GetArrayViewFromImage(written), volume.values, equal_nan=True)
        if not (whole and _is_long_enough(partial, volume.values.nbytes)):
            raise OutputError(f"{file}: could not be written whole; nothing was left behind")


_NIFTI_HEADER = 352


def _is_long_enough(path: Path, size: int) -> bool:
    """Whether a NIfTI file holds so many bytes of values: ITK reads zeros where its end is missing."""
    name = path.name.lower()
    if name.endswith(".nii"):
        return path.stat().st_size >= _NIFTI_HEADER + size
    if not name.endswith(".nii.gz"):
        return True
    count = 0
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(1 << 20):
                count += len(chunk)
    except (EOFError, OSError, zlib.error):
        return False
    return count >= _NIFTI_HEADER + size
