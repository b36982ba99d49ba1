"""What a track leaves behind: interactions in a fixed buffer, and the stack of electrons still to follow.

Nothing but these two arrays is held while a track is followed. A kernel writes with :func:`emit` and
pauses when :func:`full` says so; its caller scores rows ``0 .. count[0] - 1``, calls :func:`clear` and
goes on:

    push(stack, x, y, z, ux, uy, uz, energy_ev)
    while not follow_electrons(stack, tables, stream, sink):
        ...                     # score the rows of the sink
        clear(sink)
    ...                         # score the rest

Lengths are in nm, energies in eV.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

IONISATION = 0
"""A molecule was ionised; the energy is what stays there (binding energy without Auger electrons)."""

EXCITATION = 1
"""A molecule was excited; the energy is that of the level."""

RESIDUAL = 2
"""An electron came to rest below the lowest energy that is followed, or an ion below its own."""

ROWS = 4096
"""Interactions that a sink of the usual size holds: 144 kB, inside the second-level cache."""

MARGIN = 16
"""Rows that stay free when a sink is called full, so that one interaction always fits."""

STACK_DEPTH = 2560
"""Electrons that can wait: of the fastest electron, 1.2 MeV, 21 halvings, and an Auger electron for each
vacancy of a K shell that it makes, of which there are no more than 2,230, at 540 eV each."""


class Sink(NamedTuple):
    """Buffer of interactions.

    Attributes
    ----------
    positions_nm
        ``[rows, 3]`` places of the interactions.
    energies_ev
        ``[rows]`` energy deposited there.
    kinds
        ``[rows]`` one of :data:`IONISATION`, :data:`EXCITATION`, :data:`RESIDUAL`.
    count
        ``[2]`` rows in use, and elastic interactions, which are counted but not kept.
    """

    positions_nm: NDArray[np.float64]
    energies_ev: NDArray[np.float64]
    kinds: NDArray[np.uint8]
    count: NDArray[np.int64]  # type: ignore[assignment]  # hides tuple.count, which no one needs


class Stack(NamedTuple):
    """Electrons that wait to be followed.

    Attributes
    ----------
    states
        ``[depth, 7]``: x, y, z in nm, direction cosines, kinetic energy in eV.
    count
        ``[1]`` electrons waiting.
    """

    states: NDArray[np.float64]
    count: NDArray[np.int64]  # type: ignore[assignment]  # hides tuple.count, which no one needs


def new_sink(rows: int = ROWS) -> Sink:
    """Empty sink for ``rows`` interactions."""
    return Sink(np.empty((rows, 3)), np.empty(rows), np.empty(rows, np.uint8), np.zeros(2, np.int64))


def new_stack(depth: int = STACK_DEPTH) -> Stack:
    """Empty stack for ``depth`` electrons."""
    return Stack(np.empty((depth, 7)), np.zeros(1, np.int64))


@njit(cache=True, error_model="numpy", inline="always")
def emit(sink, x, y, z, kind, energy_ev):  # type: ignore[no-untyped-def]
    """Write one interaction; the caller has made sure by :func:`full` that there is room."""
    n = sink.count[0]
    sink.positions_nm[n, 0] = x
    sink.positions_nm[n, 1] = y
    sink.positions_nm[n, 2] = z
    sink.energies_ev[n] = energy_ev
    sink.kinds[n] = kind
    sink.count[0] = n + 1


@njit(cache=True, error_model="numpy", inline="always")
def full(sink):  # type: ignore[no-untyped-def]
    """Whether the sink must be scored and cleared before the next interaction."""
    return sink.count[0] > sink.kinds.size - MARGIN


@njit(cache=True, error_model="numpy", inline="always")
def clear(sink):  # type: ignore[no-untyped-def]
    """Forget the rows of a sink that have been scored."""
    sink.count[0] = 0


@njit(cache=True, error_model="numpy", inline="always")
def push(stack, x, y, z, ux, uy, uz, energy_ev):  # type: ignore[no-untyped-def]
    """Put an electron on the stack; the direction is a unit vector."""
    n = stack.count[0]
    if n >= stack.states.shape[0]:
        raise OverflowError("the stack of waiting electrons is full")
    row = stack.states[n]
    row[0], row[1], row[2] = x, y, z
    row[3], row[4], row[5] = ux, uy, uz
    row[6] = energy_ev
    stack.count[0] = n + 1
