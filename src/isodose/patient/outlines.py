"""Voxels to contours: the outlines of a structure given by the part of each voxel that it fills."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any, cast

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.patient.structure import Contour


def level_outlines(values: NDArray[np.float64], level: float, grid: Grid, z_mm: float) -> tuple[Contour, ...]:
    """Outlines of the region of a plane where values exceed a level, interpolated between pixel centres.

    Parameters
    ----------
    values
        ``[y, x]`` on the xy plane of the grid.
    level
        The threshold; beyond the image, values count as below it.
    grid
        Gives the positions in the plane.
    z_mm
        Height of the plane.
    """
    outside = min(2 * level - float(values.max()), float(values.min()), level - 1e-3)
    padded = np.pad(values, 1, constant_values=outside)
    x = grid.origin_mm[0] + grid.spacing_mm[0] * np.arange(-1, values.shape[1] + 1)
    y = grid.origin_mm[1] + grid.spacing_mm[1] * np.arange(-1, values.shape[0] + 1)
    generator = contour_generator(x, y, padded, fill_type=FillType.OuterOffset)
    contours = []
    polygons, offsets = cast(Any, generator.filled(level, np.inf))  # the pair that OuterOffset means
    for points, offset in zip(polygons, offsets, strict=True):
        for ring, (first, last) in enumerate(pairwise(offset)):
            outline = points[first : last - 1]  # contourpy repeats the first vertex at the end
            if len(outline) >= 3:
                contours.append(Contour(z_mm, np.ascontiguousarray(outline, np.float64), hole=ring > 0))
    return tuple(contours)


Corner = tuple[int, int]
"""Corner of a pixel as (x, y)."""


def _edges(mask: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Directed pixel edges (from corner to corners, as (x, y)) with the inside on their left."""
    padded = np.pad(mask, 1)
    edges: dict[Corner, list[Corner]] = defaultdict(list)
    for dy, dx, start, stop in (
        (-1, 0, (0, 0), (1, 0)),
        (0, 1, (1, 0), (1, 1)),
        (1, 0, (1, 1), (0, 1)),
        (0, -1, (0, 1), (0, 0)),
    ):
        rows, columns = mask.shape
        beyond = padded[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]
        for y, x in zip(*np.nonzero(mask & ~beyond), strict=True):
            edges[int(x) + start[0], int(y) + start[1]].append((int(x) + stop[0], int(y) + stop[1]))
    return edges


def _ring(edges: dict[Corner, list[Corner]]) -> list[Corner]:
    """Take one closed ring of edges, leaving out corners on straight runs."""
    start = next(iter(edges))
    here, direction = start, (0, 0)
    corners: list[Corner] = []
    while True:
        options = edges[here]
        # Where two pixels touch at a corner only, turning left keeps each in a ring of its own.
        left = (here[0] - direction[1], here[1] + direction[0])
        there = left if left in options else options[0]
        options.remove(there)
        if not options:
            del edges[here]
        turn = (there[0] - here[0], there[1] - here[1])
        if turn != direction:
            corners.append(here)
        here, direction = there, turn
        if here == start:
            break
    first = (corners[1][0] - start[0], corners[1][1] - start[1])
    if first[0] * direction[1] == first[1] * direction[0]:
        corners.pop(0)
    return corners


def voxel_outlines(mask: NDArray[np.bool_], grid: Grid, z_mm: float) -> tuple[Contour, ...]:
    """Outlines of the pixels of a plane along their edges, so that they cover exactly those pixels.

    Parameters
    ----------
    mask
        ``[y, x]`` on the xy plane of the grid.
    grid
        Gives the positions in the plane.
    z_mm
        Height of the plane.
    """
    contours = []
    corner, spacing = np.asarray(grid.lower_mm[:2]), np.asarray(grid.spacing_mm[:2])
    edges = _edges(mask)
    while edges:
        ring = np.asarray(_ring(edges), dtype=np.float64)
        x, y = ring.T
        hole = bool(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) < 0)
        contours.append(Contour(z_mm, corner + ring * spacing, hole))
    return tuple(contours)


def contours_of(occupancy: NDArray[np.float32], grid: Grid) -> tuple[Contour, ...]:
    """Outlines of a structure in every plane of its grid.

    Where a plane holds whole voxels only, its outlines follow their edges and keep every voxel; where it
    holds parts of voxels, they follow the level of one half, interpolated between voxel centres.

    Parameters
    ----------
    occupancy
        Part of each voxel inside, ``[z, y, x]`` from 0 to 1.
    grid
        Where the voxels are.

    Returns
    -------
    tuple of Contour
        From low to high z; empty for an empty structure.
    """
    contours: list[Contour] = []
    for k, z in enumerate(grid.axis_mm("z")):
        plane = occupancy[k]
        if not np.any(plane >= 0.5):
            continue
        if np.all((plane == 0) | (plane == 1)):
            contours.extend(voxel_outlines(plane == 1, grid, float(z)))
        else:
            contours.extend(level_outlines(plane.astype(np.float64), 0.5, grid, float(z)))
    return tuple(contours)
