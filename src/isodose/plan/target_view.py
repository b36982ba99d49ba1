"""The target as a beam sees it: which spots aim at it, and between which depths it lies there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isodose.errors import InputError
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes, spot_rays
from isodose.plan.plan import Beam
from isodose.plan.ray_casting import Depths, trace


class SpotPattern(StrEnum):
    """Lattice of the spots."""

    SQUARE = "square"
    HEXAGONAL = "hexagonal"

    @property
    def row_gap(self) -> float:
        """Distance of rows over that of the spots of a row."""
        return math.sqrt(0.75) if self is SpotPattern.HEXAGONAL else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class TargetView:
    """Spots that aim at a target.

    Parameters
    ----------
    x_mm, y_mm
        Positions on the isocentre plane in the beam's eye view, ``(n,)``.
    proximal_mm, distal_mm
        Water-equivalent depths of the target's two sides, ``(n,)``: the extremes over all rays within the
        lateral margin of the spot.
    area_mm2
        Area per spot where the beam passes the target's middle.
    magnification
        Of distances on the isocentre plane, there.
    middle
        Position (x, y) on the isocentre plane and proximal and distal depth of the ray through the middle of
        the target's shadow.
    """

    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]
    proximal_mm: NDArray[np.float64]
    distal_mm: NDArray[np.float64]
    area_mm2: float
    magnification: float
    middle: tuple[float, float, float, float]


def view_target(
    beam: Beam,
    rsp: Volume,
    target: Structure,
    source_distance_mm: tuple[float, float],
    position: str,
    spacing_mm: float,
    lateral_margin_mm: float,
    pattern: SpotPattern = SpotPattern.SQUARE,
) -> TargetView:
    """Lay a lattice of spots over a target and its lateral margin.

    Parameters
    ----------
    beam
        Gives angles and isocentre.
    rsp
        Stopping power relative to water.
    target
        Structure on the same grid.
    source_distance_mm
        Distances of the virtual sources of x and of y from the isocentre.
    position
        DICOM patient position.
    spacing_mm
        Distance of neighbouring spots on the isocentre plane.
    lateral_margin_mm
        How far beside the target, in the beam's eye view, spots are laid.
    pattern
        Square or hexagonal.

    Raises
    ------
    InputError
        If the target is empty, or lies outside the body.
    """
    mask = target.mask
    if not mask.any():
        raise InputError(f"target {target.name!r}", "an empty structure", "at least one voxel half inside it")
    x_range, y_range, depth = _extent(beam, target, source_distance_mm, position)

    def look(x: NDArray[np.float64], y: NDArray[np.float64]) -> _Rays:
        return _Rays(x, y, trace(rsp, mask, *spot_rays(beam, x, y, source_distance_mm, position)))

    raster = min(2.0, spacing_mm / 2.0, *target.grid.spacing_mm)
    shadow = look(*_lattice(x_range, y_range, raster, SpotPattern.SQUARE))
    if not shadow.depths.hit.any() or float(np.nanmax(shadow.depths.distal_mm)) < 1.0:
        raise InputError(f"target {target.name!r}", "a structure outside the body", "one inside it")
    margin = lateral_margin_mm
    spots = look(*_lattice(_grown(x_range, margin), _grown(y_range, margin), spacing_mm, pattern))
    proximal, distal = _widened(spots, shadow, margin)
    # A spot beyond the skin delivers nothing but a warm mask.
    keep = np.isfinite(proximal) & (np.nan_to_num(spots.depths.total_mm) > 1.0)
    magnification = (1.0 + depth / source_distance_mm[0]) * (1.0 + depth / source_distance_mm[1])
    return TargetView(
        spots.x_mm[keep],
        spots.y_mm[keep],
        proximal[keep],
        distal[keep],
        float(spacing_mm**2 * pattern.row_gap * magnification),
        float(np.sqrt(magnification)),
        _middle(shadow),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rays:
    """Rays by where they pass the isocentre plane, and the depths of the target on them."""

    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]
    depths: Depths


def _grown(bounds: tuple[float, float], margin_mm: float) -> tuple[float, float]:
    return bounds[0] - margin_mm, bounds[1] + margin_mm


def _widened(
    spots: _Rays, shadow: _Rays, margin_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Depths of both sides over all rays within the margin, as a compensator is smeared; NaN if none hits.

    The rays at the target's rim only graze it, so that without neighbours they would leave its edge cold.
    """
    hits = np.flatnonzero(shadow.depths.hit)
    tree = cKDTree(np.column_stack([shadow.x_mm, shadow.y_mm])[hits])
    around = tree.query_ball_point(np.column_stack([spots.x_mm, spots.y_mm]), margin_mm + 1e-9)
    proximal, distal = spots.depths.proximal_mm.copy(), spots.depths.distal_mm.copy()
    for i, near in enumerate(around):
        if near:
            rays = hits[near]
            proximal[i] = np.fmin(proximal[i], shadow.depths.proximal_mm[rays].min())
            distal[i] = np.fmax(distal[i], shadow.depths.distal_mm[rays].max())
    return proximal, distal


def _middle(shadow: _Rays) -> tuple[float, float, float, float]:
    """Place and depths of the ray through the middle of the target's shadow."""
    hit = shadow.depths.hit
    x, y = shadow.x_mm[hit], shadow.y_mm[hit]
    i = int(np.argmin((x - x.mean()) ** 2 + (y - y.mean()) ** 2))
    return (
        float(x[i]),
        float(y[i]),
        float(shadow.depths.proximal_mm[hit][i]),
        float(shadow.depths.distal_mm[hit][i]),
    )


def _extent(
    beam: Beam, target: Structure, source_distance_mm: tuple[float, float], position: str
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Bounds of the target's shadow on the isocentre plane, x and y, and its middle's distance behind it."""
    ex, ey, along = beam_axes(beam, position)
    voxels = np.argwhere(target.mask)
    offset = target.grid.position_mm(voxels) - np.asarray(beam.isocentre_mm)
    depth = offset @ along
    half = 0.5 * float(np.linalg.norm(target.grid.spacing_mm))
    bounds = []
    for axis, distance in ((ex, source_distance_mm[0]), (ey, source_distance_mm[1])):
        if depth.min() <= -distance:
            found = f"{-depth.min():.0f} mm upstream of the isocentre"
            raise InputError(f"target {target.name!r}", found, f"less than the {distance:g} mm of the source")
        shadow = offset @ axis / (1.0 + depth / distance)
        bounds.append((float(shadow.min()) - half, float(shadow.max()) + half))
    return bounds[0], bounds[1], float(depth.mean())


def _lattice(
    x_range: tuple[float, float], y_range: tuple[float, float], spacing: float, pattern: SpotPattern
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a lattice through the isocentre, row by row in a meander, as a scanner would go."""
    row_gap = spacing * pattern.row_gap
    xs, ys = [], []
    for j in range(int(np.floor(y_range[0] / row_gap)), int(np.ceil(y_range[1] / row_gap)) + 1):
        shift = 0.5 if pattern is SpotPattern.HEXAGONAL and j % 2 else 0.0
        first, last = np.floor(x_range[0] / spacing - shift), np.ceil(x_range[1] / spacing - shift)
        row = (np.arange(first, last + 1.0) + shift) * spacing
        xs.append(row if j % 2 == 0 else row[::-1])
        ys.append(np.full(row.size, j * row_gap))
    return np.concatenate(xs), np.concatenate(ys)
