"""Patients of the OpenKBP challenge: a folder of CSV files, one for each volume.

Layout: a flat C-order index into 128 x 128 x 128 and a value per line; masks without values. The axes are
anterior to posterior, right to left and head to feet; voxel_dimensions.csv holds the spacing along these.
CT numbers are HU + 1000, to be clipped to 0 to 4095; beyond the body they are 0.
Source: Babier et al., Med Phys 48:5549 (2021).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, label

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.patient import DicomIdentity, Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

SIDE = 128
"""Voxels along each axis."""

NOT_STRUCTURES = ("ct", "dose", "possible_dose_mask", "voxel_dimensions")
"""Files that hold no structure."""


def is_openkbp(folder: str | Path) -> bool:
    """Whether a folder looks like a patient of the challenge."""
    return all((Path(folder) / f"{name}.csv").is_file() for name in ("ct", "voxel_dimensions"))


def _table(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """Read indices and values of a sparse volume; no values for a mask."""
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("file", f"unreadable ({error})", "a CSV file of index and value", path) from error
    if not lines or lines[0] != ",data":
        raise InputError("header", repr(lines[0]) if lines else "nothing", "',data'", path)
    pairs = [line.partition(",") for line in lines[1:]]
    try:
        index = np.array([pair[0] for pair in pairs], dtype=np.float64).astype(np.int64)
        texts = [pair[2] for pair in pairs]
        values = None if not any(texts) else np.array(texts, dtype=np.float32)
    except ValueError as error:
        raise InputError("rows", str(error), "an index and a number per line", path) from error
    if index.size and (index.min() < 0 or index.max() >= SIDE**3):
        found = int(index[(index < 0) | (index >= SIDE**3)][0])
        raise InputError("index", found, f"0 to {SIDE**3 - 1}", path)
    if np.unique(index).size != index.size:
        raise InputError("index", "an index twice", "each voxel once", path)
    return index, values


def _to_patient_axes(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """From [posterior, left, feet] to [z, y, x] with z to the head."""
    return np.ascontiguousarray(array.reshape(SIDE, SIDE, SIDE).transpose(2, 0, 1)[::-1])


def _values(path: Path) -> NDArray[np.float32]:
    """Dense volume ``[z, y, x]``, zero where the file has no line."""
    index, values = _table(path)
    if values is None or not np.all(np.isfinite(values)):
        raise InputError("data", "lines without a finite number", "a number per line", path)
    dense = np.zeros(SIDE**3, dtype=np.float32)
    dense[index] = values
    return _to_patient_axes(dense)


def _mask(path: Path) -> NDArray[np.float32]:
    """Dense mask ``[z, y, x]`` of 0 and 1."""
    index, values = _table(path)
    if values is not None and not np.all(values == 1):
        raise InputError("data", "values other than 1", "a mask, without values", path)
    dense = np.zeros(SIDE**3, dtype=np.float32)
    dense[index] = 1
    return _to_patient_axes(dense)


def _grid(path: Path) -> Grid:
    """Grid centred on 0, as the challenge gives no position."""
    try:
        spacing = np.loadtxt(path, dtype=np.float64, ndmin=1)
    except (OSError, ValueError) as error:
        raise InputError("file", f"unreadable ({error})", "three numbers in mm", path) from error
    if spacing.shape != (3,) or not np.all(np.isfinite(spacing) & (spacing > 0)):
        raise InputError("voxel_dimensions", spacing.tolist(), "three positive numbers in mm", path)
    dy, dx, dz = (float(v) for v in spacing)
    half = (SIDE - 1) / 2
    return Grid((-half * dx, -half * dy, -half * dz), (dx, dy, dz), (SIDE, SIDE, SIDE))


def _role(name: str) -> Role:
    """Role of a structure by its name; the challenge's targets are PTV56, PTV63 and PTV70."""
    return Role.PTV if name.upper().startswith("PTV") else Role.ORGAN


def _body(ct: NDArray[np.float32], possible: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Outline of the body: the largest piece that is not air or may receive dose, without inner air.

    The mask of possible dose alone would end where the photon beams do.
    """
    solid = ct > BODY_HU
    if possible is not None:
        solid |= possible > 0
    pieces, count = label(solid)
    if count == 0:
        return np.zeros_like(ct)
    largest = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    return np.stack([binary_fill_holes(plane) for plane in largest]).astype(np.float32)


BODY_HU = -400.0
"""Above this a voxel is body rather than air."""

LARGEST_CT_NUMBER = 4095
"""CT numbers of metal beyond this are clipped, as the challenge does."""

COLOURS = (
    (220, 60, 60), (240, 130, 40), (240, 190, 60), (70, 130, 220), (90, 180, 90),
    (150, 90, 200), (60, 180, 190), (200, 110, 160), (140, 110, 80), (110, 150, 60),
)  # fmt: skip
"""Colours of the structures, in the order of their files."""


def read_openkbp(folder: str | Path) -> Patient:
    """Read a patient of the challenge.

    Parameters
    ----------
    folder
        The patient's folder (``pt_1``), with ct.csv, voxel_dimensions.csv, the structures and, where there
        are any, dose.csv and possible_dose_mask.csv.

    Returns
    -------
    Patient
        Targets first among the structures; ``Body`` is all that is not air, with the mask of possible dose
        and the air within; the challenge's photon dose (Gy, whole course) is its reference dose.

    Raises
    ------
    InputError
        For a missing or malformed file; it names the file.
    """
    root = Path(folder)
    for name in ("ct", "voxel_dimensions"):
        if not (root / f"{name}.csv").is_file():
            raise InputError("file", "no such file", "a patient of OpenKBP", root / f"{name}.csv")
    grid = _grid(root / "voxel_dimensions.csv")
    ct = Volume(grid, np.clip(_values(root / "ct.csv"), 0, LARGEST_CT_NUMBER) - 1000)
    files = [f for f in root.glob("*.csv") if f.stem not in NOT_STRUCTURES]
    files.sort(key=lambda f: (not f.stem.upper().startswith("PTV"), f.stem))
    structures = {}
    for i, file in enumerate(files):
        colour = COLOURS[i % len(COLOURS)]
        structures[file.stem] = Structure(file.stem, _role(file.stem), grid, _mask(file), colour=colour)
    possible = root / "possible_dose_mask.csv"
    body = _body(ct.values, _mask(possible) if possible.is_file() else None)
    structures["Body"] = Structure("Body", Role.EXTERNAL, grid, body, colour=(200, 200, 200))
    dose = Volume(grid, _values(root / "dose.csv")) if (root / "dose.csv").is_file() else None
    identity = DicomIdentity(patient_name=f"OpenKBP^{root.name}", patient_id=f"OpenKBP-{root.name}")
    return Patient(root.name, ct, structures, dose, identity=identity)
