"""The gamma index: how far two doses are apart when dose and distance differences are weighed together.

For a reference point the index is the smallest distance, in units of the criteria, to any point of the
evaluated dose in the space of position and dose (Low et al., Med Phys 25:656, 1998). The evaluated dose is
taken as the trilinear field through its voxels and minimised over that field itself, cell by cell, instead
of over a lattice of resampled points: within a cell the dose is linearised, the minimum in the cell's box is
exact for that plane (the idea of Ju et al., Med Phys 35:879, 2008, with boxes for simplices), and the
linearisation is repeated at the minimum. Cells are visited from near to far and skipped when the distance to
the box and the range of its corner doses cannot beat what was found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume

PASS_TOLERANCE = 1e-4
"""A point fails above 1 plus this: what float32 doses may add by rounding to an index of exactly 1."""

REFINEMENTS = 12
"""Most points tried per cell; most cells settle in two or three."""

SETTLED = 1e-3
"""A step of less than this part of a cell ends the search in it: the index is then flat to its square."""


@dataclass(frozen=True, slots=True)
class GammaCriteria:
    """What counts as agreement.

    Parameters
    ----------
    dose_percent
        Dose difference of index 1, in percent of the normalisation (global) or of the dose of the reference
        point (local).
    distance_mm
        Distance to agreement of index 1.
    threshold_percent
        Reference points below this part of the normalisation are not evaluated.
    local
        Whether the dose difference is relative to each reference point.
    max_gamma
        Where the search ends; larger indices are given as this number.
    normalisation_gy
        Dose of 100 %; the maximum of the reference where not given.
    """

    dose_percent: float = 2.0
    distance_mm: float = 2.0
    threshold_percent: float = 10.0
    local: bool = False
    max_gamma: float = 2.0
    normalisation_gy: float | None = None

    def __post_init__(self) -> None:
        for field in ("dose_percent", "distance_mm", "max_gamma"):
            value = getattr(self, field)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"criteria.{field}", value, "a positive number")
        if not 0 <= self.threshold_percent < 100:
            raise InputError("criteria.threshold_percent", self.threshold_percent, "a number from 0 to 100")
        if self.normalisation_gy is not None and not self.normalisation_gy > 0:
            raise InputError("criteria.normalisation_gy", self.normalisation_gy, "a positive dose in Gy")

    def __str__(self) -> str:
        kind = "local" if self.local else "global"
        return (
            f"{self.dose_percent:g} %/{self.distance_mm:g} mm, {kind}, threshold {self.threshold_percent:g} %"
        )


@dataclass(frozen=True, slots=True)
class Gamma:
    """The index of every reference point.

    Parameters
    ----------
    grid
        Grid of the reference.
    values
        ``[z, y, x]`` float32; not a number where the reference is below the threshold.
    criteria
        With the normalisation that was used.
    """

    grid: Grid
    values: NDArray[np.float32]
    criteria: GammaCriteria

    @property
    def evaluated(self) -> NDArray[np.float32]:
        """The indices of the evaluated points, flat."""
        return self.values[np.isfinite(self.values)]

    @property
    def pass_rate(self) -> float:
        """Percent of the evaluated points with an index of at most 1."""
        return 100.0 * float(np.mean(self.evaluated <= 1.0 + PASS_TOLERANCE))

    @property
    def mean(self) -> float:
        """Mean index of the evaluated points."""
        return float(np.mean(self.evaluated, dtype=np.float64))


@njit(cache=True, error_model="numpy")
def _corners(dose, z, y, x, out):  # type: ignore[no-untyped-def]
    """Read the eight doses of the cell that starts at a voxel; an axis of one voxel has no depth."""
    z1, y1, x1 = min(z + 1, dose.shape[0] - 1), min(y + 1, dose.shape[1] - 1), min(x + 1, dose.shape[2] - 1)
    out[0], out[1], out[2], out[3] = dose[z, y, x], dose[z, y, x1], dose[z, y1, x], dose[z, y1, x1]
    out[4], out[5], out[6], out[7] = dose[z1, y, x], dose[z1, y, x1], dose[z1, y1, x], dose[z1, y1, x1]


@njit(cache=True, error_model="numpy")
def _cell_ranges(dose):  # type: ignore[no-untyped-def]
    """Smallest and largest corner of every cell, by its first voxel."""
    nz, ny, nx = dose.shape
    low = np.empty((max(nz - 1, 1), max(ny - 1, 1), max(nx - 1, 1)), np.float32)
    high = np.empty_like(low)
    corner = np.empty(8)
    for z in range(low.shape[0]):
        for y in range(low.shape[1]):
            for x in range(low.shape[2]):
                _corners(dose, z, y, x, corner)
                low[z, y, x], high[z, y, x] = corner.min(), corner.max()
    return low, high


@njit(cache=True, error_model="numpy")
def _field(corner, u, gradient):  # type: ignore[no-untyped-def]
    """Trilinear value at ``u`` in (0, 1)^3 of a cell and its gradient there."""
    z, y, x = u[0], u[1], u[2]
    d00 = corner[0] + x * (corner[1] - corner[0])
    d01 = corner[2] + x * (corner[3] - corner[2])
    d10 = corner[4] + x * (corner[5] - corner[4])
    d11 = corner[6] + x * (corner[7] - corner[6])
    d0, d1 = d00 + y * (d01 - d00), d10 + y * (d11 - d10)
    gradient[0] = d1 - d0
    gradient[1] = (1 - z) * (d01 - d00) + z * (d11 - d10)
    gradient[2] = (1 - z) * ((1 - y) * (corner[1] - corner[0]) + y * (corner[3] - corner[2])) + z * (
        (1 - y) * (corner[5] - corner[4]) + y * (corner[7] - corner[6])
    )
    return d0 + z * (d1 - d0)


@njit(cache=True, error_model="numpy")
def _box_step(difference, gradient, scale, fraction, u):  # type: ignore[no-untyped-def]
    """Move ``u`` to the minimum over the box of |scale (u - fraction)|^2 + (linearised dose difference)^2.

    At the minimum each coordinate follows from the residual dose difference alone, clipped to the box; the
    residual is the root of a decreasing, piecewise linear function, which Newton's method finds in as many
    steps as there are clipped coordinates.
    """
    at_reference = difference
    for i in range(3):
        at_reference += gradient[i] * (fraction[i] - u[i])
    # The slope is -1 or steeper, so that the root lies between 0 and the value at 0, which every point of
    # the bracket has the sign of.
    residual, below, above = 0.0, -np.inf, np.inf
    for _ in range(12):
        value, slope = at_reference - residual, -1.0
        for i in range(3):
            if scale[i] > 0.0:
                pull = gradient[i] / (scale[i] * scale[i])
                shift = -pull * residual
                if fraction[i] + shift < 0.0:
                    shift = -fraction[i]
                elif fraction[i] + shift > 1.0:
                    shift = 1.0 - fraction[i]
                else:
                    slope -= gradient[i] * pull
                value += gradient[i] * shift
        if value > 0.0:
            below = residual
        else:
            above = residual
        step = -value / slope
        if abs(step) < 1e-7:
            break
        residual += step
        if not below < residual < above:
            residual = 0.5 * (below + above)
    moved = 0.0
    for i in range(3):
        new = 0.0
        if scale[i] > 0.0:
            new = min(1.0, max(0.0, fraction[i] - gradient[i] / (scale[i] * scale[i]) * residual))
        moved = max(moved, abs(new - u[i]))
        u[i] = new
    return moved


@njit(cache=True, error_model="numpy")
def _cell_minimum(corner, dose, tolerance, scale, fraction, best, u, kept, gradient):  # type: ignore[no-untyped-def]
    """Smallest squared index in a cell, or ``best`` if none is smaller.

    ``fraction`` is the reference point in the cell's own coordinates (outside (0, 1) for other cells) and
    ``scale`` the cell's edges in distances to agreement.
    """
    offset = 0.0  # distance along axes on which the evaluated dose has a single plane
    for i in range(3):
        u[i] = min(1.0, max(0.0, fraction[i])) if scale[i] > 0.0 else 0.0
        if scale[i] == 0.0:
            offset += fraction[i] * fraction[i]
    lowest = np.inf
    for _ in range(REFINEMENTS):
        difference = (_field(corner, u, gradient) - dose) / tolerance
        squared = offset + difference * difference
        for i in range(3):
            gradient[i] /= tolerance
            squared += (scale[i] * (u[i] - fraction[i])) ** 2
        if squared < lowest:
            lowest = squared
            for i in range(3):
                kept[i] = u[i]
            if _box_step(difference, gradient, scale, fraction, u) < SETTLED:
                break
        else:
            # The plane through the last point does not hold as far as here.
            for i in range(3):
                u[i] = 0.5 * (u[i] + kept[i])
    return min(best, lowest)


@njit(cache=True, error_model="numpy")
def _point_gamma(field, low, high, offsets, nearest, scale, position, dose, tolerance, limit, work):  # type: ignore[no-untyped-def]
    """Squared index of one reference point at a fractional index ``position`` of the evaluated dose."""
    home, fraction, corner, u, kept, gradient = work[0], work[1], work[2], work[3], work[4], work[5]
    for i in range(3):
        home[i] = min(max(np.floor(position[i]), 0.0), low.shape[i] - 1.0)
    best = limit
    for n in range(nearest.size):
        if nearest[n] >= best:
            break
        z, y, x = int(home[0]) + offsets[n, 0], int(home[1]) + offsets[n, 1], int(home[2]) + offsets[n, 2]
        if not (0 <= z < low.shape[0] and 0 <= y < low.shape[1] and 0 <= x < low.shape[2]):
            continue
        gap = max(0.0, low[z, y, x] - dose, dose - high[z, y, x]) / tolerance
        bound = gap * gap
        for i in range(3):
            fraction[i] = position[i] - (home[i] + offsets[n, i])
            away = max(0.0, -fraction[i], fraction[i] - 1.0) * scale[i]
            bound += away * away
        if bound >= best:
            continue
        _corners(field, z, y, x, corner)
        best = _cell_minimum(corner, dose, tolerance, scale, fraction, best, u, kept, gradient)
    return best


@njit(cache=True, parallel=True, error_model="numpy")
def _gamma_of_points(  # type: ignore[no-untyped-def]
    field, low, high, offsets, nearest, scale, single, positions, doses, tolerances, limit, out
):
    """Index of every reference point; points are shared among threads in runs of neighbours."""
    count = doses.size
    run = 256
    for block in prange((count + run - 1) // run):
        work = np.zeros((6, 8))
        position = np.empty(3)
        for n in range(block * run, min(count, (block + 1) * run)):
            for i in range(3):
                # On an axis with a single plane the coordinate is a distance in units of the criterion.
                position[i] = positions[n, i] * single[i] if single[i] > 0.0 else positions[n, i]
            out[n] = np.sqrt(
                _point_gamma(
                    field, low, high, offsets, nearest, scale, position, doses[n], tolerances[n], limit, work
                )
            )


def _search_order(scale: NDArray[np.float64], reach: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Offsets of cells within reach and the smallest squared distance each can have, from near to far."""
    axes = []
    for edge in scale:
        count = int(np.ceil(reach / edge)) + 1 if edge > 0 else 0
        axes.append(np.arange(-count, count + 1))
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = np.sum((np.maximum(np.abs(offsets) - 1, 0) * scale) ** 2, axis=1)
    # Among cells that may touch the point's own one, the own one comes first.
    order = np.lexsort((np.abs(offsets).sum(axis=1), nearest))
    order = order[nearest[order] < reach**2]
    return offsets[order].astype(np.int64), nearest[order]


