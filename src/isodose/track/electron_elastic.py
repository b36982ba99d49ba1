"""Elastic scattering of electrons in water: screened Rutherford, Brenner and Zaider's angles if slow.

Total cross-section after Uehara, Nikjoo and Goodhead (Phys. Med. Biol. 38 (1993) 1841); the angles below
200 eV are the two lobes of Brenner and Zaider (Phys. Med. Biol. 29 (1983) 443). Both lobes have the form
``1 / (1 + 2 g - c)^2`` in the cosine c (the backward one with c reversed), which is sampled in closed form.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from isodose.physics.random import uniform
from isodose.track.liquid_water import ELECTRON_REST_EV, MOLECULES_PER_NM3

_CHARGE = 7.42  # of the effective atom
_COULOMB_EV_NM = 1.43996  # e^2 / (4 pi epsilon0)
_SCREENING = 1.7e-5
_FAST_EV = 50e3
_BRENNER_ZAIDER_EV = 200.0

_LN_B = (7.51525, -0.41912, 7.2017e-3, -4.646e-5, 1.02897e-7)
_LN_D = (2.9612, -0.26376, 4.307e-3, -2.6895e-5, 5.83505e-8)
_LN_G_SLOW = (-1.7013, -1.48284, 0.6331, -0.10911, 8.358e-3, -2.388e-4)  # below 10 eV
_LN_G = (-3.32517, 0.10996, -4.5255e-3, 5.8372e-5, -2.4659e-7)  # 10 to 100 eV
_G_FAST = (2.4775e-2, -2.96264e-5, -1.20655e-7)  # 100 to 200 eV


def _polynomial(coefficients: tuple[float, ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.polynomial.polynomial.polyval(x, coefficients))


def screening(energy_ev: ArrayLike) -> NDArray[np.float64]:
    """Screening parameter of the screened Rutherford cross-section."""
    t = np.asarray(energy_ev, dtype=np.float64) / ELECTRON_REST_EV
    beta2 = t * (t + 2.0) / (t + 1.0) ** 2
    fast = 1.13 + 3.76 * (_CHARGE / 137.0) ** 2 / beta2
    factor = np.where(t * ELECTRON_REST_EV < _FAST_EV, 1.198, fast)
    return np.asarray(factor * _SCREENING * _CHARGE ** (2.0 / 3.0) / (t * (t + 2.0)))


def elastic_inverse_mean_free_path(energy_ev: ArrayLike) -> NDArray[np.float64]:
    """Inverse mean free path of elastic scattering in water of 1 g/cm3, 1/nm."""
    energy = np.asarray(energy_ev, dtype=np.float64)
    n = screening(energy)
    length = _COULOMB_EV_NM * (energy + ELECTRON_REST_EV) / (energy * (energy + 2.0 * ELECTRON_REST_EV))
    return MOLECULES_PER_NM3 * np.pi * _CHARGE * (_CHARGE + 1.0) * length**2 / (n * (n + 1.0))


def scattering_lobes(energy_ev: ArrayLike) -> NDArray[np.float64]:
    """The two lobes of the angular distribution.

    Returns
    -------
    numpy.ndarray
        ``[n, 3]``: probability of the backward lobe, width of the forward and of the backward lobe.
    """
    energy = np.asarray(energy_ev, dtype=np.float64)
    slow = np.minimum(energy, 10.0)
    middle = np.clip(energy, 10.0, 100.0)
    fast = np.clip(energy, 100.0, _BRENNER_ZAIDER_EV)
    low = np.clip(energy, 0.35, _BRENNER_ZAIDER_EV)
    forward = np.where(
        energy < 10.0, np.exp(_polynomial(_LN_G_SLOW, slow)), np.exp(_polynomial(_LN_G, middle))
    )
    forward = np.where(energy > 100.0, _polynomial(_G_FAST, fast), forward)
    backward = np.exp(_polynomial(_LN_D, low))
    ahead = 1.0 / (2.0 * forward * (1.0 + forward))
    behind = np.exp(_polynomial(_LN_B, low)) / (2.0 * backward * (1.0 + backward))
    is_low = energy < _BRENNER_ZAIDER_EV
    return np.stack(
        [
            np.where(is_low, behind / (ahead + behind), 0.0),
            np.where(is_low, forward, screening(energy)),
            backward,
        ],
        axis=-1,
    )


@njit(cache=True, error_model="numpy", inline="always")
def sample_lobes(lobes, stream):  # type: ignore[no-untyped-def]
    """Cosine of the scattering angle by one row of :func:`scattering_lobes`."""
    is_backward = uniform(stream) < lobes[0]
    g = lobes[2] if is_backward else lobes[1]
    u = uniform(stream)
    cosine = 1.0 - 2.0 * g * u / (1.0 + g - u)
    return max(-cosine if is_backward else cosine, -1.0)
