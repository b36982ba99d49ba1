"""Weights of energy layers that add up to a flat dose over a span of depths.

Two ways: least squares on the depth doses themselves, and the classic power law of Bortfeld and Schlegel
(Phys Med Biol 41 (1996) 1331), whose exponent Jette and Chen (Phys Med Biol 56 (2011) N131) showed must be
fitted, because straggling and reactions tilt the plateau that the Bragg-Kleeman exponent would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls

from isodose.plan.depth_dose import DepthDose

_DEPTH_STEP_MM = 1.0
_SMOOTHNESS = 0.02
"""Penalty on layers of unlike dose, relative to the misfit; damps the zigzag of free least squares."""

OVERSHOOT = 0.8
"""By how many standard deviations of its range the deepest layer stops behind the span, so that the dose
holds up to its end."""


class Weighting(StrEnum):
    """How layers are weighted."""

    LEAST_SQUARES = "least_squares"
    POWER_LAW = "power_law"


def layer_fluence(
    curves: Sequence[DepthDose],
    proximal_mm: float,
    distal_mm: float,
    dose_gy: float,
    weighting: Weighting = Weighting.LEAST_SQUARES,
) -> NDArray[np.float64]:
    """Fluence of each layer for a flat dose between two depths.

    Parameters
    ----------
    curves
        Depth doses of the layers, by ascending range.
    proximal_mm, distal_mm
        Water-equivalent depths between which the dose is to be flat.
    dose_gy
        Its height.
    weighting
        How.

    Returns
    -------
    numpy.ndarray
        Particles per mm2, ``(len(curves),)``, none negative; zero for layers that stop beside the span.
    """
    ranges = np.array([curve.range_mm for curve in curves])
    fluence = np.zeros(len(curves))
    sigma = curves[int(np.argmin(np.abs(ranges - distal_mm)))].range_sigma_mm
    last = min(int(np.searchsorted(ranges, distal_mm + OVERSHOOT * sigma - 1e-6)), len(curves) - 1)
    first = min(max(int(np.searchsorted(ranges, proximal_mm)) - 1, 0), last)
    near = slice(first, last + 1)
    count = max(int(np.ceil((distal_mm - proximal_mm) / _DEPTH_STEP_MM)), 1) + 1
    depths = np.linspace(proximal_mm, distal_mm, count)
    matrix = np.stack([curve.at(depths) for curve in curves[near]], axis=1)
    if weighting is Weighting.POWER_LAW:
        fluence[near] = _power_law(ranges[near], matrix, dose_gy)
    else:
        fluence[near] = _least_squares(matrix, dose_gy)
    return fluence


def power_law_weights(ranges_mm: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Relative fluences of layers for a flat dose up to the longest range.

    The density of ranges (R0 - R)^(-1/p) integrated over the cell of each layer, which reaches half-way to
    its neighbours; for evenly spaced layers these are the weights of Jette and Chen (2011), eq. 6.

    Parameters
    ----------
    ranges_mm
        Ascending ranges, ``(n,)``.
    exponent
        p; 1.77 for protons in an ideal world, some 1.3 to 1.8 after fitting.
    """
    deepest = ranges_mm[-1]
    if ranges_mm.size == 1:
        return np.ones(1)
    middles = 0.5 * (ranges_mm[1:] + ranges_mm[:-1])
    # The shallowest cell is as wide above its layer as below, which is where the plateau begins.
    bounds = np.concatenate([[ranges_mm[0]], middles, [deepest]])
    part = (deepest - bounds) ** (1.0 - 1.0 / exponent)
    weights = part[:-1] - part[1:]
    return np.asarray(weights / weights.sum())


def _power_law(
    ranges: NDArray[np.float64], matrix: NDArray[np.float64], dose_gy: float
) -> NDArray[np.float64]:
    def scaled(exponent: float) -> NDArray[np.float64]:
        weights = power_law_weights(ranges, exponent)
        return np.asarray(weights * dose_gy / np.mean(matrix @ weights))

    def ripple(exponent: float) -> float:
        return float(np.std(matrix @ scaled(exponent)))

    return scaled(float(minimize_scalar(ripple, bounds=(1.05, 4.0), method="bounded").x))


def _least_squares(matrix: NDArray[np.float64], dose_gy: float) -> NDArray[np.float64]:
    peak = matrix.max(axis=0)
    usable = peak > 0
    fluence = np.zeros(matrix.shape[1])
    if not np.any(usable):
        return fluence
    scaled = matrix[:, usable] / peak[usable]
    n = scaled.shape[1]
    # Second differences of the layers' peak doses, each counted as one depth.
    bend = np.diff(np.eye(n), 2, axis=0) if n > 2 else np.zeros((0, n))
    system = np.vstack([scaled, _SMOOTHNESS * np.sqrt(matrix.shape[0] / n) * bend])
    wanted = np.concatenate([np.ones(matrix.shape[0]), np.zeros(len(bend))])
    solution, _ = nnls(system, wanted)
    fluence[usable] = solution * dose_gy / peak[usable]
    return fluence
