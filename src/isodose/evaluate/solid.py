"""A structure as a solid body, sampled by points that each stand for a small volume.

What was drawn is a stack of outlines; the body between and beyond them has to be inferred. Between two planes
the signed distance to the outline is interpolated linearly (Raya and Udupa, IEEE Trans Med Imaging 9:32,
1990), so that the surface runs obliquely from one outline to the next instead of in steps. Beyond the first
and last plane of a piece the body closes like a roof. ``END_SLOPE`` was chosen once, by the volumes that
Eclipse states for the twenty-five structures of two public patients: nineteen come out within 1.7 %, the
others are below 1 cm3 but for one outline of the body. Slabs that reach half a gap beyond the end planes are
up to 74 % too large for such small structures.

Known artefact: bodies of few planes are smaller than the round bodies one may have had in mind, for a sphere
with planes every 3 mm by 18 % at 8 mm diameter, 9 % at 16 mm and 1 % at 50 mm. Percentages of the volume are
hardly touched (at most 1.5, 0.3 and 0.1 % in a dose gradient).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.patient.contour_planes import Plane, area_mm2, plane_coverage, plane_distance, planes_of
from isodose.patient.grid import Grid
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume

END_SLOPE = 4.0
"""How fast a body closes beyond its end planes: the signed distance falls from its value in the end plane to
minus this many gaps at one gap's height: a roof that rises 1 mm per 4 mm from the outline inwards."""

SAMPLES = 200_000
"""Samples aimed at in a structure; the edge length of a sample is bounded by the two numbers below."""

FINEST_MM = 0.05
COARSEST_MM = 1.0

MOST_SAMPLES = 2_000_000
"""Structures of several litres are sampled more coarsely than ``COARSEST_MM`` to stay below this."""

SUBDIVISIONS = 24
"""Most parts into which an edge of a voxel is divided, where a structure is known by its voxels only."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Points ``(n, 3)`` as (x, y, z) in mm and the volume in mm3 each stands for ``(n,)``."""

    position_mm: NDArray[np.float64]
    volume_mm3: NDArray[np.float64]


def samples(structure: Structure) -> Iterator[Samples]:
    """Fill a structure with samples, in portions.

    Taken from its contours where it has any, and from the occupancy of its voxels otherwise.
    """
    if structure.contours:
        return _within_contours(structure)
    return _within_voxels(structure)


def sample_edge_mm(volume_mm3: float) -> float:
    """Edge length of the cubes a structure of a volume is sampled by."""
    edge = min(max((volume_mm3 / SAMPLES) ** (1 / 3), FINEST_MM), COARSEST_MM)
    return float(max(edge, (volume_mm3 / MOST_SAMPLES) ** (1 / 3)))


