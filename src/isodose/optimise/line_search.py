"""How far to go along a step: exact enough, and without products with the influence matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.optimise.problem import Problem
from isodose.optimise.quasi_newton import dot

_FLAT = 0.1
"""Good enough where the slope has fallen to this part of that at the start."""
_DECREASE = 1e-4
"""Least decrease, as a part of what the slope at the start promises (Armijo)."""
_TRIALS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where a line search ended.

    Parameters
    ----------
    length
        Multiple of the step; 0 where nothing better was found.
    value
        Of the function there.
    sums, by_sums
        Of the problem there, and the derivative of the value by them.
    """

    length: float
    value: float
    sums: NDArray[np.float32]
    by_sums: NDArray[np.float32]


def search(
    problem: Problem,
    sums: NDArray[np.float32],
    along: NDArray[np.float32],
    value: float,
    slope: float,
    longest: float,
) -> Found:
    """Minimum along a line of sums, by false position on the slope.

    Parameters
    ----------
    problem
        The problem.
    sums, along
        Where the line starts, and its direction.
    value, slope
        Of the function at the start; the slope is negative.
    longest
        Largest multiple of the direction, where a weight becomes 0; at least 1.
    """
    low, low_slope = 0.0, slope
    high, high_slope = np.inf, np.inf
    length, best = 1.0, None
    for _ in range(_TRIALS):
        there = sums + np.float32(length) * along
        found, by_sums = problem.of_sums(there)
        here = dot(by_sums, along)
        enough = found <= value + _DECREASE * length * slope
        if enough and (best is None or found < best.value):
            best = Found(length, found, there, by_sums)
        if enough and abs(here) <= -_FLAT * slope:
            break
        if here >= 0.0 or not enough:
            high, high_slope = length, max(here, 0.0)
        else:
            low, low_slope = length, here
        if np.isinf(high):
            if length >= longest:
                break
            length = min(longest, _extrapolated(length, slope, here))
            continue
        length = _between(low, low_slope, high, high_slope)
    return best or Found(0.0, value, sums, np.zeros_like(sums))


def _extrapolated(length: float, slope: float, here: float) -> float:
    """Where the slope would vanish if it went on as it has from the start, at most ten times as far."""
    rate = (here - slope) / length
    return 10.0 * length if rate <= 0.0 else min(max(-slope / rate, 1.5 * length), 10.0 * length)


def _between(low: float, low_slope: float, high: float, high_slope: float) -> float:
    """Where the slope vanishes between two lengths by the secant, kept away from both ends."""
    part = 0.5 if high_slope <= 0.0 else low_slope / (low_slope - high_slope)
    return low + float(np.clip(part, 0.05, 0.95)) * (high - low)
