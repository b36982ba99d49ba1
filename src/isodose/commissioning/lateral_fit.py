"""Gaussians that make a lateral profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls
from scipy.special import erf

_NARROWEST_MM = 0.05
_MODEL_ERROR = 0.02
"""Relative error granted to the model in every bin, so that the tails count although the core knows
better."""
_FLOOR = 3e-6
"""Absolute error granted, as a part of the whole in a bin."""


@dataclass(frozen=True, slots=True, eq=False)
class LateralFit:
    """Gaussians of one profile, widening.

    Parameters
    ----------
    sigma_mm
        Standard deviations ``(k,)``.
    weight
        Parts, adding up to 1, ``(k,)``.
    """

    sigma_mm: NDArray[np.float64]
    weight: NDArray[np.float64]


def fit_profile(
    edges_mm: NDArray[np.float64],
    part: NDArray[np.float64],
    error: NDArray[np.float64],
    start: LateralFit,
) -> LateralFit:
    """Fit as many Gaussians as the start has to a profile that is symmetric about 0.

    Parameters
    ----------
    edges_mm
        Edges of the bins of one side, ascending from 0, ``(n + 1,)``.
    part
        Part of the dose in each bin, both sides together, ``(n,)``.
    error
        Standard uncertainty of it.
    start
        Where to begin.
    """
    scale = 1.0 / np.sqrt(np.square(error) + np.square(_MODEL_ERROR * part) + _FLOOR**2)
    k = start.sigma_mm.size
    ratios = np.maximum(start.sigma_mm[1:] / start.sigma_mm[:-1], 1.2)
    weights = np.clip(start.weight, 1e-5, 1.0)
    begin = np.concatenate(
        [
            np.log([max(start.sigma_mm[0], 2 * _NARROWEST_MM)]),
            np.log(ratios),
            np.log(weights[1:] / weights[0]),
        ]
    )
    low = np.concatenate([[np.log(_NARROWEST_MM)], np.full(k - 1, np.log(1.15)), np.full(k - 1, -14.0)])
    high = np.concatenate([[np.log(60.0)], np.full(k - 1, np.log(40.0)), np.full(k - 1, 3.0)])

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        sigma, weight = _unpack(x, k)
        return np.asarray((_bins(edges_mm, sigma) @ weight - part) * scale)

    found = least_squares(residuals, np.clip(begin, low + 1e-6, high - 1e-6), bounds=(low, high), max_nfev=60)
    sigma, weight = _unpack(found.x, k)
    return LateralFit(sigma, weight)


def property_of_gaussians(
    edges_mm: NDArray[np.float64],
    weighted: NDArray[np.float64],
    error: NDArray[np.float64],
    fit: LateralFit,
    mean: float,
) -> NDArray[np.float64]:
    """Average of a property, as LETd, in each Gaussian of a fit, ``(k,)``.

    Parameters
    ----------
    edges_mm, error
        As in `fit_profile`.
    weighted
        Part of the dose times the property in each bin.
    fit
        Gaussians of the dose.
    mean
        Average over the whole profile, which is kept.
    """
    scale = 1.0 / np.sqrt(
        np.square(error) * mean**2 + np.square(_MODEL_ERROR * weighted) + (_FLOOR * mean) ** 2
    )
    columns = _bins(edges_mm, fit.sigma_mm) * fit.weight
    # A weak pull to the mean decides where a Gaussian is too faint to tell.
    pull = np.diag(np.full(fit.weight.size, 0.3 / mean))
    values, _ = nnls(
        np.vstack([columns * scale[:, None], pull]),
        np.concatenate([weighted * scale, np.full(fit.weight.size, 0.3)]),
    )
    values = np.clip(values, 0.2 * mean, 5.0 * mean)
    return np.asarray(values * mean / (values @ fit.weight))


def _unpack(x: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sigma = np.exp(np.cumsum(x[:k]))
    raw = np.concatenate([[1.0], np.exp(x[k:])])
    return sigma, raw / raw.sum()


def _bins(edges_mm: NDArray[np.float64], sigma_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of Gaussians in bins of both sides, ``(n, k)``."""
    return np.asarray(np.diff(erf(edges_mm[:, None] / (np.sqrt(2.0) * sigma_mm)), axis=0))
