"""Layers that cover the target: every voxel is to lie at the end of the range of some control points.

A layer covers a voxel if its range ends within a few mm of the voxel's depth. The objective is the sum over
voxels of log(1 + number of layers that cover it), which is concave: the first cover of a voxel is worth most.
Its linearisation is a cost of layers, whose best sequence within the time budget the exact programme finds;
Frank and Wolfe's method (Naval Res Logist 3 (1956) 95) with that as its oracle bounds the objective, and its
best sequence is improved layer by layer until no single change helps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.arc.selection import Selection, SelectionTask
from isodose.arc.shortest_path import EQUAL_S, Path, cheapest_path, path_within
from isodose.errors import InputError

REACH_MM = 3.0
"""Distance of range and depth within which a layer covers a voxel."""

_STEPS = 40
_PASSES = 20


@dataclass(frozen=True, slots=True)
class CoverageDriven:
    """Selector by the cover of the target's voxels.

    Parameters
    ----------
    depth_mm
        Water-equivalent depth of the target's voxels from each control point, ``(points, voxels)`` mm, as
        `isodose.arc.voxel_depths.target_depths` gives it.
    range_mm
        Ranges of the layers, ascending, ``(points, energies)`` mm.
    reach_mm
        Distance within which a layer covers a voxel.
    """

    depth_mm: NDArray[np.float32]
    range_mm: NDArray[np.float64]
    reach_mm: float = REACH_MM

    def __post_init__(self) -> None:
        if self.depth_mm.ndim != 2 or not self.depth_mm.shape[1]:
            raise InputError("coverage.depth_mm", f"shape {self.depth_mm.shape}", "(points, voxels)")
        if self.range_mm.ndim != 2 or self.range_mm.shape[0] != self.depth_mm.shape[0]:
            expected = f"({self.depth_mm.shape[0]}, energies)"
            raise InputError("coverage.range_mm", f"shape {self.range_mm.shape}", expected)
        if not 0.1 <= self.reach_mm <= 50.0:
            raise InputError("coverage.reach_mm", self.reach_mm, "0.1 to 50 mm")

    def select(self, task: SelectionTask) -> Selection:
        """Choose the layers of a task; see `isodose.arc.selection.Selector`.

        Costs of layers only tell which there are; without a budget, time is weighed as the task says, a voxel
        covered once counting as one over all voxels of a control point.
        """
        if self.range_mm.shape != task.cost.shape:
            raise InputError("task.cost", f"shape {task.cost.shape}", f"{self.range_mm.shape}")
        low, high = self._covering()
        slots, voxels, energies = task.slots, self.depth_mm.shape[1], task.cost.shape[1]
        second = task.time_weight * voxels / task.slots.size
        cover = np.zeros(voxels)
        best, best_value = np.empty(0, dtype=np.int64), -np.inf
        for step in range(_STEPS):
            score = _scores(low, high, 1.0 / (1.0 + cover), energies)
            path = self._oracle(task, score, second)
            value = _value(low, high, slots, path.energies, voxels) - self._price(task, path, second)
            if value > best_value:
                best, best_value = path.energies, value
            cover += 2.0 / (step + 2.0) * (_cover(low, high, slots, path.energies, voxels) - cover)
        weight = 0.0 if task.budget_s is not None else second
        limit = np.inf if task.budget_s is None else task.budget_s + EQUAL_S
        best = best.copy()
        _ascend(
            low, high, slots, task.slot_cost, task.switch_s, task.within, best, voxels, weight, limit, _PASSES
        )
        return task.selection(best, "coverage")

    def _covering(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """First energy that covers each voxel from each control point, and the first beyond."""
        low, high = (np.empty(self.depth_mm.shape, dtype=np.int32) for _ in range(2))
        for g, (depth, ranges) in enumerate(zip(self.depth_mm, self.range_mm, strict=True)):
            low[g] = np.searchsorted(ranges, depth - self.reach_mm, side="left")
            high[g] = np.searchsorted(ranges, depth + self.reach_mm, side="right")
        return low, high

    @staticmethod
    def _oracle(task: SelectionTask, score: NDArray[np.float64], second: float) -> Path:
        cost = np.where(np.isfinite(task.slot_cost), -score[task.slots], np.inf)
        if task.budget_s is None:
            return cheapest_path(task, second, cost)
        return path_within(task, task.budget_s, cost)[0]

    @staticmethod
    def _price(task: SelectionTask, path: Path, second: float) -> float:
        return 0.0 if task.budget_s is not None else second * path.switching_s


def _cover(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    slots: NDArray[np.int64],
    energies: NDArray[np.int64],
    voxels: int,
) -> NDArray[np.float64]:
    """Number of chosen layers that cover each voxel."""
    cover = np.zeros(voxels)
    for g, e in zip(slots, energies, strict=True):
        cover += (low[g] <= e) & (e < high[g])
    return cover


def _value(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    slots: NDArray[np.int64],
    energies: NDArray[np.int64],
    voxels: int,
) -> float:
    return float(np.log1p(_cover(low, high, slots, energies, voxels)).sum())


@njit(cache=True, error_model="numpy")
def _scores(low, high, weight, energies):  # type: ignore[no-untyped-def]
    """Sum of the weights of the voxels that each layer covers, ``(points, energies)``."""
    points, voxels = low.shape
    out = np.zeros((points, energies + 1))
    for g in range(points):
        for v in range(voxels):
            out[g, low[g, v]] += weight[v]
            out[g, high[g, v]] -= weight[v]
        for e in range(1, energies):
            out[g, e] += out[g, e - 1]
    return out[:, :energies].copy()


@njit(cache=True, error_model="numpy")
def _ascend(  # type: ignore[no-untyped-def]
    low, high, slots, cost, switch, within, chosen, voxels, second, limit, passes
):
    """Change one layer at a time for the better, in place, until no change helps."""
    count = slots.size
    energies = cost.shape[1]
    cover = np.zeros(voxels)
    time = 0.0
    for s in range(count):
        g, e = slots[s], chosen[s]
        for v in range(voxels):
            cover[v] += low[g, v] <= e < high[g, v]
        if s > 0:
            time += switch[within[s], chosen[s - 1], e]
    gain = np.empty(energies + 1)
    for _ in range(passes):
        changed = False
        for s in range(count):
            g, old = slots[s], chosen[s]
            gain[:] = 0.0
            for v in range(voxels):
                cover[v] -= low[g, v] <= old < high[g, v]
                worth = np.log((2.0 + cover[v]) / (1.0 + cover[v]))
                gain[low[g, v]] += worth
                gain[high[g, v]] -= worth
            for e in range(1, energies):
                gain[e] += gain[e - 1]
            here = _around(switch, within, chosen, s, old)
            best, best_gain = old, gain[old] - second * here
            for e in range(energies):
                after = _around(switch, within, chosen, s, e)
                if not np.isfinite(cost[s, e]) or not time - here + after <= limit:
                    continue
                if gain[e] - second * after > best_gain + 1e-9:
                    best, best_gain = e, gain[e] - second * after
            if best != old:
                changed = True
                time += _around(switch, within, chosen, s, best) - here
                chosen[s] = best
            for v in range(voxels):
                cover[v] += low[g, v] <= best < high[g, v]
        if not changed:
            break


@njit(cache=True, error_model="numpy")
def _around(switch, within, chosen, s, e):  # type: ignore[no-untyped-def]
    """Time of the switches to and from a slot if it had an energy."""
    time = 0.0
    if s > 0:
        time += switch[within[s], chosen[s - 1], e]
    if s + 1 < chosen.size:
        time += switch[within[s + 1], e, chosen[s + 1]]
    return time