def _scatter(count: int) -> NDArray[np.float64]:
    """Points ``(count, 3)`` that fill the cube (-0.5, 0.5)^3 evenly, of the generalised golden ratio.

    They move samples within their cubes, so that a dose gradient along an axis does not meet whole layers of
    them at once.
    """
    ratio = 1.2207440846057596  # root of x^4 = x + 1
    steps = ratio ** -np.arange(1.0, 4.0)
    scattered: NDArray[np.float64] = (0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0 - 0.5
    return scattered


@njit(cache=True, error_model="numpy")
def _distances(px, py, ax, ay, bx, by):  # type: ignore[no-untyped-def]
    """Distance of each point to the nearest of the edges from a to b."""
    out = np.empty(px.size)
    for n in range(px.size):
        best = np.inf
        for i in range(ax.size):
            dx, dy = bx[i] - ax[i], by[i] - ay[i]
            length = dx * dx + dy * dy
            t = 0.0
            if length > 0.0:
                t = min(1.0, max(0.0, ((px[n] - ax[i]) * dx + (py[n] - ay[i]) * dy) / length))
            ex, ey = px[n] - ax[i] - t * dx, py[n] - ay[i] - t * dy
            best = min(best, ex * ex + ey * ey)
        out[n] = np.sqrt(best)
    return out


class _Section:
    """The cut of a structure with one plane, on a raster shared by all planes."""

    def __init__(self, plane: Plane, raster: Grid) -> None:
        self.z_mm = plane.z_mm
        self.inside = plane_coverage(plane, raster) >= 0.5
        start = [c.points_mm for c in plane.contours]
        stop = [np.roll(points, -1, axis=0) for points in start]
        self._start, self._stop = np.concatenate(start), np.concatenate(stop)

    def distance(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of points to the outline in mm, without sign."""
        a, b = self._start, self._stop
        out: NDArray[np.float64] = _distances(
            x, y, *(np.ascontiguousarray(v) for v in (a[:, 0], a[:, 1], b[:, 0], b[:, 1]))
        )
        return out


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns of the body above raster points: each fills a part of the height from one plane to the next."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def samples(self, z_mm: float, height_mm: float, edge_mm: float) -> Samples:
        """Cut into pieces of at most the edge's height; a negative height runs downwards."""
        count = max(1, int(np.ceil(abs(height_mm) / edge_mm)))
        edges = np.array([edge_mm, edge_mm, abs(height_mm) / count])
        positions, volumes = [], []
        for i in range(count):
            lower = np.maximum(self.lower, i / count)
            upper = np.minimum(self.upper, (i + 1) / count)
            some = upper > lower
            z = z_mm + height_mm * (lower[some] + upper[some]) / 2
            positions.append(np.column_stack([self.x[some], self.y[some], z]))
            volumes.append((upper - lower)[some] * abs(height_mm) * edge_mm**2)
        points = np.concatenate(positions)
        return Samples(points + _scatter(len(points)) * edges, np.concatenate(volumes))


def _between(below: _Section, above: _Section, raster: Grid) -> _Columns:
    """Body between two planes: where the interpolated signed distance is positive."""
    rows, columns = np.nonzero(below.inside | above.inside)
    px, py = raster.axis_mm("x")[columns], raster.axis_mm("y")[rows]
    in_below, in_above = below.inside[rows, columns], above.inside[rows, columns]
    lower, upper = np.zeros(px.size), np.ones(px.size)
    one = in_below != in_above
    a, b = below.distance(px[one], py[one]), above.distance(px[one], py[one])
    crossing = a / np.maximum(a + b, 1e-12)
    upper[one] = np.where(in_below[one], crossing, 1.0)
    lower[one] = np.where(in_below[one], 0.0, crossing)
    return _Columns(px, py, lower, upper)


def _beyond(end: _Section, gap_mm: float, raster: Grid) -> _Columns:
    """Body beyond an end plane."""
    rows, columns = np.nonzero(end.inside)
    px, py = raster.axis_mm("x")[columns], raster.axis_mm("y")[rows]
    inside = end.distance(px, py)
    return _Columns(px, py, np.zeros(px.size), inside / (inside + END_SLOPE * gap_mm))


def _prism(only: _Section, raster: Grid) -> _Columns:
    """Body of a structure drawn in a single plane."""
    rows, columns = np.nonzero(only.inside)
    px, py = raster.axis_mm("x")[columns], raster.axis_mm("y")[rows]
    return _Columns(px, py, np.zeros(px.size), np.ones(px.size))


def _raster(planes: tuple[Plane, ...], edge_mm: float) -> Grid:
    """Square pixels in the plane around all contours."""
    points = np.concatenate([c.points_mm for plane in planes for c in plane.contours])
    lower, upper = points.min(axis=0), points.max(axis=0)
    nx, ny = (np.ceil((upper - lower) / edge_mm).astype(int) + 2).tolist()
    return Grid((lower[0] - edge_mm / 2, lower[1] - edge_mm / 2, 0.0), (edge_mm, edge_mm, 1.0), (1, ny, nx))


def _within_contours(structure: Structure) -> Iterator[Samples]:
    """Fill the body that the contours outline.

    Neighbouring planes further apart than 1.5 times the usual distance are joined only if their outlines
    overlap. A structure drawn in a single plane is a slab of one slice of the structure's grid.
    """
    planes = planes_of(structure.contours)
    gap = plane_distance(structure.contours)
    thickness = gap or structure.grid.spacing_mm[2]
    area = sum((-1.0 if c.hole else 1.0) * abs(area_mm2(c.points_mm)) for c in structure.contours)
    edge = sample_edge_mm(max(area, 0.0) * thickness)
    raster = _raster(planes, edge)
    below = _Section(planes[0], raster)
    if gap is None:
        yield _prism(below, raster).samples(below.z_mm - thickness / 2, thickness, edge)
        return
    yield _beyond(below, gap, raster).samples(below.z_mm, -gap, edge)
    for plane in planes[1:]:
        section = _Section(plane, raster)
        height = section.z_mm - below.z_mm
        if height <= 1.5 * gap or np.any(below.inside & section.inside):
            yield _between(below, section, raster).samples(below.z_mm, height, edge)
        else:
            yield _beyond(below, gap, raster).samples(below.z_mm, gap, edge)
            yield _beyond(section, gap, raster).samples(section.z_mm, -gap, edge)
        below = section
    yield _beyond(below, gap, raster).samples(below.z_mm, gap, edge)


def _within_voxels(structure: Structure) -> Iterator[Samples]:
    """Fill the voxels of a structure, each divided evenly.

    In a voxel that is filled in part, those parts are taken first where the occupancy interpolated from the
    neighbours is highest; the volume of every voxel is kept.
    """
    grid, occupancy = structure.grid, structure.occupancy
    edge = sample_edge_mm(structure.volume_cm3 * 1000)
    parts = np.clip(np.ceil(np.asarray(grid.spacing_mm) / edge).astype(int), 1, SUBDIVISIONS)
    offsets = [((np.arange(n) + 0.5) / n - 0.5) * s for n, s in zip(parts, grid.spacing_mm, strict=True)]
    x, y, z = np.meshgrid(*offsets, indexing="ij")
    inner = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    edges = np.asarray(grid.spacing_mm) / parts
    share = grid.voxel_volume_cm3 * 1000 / len(inner)
    field = Volume(grid, occupancy)
    voxels = np.argwhere(occupancy > 0)
    portion = max(1, 500_000 // len(inner))
    for first in range(0, len(voxels), portion):
        index = voxels[first : first + portion]
        filled = occupancy[tuple(index.T)].astype(np.float64)
        positions = grid.position_mm(index)[:, None, :] + inner
        positions += _scatter(inner.shape[0] * len(index)).reshape(positions.shape) * edges
        volumes = np.full(positions.shape[:2], share)
        partial = np.flatnonzero(filled < 1)
        if partial.size and len(inner) > 1:
            order = np.argsort(-field.sample(positions[partial]), axis=1, kind="stable")
            rank = np.empty_like(order)
            np.put_along_axis(rank, order, np.arange(len(inner))[None, :], axis=1)
            volumes[partial] *= np.clip(filled[partial, None] * len(inner) - rank, 0, 1)
        else:
            volumes *= filled[:, None]
        some = volumes > 0
        yield Samples(positions[some], volumes[some])
