"""Ionisation of water by protons after Rudd's semi-empirical formula.

Rudd, Kim, Madison and Gay (Rev. Mod. Phys. 64 (1992) 441), with the parameters for the shells of liquid water
of Dingfelder et al. (Radiat. Phys. Chem. 59 (2000) 255) as Geant4-DNA uses them. It follows measurements from
1 keV to some MeV, where Born's approximation ends; above a few MeV the dielectric model is better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.track.liquid_water import (
    BINDING_EV,
    BOHR_RADIUS_NM,
    ELECTRON_REST_EV,
    MOLECULES_PER_NM3,
    RYDBERG_EV,
)

_IONISATION_EV = np.array([12.60, 14.70, 18.40, 32.20, 540.0])
_PARTITION = np.array([0.99, 1.11, 1.11, 0.52, 1.0])
_ELECTRONS_PER_SHELL = 2.0

# A1, B1, C1, D1, E1, A2, B2, C2, D2, alpha: the four outer shells, the K shell
_OUTER = (1.02, 82.0, 0.45, -0.80, 0.38, 1.07, 11.6, 0.60, 0.04, 0.64)
_K = (1.25, 0.50, 1.00, 1.00, 3.00, 1.10, 1.30, 1.00, 0.00, 0.66)

_K_SHELL = BINDING_EV.size - 1
_HYDROGEN_LOG_EV, _HYDROGEN_WIDTH = 4.2, 0.5


def ionisation_spectrum(beta_squared: float, transfer_ev: ArrayLike) -> NDArray[np.float64]:
    """Differential inverse mean free path for ionisation by a bare proton.

    Parameters
    ----------
    beta_squared
        Square of the projectile's velocity over that of light.
    transfer_ev
        ``[n]`` energy transfer: binding energy and kinetic energy of the electron, eV.

    Returns
    -------
    numpy.ndarray
        ``[5, n]`` in 1/(nm eV) by shell; zero below its threshold.
    """
    transfer = np.asarray(transfer_ev, dtype=np.float64)
    spectra = np.zeros((BINDING_EV.size, transfer.size))
    for shell, ionisation in enumerate(_IONISATION_EV):
        is_open = transfer >= BINDING_EV[shell]
        w = (transfer[is_open] - BINDING_EV[shell]) / ionisation
        area = 4.0 * np.pi * BOHR_RADIUS_NM**2 * _ELECTRONS_PER_SHELL * (RYDBERG_EV / ionisation) ** 2
        v2 = 0.5 * ELECTRON_REST_EV * beta_squared / ionisation
        shape = _shape(w, v2, ionisation, _K if shell == _K_SHELL else _OUTER)
        spectra[shell, is_open] = MOLECULES_PER_NM3 * _PARTITION[shell] * area / ionisation * shape
    return spectra


def _shape(
    w: NDArray[np.float64], v2: float, ionisation_ev: float, parameters: tuple[float, ...]
) -> NDArray[np.float64]:
    a1, b1, c1, d1, e1, a2, b2, c2, d2, alpha = parameters
    v = np.sqrt(v2)
    low1 = c1 * v**d1 / (1.0 + e1 * v ** (d1 + 4.0))
    low2 = c2 * v**d2
    high1 = a1 * np.log1p(v2) / (v2 + b1 / v2)
    high2 = a2 / v2 + b2 / v2**2
    f1, f2 = low1 + high1, low2 * high2 / (low2 + high2)
    cut = 4.0 * v2 - 2.0 * v - RYDBERG_EV / (4.0 * ionisation_ev)
    fall = np.exp(np.minimum(alpha * (w - cut) / v, 600.0))
    return np.asarray((f1 + w * f2) / ((1.0 + w) ** 3 * (1.0 + fall)))


def hydrogen_factor(proton_ev: float) -> NDArray[np.float64]:
    """Ratio ``[5]`` of the ionisation by neutral hydrogen to that by a proton of the same velocity, by shell.

    Dingfelder et al. (2000); ``proton_ev`` is the kinetic energy of a proton of that velocity, eV.
    """
    factor = np.ones(BINDING_EV.size)
    factor[:_K_SHELL] = 0.6 / (1.0 + np.exp((np.log10(proton_ev) - _HYDROGEN_LOG_EV) / _HYDROGEN_WIDTH)) + 0.9
    return factor
