"""Layers and spot weights together: a convex optimisation over all layers, pruned until the time fits.

All layers of all control points are optimised at once, which is convex. A layer's score is the sum of its
squared weights in units of the objective's curvature. The marginals of the exact programme (the best sequence
through each layer, scores against switching time, a second costing as much as the budget asks for) tell which
layers belong to good sequences; the worst of every control point are left out, the rest is optimised anew
from where it was, and so on until one sequence is left. Then layers that the gradient promises most of come
back beside it and are pruned again, and last single layers are exchanged, each for as long as that lowers the
objective.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.arc.layer_exchange import exchange_layers
from isodose.arc.marginals import marginal_costs
from isodose.arc.pareto import pareto_frontier
from isodose.arc.selection import Selection, SelectionTask
from isodose.arc.shortest_path import path_within
from isodose.errors import InputError
from isodose.optimise.problem import Problem
from isodose.optimise.solver import SolverSettings, optimise

SCHEDULE = (16.0, 10.0, 6.5, 4.5, 3.3, 2.5, 2.0, 1.6, 1.3)
"""Layers per control point and layer wanted that stay after each optimisation but the last, in the mean."""

RETURN_SCHEDULE = (2.0, 1.5, 1.2)
"""The same after layers have come back."""

_RETURNING = 2.0
_LARGE = 5.0
"""Layers per layer wanted above which an optimisation is a large one."""

_MEMORY = 6
"""Pairs of the quasi-Newton method: with so many spots, more cost more than they bring."""


@dataclass(frozen=True, slots=True)
class PruningStep:
    """How far the pruner is.

    Parameters
    ----------
    layers
        Layers that were optimised.
    value
        Objective that they reach.
    seconds
        Since the start.
    """

    layers: int
    value: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class JointPruner:
    """Selector by the dose: the default of isodose.

    Parameters
    ----------
    problem
        Objective of spots of all layers, nominal or robust. A part of the spots (`isodose.arc.thinned_spots`)
        does as well and is quicker. A part of the voxels does not: layers then fit those that are left.
    point, energy
        Control point and energy of each of the problem's spots, ``(spots,)``.
    iterations
        Of each optimisation of many layers, and of few.
    rounds
        How often layers may come back, and how often they may be exchanged.
    progress
        Called after every optimisation.
    """

    problem: Problem
    point: NDArray[np.int64]
    energy: NDArray[np.int64]
    iterations: tuple[int, int] = (8, 12)
    rounds: int = 4
    progress: Callable[[PruningStep], object] | None = None

    def __post_init__(self) -> None:
        if not self.point.shape == self.energy.shape == (self.problem.spots,):
            found = f"shapes {self.point.shape} and {self.energy.shape}"
            raise InputError("joint_pruner.point, energy", found, f"({self.problem.spots},), one per spot")
        if min(self.iterations) < 1:
            raise InputError("joint_pruner.iterations", self.iterations, "at least 1 each")
        if self.rounds < 0:
            raise InputError("joint_pruner.rounds", self.rounds, "at least 0")

    def select(self, task: SelectionTask) -> Selection:
        """Choose the layers of a task, within its budget; its costs only tell which layers there are.

        Raises
        ------
        InputError
            If there is no budget, no sequence keeps to it, or the problem has no spots of a layer.
        """
        if task.budget_s is None:
            raise InputError("task.budget_s", "none", "the switching time that the pruner is to keep to")
        run = _Pruning(self, task, task.budget_s)
        best, value = run.pruned(np.isfinite(task.cost), SCHEDULE)
        for improve, most in ((run.with_others_back, self.rounds), (run.exchanged, self.rounds)):
            for _ in range(most):
                other, other_value = improve(best)
                if other_value >= value:
                    break
                best, value = other, other_value
        return best


class _Pruning:
    """One selection on its way; weights are of all of the problem's spots, 0 outside what is left."""

    def __init__(self, pruner: JointPruner, task: SelectionTask, budget_s: float) -> None:
        self.pruner, self.task, self.budget_s = pruner, task, budget_s
        self.weights = np.zeros(pruner.problem.spots)
        self.layer = pruner.point * task.cost.shape[1] + pruner.energy
        self.order = np.argsort(self.layer, kind="stable")
        self.edges = np.searchsorted(self.layer[self.order], np.arange(task.cost.size + 1))
        self.begun = time.perf_counter()
        self.curvature: NDArray[np.float64] | None = None
        has = np.zeros(task.cost.size, dtype=np.bool_)
        has[self.layer] = True
        if np.any(np.isfinite(task.cost) & ~has.reshape(task.cost.shape)):
            found = "layers without spots in the problem"
            raise InputError("task.cost", found, "layers that the problem has")
        path_within(task, budget_s)  # refuses what cannot be before time is spent on it

    def pruned(self, left: NDArray[np.bool_], schedule: tuple[float, ...]) -> tuple[Selection, float]:
        """One sequence out of what is left, and the objective that its own weights reach."""
        for mean in schedule:
            if left.sum() > mean * self.task.slots.size:
                self.optimise(left)
                left = self._kept(left, mean * self.task.layers_per_point)
        self.optimise(left)
        chosen = self._sequence(left)
        return chosen, self.optimise(chosen.chosen())

    def optimise(self, left: NDArray[np.bool_]) -> float:
        """Find weights of the layers that are left."""
        columns = np.flatnonzero(left.ravel()[self.layer])
        few, many = self.pruner.iterations
        size = left.sum() / self.task.slots.size
        iterations = few if size > _LARGE else many
        settings = SolverSettings(iterations, value_tolerance=1e-3, memory=_MEMORY)
        result = optimise(self.pruner.problem.restricted_to(columns), self.weights[columns], settings)
        if result.stopped == "interrupted":
            raise KeyboardInterrupt
        self.weights = np.zeros_like(self.weights)
        self.weights[columns] = result.weights
        if self.pruner.progress is not None:
            seconds = time.perf_counter() - self.begun
            self.pruner.progress(PruningStep(int(left.sum()), result.value, seconds))
        return result.value

    def exchanged(self, best: Selection) -> tuple[Selection, float]:
        """Selection after each control point has tried its other layers, and its objective."""
        assert self.curvature is not None  # there was a selection before
        other, self.weights = exchange_layers(
            best, self.budget_s, self.pruner.problem, self._columns_of, self.weights, self.curvature
        )
        return other, self.optimise(other.chosen())

    def with_others_back(self, best: Selection) -> tuple[Selection, float]:
        """Selection after the layers that a step along the gradient promises most of have come back."""
        assert self.curvature is not None  # there was a selection before
        _, slope = self.pruner.problem.value_and_gradient(self.weights)
        gain = np.maximum(-slope, 0.0) ** 2 / (2.0 * self.curvature)
        by_layer = np.bincount(self.layer, gain, self.task.cost.size).reshape(self.task.cost.shape)
        cost = np.where(np.isfinite(self.task.cost) & ~best.chosen(), -by_layer, np.inf)
        back = _cheapest(cost, round(_RETURNING * self.task.slots.size))
        return self.pruned(best.chosen() | back, RETURN_SCHEDULE)

    def _columns_of(self, point: int, energy: int) -> NDArray[np.int64]:
        layer = point * self.task.cost.shape[1] + energy
        return self.order[self.edges[layer] : self.edges[layer + 1]]

    def _scored(self, left: NDArray[np.bool_]) -> SelectionTask:
        """Task whose costs are what the layers bring, negative."""
        if self.curvature is None:
            self.curvature = self.pruner.problem.curvature(self.weights)
        score = np.bincount(self.layer, self.weights**2 * self.curvature, left.size).reshape(left.shape)
        return replace(self.task, cost=np.where(left, -score, np.inf))

    def _kept(self, left: NDArray[np.bool_], mean: float) -> NDArray[np.bool_]:
        """The layers of each control point that belong to the best sequences, so many in the mean."""
        scored = self._scored(left)
        path, second, _ = path_within(scored, self.budget_s)
        marginal = marginal_costs(scored, second)
        whole = int(mean)
        kept = self.task.selection(path.energies, "").chosen() | _best(marginal, whole)
        further = np.where(_best(marginal, whole + 1) & ~kept, scored.cost, np.inf)
        return kept | _cheapest(further, round((mean - whole) * self.task.delivered.size))

    def _sequence(self, left: NDArray[np.bool_]) -> Selection:
        """Best sequence of what is left."""
        scored = self._scored(left)
        if self.task.table.constants is not None:
            energies = pareto_frontier(scored, self.budget_s).within(self.budget_s).energies
        else:
            energies = path_within(scored, self.budget_s)[0].energies
        return self.task.selection(energies, "joint pruner")


def _best(cost: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """The `count` cheapest layers of each control point."""
    order = np.argsort(cost, axis=1, kind="stable")
    out = np.zeros(cost.shape, dtype=np.bool_)
    np.put_along_axis(out, order[:, :count], True, axis=1)
    return out & np.isfinite(cost)


def _cheapest(cost: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """The `count` cheapest layers of all."""
    order = np.argsort(cost, axis=None, kind="stable")[: max(count, 0)]
    out = np.zeros(cost.size, dtype=np.bool_)
    out[order] = np.isfinite(cost.ravel()[order])
    return out.reshape(cost.shape)
