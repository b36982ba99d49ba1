"""The problem: from spot weights to the value of all goals and its gradient, in one scenario or many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.goal import Goal, goals_at
from isodose.optimise.grouped_matrix import grouped
from isodose.optimise.objective import Objective
from isodose.optimise.robustness import Robustness, worst_of
from isodose.optimise.run_matrix import RunMatrix, row_order, run_matrix
from isodose.optimise.term import Floats, Term, add_nominal, add_together, add_worst, take
from isodose.optimise.voxel_quantity import VoxelQuantity

Doubles = NDArray[np.float64]

_LEAST_CURVATURE = 0.01
"""Part of the full curvature with which objectives that are flat where one is still scale the spots."""


_WORTH_KEEPING = 0.7
"""Leaving out voxels is worth a copy of the matrix where at most this part of them stays."""


class Problem:
    """What is to be made small as a function of the spots' weights.

    Everything but the objectives is linear in the weights. `sums` gives the linear part, `of_sums` the value
    and its derivative by the sums, `gradient` the adjoint of `sums`; solvers step along sums without further
    products. Weights are particles per spot and fraction, in the order of the influence matrix's columns.

    Parameters
    ----------
    influence
        The influence matrix, or one a scenario (an iterable is taken one by one, so that they need not be in
        memory together): the first is the nominal scenario.
    goals
        At least one.
    robustness
        How scenarios are taken together, for goals that are robust.
    threads
        Number of threads of the products; all processors by default.

    Raises
    ------
    InputError
        If there is no goal, the matrix lacks a quantity, scenarios do not match, or a voxel is off the grid.
    """

    def __init__(
        self,
        influence: Influence | Iterable[Influence],
        goals: Sequence[Goal],
        robustness: Robustness = Robustness.EXPECTATION,
        threads: int | None = None,
    ) -> None:
        if not goals:
            raise InputError("goals", "none", "at least one")
        several = iter([influence] if isinstance(influence, Influence) else influence)
        nominal = next(several)
        voxels = goals_at(goals)
        if voxels[-1] >= nominal.grid.size:
            raise InputError(
                "goals: voxel", int(voxels[-1]), f"less than {nominal.grid.size}, the grid's size"
            )
        self.goals, self.robustness, self.threads = tuple(goals), robustness, threads
        self.voxels = row_order(nominal, voxels)
        row_of = np.empty(nominal.grid.size, dtype=np.int64)
        row_of[self.voxels] = np.arange(self.voxels.size)
        distinct = list({id(goal.quantity): goal.quantity for goal in goals}.values())
        needed = list(dict.fromkeys(chain.from_iterable(q.needs for q in distinct)))
        self.quantities: tuple[Quantity, ...] = tuple(needed)
        self._transforms: list[VoxelQuantity] = [q.at(self.voxels) for q in distinct]
        numbers = {id(q): i for i, q in enumerate(distinct)}
        self._terms = [Term(g, np.sort(row_of[g.voxels]), numbers[id(g.quantity)], g.priority) for g in goals]
        self._matrices = self._compact(nominal, several)
        self.columns: NDArray[np.int64] = np.arange(nominal.spots)

    def _compact(self, nominal: Influence, others: Iterable[Influence]) -> list[RunMatrix]:
        matrices = [run_matrix(nominal, self.voxels, self.quantities)]
        robust = np.zeros(self.voxels.size, dtype=np.bool_)
        for term in self._terms:
            if term.goal.robust:
                robust[term.rows] = True
        for k, influence in enumerate(others, start=1):
            if not influence.grid.matches(nominal.grid) or influence.spots != nominal.spots:
                found = f"{influence.spots} spots on a grid of shape {influence.grid.shape}"
                expected = (
                    f"{nominal.spots} spots on a grid of shape {nominal.grid.shape}, as the nominal one"
                )
                raise InputError(f"scenario {k}", found, expected)
            matrices.append(run_matrix(influence, self.voxels, self.quantities, robust))
        return matrices

    @property
    def spots(self) -> int:
        """Number of weights."""
        return self.columns.size

    @property
    def scenarios(self) -> int:
        """Number of scenarios, the nominal one among them."""
        return len(self._matrices)

    @property
    def memory_bytes(self) -> int:
        """Size of the matrices in bytes."""
        return sum(matrix.memory_bytes for matrix in self._matrices)

    def restricted_to(self, columns: ArrayLike) -> Problem:
        """Same problem with only some of its spots; matrices are shared, not copied.

        Parameters
        ----------
        columns
            Numbers of spots of this problem that stay, ascending, or a mask ``(spots,)``.
        """
        chosen = np.asarray(columns)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        part = object.__new__(Problem)
        part.__dict__.update(self.__dict__)
        part.columns = np.ascontiguousarray(self.columns[chosen])
        return part

    def with_objectives(self, objectives: Mapping[int, Objective | None]) -> Problem:
        """Same problem with other objectives of some of its goals; matrices are shared, not copied.

        Parameters
        ----------
        objectives
            By the number of the goal; None leaves it out.
        """
        part = self.restricted_to(np.arange(self.spots))
        part._terms = []
        for i, term in enumerate(self._terms):
            objective = objectives.get(i, term.goal.objective)
            if objective is not None:
                part._terms.append(replace(term, goal=replace(term.goal, objective=objective)))
        part.goals = tuple(term.goal for term in part._terms)
        return part

    def focused(self, sums: Floats, columns: NDArray[np.int64]) -> Problem:
        """Same problem near given sums, without voxels that cost nothing there and are far from costing.

        Parameters
        ----------
        sums
            Of `sums`.
        columns
            Numbers of spots of this problem that stay, ascending.

        Returns
        -------
        Problem
            With rows and matrices of its own; this problem itself, of fewer spots, where that would leave out
            few voxels.
        """
        values = self._values(sums)
        wanted = np.zeros(self.voxels.size, dtype=np.bool_)
        kept = []
        for term in self._terms:
            busy = self._busy(term, values)
            wanted[term.rows[busy]] = True
            kept.append(busy)
        part = self.restricted_to(columns)
        if wanted.mean() > _WORTH_KEEPING:
            return part
        row_of = np.cumsum(wanted) - 1
        terms = [
            Term(
                replace(term.goal, objective=term.goal.objective.part(busy)),
                row_of[term.rows[busy]],
                term.quantity,
                term.factor * busy.sum() / busy.size,
            )
            for term, busy in zip(self._terms, kept, strict=True)
            if busy.any()
        ]
        matrices = [matrix.part(wanted, part.columns) for matrix in self._matrices]
        return part._on(np.flatnonzero(wanted), terms, matrices)

    def grouped(
        self, spots: NDArray[np.int64], rows: NDArray[np.int64] | None = None, least: float = 0.0
    ) -> Problem:
        """Smaller problem of groups of spots with one weight, and of averages over groups of voxels.

        Parameters
        ----------
        spots
            Group of each spot, ``(spots,)``, from 0 on without a gap; they become the spots.
        rows
            Group of each of `voxels`, ``(rows,)``, as of `isodose.optimise.grouped_matrix.voxel_groups`; by
            default each stays by itself.
        least
            Dose below this part of a group's largest is given to the voxels where it gives more, and what the
            group gives of other quantities goes with it, see `isodose.optimise.grouped_matrix.grouped`.

        Raises
        ------
        InputError
            If there are not as many numbers as spots and voxels.
        """
        rows = np.arange(self.voxels.size) if rows is None else rows
        matrices = [grouped(m, self.columns, spots, rows, least, self.threads) for m in self._matrices]
        first = np.unique(rows, return_index=True)[1]
        terms = []
        for term in self._terms:
            groups, one = np.unique(rows[term.rows], return_index=True)
            goal = replace(term.goal, objective=term.goal.objective.part(one))
            terms.append(replace(term, goal=goal, rows=groups))
        part = self._on(first, terms, matrices)
        part.columns = np.arange(matrices[0].columns)
        return part

    def _on(self, rows: NDArray[np.int64], terms: list[Term], matrices: list[RunMatrix]) -> Problem:
        """Same problem with matrices of fewer rows, which stand for some of those that there are."""
        part = object.__new__(Problem)
        part.__dict__.update(self.__dict__)
        part.voxels = self.voxels[rows]
        part._terms, part._matrices = terms, matrices
        part._transforms = [t.at(rows) for t in self._transforms]
        return part

    def _busy(self, term: Term, values: list[list[Floats]]) -> NDArray[np.bool_]:
        """Rows of a term that matter in any scenario."""
        busy = np.zeros(term.rows.size, dtype=np.bool_)
        for scenario in values if term.goal.robust else values[:1]:
            idle = term.goal.objective.idle(take(scenario[term.quantity], term.rows))
            if idle is None:
                return np.ones(term.rows.size, dtype=np.bool_)
            busy |= ~idle
        return busy

    def value(self, weights: ArrayLike) -> float:
        """Value of all goals for weights ``(spots,)``."""
        return self.of_sums(self.sums(weights))[0]

    def value_and_gradient(self, weights: ArrayLike) -> tuple[float, Doubles]:
        """Value of all goals for weights ``(spots,)``, and its derivative by each, ``(spots,)``."""
        value, by_sums = self.of_sums(self.sums(weights))
        return value, self.gradient(by_sums)

    def sums(self, weights: ArrayLike) -> Floats:
        """Dose, and dose times other quantities, in the rows: float32 ``(scenarios, quantities, rows)``.

        Raises
        ------
        InputError
            If there are not as many weights as spots.
        """
        weight = np.ascontiguousarray(weights, dtype=np.float32)
        if weight.shape != (self.spots,):
            raise InputError("weights", f"shape {weight.shape}", f"({self.spots},)")
        return np.stack([self._products(matrix, weight) for matrix in self._matrices])

    def _products(self, matrix: RunMatrix, weight: Floats) -> Floats:
        """Sums of one scenario, ``(quantities, rows)``."""
        return np.stack([matrix.product(weight, q, self.columns, self.threads) for q in self.quantities])

    def gradient(self, by_sums: Floats) -> Doubles:
        """Derivative by the weights ``(spots,)`` from that by the sums."""
        total = np.zeros(self.spots)
        for s, matrix in enumerate(self._matrices):
            for q, quantity in enumerate(self.quantities):
                if by_sums[s, q].any():
                    total += matrix.adjoint(by_sums[s, q], quantity, self.columns, self.threads)
        return total

    def of_sums(self, sums: Floats) -> tuple[float, Floats]:
        """Value of all goals and its derivative by the sums, of the shape of `sums`."""
        values = self._values(sums)
        by_value = np.zeros((self.scenarios, len(self._transforms), self.voxels.size), dtype=sums.dtype)
        total = 0.0
        together: list[tuple[Term, list[tuple[float, Floats]]]] = []
        for term in self._terms:
            if not (term.goal.robust and self.scenarios > 1):
                total += add_nominal(term, values, by_value)
            elif self.robustness is Robustness.VOXEL_WISE or term.goal.objective.holds_in_all:
                total += add_worst(term, values, by_value)
            else:
                found = [term.goal.objective.evaluate(take(v[term.quantity], term.rows)) for v in values]
                together.append((term, found))
        total += add_together(together, self.robustness, by_value)
        return float(total), self._chained(sums, by_value)

    def goal_values(self, weights: ArrayLike) -> NDArray[np.float64]:
        """Value of each goal, its priority included, in each scenario: ``(goals, scenarios)``.

        Goals that are not robust have NaN in scenarios other than the nominal one.
        """
        values = self._values(self.sums(weights))
        out = np.full((len(self._terms), self.scenarios), np.nan)
        for i, term in enumerate(self._terms):
            for s in range(self.scenarios if term.goal.robust else 1):
                found, _ = term.goal.objective.evaluate(take(values[s][term.quantity], term.rows))
                out[i, s] = term.factor * found
        return out

    def values_of(self, number: int, weights: ArrayLike) -> Floats:
        """Values that a goal looks at, float32 ``(n,)``: of a robust one the worst of the scenarios.

        Parameters
        ----------
        number
            Of the goal.
        weights
            Of the spots, ``(spots,)``.
        """
        term, values = self._terms[number], self._values(self.sums(weights))
        scenarios = values if term.goal.robust else values[:1]
        here = np.stack([take(v[term.quantity], term.rows) for v in scenarios])
        return worst_of(here, term.goal.objective.worse, term.goal.objective.reference)[0]

    def curvature(self, weights: ArrayLike | None = None) -> Doubles:
        """Diagonal of the nominal problem's second derivative by the weights, nearly: ``(spots,)``, positive.

        Parameters
        ----------
        weights
            Where; without them, all voxels of all goals count, whether they cost something or not.
        """
        weight = np.asarray(np.zeros(self.spots) if weights is None else weights, dtype=np.float32)
        sums = self._products(self._matrices[0], weight)
        values = self._values(sums[None])[0]
        of_value = np.zeros((len(self._transforms), self.voxels.size), dtype=np.float32)
        for term in self._terms:
            here = take(values[term.quantity], term.rows)
            least = _LEAST_CURVATURE if weights is not None else 1.0
            flat = 2.0 / here.size
            curve = np.maximum(term.goal.objective.curvature(here), least * flat)
            of_value[term.quantity][term.rows] += np.float32(term.factor) * curve
        one = np.ones(self.voxels.size, dtype=np.float32)
        of_sum = np.zeros_like(sums)
        for k, transform in enumerate(self._transforms):
            for quantity, slope in transform.derivative(self._by_name(sums), one).items():
                of_sum[self.quantities.index(quantity)] += of_value[k] * slope * slope
        total = np.zeros(self.spots)
        for quantity, by_row in self._by_name(of_sum).items():
            total += self._matrices[0].squares(by_row, quantity, self.columns, self.threads)
        return total

    def _by_name(self, sums: Floats) -> dict[Quantity, Floats]:
        return dict(zip(self.quantities, sums, strict=True))

    def _values(self, sums: Floats) -> list[list[Floats]]:
        """Values of each quantity, per scenario."""
        return [[t.values(self._by_name(part)) for t in self._transforms] for part in sums]

    def _chained(self, sums: Floats, by_value: Floats) -> Floats:
        out = np.zeros_like(sums)
        for s, part in enumerate(sums):
            named = self._by_name(part)
            for k, transform in enumerate(self._transforms):
                if not by_value[s, k].any():
                    continue
                for quantity, slope in transform.derivative(named, by_value[s, k]).items():
                    out[s, self.quantities.index(quantity)] += slope
        return out
