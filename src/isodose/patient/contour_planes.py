"""Contours plane by plane: their order, their area and the pixels that they cover."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.coverage import polygon_coverage
from isodose.patient.grid import Grid
from isodose.patient.structure import Contour

PLANE_TOLERANCE_MM = 0.01
"""Contours closer than this in z lie in one plane."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The contours of one height."""

    z_mm: float
    contours: tuple[Contour, ...]


def planes_of(contours: Iterable[Contour]) -> tuple[Plane, ...]:
    """Contours grouped by height (within 0.01 mm), from low to high."""
    groups: list[list[Contour]] = []
    for contour in sorted(contours, key=lambda c: c.z_mm):
        if groups and contour.z_mm - groups[-1][0].z_mm <= PLANE_TOLERANCE_MM:
            groups[-1].append(contour)
        else:
            groups.append([contour])
    return tuple(Plane(float(np.mean([c.z_mm for c in group])), tuple(group)) for group in groups)


def plane_distance(contours: Iterable[Contour]) -> float | None:
    """Median distance of neighbouring planes in mm; None for fewer than two planes."""
    heights = [plane.z_mm for plane in planes_of(contours)]
    return float(np.median(np.diff(heights))) if len(heights) > 1 else None


def area_mm2(points_mm: NDArray[np.float64]) -> float:
    """Area of a polygon ``(n, 2)`` by the shoelace formula, positive if counter-clockwise, in mm2."""
    x, y = (points_mm - points_mm[0]).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def plane_coverage(plane: Plane, grid: Grid) -> NDArray[np.float64]:
    """Part of each pixel of the grid's xy plane inside the contours of a plane, ``[y, x]`` from 0 to 1.

    Contours that do not overlap add up, overlapping ones are a union, holes are taken away. A contour inside
    a hole adds again.
    """
    ny, nx = grid.shape[1:]
    total = np.zeros((ny, nx))
    corner, spacing = np.asarray(grid.lower_mm[:2]), np.asarray(grid.spacing_mm[:2])
    # From large to small, an island within a hole comes after the hole it stands in.
    for contour in sorted(plane.contours, key=lambda c: -abs(area_mm2(c.points_mm))):
        points = (contour.points_mm - corner) / spacing
        first = np.clip(np.floor(points.min(axis=0)).astype(int), 0, (nx, ny))
        last = np.clip(np.ceil(points.max(axis=0)).astype(int), first, (nx, ny))
        if np.any(last <= first):
            continue
        columns, rows = last - first
        part = polygon_coverage(points[:, 0] - first[0], points[:, 1] - first[1], int(rows), int(columns))
        window = total[first[1] : last[1], first[0] : last[0]]
        if contour.hole:
            np.maximum(window - part, 0.0, out=window)
        else:
            # In pixels filled by both, contours overlap; where they merely share an edge, parts add up.
            overlap = bool(np.any((window > 0.999) & (part > 0.999)))
            np.minimum(np.maximum(window, part) if overlap else window + part, 1.0, out=window)
    return total
