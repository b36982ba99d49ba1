"""Planes left out between the contours of a structure, filled in by interpolating its shape.

The shape half-way between two outlines is where the mean of their signed distances is zero (Raya and Udupa,
IEEE Trans Med Imaging 9:32, 1990).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import IsodoseWarning
from isodose.patient.contour_planes import Plane, plane_coverage
from isodose.patient.grid import Grid
from isodose.patient.outlines import level_outlines

SAMPLE_MM = 1.0
"""Spacing on which signed distances are sampled; outlines between samples are interpolated."""


@njit(cache=True, error_model="numpy")
def _distance(x, y, start, stop, axis_x, axis_y, out):  # type: ignore[no-untyped-def]
    """Distance of each grid point to the nearest edge; edge i runs from start[i] to stop[i]."""
    for row in range(axis_y.size):
        for column in range(axis_x.size):
            px, py = axis_x[column], axis_y[row]
            best = np.inf
            for i in range(start.size):
                ax, ay = x[start[i]], y[start[i]]
                dx, dy = x[stop[i]] - ax, y[stop[i]] - ay
                length = dx * dx + dy * dy
                t = 0.0
                if length > 0.0:
                    t = min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / length))
                ex, ey = px - ax - t * dx, py - ay - t * dy
                best = min(best, ex * ex + ey * ey)
            out[row, column] = math.sqrt(best)


def signed_distance(plane: Plane, grid: Grid) -> NDArray[np.float64]:
    """Distance to the outline of a plane's contours at the pixel centres, positive inside, ``[y, x]`` mm."""
    points = np.concatenate([c.points_mm for c in plane.contours])
    start = np.arange(len(points))
    stop = start + 1
    at = 0
    for contour in plane.contours:
        stop[at + len(contour.points_mm) - 1] = at
        at += len(contour.points_mm)
    out = np.empty(grid.shape[1:])
    _distance(
        np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1]), start, stop,
        grid.axis_mm("x"), grid.axis_mm("y"), out,
    )  # fmt: skip
    return np.where(plane_coverage(plane, grid) >= 0.5, out, -out)


def _sampling_grid(planes: Sequence[Plane]) -> Grid:
    """Grid around the contours of some planes."""
    points = np.concatenate([c.points_mm for plane in planes for c in plane.contours])
    lower, upper = points.min(axis=0) - 2 * SAMPLE_MM, points.max(axis=0) + 2 * SAMPLE_MM
    nx, ny = np.ceil((upper - lower) / SAMPLE_MM).astype(int) + 1
    return Grid((lower[0], lower[1], 0.0), (SAMPLE_MM, SAMPLE_MM, 1.0), (1, int(ny), int(nx)))


def _between(lower: Plane, upper: Plane, count: int) -> list[Plane]:
    """Planes at equal distances between two; none where the outlines do not meet."""
    grid = _sampling_grid((lower, upper))
    a, b = signed_distance(lower, grid), signed_distance(upper, grid)
    if not np.any((a > 0) & (b > 0)):
        return []
    planes = []
    for i in range(1, count + 1):
        part = i / (count + 1)
        z = lower.z_mm + part * (upper.z_mm - lower.z_mm)
        outlines = level_outlines((1 - part) * a + part * b, 0.0, grid, z)
        if outlines:
            planes.append(Plane(z, outlines))
    return planes


def filled_planes(planes: Sequence[Plane], distance_mm: float, name: str) -> tuple[Plane, ...]:
    """Planes with the missing ones interpolated.

    Where two neighbouring planes are more than 1.5 times the usual distance apart and their outlines overlap
    seen along z, the planes between them are interpolated; where they do not overlap, they are taken for
    separate pieces.

    Warns
    -----
    IsodoseWarning
        For every such gap.
    """
    filled: list[Plane] = []
    for plane in planes:
        gap = plane.z_mm - filled[-1].z_mm if filled else 0.0
        if gap > 1.5 * distance_mm:
            between = _between(filled[-1], plane, round(gap / distance_mm) - 1)
            what = f"{len(between)} planes interpolated" if between else "taken for separate pieces"
            warnings.warn(
                f"structure {name!r}: no contours between z = {filled[-1].z_mm:g} and {plane.z_mm:g} mm "
                f"(usual distance {distance_mm:g} mm); {what}",
                IsodoseWarning,
                stacklevel=3,
            )
            filled.extend(between)
        filled.append(plane)
    return tuple(filled)
