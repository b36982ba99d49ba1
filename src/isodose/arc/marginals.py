"""Exact marginals of layers: the least cost of any whole sequence that goes through each of them.

A forward and a backward pass of the shortest path give them for all layers at once. A layer whose marginal is
far above the optimum belongs to no good sequence and can be pruned, whatever its own cost.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.arc.selection import SelectionTask


def marginal_costs(
    task: SelectionTask, time_weight: float, cost: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Least cost and weighted switching time of all sequences through each layer.

    Parameters
    ----------
    task
        Layers and switching times.
    time_weight
        Cost of a second, finite.
    cost
        Other costs of the layers by slot, ``(slots, energies)``.

    Returns
    -------
    ndarray
        ``(points, energies)``: the least over a control point's slots; infinite for layers of no sequence.
    """
    of_slot = task.slot_cost if cost is None else np.ascontiguousarray(cost, dtype=np.float64)
    price = np.where(
        np.isfinite(task.switch_s), time_weight * np.nan_to_num(task.switch_s, posinf=0.0), np.inf
    )
    by_slot = _marginals(of_slot, price, np.ascontiguousarray(price.transpose(0, 2, 1)), task.within)
    out = np.full(task.cost.shape, np.inf)
    np.minimum.at(out, task.slots, by_slot)
    return out


@njit(cache=True, error_model="numpy")
def _marginals(cost, price, turned, kind):  # type: ignore[no-untyped-def]
    """Forward and backward pass; `turned` has the prices of the steps with rows and columns exchanged."""
    slots, n = cost.shape
    forward = np.empty((slots, n))
    forward[0] = cost[0]
    for s in range(1, slots):
        _relax(forward[s - 1], price[kind[s]], forward[s])
        forward[s] += cost[s]
    after, costed = np.zeros(n), np.empty(n)
    for s in range(slots - 2, -1, -1):
        costed[:] = after + cost[s + 1]
        _relax(costed, turned[kind[s + 1]], after)
        forward[s] += after
    return forward


@njit(cache=True, error_model="numpy")
def _relax(before, table, out):  # type: ignore[no-untyped-def]
    out[:] = np.inf
    for e in range(before.size):
        start = before[e]
        if start == np.inf:
            continue
        row = table[e]
        for f in range(out.size):
            out[f] = min(out[f], start + row[f])
