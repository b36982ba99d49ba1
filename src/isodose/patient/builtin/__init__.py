"""The built-in procedural patients: phantoms and people made of shapes, at any voxel size, one for each seed.

    patient = builtin_patient("head", spacing_mm=2.0, seed=3)

The anatomies are invented from adults' mean measures and their spread; they are for demonstration, tests and
training, and no replacement for real patients. `Patient.calibration` names the Hounsfield calibration that
the numbers of the CT fit: Schneider's for the anatomies, exact materials for the phantoms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from isodose.errors import InputError
from isodose.patient.builtin import head, pelvis, thorax
from isodose.patient.builtin.anatomy import Anatomy, render
from isodose.patient.builtin.phantoms import SIZE_MM, SLABS, phantom_patient
from isodose.patient.patient import DicomIdentity, Patient

BUILTIN_PATIENTS: Mapping[str, str] = {
    "water": "water box with a cubic target in the middle",
    "slab_bone": "water; half of the field behind 30 mm of cortical bone at 20 mm depth",
    "slab_lung": "water with 80 mm of lung at 40 mm depth",
    "slab_air": "water; half of the field with an air gap of 20 mm at 40 mm depth",
    "slab_layers": "water with bone, lung and bone one behind the other",
    "head": "head and neck with a nasopharyngeal target and elective neck nodes",
    "thorax": "thorax, arms raised, with one to three lung tumours",
    "pelvis": "male pelvis with a prostate target",
}
"""Names of the built-in patients, each with a description."""

_ANATOMIES: Mapping[str, Callable[[int], Anatomy]] = {
    "head": head.anatomy,
    "thorax": thorax.anatomy,
    "pelvis": pelvis.anatomy,
}


def builtin_patient(
    name: str,
    spacing_mm: float | tuple[float, float, float] = 2.0,
    seed: int = 0,
    size_mm: tuple[float, float, float] | None = None,
) -> Patient:
    """Make a built-in patient.

    Parameters
    ----------
    name
        One of `BUILTIN_PATIENTS`.
    spacing_mm
        Voxel size, one number or (x, y, z), from 0.25 to 20 mm.
    seed
        Which anatomy; phantoms are the same for every seed.
    size_mm
        Extent (x, y, z) of a phantom, 300 x 400 x 300 mm if left out; beams of gantry 0 travel along y.

    Returns
    -------
    Patient
        Head first supine, the target near the origin in the middle of the CT; structures by TG-263 names.

    Raises
    ------
    InputError
        If there is no such patient, a spacing or size is out of range, a size is given for an anatomy, or
        the seed is negative.
    """
    if name not in BUILTIN_PATIENTS:
        raise InputError("patient", repr(name), f"one of {', '.join(BUILTIN_PATIENTS)}")
    spacing = _triple("spacing_mm", spacing_mm, 0.25, 20.0)
    if seed < 0:
        raise InputError("seed", seed, "an integer of at least 0")
    if name in SLABS:
        patient = phantom_patient(name, spacing, _triple("size_mm", size_mm or SIZE_MM, 10.0, 2000.0))
    elif size_mm is not None:
        raise InputError("size_mm", size_mm, f"none for {name!r}: only phantoms come in any size")
    else:
        patient = render(_ANATOMIES[name](seed), spacing)
    return replace(patient, identity=DicomIdentity(f"isodose^{name}", f"isodose-{name}-{seed}"))


def _triple(
    field: str, value: float | tuple[float, float, float], low: float, high: float
) -> tuple[float, float, float]:
    try:
        x, y, z = (float(v) for v in np.broadcast_to(np.asarray(value, dtype=np.float64), (3,)))
    except (TypeError, ValueError) as error:
        raise InputError(field, value, "one number or three (x, y, z) in mm") from error
    if not all(low <= v <= high for v in (x, y, z)):
        raise InputError(field, value, f"{low:g} to {high:g} mm")
    return x, y, z
