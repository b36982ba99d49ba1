"""Which voxels of a row of the dose grid lie near a ray: a cylinder cuts a row in one stretch."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


def used_box(used: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Rows (z and y) between which any voxel of a mask lies, with the ones behind the last."""
    z, y = np.flatnonzero(used.any(axis=(1, 2))), np.flatnonzero(used.any(axis=(0, 2)))
    return (int(z[0]), int(z[-1]) + 1, int(y[0]), int(y[-1]) + 1) if z.size else (0, 0, 0, 0)


@njit(cache=True, error_model="numpy")
def stretch_near_ray(across, along, radius, low, high, count):  # type: ignore[no-untyped-def]
    """First and one past the last voxel of a row within a distance of a ray and between two planes.

    Distances from the ray, measured in planes across the beam's axis, and positions along the axis are linear
    in the voxel's number.

    Parameters
    ----------
    across
        Distance (u, v) of voxel 0, and its change per voxel: four numbers, mm.
    along
        Position of voxel 0 along the beam, and its change per voxel, mm.
    radius
        Largest distance, mm.
    low, high
        Planes, mm.
    count
        Voxels of the row.
    """
    u, step_u, v, step_v = across
    square = step_u * step_u + step_v * step_v
    first, last = 0.0, count - 1.0
    rest = u * u + v * v - radius * radius
    if square > 1e-12:
        middle = -(u * step_u + v * step_v) / square
        half = middle * middle - rest / square
        if half < 0.0:
            return 0, 0
        half = math.sqrt(half)
        first, last = max(first, middle - half), min(last, middle + half)
    elif rest > 0.0:
        return 0, 0
    w, step_w = along
    if abs(step_w) > 1e-9:
        one, two = (low - w) / step_w, (high - w) / step_w
        first, last = max(first, min(one, two)), min(last, max(one, two))
    elif not low <= w <= high:
        return 0, 0
    begin = math.ceil(first)
    return begin, max(math.floor(last) + 1, begin)


@njit(cache=True, error_model="numpy")
def row_on_beam(frame, origin, spacing, k, j):  # type: ignore[no-untyped-def]
    """Place of voxel 0 of a row across (x, y) and along the beam, and the change per voxel; six numbers."""
    dx = origin[0] - frame[3, 0]
    dy = origin[1] + j * spacing[1] - frame[3, 1]
    dz = origin[2] + k * spacing[2] - frame[3, 2]
    x = dx * frame[0, 0] + dy * frame[0, 1] + dz * frame[0, 2]
    y = dx * frame[1, 0] + dy * frame[1, 1] + dz * frame[1, 2]
    w = dx * frame[2, 0] + dy * frame[2, 1] + dz * frame[2, 2]
    return x, spacing[0] * frame[0, 0], y, spacing[0] * frame[1, 0], w, spacing[0] * frame[2, 0]


@njit(cache=True, inline="always", error_model="numpy")
def row_beside_ray(row, place, distance):  # type: ignore[no-untyped-def]
    """A row of `row_on_beam` as seen from a ray: `across` and `along` of `stretch_near_ray`."""
    x, step_x, y, step_y, w, step_w = row
    lean_x, lean_y = place[0] / distance[0], place[1] / distance[1]
    across = (
        x - place[0] - lean_x * w, step_x - lean_x * step_w, y - place[1] - lean_y * w,
        step_y - lean_y * step_w,
    )  # fmt: skip
    return across, (w, step_w)


@njit(cache=True, nogil=True, error_model="numpy")
def rows_near(place, radius, frame, distance, span, origin, spacing, box, nx, rows):  # type: ignore[no-untyped-def]
    """Stretches of rows near a ray: z, y, first and one past the last x."""
    count = 0
    for k in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            row = row_on_beam(frame, origin, spacing, k, j)
            across, along = row_beside_ray(row, place, distance)
            first, last = stretch_near_ray(across, along, radius, span[0], span[1], nx)
            if last > first:
                rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = k, j, first, last
                count += 1
    return count


@njit(cache=True, inline="always")
def voxels_in(rows):  # type: ignore[no-untyped-def]
    """Number of voxels in stretches of `rows_near`."""
    count = 0
    for r in range(rows.shape[0]):
        count += rows[r, 3] - rows[r, 2]
    return count
