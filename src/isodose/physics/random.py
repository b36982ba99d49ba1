"""Counter-based random numbers: the n-th number of a history depends on (seed, history, n) alone.

The generator is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): number n is a mix of ``key + n * GAMMA``,
and the key is a mix of seed and history, so any history can be replayed on any thread. A stream is a
one-element uint64 array, the counter, that kernels pass along.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

GAMMA = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)


@njit(cache=True, inline="always")
def mix(value):  # type: ignore[no-untyped-def]
    """Scramble 64 bits (the finaliser of SplitMix64)."""
    value = (value ^ (value >> _S30)) * _M1
    value = (value ^ (value >> _S27)) * _M2
    return value ^ (value >> _S31)


@njit(cache=True)
def start(stream, seed, history):  # type: ignore[no-untyped-def]
    """Point a stream at the beginning of a history."""
    stream[0] = mix(mix(np.uint64(seed) + GAMMA) ^ (np.uint64(history) * _M2 + GAMMA))


@njit(cache=True, inline="always")
def uniform(stream):  # type: ignore[no-untyped-def]
    """Next number from the open interval (0, 1)."""
    stream[0] = stream[0] + GAMMA
    return (np.float64(mix(stream[0]) >> _S11) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def normal(stream):  # type: ignore[no-untyped-def]
    """Next standard normal number (Box-Muller, one of the pair)."""
    radius = math.sqrt(-2.0 * math.log(uniform(stream)))
    return radius * math.cos(2.0 * math.pi * uniform(stream))


@njit(cache=True)
def exponential(stream):  # type: ignore[no-untyped-def]
    """Next number from the exponential distribution of mean 1."""
    return -math.log(uniform(stream))
