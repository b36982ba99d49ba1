"""A box of voxels as the kernels see it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.patient.grid import Grid

FAR = 1.0e30

THINNEST = np.float32(1e-6)
"""Density in g/cm3 that stands for vacuum, so that a step in water-equivalent path always has an end."""


class Geometry(NamedTuple):
    """Voxels of material and density; positions are in mm relative to the box's lower corner.

    Parameters
    ----------
    corner_mm
        Lower corner (x, y, z) in the patient frame, float64 ``(3,)``.
    spacing_mm
        Voxel size (x, y, z), float64 ``(3,)``.
    voxels
        Voxels along (x, y, z), int64 ``(3,)``.
    density
        g/cm3, float32, flat in C order of ``[z, y, x]``.
    material
        Row of the material in the transport tables, uint8, same order.
    """

    corner_mm: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]
    voxels: NDArray[np.int64]
    density: NDArray[np.float32]
    material: NDArray[np.uint8]


def geometry(grid: Grid, density: NDArray[np.float32], material: NDArray[np.uint8]) -> Geometry:
    """Geometry of a grid with density ``[z, y, x]`` in g/cm3 and material rows ``[z, y, x]``."""
    return Geometry(
        np.array(grid.lower_mm),
        np.array(grid.spacing_mm),
        np.array(grid.shape[::-1], dtype=np.int64),
        np.maximum(density, THINNEST).astype(np.float32, copy=False).ravel(),
        np.ascontiguousarray(material, dtype=np.uint8).ravel(),
    )


@njit(cache=True)
def distance_to_box(x, y, z, ux, uy, uz, size_x, size_y, size_z):  # type: ignore[no-untyped-def]
    """Distance along a ray to a box from the origin to its size; 0 inside, negative if the ray misses."""
    near, far = 0.0, FAR
    for position, direction, size in ((x, ux, size_x), (y, uy, size_y), (z, uz, size_z)):
        if abs(direction) < 1e-12:
            if position < 0.0 or position > size:
                return -1.0
            continue
        a, b = -position / direction, (size - position) / direction
        near, far = max(near, min(a, b)), min(far, max(a, b))
    if near >= far:
        return -1.0
    return near
