"""Ionisations and path of an electron on its way to rest, without following one: Fowler's equation.

The mean number N(T) of ionisations obeys a recursion in energy (Fowler 1923; Inokuti, Radiat. Res. 64 (1975)
6): after the first inelastic collision the electron and its secondary are electrons of lower energy. So does
the mean path of the primary, the faster of the two. Elastic scattering changes neither in an infinite medium.
The mean energy per ionisation is W = T / N.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.track.dielectric import RecoilIntegrals
from isodose.track.electron_inelastic import excitation_rate, ionisation_spectrum
from isodose.track.k_shell import AUGER_EV
from isodose.track.liquid_water import BINDING_EV, EXCITATION_EV, SHELLS

_POINTS = 80


class ElectronYield(NamedTuple):
    """What electrons do on their way to rest.

    Attributes
    ----------
    energy_ev
        ``[n]`` kinetic energies, ascending.
    ionisations
        ``[n]`` mean number of ionisations, with those of all secondaries.
    path_nm
        ``[n]`` mean path of the primary until it falls below the energy of rest.
    """

    energy_ev: NDArray[np.float64]
    ionisations: NDArray[np.float64]
    path_nm: NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def _at(energy_ev, known_ev, known):  # type: ignore[no-untyped-def]
    """Interpolate, and go on straight between the last known energy and the present one."""
    last = known_ev.size - 1
    i = min(max(np.searchsorted(known_ev, energy_ev) - 1, 0), max(last - 1, 0))
    if last == 0 or energy_ev <= known_ev[0]:
        return known[0]
    return known[i] + (known[i + 1] - known[i]) * (energy_ev - known_ev[i]) / (known_ev[i + 1] - known_ev[i])


@njit(cache=True, error_model="numpy")
def _recur(integrals, rest_ev, energies_ev, numbers, paths):  # type: ignore[no-untyped-def]
    secondary, density = np.empty(_POINTS), np.empty(_POINTS)
    number, way = np.empty(_POINTS), np.empty(_POINTS)
    for i in range(1, energies_ev.size):
        energy = energies_ev[i]
        known_e, known, known_path = energies_ev[:i], numbers[:i], paths[:i]
        rate, weighted, path = 0.0, 0.0, 0.0
        for shell in range(len(SHELLS)):
            if not ionisation_spectrum(integrals, shell, energy, secondary, density):
                continue
            further = 1.0 + (_at(AUGER_EV, known_e, known) if shell == len(SHELLS) - 1 else 0.0)
            for j in range(_POINTS):
                left = energy - BINDING_EV[shell] - secondary[j]
                number[j] = further + _at(secondary[j], known_e, known) + _at(left, known_e, known)
                way[j] = _at(left, known_e, known_path)
            rate += float(np.trapezoid(density, secondary))
            weighted += float(np.trapezoid(density * number, secondary))
            path += float(np.trapezoid(density * way, secondary))
        for state in range(EXCITATION_EV.size):
            part = excitation_rate(integrals, state, energy)
            rate += part
            weighted += part * _at(energy - EXCITATION_EV[state], known_e, known)
            path += part * _at(energy - EXCITATION_EV[state], known_e, known_path)
        if rate > 0.0:
            numbers[i] = weighted / rate
            paths[i] = (1.0 + path) / rate if energy > rest_ev else 0.0


def electron_yield(
    integrals: RecoilIntegrals, largest_ev: float, rest_ev: float = float(EXCITATION_EV[0])
) -> ElectronYield:
    """Mean ionisations and paths of electrons.

    Parameters
    ----------
    integrals
        Response of the medium.
    largest_ev
        Largest energy wanted, eV.
    rest_ev
        The path ends below this energy.
    """
    energies = np.concatenate([np.arange(5.0, 60.0, 0.25), np.geomspace(60.0, max(largest_ev, 61.0), 160)])
    numbers, paths = np.zeros(energies.size), np.zeros(energies.size)
    _recur(integrals, rest_ev, energies, numbers, paths)
    return ElectronYield(energies, numbers, paths)