def gamma(reference: Volume, evaluation: Volume, criteria: GammaCriteria | None = None) -> Gamma:
    """Gamma index of an evaluated dose against a reference, at the points of the reference.

    Parameters
    ----------
    reference
        The dose that is trusted, in Gy (for quality assurance of a plan: the planned dose where the
        measurement is the evaluation, as the normalisation is the reference's maximum).
    evaluation
        The dose that is tested; it may be on another grid. An axis of a single voxel is a plane or a line:
        two grids of shape ``(1, ny, nx)`` give the index in two dimensions, ``(1, 1, nx)`` in one.
    criteria
        2 %/2 mm, global, 10 % threshold where not given.

    Returns
    -------
    Gamma
        Swapping reference and evaluation changes it.

    Raises
    ------
    InputError
        If the reference has no positive dose or a dose is not finite.
    """
    criteria = criteria or GammaCriteria()
    for name, volume in (("reference", reference), ("evaluation", evaluation)):
        if not np.all(np.isfinite(volume.values)):
            raise InputError(f"{name} dose", "values that are not finite", "finite doses in Gy")
    norm = criteria.normalisation_gy or float(reference.values.max())
    if norm <= 0:
        raise InputError("reference dose", f"a maximum of {norm:g}", "a positive maximum to normalise to")
    chosen = (reference.values >= criteria.threshold_percent / 100 * norm) & (reference.values > 0)
    doses = reference.values[chosen].astype(np.float64)
    part = criteria.dose_percent / 100
    tolerances = part * doses if criteria.local else np.full(doses.size, part * norm)
    index = np.argwhere(chosen)
    positions = evaluation.grid.index(reference.grid.position_mm(index))
    spacing = np.asarray(evaluation.grid.spacing_mm)[::-1]
    several = np.asarray(evaluation.grid.shape) > 1
    scale = np.where(several, spacing / criteria.distance_mm, 0.0)
    single = np.where(several, 0.0, spacing / criteria.distance_mm)
    offsets, nearest = _search_order(scale, criteria.max_gamma)
    low, high = _cell_ranges(evaluation.values)
    out = np.empty(doses.size)
    _gamma_of_points(
        evaluation.values, low, high, offsets, nearest, scale, single, positions, doses, tolerances,
        criteria.max_gamma**2, out,
    )  # fmt: skip
    values = np.full(reference.grid.shape, np.nan, dtype=np.float32)
    values[chosen] = out
    used = GammaCriteria(
        criteria.dose_percent, criteria.distance_mm, criteria.threshold_percent, criteria.local,
        criteria.max_gamma, norm,
    )  # fmt: skip
    return Gamma(reference.grid, values, used)
