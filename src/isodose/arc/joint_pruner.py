"""Layers and spot weights together: a convex optimisation over all layers, pruned until the time fits.

All layers of all control points are optimised at once, which is convex. A layer's score is the sum of its
squared weights in units of the objective's curvature. The marginals of the exact programme (the best sequence
through each layer, scores against switching time, a second costing as much as the budget asks for) tell which
layers belong to good sequences; the worst of every control point are left out, the rest is optimised anew
from where it was, and so on until one sequence is left. Last, single layers are exchanged for as long as that
lowers the objective. To let more layers come back beside the sequence was tried in one head, and gave the
same sequence again.
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

SCHEDULE = (16.0, 10.0, 6.0, 4.2, 3.2, 2.6, 2.2, 1.9, 1.6, 1.42, 1.3, 1.2, 1.12, 1.06, 1.03)
"""Layers per control point and layer wanted that stay after each optimisation but the last, in the mean.

Many small steps chose better than few large ones with more iterations each, in the one head where both were
tried.
"""

_LARGE = 5.0
"""Layers per layer wanted above which an optimisation is a large one."""

_TURNS = 4
"""Most turns of exchanging layers."""

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
        Objective of spots of all layers, nominal or robust. Groups of spots (`Problem.grouped`) do as well
        and are quicker, see `isodose.arc.grouped_pruner`. A part of spots or voxels does not: layers then
        fit what is left.
    point, energy
        Control point and energy of each of the problem's spots, ``(spots,)``.
    iterations
        Of each optimisation of many layers, and of few.
    progress
        Called after every optimisation.
    """

    problem: Problem
    point: NDArray[np.int64]
    energy: NDArray[np.int64]
    iterations: tuple[int, int] = (16, 30)
    progress: Callable[[PruningStep], object] | None = None

    def __post_init__(self) -> None:
        if not self.point.shape == self.energy.shape == (self.problem.spots,):
            found = f"shapes {self.point.shape} and {self.energy.shape}"
            raise InputError("joint_pruner.point, energy", found, f"({self.problem.spots},), one per spot")
        if min(self.iterations) < 1:
            raise InputError("joint_pruner.iterations", self.iterations, "at least 1 each")

    def select(self, task: SelectionTask) -> Selection:
        """Choose the layers of a task, within its budget; its costs only tell which layers there are.

        Raises
        ------
        InputError
            If there is no budget, no sequence keeps to it, or the problem has no spots of a layer.
        """
        run = self._begun(task)
        return run.pruned(np.isfinite(task.cost))

    def remaining(self, task: SelectionTask, mean: float) -> NDArray[np.bool_]:
        """Layers ``(points, energies)`` that stay until there are `mean` per layer wanted.

        Some sequence of them keeps to the budget, so that a pruner with another problem can go on with them.
        Errors are as of `select`.
        """
        schedule = (*(m for m in SCHEDULE if m > mean), mean)
        return self._begun(task).thinned(np.isfinite(task.cost), schedule)

    def _begun(self, task: SelectionTask) -> _Pruning:
        if task.budget_s is None:
            raise InputError("task.budget_s", "none", "the switching time that the pruner is to keep to")
        return _Pruning(self, task, task.budget_s)


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

    def pruned(self, left: NDArray[np.bool_]) -> Selection:
        """One sequence out of what is left, with single layers exchanged for as long as that is better."""
        left = self.thinned(left, SCHEDULE)
        self.optimise(left)
        best = self._sequence(left)
        assert self.curvature is not None  # there was a sequence before
        for _ in range(_TURNS):
            self.optimise(best.chosen())
            other, self.weights = exchange_layers(
                best, self.budget_s, self.pruner.problem, self._columns_of, self.weights, self.curvature
            )
            if np.array_equal(other.energies, best.energies):
                break
            best = other
        return best

    def thinned(self, left: NDArray[np.bool_], schedule: tuple[float, ...]) -> NDArray[np.bool_]:
        """What is left after the optimisations of a schedule."""
        for mean in schedule:
            if left.sum() > mean * self.task.slots.size:
                self.optimise(left)
                left = self._kept(left, mean * self.task.layers_per_point)
        return left

    def optimise(self, left: NDArray[np.bool_]) -> None:
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
        _, second, _ = path_within(scored, self.budget_s)
        marginal = marginal_costs(scored, second)
        whole = int(mean)
        kept = self._sequence(left).chosen() | _best(marginal, whole)
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
