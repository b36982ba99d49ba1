"""Water-equivalent depth and scattering along every ray of a fan, plane by plane.

A ray is followed from voxel face to voxel face (Amanatides and Woo, Eurographics 1987), so its path in every
voxel is exact whatever the distance of planes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.pencilbeam.fan import Fan
from isodose.pencilbeam.media import Media
from isodose.pencilbeam.threads import over_chunks


def slabs_of(
    fan: Fan, rays: NDArray[np.int64], rows: NDArray[np.int16], grid: Grid, media: Media, threads: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean relative stopping and scattering of each ray between its planes.

    Parameters
    ----------
    fan, rays
        Rays by flat index.
    rows
        Rows of `media` per voxel, ``[z, y, x]``.
    grid
        Grid of the CT.
    media
        Properties of the rows.
    threads
        Number of threads.

    Returns
    -------
    tuple
        Stopping and scattering relative to water, float32 ``(rays, planes)``; a slab reaches half a plane
        spacing to both sides. Outside the CT they are 0.
    """
    u, v = fan.rays_mm(rays)
    stopping = np.zeros((rays.size, fan.planes), dtype=np.float32)
    scattering = np.zeros_like(stopping)
    first = fan.first_plane_mm - 0.5 * fan.plane_spacing_mm
    lower, spacing = np.asarray(grid.lower_mm), np.asarray(grid.spacing_mm)

    def work(begin: int, end: int) -> None:
        _slabs(
            fan.frame,
            fan.source_distance_mm,
            u[begin:end],
            v[begin:end],
            first,
            fan.plane_spacing_mm,
            rows,
            lower,
            spacing,
            media.stopping,
            media.scattering,
            stopping[begin:end],
            scattering[begin:end],
        )

    over_chunks(work, rays.size, threads)
    return stopping, scattering


def mean_slabs_of(
    fan: Fan, rays: NDArray[np.int64], rows: NDArray[np.int16], grid: Grid, media: Media, threads: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`slabs_of`, as the mean over the cell that a ray stands for: of four rays in its quarters."""
    stopping = np.zeros((rays.size, fan.planes), dtype=np.float32)
    scattering = np.zeros_like(stopping)
    quarter = 0.25 * fan.spacing_mm
    for beside in ((-quarter, -quarter), (quarter, -quarter), (-quarter, quarter), (quarter, quarter)):
        first = (fan.first_mm[0] + beside[0], fan.first_mm[1] + beside[1])
        there = slabs_of(replace(fan, first_mm=first), rays, rows, grid, media, threads)
        stopping += np.float32(0.25) * there[0]
        scattering += np.float32(0.25) * there[1]
    return stopping, scattering


@njit(cache=True, nogil=True, error_model="numpy")
def _slabs(  # type: ignore[no-untyped-def]
    frame, distance, u, v, first, step, rows, lower, spacing, stopping_of, scattering_of, stopping, scattering
):
    size = (rows.shape[2], rows.shape[1], rows.shape[0])
    start, slope = np.empty(3), np.empty(3)
    cell, sign = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    to_face, per_cell = np.empty(3), np.empty(3)
    behind = first + stopping.shape[1] * step
    for ray in range(u.size):
        _put_in_voxels(frame, distance, u[ray], v[ray], lower, spacing, start, slope)
        low, high = _stretch_inside(start, slope, size, first, behind)
        if not low < high:
            continue
        _enter(start, slope, size, low, cell, sign, to_face, per_cell)
        _follow(
            low, high, first, step, rows, cell, sign, to_face, per_cell, stopping_of, scattering_of,
            stopping[ray], scattering[ray],
        )  # fmt: skip


@njit(cache=True, error_model="numpy", inline="always")
def _put_in_voxels(frame, distance, u, v, lower, spacing, start, slope):  # type: ignore[no-untyped-def]
    """Write a ray in voxels from the lower corner, linear in the position along the beam."""
    for i in range(3):
        a = frame[3, i] + u * frame[0, i] + v * frame[1, i]
        b = frame[2, i] + u / distance[0] * frame[0, i] + v / distance[1] * frame[1, i]
        start[i], slope[i] = (a - lower[i]) / spacing[i], b / spacing[i]


@njit(cache=True, error_model="numpy", inline="always")
def _stretch_inside(start, slope, size, low, high):  # type: ignore[no-untyped-def]
    """Cut a stretch of a ray down to what lies in the CT; none is left if it ends before it begins."""
    for i in range(3):
        if abs(slope[i]) < 1e-12:
            if start[i] < 0.0 or start[i] >= size[i]:
                high = low - 1.0
            continue
        one, two = -start[i] / slope[i], (size[i] - start[i]) / slope[i]
        low, high = max(low, min(one, two)), min(high, max(one, two))
    return low, high


@njit(cache=True, error_model="numpy", inline="always")
def _enter(start, slope, size, low, cell, sign, to_face, per_cell):  # type: ignore[no-untyped-def]
    """Write the voxel where a ray is at `low`, where it meets the next faces, and how far they are apart."""
    for i in range(3):
        at = start[i] + low * slope[i]
        if slope[i] > 1e-12:
            sign[i] = 1
            cell[i] = min(max(math.floor(at + 1e-9), 0), size[i] - 1)
            to_face[i], per_cell[i] = (cell[i] + 1 - start[i]) / slope[i], 1.0 / slope[i]
        elif slope[i] < -1e-12:
            sign[i] = -1
            cell[i] = min(max(math.ceil(at - 1e-9) - 1, 0), size[i] - 1)
            to_face[i], per_cell[i] = (cell[i] - start[i]) / slope[i], -1.0 / slope[i]
        else:
            sign[i] = 0
            cell[i] = min(max(math.floor(at), 0), size[i] - 1)
            to_face[i], per_cell[i] = math.inf, math.inf


@njit(cache=True, error_model="numpy", inline="always")
def _follow(  # type: ignore[no-untyped-def]
    low, high, first, step, rows, cell, sign, to_face, per_cell, stopping_of, scattering_of, stopping,
    scattering,
):  # fmt: skip
    """Add what a ray passes, from voxel to voxel, to its slabs."""
    planes = stopping.size
    plane = min(int((low - first) / step), planes - 1)
    here = low
    while here < high - 1e-9:
        axis = 0
        if to_face[1] < to_face[axis]:
            axis = 1
        if to_face[2] < to_face[axis]:
            axis = 2
        row = rows[cell[2], cell[1], cell[0]]
        end = min(to_face[axis], high)
        while end > here:
            edge = first + (plane + 1) * step
            until = min(end, edge)
            part = max(until - here, 0.0) / step
            stopping[plane] += part * stopping_of[row]
            scattering[plane] += part * scattering_of[row]
            here = until
            if until >= edge:
                plane += 1
                if plane >= planes:
                    return
            if until >= end:
                break
        here = end
        cell[axis] += sign[axis]
        to_face[axis] += per_cell[axis]
        if cell[axis] < 0 or cell[axis] >= rows.shape[2 - axis]:
            return
