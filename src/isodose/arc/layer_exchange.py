"""Exchange of single layers: what others would do for the dose in the place of a control point's own.

One control point after the other gives up its layer. Each of its layers that the budget allows is then tried,
the old one among them on the same terms: a step along the scaled gradient of its spots, as long as a parabola
through two values of the objective tells. The best stays, with the weights of its step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isodose.arc.selection import Selection
from isodose.arc.shortest_path import EQUAL_S
from isodose.optimise.problem import Problem

_TRIED = 8
"""Layers that are tried, those whose gradient promises most."""
_FIRST_STEP = 0.3
"""Of the step that spots would take if none overlapped, for the second point of the parabola."""
_BETTER = 1.02
"""The old layer stays unless another promises so many times as much."""


def exchange_layers(
    selection: Selection,
    budget_s: float,
    problem: Problem,
    columns_of: Callable[[int, int], NDArray[np.int64]],
    weights: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> tuple[Selection, NDArray[np.float64]]:
    """Selection after one turn through all slots, and the weights of its spots.

    Parameters
    ----------
    selection
        Layers at the start.
    budget_s
        Switching time that may not be exceeded.
    problem
        Objective of all spots.
    columns_of
        Spots of a layer, by control point and energy.
    weights
        Of all spots, ``(spots,)``; 0 outside the selection.
    curvature
        Of the objective by each spot's weight, ``(spots,)``.
    """
    task, energies, weights = selection.task, selection.energies.copy(), weights.copy()
    sums = problem.sums(weights)
    for s, g in enumerate(task.slots):
        old = columns_of(int(g), int(energies[s]))
        sums = sums - problem.restricted_to(old).sums(weights[old])
        weights[old] = 0.0
        value, by_sums = problem.of_sums(sums)
        candidates = np.flatnonzero(_fits(task.switch_s, task.within, energies, s, budget_s))
        candidates = candidates[np.isfinite(task.slot_cost[s, candidates])]
        steps = {}
        for e in candidates:
            columns = columns_of(int(g), int(e))
            slope = problem.restricted_to(columns).gradient(by_sums)
            step = np.maximum(-slope, 0.0) / curvature[columns]
            steps[int(e)] = float(-slope @ step), columns, step
        here = int(energies[s])
        tried = sorted(steps, key=lambda e: -steps[e][0])[:_TRIED]
        best, most = here, -np.inf
        for e in dict.fromkeys([here, *tried]):
            promised, columns, step = steps[e]
            gain, length = _parabola(problem, sums, value, promised, columns, step)
            if gain > (most if e == here or best != here else _BETTER * most):
                best, most, chosen = e, gain, (columns, length * step)
        energies[s] = best
        weights[chosen[0]] = chosen[1]
        sums = sums + problem.restricted_to(chosen[0]).sums(chosen[1])
    return task.selection(energies, selection.selector), weights


def _fits(
    switch_s: NDArray[np.float64],
    within: NDArray[np.int64],
    energies: NDArray[np.int64],
    slot: int,
    budget_s: float,
) -> NDArray[np.bool_]:
    """Energies of a slot that keep to the budget if all others stay."""
    around = np.zeros(switch_s.shape[1])
    if slot > 0:
        around = around + switch_s[within[slot], energies[slot - 1], :]
    if slot + 1 < energies.size:
        around = around + switch_s[within[slot + 1], :, energies[slot + 1]]
    total = switch_s[within[1:], energies[:-1], energies[1:]].sum()
    now = around[energies[slot]]
    return np.asarray(
        (total - now + around <= budget_s + EQUAL_S) | (np.arange(around.size) == energies[slot])
    )


def _parabola(
    problem: Problem,
    sums: NDArray[np.float32],
    value: float,
    promised: float,
    columns: NDArray[np.int64],
    step: NDArray[np.float64],
) -> tuple[float, float]:
    """Decrease of the objective along a step, and the length of the step that gives it."""
    if promised <= 0.0:
        return 0.0, 0.0
    along = problem.restricted_to(columns).sums(_FIRST_STEP * step)
    there = problem.of_sums(sums + along)[0]
    bend = (there - value + promised * _FIRST_STEP) / _FIRST_STEP**2
    length = min(promised / (2.0 * bend), 1.0) if bend > 0.0 else 1.0
    return promised * length - bend * length**2, length
