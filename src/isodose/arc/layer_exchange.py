"""Exchange of single layers: what others would do for the dose in the place of a control point's own.

One control point after the other gives up its layer. Those of its layers that the budget allows and whose
gradient promises most are then tried, together with the layers of the control points beside it, which may
answer with their weights: a few scaled gradient steps with an exact line search. A layer stays that makes the
objective lower than it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isodose.arc.selection import Selection
from isodose.arc.shortest_path import EQUAL_S
from isodose.optimise.line_search import search
from isodose.optimise.problem import Problem

_TRIED = 3
"""Layers that are tried, those whose gradient promises most."""
_BESIDE = 2
"""Control points on either side whose weights answer."""
_STEPS = 4
_BETTER = 1e-3
"""Part of the objective by which it must fall."""


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
    value, _ = problem.of_sums(sums)
    for s, g in enumerate(task.slots):
        old = columns_of(int(g), int(energies[s]))
        without = sums - problem.restricted_to(old).sums(weights[old])
        _, by_sums = problem.of_sums(without)
        fits = _fits(task.switch_s, task.within, energies, s, budget_s) & np.isfinite(task.slot_cost[s])
        fits[energies[s]] = False
        promised = {}
        for e in map(int, np.flatnonzero(fits)):
            columns = columns_of(int(g), e)
            slope = np.minimum(problem.restricted_to(columns).gradient(by_sums), 0.0)
            promised[e] = float(slope @ (slope / curvature[columns]))
        near = range(max(s - _BESIDE, 0), min(s + _BESIDE + 1, energies.size))
        beside = [columns_of(int(task.slots[k]), int(energies[k])) for k in near if k != s]
        for e in sorted(promised, key=lambda e: -promised[e])[:_TRIED]:
            columns = np.unique(np.concatenate([columns_of(int(g), e), *beside]))
            other = weights.copy()
            other[old] = 0.0
            there, found = _answered(problem, without, columns, other, curvature)
            if found < value * (1.0 - _BETTER):
                energies[s], weights, sums, value = e, other, there, found
                break
    return task.selection(energies, selection.selector), weights


def _answered(
    problem: Problem,
    sums: NDArray[np.float32],
    columns: NDArray[np.int64],
    weights: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> tuple[NDArray[np.float32], float]:
    """Sums and value after some steps of some spots, whose weights are changed in place."""
    part, scale = problem.restricted_to(columns), 1.0 / curvature[columns]
    value, by_sums = problem.of_sums(sums)
    for _ in range(_STEPS):
        at = weights[columns]
        gradient = part.gradient(by_sums)
        step = np.maximum(at - scale * gradient, 0.0) - at
        slope = float(step @ gradient)
        if slope >= 0.0:
            break
        found = search(part, sums, part.sums(step), value, slope, 1.0)
        if found.length == 0.0:
            break
        weights[columns] = np.maximum(at + found.length * step, 0.0)
        sums, value, by_sums = found.sums, found.value, found.by_sums
    return sums, value


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
    return np.asarray(total - around[energies[slot]] + around <= budget_s + EQUAL_S)
