"""Water-equivalent depths along straight rays through a voxel grid.

A ray is followed from voxel face to voxel face, so its path length in every voxel is exact (Amanatides and
Woo, Eurographics 1987; the line integral is that of Siddon, Med Phys 12 (1985) 252).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Depths:
    """Where rays enter and leave a target, as water-equivalent depth.

    Parameters
    ----------
    proximal_mm, distal_mm
        Water-equivalent path from the start of the ray to where it first enters and last leaves the target,
        ``(n,)`` mm; NaN for rays that miss it.
    total_mm
        Water-equivalent path through the whole grid, ``(n,)`` mm; NaN for rays that miss the grid.
    """

    proximal_mm: NDArray[np.float64]
    distal_mm: NDArray[np.float64]
    total_mm: NDArray[np.float64]

    @property
    def hit(self) -> NDArray[np.bool_]:
        """Rays that meet the target."""
        return np.isfinite(self.proximal_mm)


def trace(
    rsp: Volume, mask: NDArray[np.bool_], points_mm: NDArray[np.float64], directions: NDArray[np.float64]
) -> Depths:
    """Follow rays through a volume of relative stopping powers and note where they meet a mask.

    Parameters
    ----------
    rsp
        Stopping power relative to water.
    mask
        Voxels of the target on the same grid, ``[z, y, x]``.
    points_mm
        Any point of each ray (x, y, z), ``(n, 3)`` mm; a ray is followed both ways from it.
    directions
        Unit vectors of flight, ``(n, 3)``.

    Raises
    ------
    InputError
        If the mask is on another grid.
    """
    if mask.shape != rsp.grid.shape:
        raise InputError("mask", f"shape {mask.shape}", f"the grid's shape {rsp.grid.shape}")
    out = np.full((3, len(points_mm)), np.nan)
    _trace(
        rsp.values,
        np.ascontiguousarray(mask),
        np.asarray(rsp.grid.lower_mm),
        np.asarray(rsp.grid.spacing_mm),
        np.ascontiguousarray(points_mm, dtype=np.float64),
        np.ascontiguousarray(directions, dtype=np.float64),
        out,
    )
    return Depths(out[0], out[1], out[2])


@njit(cache=True, error_model="numpy")
def _trace(rsp, mask, lower, spacing, points, directions, out):  # type: ignore[no-untyped-def]
    size = (rsp.shape[2], rsp.shape[1], rsp.shape[0])
    cell = np.empty(3, dtype=np.int64)
    sign = np.empty(3, dtype=np.int64)
    to_face = np.empty(3)
    per_cell = np.empty(3)
    for ray in range(points.shape[0]):
        first, last = -math.inf, math.inf
        for i in range(3):
            d, p = directions[ray, i], points[ray, i]
            upper = lower[i] + size[i] * spacing[i]
            if d == 0.0:
                if p < lower[i] or p >= upper:
                    first = math.inf
                continue
            a, b = (lower[i] - p) / d, (upper - p) / d
            first, last = max(first, min(a, b)), min(last, max(a, b))
        if not first < last:
            continue
        for i in range(3):
            d, p = directions[ray, i], points[ray, i]
            at = (p + first * d - lower[i]) / spacing[i]
            if d > 0.0:
                sign[i] = 1
                cell[i] = min(max(math.floor(at + 1e-9), 0), size[i] - 1)
                to_face[i] = (lower[i] + (cell[i] + 1) * spacing[i] - p) / d
                per_cell[i] = spacing[i] / d
            elif d < 0.0:
                sign[i] = -1
                cell[i] = min(max(math.ceil(at - 1e-9) - 1, 0), size[i] - 1)
                to_face[i] = (lower[i] + cell[i] * spacing[i] - p) / d
                per_cell[i] = -spacing[i] / d
            else:
                sign[i] = 0
                cell[i] = min(max(math.floor(at), 0), size[i] - 1)
                to_face[i] = math.inf
                per_cell[i] = math.inf
        here, depth = first, 0.0
        while True:
            axis = 0
            if to_face[1] < to_face[axis]:
                axis = 1
            if to_face[2] < to_face[axis]:
                axis = 2
            inside = mask[cell[2], cell[1], cell[0]]
            if inside and math.isnan(out[0, ray]):
                out[0, ray] = depth
            depth += max(to_face[axis] - here, 0.0) * rsp[cell[2], cell[1], cell[0]]
            if inside:
                out[1, ray] = depth
            here = max(to_face[axis], here)
            cell[axis] += sign[axis]
            to_face[axis] += per_cell[axis]
            if cell[axis] < 0 or cell[axis] >= size[axis]:
                break
        out[2, ray] = depth
