"""The K shell of oxygen in water: generalised oscillator strength of a hydrogen-like atom.

Bethe's closed form for two electrons of an effective charge, with the measured binding energy in place of the
hydrogenic one. The strength adds up to 1.76 electrons at zero momentum transfer (the rest is forbidden by the
filled L shell) and to two at large ones; the optical strength agrees with measured photoabsorption to
12 % at 0.6 keV and 3 % above 1 keV.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

K_BINDING_EV = 539.7
"""Binding energy of the K shell of oxygen in water, eV."""

AUGER_EV = 503.0
"""Energy of the Auger electron that follows a vacancy of the K shell (O KLL), eV.

Fluorescence, below 1 %, is left out.
"""

_EFFECTIVE_CHARGE = 7.7
_ELECTRONS = 2.0
_SCALE_EV = _EFFECTIVE_CHARGE**2 * 13.605693


def oscillator_strength_density(energy_ev: ArrayLike, recoil_ev: ArrayLike) -> NDArray[np.float64]:
    """Generalised oscillator strength df/dE of the two K electrons, 1/eV.

    Parameters
    ----------
    energy_ev
        Energy transfer in eV; zero below the binding energy.
    recoil_ev
        Recoil energy in eV; broadcast with the energy.
    """
    w = np.asarray(energy_ev, dtype=np.float64) / _SCALE_EV
    q = np.asarray(recoil_ev, dtype=np.float64) / _SCALE_EV
    w, q = np.broadcast_arrays(w, q)
    k2 = w - 1.0
    a = q - k2 + 1.0
    k = np.sqrt(np.maximum(np.abs(k2), 1e-8))
    # Above the hydrogenic threshold the final state is a Coulomb wave; between the real one and that, its
    # continuation to bound energies.
    above = np.exp(-2.0 / k * np.arctan2(2.0 * k, a)) / -np.expm1(-2.0 * np.pi / k)
    ratio = np.where(k2 < 0.0, (a + 2.0 * k) / np.where(k2 < 0.0, a - 2.0 * k, 1.0), 1.0)
    below = ratio ** (-1.0 / k)
    strength = 256.0 * w * (q + w / 3.0) / (a * a + 4.0 * k2) ** 3
    density = _ELECTRONS / 2.0 * strength * np.where(k2 > 0.0, above, below) / _SCALE_EV
    return np.where(w * _SCALE_EV >= K_BINDING_EV, density, 0.0)


@cache
def _strength_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    recoil = np.geomspace(1e-3, 1e5, 200)
    energy = K_BINDING_EV * np.geomspace(1.0, 1e4, 4000)
    density = oscillator_strength_density(energy[:, None], recoil)
    return np.log(recoil), np.asarray(np.trapezoid(density, energy, axis=0))


def k_shell_strength(recoil_ev: ArrayLike) -> NDArray[np.float64]:
    """Electrons of the K shell that take part at a recoil energy: 1.76 at none, 2.0 at large ones."""
    log_recoil, strength = _strength_table()
    recoil = np.maximum(np.asarray(recoil_ev, dtype=np.float64), 1e-9)
    return np.asarray(np.interp(np.log(recoil), log_recoil, strength))
