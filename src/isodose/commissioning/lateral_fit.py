"""Gaussians that make a lateral profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls
from scipy.special import erf

_NARROWEST_MM, _WIDEST_MM = 0.004, 60.0
_SMALLEST_RATIO, _LARGEST_RATIO = 1.15, 2000.0
_MODEL_ERROR = 0.02
"""Relative error granted to the model in every bin, so that the tails count although the core knows
better."""
_FLOOR = 3e-6
"""Absolute error granted, as a part of the whole in a bin."""
_PULL_TO_MEAN = 0.3
"""Decides the property of a Gaussian that is too faint to tell."""
_MOST_UNLIKE = 20.0
"""A property of one Gaussian is at most so many times above or below the mean."""


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

    @property
    def parameters(self) -> NDArray[np.float64]:
        """Logarithms: of the first width, of the ratios of widths, of weights over the first, ``(2k - 1,)``."""
        sigma, weight = self.sigma_mm, np.maximum(self.weight, 1e-6)
        return np.log(np.concatenate([sigma[:1], sigma[1:] / sigma[:-1], weight[1:] / weight[0]]))

    @classmethod
    def of(cls, parameters: NDArray[np.float64]) -> LateralFit:
        """Gaussians of `parameters`."""
        k = (parameters.size + 1) // 2
        raw = np.exp(np.append(0.0, parameters[k:]))
        return cls(np.exp(np.cumsum(parameters[:k])), raw / raw.sum())

    def with_first(self, sigma_mm: float) -> LateralFit:
        """Same Gaussians but for the width of the first, which the others exceed."""
        sigma = np.append(sigma_mm, self.sigma_mm[1:])
        for i in range(1, sigma.size):
            sigma[i] = max(sigma[i], _SMALLEST_RATIO * sigma[i - 1])
        return LateralFit(sigma, self.weight)


def fit_profile(
    edges_mm: NDArray[np.float64],
    part: NDArray[np.float64],
    error: NDArray[np.float64],
    start: LateralFit,
    freedom: NDArray[np.float64],
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
        Where to begin; what the profile does not tell stays there.
    freedom
        How far each of `LateralFit.parameters` may be expected to lie from the start, as a standard
        deviation.
    """
    scale = 1.0 / np.sqrt(np.square(error) + np.square(_MODEL_ERROR * part) + _FLOOR**2)
    k = start.sigma_mm.size
    low = np.log(np.array([_NARROWEST_MM] + [_SMALLEST_RATIO] * (k - 1) + [1e-6] * (k - 1)))
    high = np.log(np.array([_WIDEST_MM] + [_LARGEST_RATIO] * (k - 1) + [20.0] * (k - 1)))
    begin = np.clip(start.parameters, low + 1e-6, high - 1e-6)

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        fit = LateralFit.of(x)
        missed = (parts_in_bins(edges_mm, fit.sigma_mm) @ fit.weight - part) * scale
        return np.concatenate([missed, (x - begin) / freedom])

    found = least_squares(residuals, begin, bounds=(low, high), max_nfev=40)
    return LateralFit.of(found.x)


def property_of_gaussians(
    edges_mm: NDArray[np.float64],
    weighted: NDArray[np.float64],
    error: NDArray[np.float64],
    fit: LateralFit,
) -> NDArray[np.float64]:
    """Average of a property, as LETd, in each Gaussian of a fit over its average in all, ``(k,)``.

    Parameters
    ----------
    edges_mm, error
        As in `fit_profile`.
    weighted
        Part of the dose times the property in each bin, in units of the average over the whole profile.
    fit
        Gaussians of the dose.
    """
    scale = 1.0 / np.sqrt(np.square(error) + np.square(_MODEL_ERROR * weighted) + _FLOOR**2)
    columns = parts_in_bins(edges_mm, fit.sigma_mm) * fit.weight
    pull = _PULL_TO_MEAN * np.eye(fit.weight.size)
    values, _ = nnls(
        np.vstack([columns * scale[:, None], pull]), np.append(weighted * scale, pull.sum(axis=1))
    )
    values = np.clip(values, 1.0 / _MOST_UNLIKE, _MOST_UNLIKE)
    return np.asarray(values / (values @ fit.weight))


def parts_in_bins(edges_mm: NDArray[np.float64], sigma_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of each Gaussian in bins, both sides of 0 together, ``(n, k)``."""
    return np.asarray(np.diff(erf(edges_mm[:, None] / (np.sqrt(2.0) * sigma_mm)), axis=0))
