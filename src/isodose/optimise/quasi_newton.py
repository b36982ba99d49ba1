"""Limited-memory BFGS restricted to the variables that are free to move."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_LEAST_CURVATURE = 1e-10
"""Pairs of steps and changes of the gradient with less curvature than this, relative, are not kept."""


def dot(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Scalar product of arrays of one shape, in one thread.

    BLAS would take several for long vectors, which wait for each other wherever a processor is busy.
    """
    return float(np.sum(one * other, dtype=np.float64))


class QuasiNewton:
    """Pairs of steps and changes of the gradient, and the direction that follows from them.

    Parameters
    ----------
    memory
        Number of pairs that are kept.

    References
    ----------
    Nocedal and Wright, Numerical Optimization (2006), algorithm 7.4; restricted to a subspace as in
    Bertsekas, SIAM J Control Optim 20 (1982) 221.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._steps: list[Doubles] = []
        self._changes: list[Doubles] = []

    @property
    def empty(self) -> bool:
        """Whether there is no pair."""
        return not self._steps

    def forget(self) -> None:
        """Start anew."""
        self._steps.clear()
        self._changes.clear()

    def move(self, before: NDArray[np.int64], after: NDArray[np.int64], size: int) -> None:
        """Go over from some variables of a problem to others; those that are new have not moved so far.

        Parameters
        ----------
        before, after
            Numbers of the variables, of ``size`` in all.
        """
        for pairs in (self._steps, self._changes):
            for k, pair in enumerate(pairs):
                whole = np.zeros(size)
                whole[before] = pair
                pairs[k] = whole[after]

    def learn(self, step: Doubles, change: Doubles) -> None:
        """Keep a step and the change of the gradient along it, if the function curves upwards there."""
        if dot(step, change) <= _LEAST_CURVATURE * np.sqrt(dot(step, step) * dot(change, change)):
            return
        self._steps.append(step)
        self._changes.append(change)
        if len(self._steps) > self._memory:
            del self._steps[0], self._changes[0]

    def direction(self, gradient: Doubles, free: NDArray[np.bool_]) -> Doubles:
        """Minus the inverse of the second derivative times the gradient, among the free variables."""
        work = np.where(free, gradient, 0.0)
        used: list[tuple[Doubles, Doubles, float, float]] = []
        for step, change in zip(reversed(self._steps), reversed(self._changes), strict=True):
            kept = np.where(free, step, 0.0)
            curvature = dot(kept, change)
            if curvature <= _LEAST_CURVATURE * dot(kept, kept):
                continue
            part = dot(kept, work) / curvature
            work -= part * np.where(free, change, 0.0)
            used.append((kept, change, curvature, part))
        if used:
            kept, change, curvature, _ = used[0]
            work *= curvature / float(np.sum(change[free] ** 2))
        for kept, change, curvature, part in reversed(used):
            work += kept * (part - float((work * change)[free].sum()) / curvature)
        return np.where(free, -work, 0.0)
