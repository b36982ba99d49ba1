"""The linear-quadratic model, ``-ln S = alpha D + beta D^2``, and photon doses of equal effect."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]


def effect(dose_gy: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Array:
    """Effect ``-ln S`` of a dose per fraction.

    Parameters
    ----------
    dose_gy
        Dose per fraction, Gy; never that of a whole course.
    alpha, beta
        Coefficients in 1/Gy and 1/Gy2; all three broadcast together.
    """
    dose = np.asarray(dose_gy)
    return np.asarray(dose * (np.asarray(alpha) + np.asarray(beta) * dose))


def effect_with_tail(
    dose_gy: ArrayLike, alpha: ArrayLike, beta: ArrayLike, cut_gy: float, final_slope: float
) -> Array:
    """Effect of a dose per fraction that goes on in a straight line above a dose, as the LEM has it.

    Parameters
    ----------
    dose_gy, alpha, beta
        As in `effect`.
    cut_gy
        Dose D_t above which survival falls exponentially, Gy.
    final_slope
        Slope there, 1/Gy.
    """
    dose = np.asarray(dose_gy)
    below = np.minimum(dose, cut_gy)
    return np.asarray(effect(below, alpha, beta) + final_slope * (dose - below))


def photon_dose(effect_of_ions: ArrayLike, alpha_x: ArrayLike, beta_x: ArrayLike) -> Array:
    """Photon dose of the same effect, Gy: the positive root of ``beta_x D^2 + alpha_x D = effect``.

    Written so that it loses no digits for small effects and holds for ``beta_x = 0``; without effect it is 0.

    Parameters
    ----------
    effect_of_ions
        ``-ln S`` in one fraction, at least 0.
    alpha_x, beta_x
        Photon coefficients in 1/Gy (positive) and 1/Gy2 (at least 0).
    """
    e, a, b = (np.asarray(v) for v in (effect_of_ions, alpha_x, beta_x))
    return np.asarray(2.0 * e / (a + np.sqrt(a * a + 4.0 * b * e)))


def photon_dose_with_tail(
    effect_of_ions: ArrayLike, alpha_x: float, beta_x: float, cut_gy: float, final_slope: float
) -> Array:
    """Photon dose of the same effect where photon survival falls exponentially above ``cut_gy``.

    The inverse of `effect_with_tail` for photons; arguments as there.
    """
    e = np.asarray(effect_of_ions)
    at_cut = cut_gy * (alpha_x + beta_x * cut_gy)
    below = photon_dose(np.minimum(e, at_cut), alpha_x, beta_x)
    return np.asarray(below + np.maximum(e - at_cut, 0.0) / final_slope)


def rbe_weighted_dose_of_limits(
    dose_gy: ArrayLike, rbe_max: ArrayLike, rbe_min: ArrayLike, alpha_x: ArrayLike, beta_x: ArrayLike
) -> Array:
    """RBE-weighted dose of a model that gives the RBE in the limits of low and of high dose.

    Parameters
    ----------
    dose_gy
        Dose per fraction, Gy.
    rbe_max, rbe_min
        RBE at vanishing and at infinite dose: ``alpha = rbe_max alpha_x``, ``beta = rbe_min^2 beta_x``.
    alpha_x, beta_x
        Photon coefficients in 1/Gy and 1/Gy2.

    References
    ----------
    Carabe-Fernandez et al., Int J Radiat Biol 83 (2007) 27: the two limits and their algebra.
    """
    alpha = np.asarray(rbe_max) * np.asarray(alpha_x)
    beta = np.square(rbe_min) * np.asarray(beta_x)
    return photon_dose(effect(dose_gy, alpha, beta), alpha_x, beta_x)
