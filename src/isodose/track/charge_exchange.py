"""Charge states of hydrogen and helium projectiles, and how they change in water.

Cross-sections of Dingfelder et al. (Radiat. Phys. Chem. 59 (2000) 255 for hydrogen; 2005 for helium) with the
parameters of Geant4-DNA; below about 0.5 MeV/u. The state is the number of electrons that the projectile
carries: 0 for a bare nucleus.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.track.liquid_water import BOHR_RADIUS_NM, MOLECULES_PER_NM3

PROJECTILE_BINDING_EV = {1: (0.0, 13.598), 2: (0.0, 54.418, 24.587)}
"""By charge of the nucleus: energy that frees the last electron of each state, eV (NIST)."""

_NM2_PER_M2 = 1e18
_ELECTRON_OVER_PROTON = 1.0 / 1836.15267
_RYDBERG_EV = 13.605693

# a0, a1, b0, b1, c0, d0, x0, x1; NaN where a smooth joint gives it
_NAN = float("nan")
_PROTON_CAPTURE = (-0.180, -3.600, -18.22, -1.997, 0.215, 3.550, 3.450, 5.251)
_HELIUM = {
    (0, 1): (0.95, -2.75, -23.00, _NAN, 0.215, 2.95, 3.50, _NAN),
    (0, 2): (0.95, -2.75, -23.73, _NAN, 0.250, 3.55, 3.72, _NAN),
    (1, 2): (0.65, -2.75, -21.81, _NAN, 0.232, 2.95, 3.53, _NAN),
    (1, 0): (2.25, -0.75, -32.10, _NAN, 0.600, 2.40, 4.60, _NAN),
    (2, 1): (2.25, -0.75, -30.93, _NAN, 0.590, 2.35, 4.29, _NAN),
    (2, 0): (2.25, -0.75, -32.61, _NAN, 0.435, 2.70, 4.45, _NAN),
}

# Ionisation of neutral hydrogen in flight: low- and high-energy parts (Miller and Green)
_LOSS_LOW = (2.1, 0.76)
_LOSS_HIGH = (2.835, 0.310)


def states(charge: int) -> int:
    """Charge states that are followed: one (an effective charge) from lithium on."""
    return charge + 1 if charge <= 2 else 1


def exchange_rates(charge: int, ion_ev: float) -> NDArray[np.float64]:
    """Inverse mean free paths between charge states.

    Parameters
    ----------
    charge
        Charge of the nucleus.
    ion_ev
        Kinetic energy of a proton (charge 1) or an alpha particle (charge 2) of that velocity, eV.

    Returns
    -------
    numpy.ndarray
        ``[from, to]`` in 1/nm; a zero from lithium on.
    """
    count = states(charge)
    rates = np.zeros((count, count))
    if charge == 1:
        rates[0, 1] = _three_pieces(ion_ev, _PROTON_CAPTURE)
        rates[1, 0] = _hydrogen_loss(ion_ev)
    elif charge == 2:
        for (before, after), parameters in _HELIUM.items():
            rates[before, after] = _three_pieces(ion_ev, parameters)
    return rates * MOLECULES_PER_NM3


def equilibrium(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each state ``[states]`` where gains and losses balance."""
    count = rates.shape[0]
    if count == 1:
        return np.ones(1)
    balance = rates.T - np.diag(rates.sum(axis=1))
    balance[-1] = 1.0
    return np.asarray(np.linalg.solve(balance, np.append(np.zeros(count - 1), 1.0)))


def _three_pieces(ion_ev: float, parameters: tuple[float, ...]) -> float:
    """Dingfelder's power laws at low and high energy and the arch between them, in nm2."""
    a0, a1, b0, b1, c0, d0, x0, x1 = parameters
    if np.isnan(x1):
        x1 = x0 + ((a0 - a1) / (c0 * d0)) ** (1.0 / (d0 - 1.0))
        b1 = (a0 - a1) * x1 + b0 - c0 * (x1 - x0) ** d0
    x = np.log10(ion_ev)
    if x < x0:
        y = a0 * x + b0
    elif x < x1:
        y = a0 * x + b0 - c0 * (x - x0) ** d0
    else:
        y = a1 * x + b1
    return float(10.0**y * _NM2_PER_M2)


def _hydrogen_loss(proton_ev: float) -> float:
    x = proton_ev * _ELECTRON_OVER_PROTON / _RYDBERG_EV
    area = 4.0 * np.pi * BOHR_RADIUS_NM**2
    low = area * _LOSS_LOW[0] * x ** _LOSS_LOW[1]
    high = area * (_LOSS_HIGH[0] * np.log1p(x) + _LOSS_HIGH[1]) / x
    return float(1.0 / (1.0 / low + 1.0 / high))
