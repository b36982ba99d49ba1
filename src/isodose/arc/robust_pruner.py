"""Layers for all scenarios: pruned nominally down to a few, and from there on in all scenarios.

Scenarios of all layers would take as many matrices of the whole arc. Most layers serve no good sequence in
any scenario, and the nominal one alone tells so; where a few per control point are left, the scenarios of
those are affordable, and which of them stay is decided by the robust objective with the same exact marginals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isodose.arc.selection import Selection, SelectionTask, Selector
from isodose.errors import InputError

LAYERS = 6.0
"""Layers per control point and layer wanted whose scenarios are looked at, in the mean."""

ROBUST_ITERATIONS = 8, 10
"""Of each optimisation of many layers, and of few, in scenarios: before the solver copies matrices."""


class Pruner(Protocol):
    """Selector that can stop on its way."""

    def remaining(self, task: SelectionTask, mean: float) -> NDArray[np.bool_]:
        """Layers ``(points, energies)`` that stay until there are `mean` per layer wanted."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RobustPruner:
    """Joint pruner whose later stages see scenarios.

    Parameters
    ----------
    nominal
        Pruner of all layers in the nominal scenario.
    robust
        Called with layers ``(points, energies)``; gives a selector whose problem holds all scenarios of them.
    layers
        Layers per control point and layer wanted that go from one to the other, in the mean.
    """

    nominal: Pruner
    robust: Callable[[NDArray[np.bool_]], Selector]
    layers: float = LAYERS

    def __post_init__(self) -> None:
        if not self.layers >= 1.0:
            raise InputError("robust_pruner.layers", self.layers, "at least 1")

    def select(self, task: SelectionTask) -> Selection:
        """Choose the layers of a task, within its budget; its costs only tell which layers there are.

        Raises
        ------
        InputError
            As of `JointPruner.select`.
        """
        left = self.nominal.remaining(task, self.layers)
        found = self.robust(left).select(replace(task, cost=np.where(left, task.cost, np.inf)))
        return task.selection(found.energies, "robust joint pruner")
