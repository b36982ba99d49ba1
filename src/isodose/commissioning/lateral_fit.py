"""Gaussians that make a lateral profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import erf

from isodose.commissioning.lateral_profiles import LateralProfile

_NARROWEST_MM, _WIDEST_MM = 0.004, 60.0
_SMALLEST_RATIO, _LARGEST_RATIO = 1.15, 2000.0
_SECOND_MM = 0.7
"""The second Gaussian is no narrower: of one that is, a spot of 1.4 mm shows only its weight times its
variance, so that it would be wide at one energy and narrow at the next."""
_LETD_ERROR = 0.03
"""Relative error granted to LETd."""
_LETD_FREEDOM = 1.0
"""Expected spread of the logarithms of LETd of the Gaussians; decides where one is too faint to tell."""


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
        """Logarithms of the first width, of ratios of widths, of weights over the first, ``(2k - 1,)``."""
        sigma, weight = self.sigma_mm, np.maximum(self.weight, 1e-6)
        raw = np.concatenate([sigma[:1], sigma[1:] / sigma[:-1], weight[1:] / weight[0]])
        return np.asarray(np.log(raw))

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


def fit_profile(profile: LateralProfile, start: LateralFit, freedom: NDArray[np.float64]) -> LateralFit:
    """Fit as many Gaussians as the start has.

    Parameters
    ----------
    profile
        What to fit.
    start
        Where to begin; what the profile does not tell stays there.
    freedom
        How far each of `LateralFit.parameters` may be expected to lie from the start, as a standard
        deviation.
    """
    k = start.sigma_mm.size
    low = np.log(np.array([_NARROWEST_MM] + [_SMALLEST_RATIO] * (k - 1) + [1e-6] * (k - 1)))
    if k > 1:
        low[1] = max(low[1], float(np.log(_SECOND_MM / start.sigma_mm[0])))
    high = np.log(np.array([_WIDEST_MM] + [_LARGEST_RATIO] * (k - 1) + [20.0] * (k - 1)))
    begin = np.clip(start.parameters, low + 1e-6, high - 1e-6)

    seen = profile.blur * profile.scale[:, None]

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        fit = LateralFit.of(x)
        excess = parts_in_bins(profile.edges_mm, fit.sigma_mm) @ fit.weight - profile.part
        return np.concatenate([seen @ excess, (x - begin) / freedom])

    def slopes(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.vstack([seen @ _slopes(profile.edges_mm, LateralFit.of(x)), np.diag(1.0 / freedom)])

    found = least_squares(residuals, begin, jac=slopes, bounds=(low, high), max_nfev=40)
    return LateralFit.of(found.x)


def letd_of_gaussians(profile: LateralProfile, fit: LateralFit) -> NDArray[np.float64]:
    """LETd in each Gaussian of a fit over that of the whole profile, ``(k,)``.

    Parameters
    ----------
    profile
        What was fitted.
    fit
        Gaussians of its dose.
    """
    columns = profile.blur @ (parts_in_bins(profile.edges_mm, fit.sigma_mm) * fit.weight)
    seen = profile.blur @ profile.letd_part
    scale = 1.0 / np.hypot(1.0 / profile.scale, _LETD_ERROR * seen)

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.append((columns @ np.exp(x) - seen) * scale, x / _LETD_FREEDOM)

    share = np.exp(least_squares(residuals, np.zeros(fit.weight.size), max_nfev=40).x)
    return np.asarray(share / (share @ fit.weight))


def parts_in_bins(edges_mm: NDArray[np.float64], sigma_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of each Gaussian in bins, both sides of 0 together, ``(n, k)``."""
    return np.asarray(np.diff(erf(edges_mm[:, None] / (np.sqrt(2.0) * sigma_mm)), axis=0))


def _slopes(edges_mm: NDArray[np.float64], fit: LateralFit) -> NDArray[np.float64]:
    """Derivatives of the dose in bins by `LateralFit.parameters`, ``(n, 2k - 1)``."""
    columns = parts_in_bins(edges_mm, fit.sigma_mm)
    x = edges_mm[:, None] / fit.sigma_mm
    wider = -np.sqrt(2.0 / np.pi) * np.diff(x * np.exp(-0.5 * np.square(x)), axis=0) * fit.weight
    # A ratio of widths moves all wider Gaussians; a weight takes from all others.
    by_width = np.cumsum(wider[:, ::-1], axis=1)[:, ::-1]
    by_weight = fit.weight * (columns - (columns @ fit.weight)[:, None])
    return np.hstack([by_width, by_weight[:, 1:]])
