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

# Survival probabilities of the spectra: 8 bins an octave from 2^-20 to 2^-3, steps of 2^-7 from there to 1.
_TAIL_OCTAVES, _TAIL_TOP, _STEPS = 20, 3, 128
_TAIL_NODES = 1 + (_TAIL_OCTAVES - _TAIL_TOP) * 8  # with zero
_TAIL_SHIFT = 20
_TAIL_MASK = (1 << _TAIL_SHIFT) - 1
_TAIL_SCALE = 1.0 / (1 << _TAIL_SHIFT)
_TAIL_BASE = int(np.float32(2.0**-_TAIL_OCTAVES).view(np.int32)) >> _TAIL_SHIFT
_FIRST_STEP = _STEPS >> _TAIL_TOP
_TOP, _TAIL_END = 2.0**-_TAIL_TOP, 2.0**-_TAIL_OCTAVES


def survival_nodes() -> NDArray[np.float64]:
    """Nodes of the survival probability, from zero to one: logarithmic in the tail, even in the bulk."""
    octaves = range(-_TAIL_OCTAVES, -_TAIL_TOP)
    tail = [2.0**octave * (1.0 + step / 8.0) for octave in octaves for step in range(8)]
    return np.concatenate([[0.0], tail, np.arange(_FIRST_STEP, _STEPS + 1) / _STEPS])


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
    """Bin and position inside it of a survival probability between 0 and 1, ends excluded."""
    if probability >= _TOP:
        position = probability * _STEPS
        step = int(position)
        return _TAIL_NODES + step - _FIRST_STEP, position - step
    if probability < _TAIL_END:
        return 0, probability / _TAIL_END
    bits = np.float32(probability).view(np.int32)
    return (bits >> _TAIL_SHIFT) - _TAIL_BASE + 1, (bits & _TAIL_MASK) * _TAIL_SCALE
