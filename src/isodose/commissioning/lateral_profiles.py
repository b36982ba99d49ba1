"""Lateral profiles of a simulation at some depths, and how a spot of a machine sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import dawsn, erf

from isodose.commissioning.simulation import Simulation

SPOT_SIGMA_MM = 1.4
"""Profiles are compared as a spot of this size shows them, that of the narrowest clinical carbon beams: what
is finer does not reach a patient, and few Gaussians fit what is left several times better."""

_WORST_ERROR = 0.05
"""Relative uncertainty of the dose of a whole profile beyond which its shape says nothing."""
_LARGEST_SLICE = 0.01
"""Half of the depth over which a profile is averaged, at most, as a part of the range."""
_MODEL_ERROR_AXIS, _MODEL_ERROR_FAR = 0.0007, 0.02
"""Relative error granted to Gaussians on the axis and far from it, so that faint tails count although the
statistics of the core are better."""
_FLOOR = 3e-6
"""Absolute error granted, part of the whole per mm."""
_FINE_MM, _FINE_TO_MM, _COARSER = 0.5, 20.0, 1.06
"""Distance of the points of comparison, how far out, and by how much they then lie farther and farther."""
_ALIKE = float(np.sqrt(4.0 * np.pi)) * SPOT_SIGMA_MM / _FINE_MM
"""Near the axis so many points share their noise, since the spot is wider than their distance; the dose on
the spot's axis, which is one number, counts as much as they together."""


@dataclass(frozen=True, slots=True, eq=False)
class LateralProfile:
    """Profile across the beam, summed over the other direction, both sides together.

    Parameters
    ----------
    edges_mm
        Edges of the bins, ascending from 0, ``(n + 1,)``; the first bin is half as wide as the others.
    part, letd_part
        Part of the dose, and of dose times LETd, in each bin, ``(n,)``.
    blur
        From bins to points of comparison, in parts per mm as a spot shows them, ``(m, n)``; the last is the
        dose on the spot's axis, not summed over the other direction.
    scale
        One over the uncertainty that is granted at the points, ``(m,)``.
    certain
        Whether there is dose enough to fit.
    """

    edges_mm: NDArray[np.float64]
    part: NDArray[np.float64]
    letd_part: NDArray[np.float64]
    blur: NDArray[np.float64]
    scale: NDArray[np.float64]
    certain: bool


def lateral_profile(
    edges_mm: NDArray[np.float64],
    dose: NDArray[np.float64],
    error: NDArray[np.float64],
    weighted: NDArray[np.float64],
    blur: NDArray[np.float64],
) -> LateralProfile:
    """Profile of binned dose.

    Parameters
    ----------
    edges_mm
        As in `LateralProfile`.
    dose, error, weighted
        Dose, its standard uncertainty and dose times LETd in bins, in any unit, ``(n,)``.
    blur
        Of `blur_matrix`.
    """
    total, letd = float(dose.sum()), float(weighted.sum())
    spread = float(np.sqrt(np.square(error).sum()))
    if total <= 0.0 or letd <= 0.0 or spread > _WORST_ERROR * total:
        return LateralProfile(edges_mm, dose, weighted, blur, np.ones(blur.shape[0]), False)
    part = dose / total
    seen = blur @ part
    granted = _MODEL_ERROR_AXIS + (_MODEL_ERROR_FAR - _MODEL_ERROR_AXIS) * (1.0 - seen / seen.max()) ** 2
    granted[-1] = _MODEL_ERROR_AXIS
    variance = np.square(blur) @ np.square(error / total)
    variance[-1] /= _ALIKE
    variance += np.square(granted * seen) + _FLOOR**2
    return LateralProfile(edges_mm, part, weighted / letd, blur, 1.0 / np.sqrt(variance), True)


def lateral_profiles(simulation: Simulation, depths_mm: NDArray[np.float64]) -> tuple[LateralProfile, ...]:
    """Profiles around some depths.

    Parameters
    ----------
    simulation
        Of a narrow beam.
    depths_mm
        Ascending; each profile is the mean over a slice that ends no later than halfway to the next.
    """
    step, width = simulation.spacing_mm
    rows, columns = simulation.dose.shape
    side = columns // 2
    edges = np.concatenate([[0.0], (np.arange(side + 1) + 0.5) * width])
    blur = blur_matrix(edges)
    reach = float(simulation.dose.sum(axis=1).argmax()) * step
    profiles = []
    for depth, gap in zip(depths_mm, np.gradient(depths_mm), strict=True):
        half = max(min(0.5 * gap, _LARGEST_SLICE * reach), step)
        begin = min(max(int((depth - half) / step), 0), rows - 1)
        near = slice(begin, max(min(int((depth + half) / step) + 1, rows), begin + 1))
        dose = simulation.dose[near].astype(np.float64)
        variance = np.square(simulation.error[near], dtype=np.float64).sum(axis=0)
        weighted = (dose * simulation.letd[near]).sum(axis=0)
        folded = [_folded(a, side) for a in (dose.sum(axis=0), variance, weighted)]
        profiles.append(lateral_profile(edges, folded[0], np.sqrt(folded[1]), folded[2], blur))
    return tuple(profiles)


def blur_matrix(edges_mm: NDArray[np.float64], sigma_mm: float = SPOT_SIGMA_MM) -> NDArray[np.float64]:
    """Matrix from bins of both sides to what a Gaussian spot shows at distances from the axis, ``(m, n)``.

    The last row is what it shows on its axis if the dose is not summed over the other direction, times
    sqrt(2 pi) sigma, so that a beam without width has the same value there as in the first row. The mean of
    1 - 2 u D(u) over all directions across a round beam, with u = x / (sqrt(2) sigma) and Dawson's integral
    D, is exp(-u^2) of the distance from the axis; and 1 - 2 u D(u) is the derivative of D.

    Parameters
    ----------
    edges_mm
        Edges of bins, ascending from 0.
    sigma_mm
        Of the spot.
    """
    last = edges_mm[-1] - 2.0 * sigma_mm
    fine = np.arange(0.0, min(_FINE_TO_MM, last), _FINE_MM)
    coarse = fine[-1] * _COARSER ** np.arange(
        1, 1 + int(np.log(max(last / fine[-1], 1.0)) / np.log(_COARSER))
    )
    at = np.concatenate([fine, coarse])[:, None]
    low, high = edges_mm[:-1], edges_mm[1:]
    root = np.sqrt(2.0) * sigma_mm
    box = erf((at - low) / root) - erf((at - high) / root) + erf((at + high) / root) - erf((at + low) / root)
    on_axis = np.diff(dawsn(edges_mm / root)) / np.diff(edges_mm) / np.sqrt(np.pi)
    return np.vstack([0.25 * box / (high - low), on_axis])


def _folded(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Both sides of a profile together; its middle bin is the first."""
    folded = values[side:].copy()
    folded[1:] += values[:side][::-1]
    return folded
