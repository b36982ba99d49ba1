"""Energy grid of the electron tables, whose bins are read off the bits of a float32.

The same idea as :mod:`isodose.transport.lookup`, from which the nodes come, in eV: 32 bins an octave.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.transport.lookup import BINS_PER_OCTAVE, nodes

_OCTAVES = (2, 20)

ENERGIES_EV: NDArray[np.float64] = nodes(_OCTAVES)
"""Nodes of the tables, 4 eV to 1.05 MeV."""

_SHIFT = 23 - (BINS_PER_OCTAVE.bit_length() - 1)
_MASK = (1 << _SHIFT) - 1
_SCALE = 1.0 / (1 << _SHIFT)
_BASE = int(np.float32(ENERGIES_EV[0]).view(np.int32)) >> _SHIFT
_LAST = ENERGIES_EV.size - 2

# Survival probabilities of the spectra: 8 bins an octave from 2^-20 to 1.
SURVIVAL_BINS = 20 * 8
_SURVIVAL_SHIFT = 20
_SURVIVAL_MASK = (1 << _SURVIVAL_SHIFT) - 1
_SURVIVAL_SCALE = 1.0 / (1 << _SURVIVAL_SHIFT)
_SURVIVAL_BASE = int(np.float32(2.0**-20).view(np.int32)) >> _SURVIVAL_SHIFT


def survival_nodes() -> NDArray[np.float64]:
    """Nodes of the survival probability: zero, then 2^-20 to 1 with eight bins an octave."""
    octave = np.repeat(np.arange(-20, 0), 8)
    return np.concatenate([[0.0], 2.0**octave * (1.0 + np.tile(np.arange(8), 20) / 8.0), [1.0]])


@njit(cache=True, error_model="numpy", inline="always")
def energy_bin(energy_ev):  # type: ignore[no-untyped-def]
    """Bin and position inside it, 0 to 1, of an energy; clamped to the ends of the grid."""
    bits = np.float32(energy_ev).view(np.int32)
    index = (bits >> _SHIFT) - _BASE
    if index < 0:
        return 0, 0.0
    if index > _LAST:
        return _LAST, 1.0
    return index, (bits & _MASK) * _SCALE


@njit(cache=True, error_model="numpy", inline="always")
def survival_bin(probability):  # type: ignore[no-untyped-def]
    """Bin and position inside it of a survival probability between 0 and 1."""
    bits = np.float32(probability).view(np.int32)
    index = (bits >> _SURVIVAL_SHIFT) - _SURVIVAL_BASE
    if index < 0:
        return 0, probability * 1048576.0
    if index >= SURVIVAL_BINS:
        return SURVIVAL_BINS, 1.0
    return index + 1, (bits & _SURVIVAL_MASK) * _SURVIVAL_SCALE
