"""Targets of one volume that fill space in cylindrical shells around the beam axis, and the hits in each.

The clustering of Braunroth et al. (Radiat. Phys. Chem. 176 (2020) 109066): round the beam axis (+z) stands a
column of cylinders, one target high and wide; every further shell is one diameter thick. Shell ``i`` then has
``8 i`` times the cross-section of the column and is cut into ``8 i`` segments in azimuth, so that all targets
have the volume of the central one, and every point of space lies in exactly one of them.

Hits are counted in a hash table while a track is followed, so that a track costs what its ionisations cost,
however far its electrons run.
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
_HALF_SPAN = 1 << (_LAYER_BITS - 1)  # layers either side of z = 0 that a key can hold


class ShellCounts(NamedTuple):
    """Hits per target of the track that is being followed.

    Attributes
    ----------
    keys
        ``[capacity]`` target in each slot of the hash table, -1 where it is free.
    hits
        ``[capacity]`` ionisations in that target.
    slots
        ``[capacity]`` slots in use, in the order of their first hit.
    used
        ``[1]`` slots in use.
    """

    keys: NDArray[np.int64]
    hits: NDArray[np.int64]
    slots: NDArray[np.int64]
    used: NDArray[np.int64]


def new_shell_counts(targets: int = 1 << 17) -> ShellCounts:
    """Empty counts with room for ``targets`` hit targets per track.

    Raises
    ------
    InputError
        If ``targets`` is not positive.
    """
    if targets < 1:
        raise InputError("targets", targets, "a positive number of targets")
    capacity = 1 << (2 * targets - 1).bit_length()
    empty = np.zeros(capacity, np.int64)
    return ShellCounts(np.full(capacity, _FREE), empty, empty.copy(), np.zeros(1, np.int64))


@njit(cache=True, error_model="numpy")
def shell_target(x, y, z):  # type: ignore[no-untyped-def]
    """Key of the target that holds a point (nm), a different one for each target within 0.2 mm of z = 0."""
    radius = math.sqrt(x * x + y * y)
    shell = int(radius / DIAMETER_NM + 0.5)
    segment = 0
    if shell > 0:
        turn = math.atan2(y, x) / (2.0 * math.pi)
        if turn < 0.0:
            turn += 1.0
        segment = min(int(turn * 8 * shell), 8 * shell - 1) + (2 * shell - 1) ** 2
    layer = math.floor(z / HEIGHT_NM) + _HALF_SPAN
    return (segment << _LAYER_BITS) | min(max(layer, 0), 2 * _HALF_SPAN - 1)


@njit(cache=True, error_model="numpy")
def count_in_shells(sink, counts, z_from_nm, z_to_nm):  # type: ignore[no-untyped-def]
    """Add the ionisations of a sink between two heights to the counts of the track."""
    mask = np.uint64(counts.keys.size - 1)
    room = counts.keys.size * 3 // 4
    for n in range(sink.count[0]):
        z = sink.positions_nm[n, 2]
        if sink.kinds[n] != IONISATION or z < z_from_nm or z >= z_to_nm:
            continue
        key = shell_target(sink.positions_nm[n, 0], sink.positions_nm[n, 1], z)
        slot = ((np.uint64(key) * _MIX) >> _TOP_BITS) & mask
        while counts.keys[slot] != key and counts.keys[slot] != _FREE:
            slot = (slot + np.uint64(1)) & mask
        if counts.keys[slot] == _FREE:
            if counts.used[0] >= room:
                raise OverflowError("the track hits more targets than its counts hold")
            counts.keys[slot] = key
            counts.slots[counts.used[0]] = slot
            counts.used[0] += 1
        counts.hits[slot] += 1


@njit(cache=True, error_model="numpy")
def close_track(counts, sizes):  # type: ignore[no-untyped-def]
    """Add the targets of a finished track to ``sizes[k]``, the number of targets with k hits, and forget it.

    The last class holds all targets with as many hits or more.
    """
    last = sizes.size - 1
    for n in range(counts.used[0]):
        slot = counts.slots[n]
        sizes[min(counts.hits[slot], last)] += 1.0
        counts.keys[slot] = _FREE
        counts.hits[slot] = 0
    counts.used[0] = 0
