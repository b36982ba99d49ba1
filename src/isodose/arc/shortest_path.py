"""Exact choice of layers: the cheapest path through the points (Viterbi, IEEE Trans IT 13 (1967) 260).

Costs belong to layers and switching times to pairs of consecutive layers, so that dynamic programming finds
the optimum over all sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.arc.selection import SelectionTask
from isodose.errors import InputError

_MOST_HULL_STEPS = 60
EQUAL_S = 1e-6
"""Times this close are equal: they are sums of floating-point numbers."""


@dataclass(frozen=True, slots=True)
class Path:
    """A sequence of layers.

    Parameters
    ----------
    energies
        Index of the energy of each slot, ``(slots,)``.
    cost
        Sum of the layers' costs.
    switching_s
        Sum of the switching times.
    """

    energies: NDArray[np.int64]
    cost: float
    switching_s: float


def cheapest_path(task: SelectionTask, time_weight: float, cost: NDArray[np.float64] | None = None) -> Path:
    """Path of least cost and weighted switching time; of paths alike in that, any.

    Parameters
    ----------
    task
        Layers and switching times.
    time_weight
        Cost of a second; infinite for the least time, whatever the layers cost.
    cost
        Other costs of the layers by slot, ``(slots, energies)``.

    Raises
    ------
    InputError
        If no sequence exists.
    """
    of_slot = task.slot_cost if cost is None else np.ascontiguousarray(cost, dtype=np.float64)
    if np.isinf(time_weight):
        weighed, weight = np.where(np.isfinite(of_slot), 0.0, np.inf), 1.0
    else:
        weighed, weight = of_slot, time_weight
    # Forbidden switches stay forbidden where time costs nothing.
    price = np.where(np.isfinite(task.switch_s), weight * np.nan_to_num(task.switch_s, posinf=0.0), np.inf)
    energies, total = viterbi(weighed, price, task.within)
    if not np.isfinite(total):
        raise InputError("task", "no sequence of layers", "one whose switches are all possible")
    slots = np.arange(energies.size)
    time = task.switch_s[task.within[1:], energies[:-1], energies[1:]].sum()
    return Path(energies, float(of_slot[slots, energies].sum()), float(time))


def path_within(
    task: SelectionTask, budget_s: float, cost: NDArray[np.float64] | None = None
) -> tuple[Path, float, float]:
    """Best path on the convex hull of cost against time that keeps to a budget.

    Parameters
    ----------
    task
        Layers and switching times.
    budget_s
        Greatest switching time.
    cost
        Other costs of the layers by slot.

    Returns
    -------
    tuple
        The path, the cost of a second that leads to it, and the least cost that any path within the budget
        can have (the Lagrangian bound).

    Raises
    ------
    InputError
        If no sequence of the layers keeps to the budget; it names the least time.
    """
    over = cheapest_path(task, 0.0, cost)
    if over.switching_s <= budget_s + EQUAL_S:
        return over, 0.0, over.cost
    under = cheapest_path(task, np.inf, cost)
    if under.switching_s > budget_s + EQUAL_S:
        found = f"{budget_s:g} s"
        expected = f"at least {under.switching_s:.4g} s, the least that any sequence of the layers needs"
        raise InputError("task.budget_s", found, expected)
    weight = 0.0
    for _ in range(_MOST_HULL_STEPS):
        # The chord between both, until no path lies below it (Handler and Zang, Networks 10 (1980) 293).
        weight = (under.cost - over.cost) / (over.switching_s - under.switching_s)
        new = cheapest_path(task, weight, cost)
        chord = over.cost + weight * over.switching_s
        if new.cost + weight * new.switching_s >= chord - 1e-9 * max(1.0, abs(chord)):
            break
        if new.switching_s <= budget_s + EQUAL_S:
            under = new
        else:
            over = new
    return under, weight, under.cost + weight * (under.switching_s - budget_s)


@njit(cache=True, error_model="numpy")
def viterbi(cost, price, kind):  # type: ignore[no-untyped-def]
    """Cheapest sequence; costs ``(slots, n)``, prices ``(kinds, n, n)``, kind of the step to each slot."""
    slots, n = cost.shape
    back = np.empty((slots, n), dtype=np.int32)
    before, here = cost[0].copy(), np.empty(n)
    arg = np.empty(n, dtype=np.int32)
    for s in range(1, slots):
        here[:] = np.inf
        arg[:] = 0
        table = price[kind[s]]
        for e in range(n):
            start = before[e]
            if start == np.inf:
                continue
            row = table[e]
            for f in range(n):
                value = start + row[f]
                better = value < here[f]
                here[f] = value if better else here[f]
                arg[f] = e if better else arg[f]
        for f in range(n):
            before[f] = here[f] + cost[s, f]
            back[s, f] = arg[f]
    path = np.empty(slots, dtype=np.int64)
    path[slots - 1] = np.argmin(before)
    total = before[path[slots - 1]]
    for s in range(slots - 1, 0, -1):
        path[s - 1] = back[s, path[s]]
    return path, total
