"""Exact Pareto frontier of switching time against the cost of the layers.

With two switching times, one up and one down, the time of a sequence is told by how often the energy rises
and falls. Dynamic programming over (energy, rises, falls) gives the least cost of every pair of numbers, and
so of every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.arc.selection import Selection, SelectionTask
from isodose.arc.shortest_path import EQUAL_S, cheapest_path
from isodose.errors import InputError

_MOST_BYTES = 2 << 30
"""Largest table of the programme; a budget makes it smaller."""


@dataclass(frozen=True, slots=True, eq=False)
class ParetoFrontier:
    """Selections none of which another beats in both switching time and cost.

    Parameters
    ----------
    task
        What was asked.
    switching_s
        Ascending, ``(n,)``.
    cost
        Descending, ``(n,)``.
    energies
        Index of the energy of every slot, ``(n, slots)``.
    """

    task: SelectionTask
    switching_s: NDArray[np.float64]
    cost: NDArray[np.float64]
    energies: NDArray[np.int64]

    def within(self, budget_s: float) -> Selection:
        """Selection of least cost whose switching time keeps to a budget.

        Raises
        ------
        InputError
            If none does; it names the least time.
        """
        i = int(np.searchsorted(self.switching_s, budget_s + EQUAL_S)) - 1
        if i < 0:
            expected = (
                f"at least {self.switching_s[0]:.4g} s, the least that any sequence of the layers needs"
            )
            raise InputError("task.budget_s", f"{budget_s:g} s", expected)
        return self.task.selection(self.energies[i], "exact", float(self.cost[i]))


def pareto_frontier(task: SelectionTask, most_s: float | None = None) -> ParetoFrontier:
    """Frontier of a task whose switch table has one time up and one down.

    Parameters
    ----------
    task
        Layers and switching times.
    most_s
        Switching time beyond which the frontier is not wanted; by default up to where time brings no more.

    Raises
    ------
    InputError
        If the switch table has other times, no sequence keeps to `most_s`, or the frontier takes more than
        2 GiB to find.
    """
    constants = task.table.constants
    if constants is None:
        expected = "one time up and one down, and none for the same energy"
        raise InputError("task.table", "a table of several times", expected)
    up_s, down_s = constants
    steps = task.slots.size - 1
    shortest, free = cheapest_path(task, np.inf).switching_s, cheapest_path(task, 0.0).switching_s
    limit = free if most_s is None else most_s
    if limit < shortest - EQUAL_S:
        expected = f"at least {shortest:.4g} s, the least that any sequence of the layers needs"
        raise InputError("task.budget_s", f"{limit:g} s", expected)
    rises, falls = (
        min(steps, int((limit + EQUAL_S) / one_s)) if one_s > 0.0 else steps for one_s in constants
    )
    size = task.slot_cost.size * (rises + 1) * (falls + 1) * 2
    if size > _MOST_BYTES:
        found = f"{size / 2**30:.1f} GiB for up to {rises} rises and {falls} falls"
        raise InputError("most_s", found, "a shorter switching time, of at most 2 GiB")
    best, back = _counted(task.slot_cost, task.within, rises, falls)
    least = best.min(axis=0)
    up, down = np.meshgrid(np.arange(rises + 1), np.arange(falls + 1), indexing="ij")
    time = up_s * up + down_s * down
    order = np.lexsort((least.ravel(), time.ravel()))
    order = order[np.isfinite(least.ravel()[order]) & (time.ravel()[order] <= limit + EQUAL_S)]
    before = np.concatenate([[np.inf], np.minimum.accumulate(least.ravel()[order])[:-1]])
    kept = order[least.ravel()[order] < before - 1e-12]
    paths = np.stack(
        [
            _trace_back(back, int(np.argmin(best[:, u, d])), int(u), int(d))
            for u, d in zip(up.ravel()[kept], down.ravel()[kept], strict=True)
        ]
    )
    return ParetoFrontier(task, time.ravel()[kept], least.ravel()[kept], paths)


@njit(cache=True, error_model="numpy")
def _counted(cost, within, rises, falls):  # type: ignore[no-untyped-def]
    """Least cost by (energy, rises, falls) at the last slot, and the energy before at every slot."""
    slots, n = cost.shape
    before = np.full((n, rises + 1, falls + 1), np.inf)
    here = np.empty_like(before)
    back = np.full((slots, n, rises + 1, falls + 1), -1, dtype=np.int16)
    least = np.empty((rises + 1, falls + 1))
    whose = np.empty((rises + 1, falls + 1), dtype=np.int16)
    for e in range(n):
        before[e, 0, 0] = cost[0, e]
    for s in range(1, slots):
        if within[s] == 0:
            here[:] = before
            for e in range(n):
                back[s, e, :, :] = e
            least[:] = np.inf
            whose[:] = -1
            for e in range(n):  # those below, one rise less
                for u in range(1, rises + 1):
                    for d in range(falls + 1):
                        if least[u - 1, d] < here[e, u, d]:
                            here[e, u, d] = least[u - 1, d]
                            back[s, e, u, d] = whose[u - 1, d]
                _keep_least(before[e], e, least, whose)
        else:
            here[:] = np.inf
        least[:] = np.inf
        whose[:] = -1
        for e in range(n - 1, -1, -1):  # those above, one fall less
            for u in range(rises + 1):
                for d in range(1, falls + 1):
                    if least[u, d - 1] < here[e, u, d]:
                        here[e, u, d] = least[u, d - 1]
                        back[s, e, u, d] = whose[u, d - 1]
            _keep_least(before[e], e, least, whose)
        for e in range(n):
            before[e] = here[e] + cost[s, e]
    return before, back


@njit(cache=True, error_model="numpy")
def _keep_least(values, e, least, whose):  # type: ignore[no-untyped-def]
    for u in range(values.shape[0]):
        for d in range(values.shape[1]):
            if values[u, d] < least[u, d]:
                least[u, d] = values[u, d]
                whose[u, d] = e


def _trace_back(back: NDArray[np.int16], last: int, rises: int, falls: int) -> NDArray[np.int64]:
    path = np.empty(back.shape[0], dtype=np.int64)
    path[-1] = last
    for s in range(back.shape[0] - 1, 0, -1):
        e = int(path[s])
        path[s - 1] = before = int(back[s, e, rises, falls])
        rises -= before < e
        falls -= before > e
    return path
