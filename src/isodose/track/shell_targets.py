"""Targets of one volume that fill space in cylindrical shells around the beam axis, and the hits in each.

The clustering of Braunroth et al. (Radiat. Phys. Chem. 176 (2020) 109066): round the beam axis (+z) stands a
column of cylinders, one target high and wide; every further shell is one diameter thick. Shell ``i`` then has
``8 i`` times the cross-section of the column and is cut into ``8 i`` segments in azimuth, so that all targets
have the volume of the central one, and every point of space lies in exactly one of them.

Hits are counted in a hash table while a track is followed, so that a track costs what its ionisations cost,
however far its electrons run.

Nothing tells where the first layer begins or the first segment, so a track may be counted in several
placements of the targets, turned about the axis and shifted along it; their mean has less noise than one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.track.events import IONISATION

DIAMETER_NM = 2.3
"""Diameter of a target, that of ten base pairs of DNA (Braunroth 2020)."""

HEIGHT_NM = 3.4
"""Height of a target."""

_FREE = np.int64(-1)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: 2^64 over the golden ratio
_TOP_BITS = np.uint64(40)  # only the top bits of a product depend on all bits of the key
_LAYER_BITS = 17
_GOLDEN_TURN = 0.6180339887498949  # spreads any number of placements evenly
_HALF_SPAN = 1 << (_LAYER_BITS - 1)  # layers either side of z = 0 that a key can hold


class ShellCounts(NamedTuple):
    """Hits per target of the track that is being followed, for each placement of the targets.

    Attributes
    ----------
    keys
        ``[placements, capacity]`` target in each slot of the hash table, -1 where it is free.
    hits
        ``[placements, capacity]`` ionisations in that target.
    slots
        ``[placements, capacity]`` slots in use, in the order of their first hit.
    used
        ``[placements]`` slots in use.
    """

    keys: NDArray[np.int64]
    hits: NDArray[np.int64]
    slots: NDArray[np.int64]
    used: NDArray[np.int64]


def new_shell_counts(targets: int = 1 << 17, placements: int = 1) -> ShellCounts:
    """Empty counts with room for ``targets`` hit targets per track in each placement.

    Raises
    ------
    InputError
        If a number is not positive.
    """
    for name, value in (("targets", targets), ("placements", placements)):
        if value < 1:
            raise InputError(name, value, "a positive number")
    shape = placements, 1 << (2 * targets - 1).bit_length()
    return ShellCounts(
        np.full(shape, _FREE),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
        np.zeros(placements, np.int64),
    )


@njit(cache=True, error_model="numpy", inline="always")
def _target(shell, turn, z):  # type: ignore[no-untyped-def]
    segment = 0
    if shell > 0:
        segment = min(int(turn * 8 * shell), 8 * shell - 1) + (2 * shell - 1) ** 2
    layer = math.floor(z / HEIGHT_NM) + _HALF_SPAN
    return (segment << _LAYER_BITS) | min(max(layer, 0), 2 * _HALF_SPAN - 1)


@njit(cache=True, error_model="numpy", inline="always")
def _shell_and_turn(x, y):  # type: ignore[no-untyped-def]
    shell = int(math.sqrt(x * x + y * y) / DIAMETER_NM + 0.5)
    turn = math.atan2(y, x) / (2.0 * math.pi) if shell > 0 else 0.0
    return shell, turn + 1.0 if turn < 0.0 else turn


@njit(cache=True, error_model="numpy")
def shell_target(x, y, z):  # type: ignore[no-untyped-def]
    """Key of the target that holds a point (nm), a different one for each target within 0.2 mm of z = 0."""
    shell, turn = _shell_and_turn(x, y)
    return _target(shell, turn, z)


@njit(cache=True, error_model="numpy")
def count_in_shells(sink, counts, z_from_nm, z_to_nm):  # type: ignore[no-untyped-def]
    """Add the ionisations of a sink between two heights to the counts of the track."""
    placements, capacity = counts.keys.shape
    for n in range(sink.count[0]):
        z = sink.positions_nm[n, 2]
        if sink.kinds[n] != IONISATION or z < z_from_nm or z >= z_to_nm:
            continue
        shell, turn = _shell_and_turn(sink.positions_nm[n, 0], sink.positions_nm[n, 1])
        for p in range(placements):
            turned = turn + p * _GOLDEN_TURN
            key = _target(shell, turned - math.floor(turned), z + p * HEIGHT_NM / placements)
            _hit(key, p, counts, capacity)


@njit(cache=True, error_model="numpy", inline="always")
def _hit(key, p, counts, capacity):  # type: ignore[no-untyped-def]
    mask = np.uint64(capacity - 1)
    keys = counts.keys[p]
    slot = ((np.uint64(key) * _MIX) >> _TOP_BITS) & mask
    while keys[slot] != key and keys[slot] != _FREE:
        slot = (slot + np.uint64(1)) & mask
    if keys[slot] == _FREE:
        if counts.used[p] >= capacity * 3 // 4:
            raise OverflowError("the track hits more targets than its counts hold")
        keys[slot] = key
        counts.slots[p, counts.used[p]] = slot
        counts.used[p] += 1
    counts.hits[p, slot] += 1


@njit(cache=True, error_model="numpy")
def close_track(counts, sizes):  # type: ignore[no-untyped-def]
    """Add the targets of a finished track to ``sizes[k]``, the number of targets with k hits, and forget it.

    The number is the mean of the placements. The last class holds all targets with as many hits or more.
    """
    last = sizes.size - 1
    placements = counts.used.size
    for p in range(placements):
        for n in range(counts.used[p]):
            slot = counts.slots[p, n]
            sizes[min(counts.hits[p, slot], last)] += 1.0 / placements
            counts.keys[p, slot] = _FREE
            counts.hits[p, slot] = 0
        counts.used[p] = 0
