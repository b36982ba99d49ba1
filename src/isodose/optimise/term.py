"""A goal within a problem: which rows it looks at, and what it costs in one scenario or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.optimise.goal import Goal
from isodose.optimise.robustness import Robustness, smooth_maximum, worst_of

Floats = NDArray[np.float32]
Values = Sequence[Sequence[Floats]]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A goal, its rows, its quantity's number, its factor (the priority, less where rows are left out)."""

    goal: Goal
    rows: NDArray[np.int64]
    quantity: int
    factor: float


def take(values: Floats, rows: NDArray[np.int64]) -> Floats:
    """Values of rows; without a copy where they are all."""
    return values if rows.size == values.size else values[rows]


def add_nominal(term: Term, values: Values, by_value: Floats) -> float:
    """Value of a goal in the nominal scenario.

    Parameters
    ----------
    term
        The goal.
    values
        Of the rows by scenario and quantity.
    by_value
        Is added the derivative by the values, ``(scenarios, quantities, rows)``.
    """
    found, slope = term.goal.objective.evaluate(take(values[0][term.quantity], term.rows))
    _put(by_value[0, term.quantity], term.rows, slope, term.factor)
    return term.factor * found


def add_worst(term: Term, values: Values, by_value: Floats) -> float:
    """Value of a goal for the worst scenario of each voxel; parameters as of `add_nominal`."""
    objective = term.goal.objective
    here = np.stack([take(v[term.quantity], term.rows) for v in values])
    worst, which = worst_of(here, objective.worse, objective.reference)
    found, slope = objective.evaluate(worst)
    for s in range(len(values)):
        _put(by_value[s, term.quantity], term.rows, np.where(which == s, slope, 0.0), term.factor)
    return term.factor * found


def add_together(
    together: Sequence[tuple[Term, Sequence[tuple[float, Floats]]]], robustness: Robustness, by_value: Floats
) -> float:
    """Value of goals over scenarios by any robustness but the voxel-wise one.

    Parameters
    ----------
    together
        Each with the value and derivative of its objective in every scenario.
    robustness
        How they become one number.
    by_value
        As of `add_nominal`.
    """
    if not together:
        return 0.0
    found = np.array([[t.factor * value for value, _ in results] for t, results in together])
    if robustness is Robustness.EXPECTATION:
        total, factors = float(found.mean(axis=1).sum()), np.full(found.shape, 1.0 / found.shape[1])
    elif robustness is Robustness.COMPOSITE:
        total, by_scenario = smooth_maximum(found.sum(axis=0))
        factors = np.broadcast_to(by_scenario, found.shape)
    else:
        each = [smooth_maximum(row) for row in found]
        total, factors = sum(value for value, _ in each), np.stack([slope for _, slope in each])
    for (term, results), row in zip(together, factors, strict=True):
        for s, (_, slope) in enumerate(results):
            _put(by_value[s, term.quantity], term.rows, slope, term.factor * row[s])
    return total


def _put(into: Floats, rows: NDArray[np.int64], slope: Floats, factor: float) -> None:
    """Add a factor times slopes to rows."""
    _scatter(into, rows, np.ascontiguousarray(slope, dtype=into.dtype), into.dtype.type(factor))


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(into, rows, slope, factor):  # type: ignore[no-untyped-def]
    for i in range(rows.size):
        into[rows[i]] += factor * slope[i]
