"""Ionisation and excitation by electrons: the Born approximation with exchange and low-energy corrections.

Corrections after Kyriakou et al. (Med. Phys. 42 (2015) 3870): in ionisation the incident electron meets the
molecule with its kinetic energy raised by the binding and the mean orbital energy, and either of the two
outgoing electrons may be the one called primary (Ochkur's interference), so that no more than half of what
is left is transferred; in excitation the energy is raised by twice that of the state. At relativistic
energies the exchange terms take Moller's form, with ``a = (T / (T + mc^2))^2``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.track.dielectric import (
    RecoilIntegrals,
    born_prefactor,
    distant_transverse,
    longitudinal,
    optical,
)
from isodose.track.liquid_water import (
    BAND_GAP_EV,
    BINDING_EV,
    ELECTRON_REST_EV,
    EXCITATION_EV,
    ORBITAL_KINETIC_EV,
    SHELLS,
)

TRANSFERS = 200
"""Points of the spectrum of one shell at one energy."""


@njit(cache=True, error_model="numpy", inline="always")
def _beta_squared(energy_ev):  # type: ignore[no-untyped-def]
    total = energy_ev + ELECTRON_REST_EV
    return energy_ev * (energy_ev + 2.0 * ELECTRON_REST_EV) / (total * total)


@njit(cache=True, error_model="numpy")
def ionisation_density(integrals, shell, energy_ev, transfer_ev):  # type: ignore[no-untyped-def]
    """Differential inverse mean free path of ionising a shell, 1/(nm eV)."""
    binding = BINDING_EV[shell]
    raised = energy_ev + binding + ORBITAL_KINETIC_EV[shell]
    other = raised + binding - transfer_ev
    direct = longitudinal(integrals, shell, raised, ELECTRON_REST_EV, transfer_ev)
    exchange = longitudinal(integrals, shell, raised, ELECTRON_REST_EV, other)
    a = (energy_ev / (energy_ev + ELECTRON_REST_EV)) ** 2
    secondary = transfer_ev - binding
    value = direct * (1.0 + a * (secondary / energy_ev) ** 2)
    value += exchange - (1.0 - a) * math.sqrt(max(direct * exchange, 0.0))
    beta2 = _beta_squared(raised)
    value += distant_transverse(beta2) * optical(integrals, shell, transfer_ev)
    return born_prefactor(beta2) * value


@njit(cache=True, error_model="numpy")
def excitation_rate(integrals, state, energy_ev):  # type: ignore[no-untyped-def]
    """Inverse mean free path of exciting a state, 1/nm."""
    if energy_ev <= EXCITATION_EV[state]:
        return 0.0
    raised = energy_ev + 2.0 * EXCITATION_EV[state]
    channel = len(SHELLS) + state
    beta2 = _beta_squared(raised)
    transverse = distant_transverse(beta2)
    grid = integrals.transfer_ev
    total, last, last_e = 0.0, 0.0, BAND_GAP_EV
    for i in range(grid.size):
        e = min(grid[i], energy_ev)
        value = longitudinal(integrals, channel, raised, ELECTRON_REST_EV, e)
        value += transverse * integrals.optical[channel, i]
        total += 0.5 * (value + last) * (e - last_e)
        last, last_e = value, e
        if e >= energy_ev or e > 400.0:
            break
    return born_prefactor(beta2) * total


@njit(cache=True, error_model="numpy")
def ionisation_spectrum(integrals, shell, energy_ev, secondary_ev, density):  # type: ignore[no-untyped-def]
    """Fill secondary energies, 0 to the largest, and the density there; whether the shell is open."""
    binding = BINDING_EV[shell]
    if energy_ev <= binding:
        return False
    most = 0.5 * (energy_ev - binding)
    ratio = math.log(1.0 + most / binding)
    for j in range(secondary_ev.size):
        w = binding * math.expm1(ratio * j / (secondary_ev.size - 1))
        secondary_ev[j] = w
        density[j] = ionisation_density(integrals, shell, energy_ev, binding + w)
    return True


@njit(cache=True, error_model="numpy")
def _rates(integrals, energies_ev, rates, losses):  # type: ignore[no-untyped-def]
    secondary, density = np.empty(TRANSFERS), np.empty(TRANSFERS)
    for i in range(energies_ev.size):
        for shell in range(len(SHELLS)):
            if ionisation_spectrum(integrals, shell, energies_ev[i], secondary, density):
                rates[shell, i] = np.trapezoid(density, secondary)
                losses[shell, i] = np.trapezoid(density * (secondary + BINDING_EV[shell]), secondary)
        for state in range(EXCITATION_EV.size):
            rate = excitation_rate(integrals, state, energies_ev[i])
            rates[len(SHELLS) + state, i] = rate
            losses[len(SHELLS) + state, i] = rate * EXCITATION_EV[state]


def rates_and_losses(
    integrals: RecoilIntegrals, energies_ev: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inverse mean free path in 1/nm and stopping power in eV/nm by channel, ``[10, n]`` each.

    The first dimension holds the shells, the K shell last, then the excited states.
    """
    shape = (len(SHELLS) + EXCITATION_EV.size, energies_ev.size)
    rates, losses = np.zeros(shape), np.zeros(shape)
    _rates(integrals, energies_ev, rates, losses)
    return rates, losses
