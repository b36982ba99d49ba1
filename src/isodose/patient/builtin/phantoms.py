"""Water boxes and slab phantoms: exact numbers, no noise, for beams that enter along y.

Their CT numbers are those of `isodose.patient.hounsfield.phantom`: water is 0 HU, lung -740, cortical bone
1525 and air -1000. Depth is measured from the face at the smallest y, where a beam from gantry 0 enters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.builtin.anatomy import grid_of
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

WATER_HU, LUNG_HU, BONE_HU, AIR_HU = 0.0, -740.0, 1525.0, -1000.0

SIZE_MM = (300.0, 400.0, 300.0)
"""Default extent (x, y, z): deep enough for the range of 230 MeV protons and 430 MeV/u carbon ions."""

TARGET_MM = 60.0
"""Edge of the cubic target in the middle."""


@dataclass(frozen=True, slots=True)
class Slab:
    """A layer of another material.

    Parameters
    ----------
    name
        Of the structure that delineates it.
    hu
        Its number.
    depth_mm
        From and to, below the entrance face.
    half
        Whether it fills only the half x < 0, so that its edge lies on the axis of the beam.
    """

    name: str
    hu: float
    depth_mm: tuple[float, float]
    half: bool = False


SLABS: Mapping[str, tuple[Slab, ...]] = {
    "water": (),
    "slab_bone": (Slab("Bone", BONE_HU, (20.0, 50.0), half=True),),
    "slab_lung": (Slab("Lung", LUNG_HU, (40.0, 120.0)),),
    "slab_air": (Slab("Air", AIR_HU, (40.0, 60.0), half=True),),
    "slab_layers": (
        Slab("Bone", BONE_HU, (20.0, 30.0)),
        Slab("Lung", LUNG_HU, (50.0, 110.0)),
        Slab("Bone2", BONE_HU, (110.0, 120.0)),
    ),
}


def phantom_patient(
    name: str, spacing_mm: tuple[float, float, float], size_mm: tuple[float, float, float]
) -> Patient:
    """Water box with the slabs of a name; structures External, PTV (a cube in the middle) and each slab.

    Edges that cut a voxel mix its materials by volume, linearly in HU.
    """
    grid = grid_of(size_mm, spacing_mm)
    top = grid.lower_mm[1]
    ct = np.full(grid.shape, WATER_HU)
    cube = _box(grid, (-TARGET_MM / 2,) * 3, (TARGET_MM / 2,) * 3)
    structures = [
        Structure(
            "External", Role.EXTERNAL, grid, np.ones(grid.shape, dtype=np.float32), colour=(60, 180, 75)
        ),
        Structure("PTV", Role.PTV, grid, cube, colour=(255, 40, 40)),
    ]
    for slab in SLABS[name]:
        upper_x = 0.0 if slab.half else grid.upper_mm[0]
        lower = (grid.lower_mm[0], top + slab.depth_mm[0], grid.lower_mm[2])
        part = _box(grid, lower, (upper_x, top + slab.depth_mm[1], grid.upper_mm[2]))
        ct += part * (slab.hu - ct)
        structures.append(Structure(slab.name, Role.OTHER, grid, part, colour=(230, 200, 80)))
    volume = Volume(grid, ct.astype(np.float32))
    return Patient(name, volume, {s.name: s for s in structures}, calibration="phantom")


def _box(
    grid: Grid, lower: tuple[float, float, float], upper: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Part of each voxel inside a box."""
    parts = []
    for axis, low, high, spacing in zip("xyz", lower, upper, grid.spacing_mm, strict=True):
        centre = grid.axis_mm(axis)
        shared = np.minimum(centre + spacing / 2, high) - np.maximum(centre - spacing / 2, low)
        parts.append(np.clip(shared / spacing, 0.0, 1.0).astype(np.float32))
    x, y, z = parts
    return np.asarray(z[:, None, None] * y[None, :, None] * x[None, None, :])
