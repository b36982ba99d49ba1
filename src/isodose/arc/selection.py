"""The choice of energy layers along an arc: what is asked, what is answered, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isodose.arc.spot_counts import SpotCounts
from isodose.arc.switch_table import SwitchTable
from isodose.errors import InputError

TARGET_WEIGHT, AVOIDING_WEIGHT, TIME_WEIGHT = 0.5, 0.4, 0.1
"""Weights of the target's spots, of those that avoid the organs, and of the switching time per control point
in s (Yang et al., arXiv 2506.15803, below eq. 4)."""


@dataclass(frozen=True, eq=False)
class SelectionTask:
    """Layers to choose among.

    Control points without any layer are not delivered, and the energy stays as it was.

    Parameters
    ----------
    cost
        What each layer costs, less being better, ``(points, energies)``; infinite where there is none.
    table
        Switching times of the same energies.
    layers_per_point
        How many different layers each control point is to have; they are delivered by descending energy.
    time_weight
        Cost of a second of switching, for selectors that weigh it.
    budget_s
        Switching time that may not be exceeded, for selectors that obey one.

    Raises
    ------
    InputError
        If the shapes do not fit, no control point has a layer, or a number is out of its range.
    """

    cost: NDArray[np.float64]
    table: SwitchTable
    layers_per_point: int = 1
    time_weight: float = TIME_WEIGHT
    budget_s: float | None = None

    def __post_init__(self) -> None:
        cost = np.ascontiguousarray(self.cost, dtype=np.float64)
        object.__setattr__(self, "cost", cost)
        energies = self.table.energies_mev_u.size
        if cost.ndim != 2 or cost.shape[1] != energies:
            expected = f"(points, {energies}), the switch table's energies"
            raise InputError("task.cost", f"shape {cost.shape}", expected)
        if np.any(np.isnan(cost)) or np.any(np.isneginf(cost)):
            raise InputError("task.cost", "not a number, or minus infinity", "costs; infinite for no layer")
        if not self.delivered.size:
            raise InputError("task.cost", "no layer at any control point", "at least one layer")
        if not 1 <= self.layers_per_point <= energies:
            raise InputError("task.layers_per_point", self.layers_per_point, f"1 to {energies}")
        if not (np.isfinite(self.time_weight) and self.time_weight >= 0.0):
            raise InputError("task.time_weight", self.time_weight, "a finite weight of at least 0")
        if self.budget_s is not None and not self.budget_s >= 0.0:
            raise InputError("task.budget_s", self.budget_s, "a time of at least 0 s")

    @cached_property
    def delivered(self) -> NDArray[np.int64]:
        """Control points that have a layer."""
        return np.flatnonzero(np.isfinite(self.cost).any(axis=1))

    @cached_property
    def slots(self) -> NDArray[np.int64]:
        """Control point of each layer to be chosen, in the order of delivery.

        A control point with fewer layers than wanted has as many slots as layers.
        """
        counts = np.isfinite(self.cost[self.delivered]).sum(axis=1)
        return np.repeat(self.delivered, np.minimum(counts, self.layers_per_point))

    @cached_property
    def slot_cost(self) -> NDArray[np.float64]:
        """Cost by slot, ``(slots, energies)``."""
        return np.ascontiguousarray(self.cost[self.slots])

    @cached_property
    def switch_s(self) -> NDArray[np.float64]:
        """Switching times between and within control points, ``(2, energies, energies)``.

        Within a control point the energy must fall: anything else takes for ever.
        """
        within = np.where(np.tri(self.table.energies_mev_u.size, k=-1) > 0, self.table.seconds, np.inf)
        return np.ascontiguousarray(np.stack([self.table.seconds, within]))

    @cached_property
    def within(self) -> NDArray[np.int64]:
        """Which of `switch_s` leads to each slot, ``(slots,)``."""
        return np.concatenate([[0], np.diff(self.slots) == 0]).astype(np.int64)

    def selection(self, energies: NDArray[np.int64], selector: str, bound: float | None = None) -> Selection:
        """Answer with the energies of the slots."""
        return Selection(self, np.asarray(energies, dtype=np.int64), selector, bound)


@dataclass(frozen=True, eq=False)
class Selection:
    """Chosen layers.

    Parameters
    ----------
    task
        What was asked.
    energies
        Index of the energy of each of the task's slots, ``(slots,)``.
    selector
        Who chose.
    bound
        Least total cost that any selection can have, where the selector knows it.
    """

    task: SelectionTask
    energies: NDArray[np.int64]
    selector: str
    bound: float | None = None

    def __post_init__(self) -> None:
        task = self.task
        if self.energies.shape != task.slots.shape:
            raise InputError("selection.energies", f"shape {self.energies.shape}", f"{task.slots.shape}")
        if not np.all(np.isfinite(task.slot_cost[np.arange(task.slots.size), self.energies])):
            raise InputError("selection.energies", "a layer without spots", "layers that the task has")

    @property
    def steps_s(self) -> NDArray[np.float64]:
        """Switching time before each slot but the first, ``(slots - 1,)`` s."""
        return self.task.switch_s[self.task.within[1:], self.energies[:-1], self.energies[1:]]

    @property
    def switching_s(self) -> float:
        """Switching time of the whole sequence, s."""
        return float(self.steps_s.sum())

    @property
    def cost(self) -> float:
        """Sum of the costs of the layers, without time."""
        return float(self.task.slot_cost[np.arange(self.energies.size), self.energies].sum())

    @property
    def total_cost(self) -> float:
        """Costs and weighted switching time."""
        return self.cost + self.task.time_weight * self.switching_s

    @property
    def transitions(self) -> tuple[int, int, int]:
        """Number of switches to a higher, a lower and the same energy."""
        jump = np.diff(self.energies)
        return int((jump > 0).sum()), int((jump < 0).sum()), int((jump == 0).sum())

    @property
    def energies_mev_u(self) -> NDArray[np.float64]:
        """Energy of each slot, ``(slots,)``."""
        return self.task.table.energies_mev_u[self.energies]

    def chosen(self) -> NDArray[np.bool_]:
        """Which layers are delivered, ``(points, energies)``."""
        out = np.zeros(self.task.cost.shape, dtype=np.bool_)
        out[self.task.slots, self.energies] = True
        return out


class Selector(Protocol):
    """Chooses energy layers."""

    def select(self, task: SelectionTask) -> Selection:
        """Choose the layers of a task.

        Raises
        ------
        InputError
            If no sequence fulfils the task; the text says why.
        """
        ...


def count_cost(counts: SpotCounts, organs: dict[str, float] | None = None) -> NDArray[np.float64]:
    """Cost of layers by their spot counts, as the arc paper weighs them.

    A control point's best layer costs nothing, and one without any spot that helps costs 0.9: what a layer's
    spots in the target, and those of them that avoid the organs, lack to the most that the control point can
    have, times 0.5 and 0.4.

    Parameters
    ----------
    counts
        Spot counts.
    organs
        Relative importance of organs; by default all that were counted alike.

    Returns
    -------
    ndarray
        ``(points, energies)``, infinite where there is no spot.
    """
    target, avoiding = spot_shares(counts, organs)
    cost = TARGET_WEIGHT * (1.0 - target) + AVOIDING_WEIGHT * (1.0 - avoiding)
    return np.where(counts.allowed, cost, np.inf)


def spot_shares(
    counts: SpotCounts, organs: dict[str, float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spots of layers as shares of the most that a layer of the control point has.

    Parameters
    ----------
    counts, organs
        As of `count_cost`.

    Returns
    -------
    tuple
        Shares of spots in the target, and of those of them that avoid the organs, their mean by importance; 1
        where no organ counts. ``(points, energies)`` each.
    """
    weights = dict.fromkeys(counts.organs, 1.0) if organs is None else dict(organs)
    if any(not (np.isfinite(w) and w >= 0.0) for w in weights.values()):
        raise InputError("organs", weights, "finite weights of at least 0")
    total = sum(weights.values())
    avoiding = np.ones(counts.target.shape)
    for name, weight in weights.items():
        avoiding -= (weight / total if total > 0.0 else 0.0) * (1.0 - _share(counts.avoiding(name)))
    return _share(counts.target), avoiding


def _share(count: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.asarray(count / np.maximum(count.max(axis=1, keepdims=True), 1))
