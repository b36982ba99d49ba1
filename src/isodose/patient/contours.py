"""Contours to voxels: the part of each voxel inside a structure that was drawn slice by slice.

A contour stands for a slab that reaches half-way to the neighbouring planes; at the two ends it reaches
half a gap beyond the last plane, so that the volume is the sum of area times slice distance. Planes that
were left out are filled in by interpolating the shape (see ``isodose.patient.contour_gaps``).
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.contour_gaps import filled_planes
from isodose.patient.contour_planes import Plane, plane_coverage, plane_distance, planes_of
from isodose.patient.grid import Grid
from isodose.patient.structure import Contour

NEGLIGIBLE = 1e-5
"""Parts of a voxel too small to count: what rounding of coordinates leaves beyond the edge of a voxel."""


@dataclass(frozen=True, slots=True)
class Slab:
    """A plane and the part of the z axis it stands for."""

    lower_mm: float
    upper_mm: float
    plane: Plane


def slabs_of(planes: Sequence[Plane], distance_mm: float) -> tuple[Slab, ...]:
    """Slab of each plane.

    Parameters
    ----------
    planes
        From low to high.
    distance_mm
        Usual distance of planes. Neighbours further apart than 1.5 times this are separate pieces, each
        ending half this distance beyond its last plane.
    """
    slabs = []
    for i, plane in enumerate(planes):
        below = plane.z_mm - planes[i - 1].z_mm if i > 0 else None
        above = planes[i + 1].z_mm - plane.z_mm if i + 1 < len(planes) else None
        reach = [distance_mm if gap is None or gap > 1.5 * distance_mm else gap for gap in (below, above)]
        slabs.append(Slab(plane.z_mm - reach[0] / 2, plane.z_mm + reach[1] / 2, plane))
    return tuple(slabs)


def _zeros(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Array of zeros that takes memory only where it is written to, in pages of 4 KiB.

    A structure fills a small part of the CT. The huge pages that numpy asks for would hold whole planes of
    every structure, gigabytes for a patient with many.
    """
    if not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return np.zeros(shape, dtype=np.float32)
    count = math.prod(shape) * np.dtype(np.float32).itemsize
    # Private memory reads as zero without being there; shared memory, the default, would not.
    memory = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.ndarray(shape, dtype=np.float32, buffer=memory)


def occupancy(
    contours: Sequence[Contour],
    grid: Grid,
    *,
    plane_distance_mm: float | None = None,
    name: str = "structure",
) -> NDArray[np.float32]:
    """Part of each voxel inside a structure.

    Parameters
    ----------
    contours
        As drawn, in any order.
    grid
        Any grid; it need not be that of the CT.
    plane_distance_mm
        Slice distance of the contours, in mm; needed only for a structure drawn in a single plane. Where it
        is not given, the median distance of the planes is taken.
    name
        For messages.

    Returns
    -------
    NDArray
        ``[z, y, x]`` float32 from 0 to 1.

    Warns
    -----
    IsodoseWarning
        If planes were left out in between and are interpolated.
    """
    values = _zeros(grid.shape)
    planes = planes_of(contours)
    if not planes:
        return values
    distance = plane_distance(contours) or plane_distance_mm
    if distance is None or distance <= 0:
        expected = "a slice distance, or contours in several planes"
        raise InputError(f"structure {name!r}", "contours in a single plane", expected)
    # Only the part of the grid around the contours is touched; the rest takes neither time nor memory.
    outline = np.concatenate([c.points_mm for c in contours])
    box, (_, rows, columns) = grid.cropped(
        (*outline.min(axis=0), grid.lower_mm[2]), (*outline.max(axis=0), grid.upper_mm[2])
    )
    reached: set[int] = set()
    for slab in slabs_of(filled_planes(planes, distance, name), distance):
        shares = _shares(slab, grid)
        if not shares:
            continue
        area = plane_coverage(slab.plane, box)
        for k, share in shares.items():
            values[k, rows, columns] += (share * area).astype(np.float32)
            reached.add(k)
    for k in reached:
        part = values[k, rows, columns]
        part[part < NEGLIGIBLE] = 0.0
        part[part > 1.0 - NEGLIGIBLE] = 1.0
    return values


def _shares(slab: Slab, grid: Grid) -> dict[int, float]:
    """Part of its height that a slab takes of each layer of voxels it reaches."""
    bottom, dz = grid.lower_mm[2], grid.spacing_mm[2]
    lower, upper = (slab.lower_mm - bottom) / dz, (slab.upper_mm - bottom) / dz
    first, last = max(int(np.floor(lower + 1e-9)), 0), min(int(np.ceil(upper - 1e-9)), grid.shape[0])
    return {k: min(upper, k + 1.0) - max(lower, float(k)) for k in range(first, last)}
