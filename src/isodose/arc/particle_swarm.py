"""Energy layers by a particle swarm, the baseline of the field.

After Qian et al., Phys Med Biol 69 (2023) 015004 (SPArc_particle swarm), by its published outline: the arc is
cut into sectors at maxima of the water-equivalent depth, within which the energy falls from control point to
control point; a particle is an energy per control point, its fitness weighs spots against switching time, and
velocities follow the best place of the particle and of the swarm. The internals are not published; the
numbers below are Clerc and Kennedy's (IEEE Trans Evol Comput 6 (2002) 58).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.arc.selection import Selection, SelectionTask
from isodose.errors import InputError

INERTIA, ATTRACTION = 0.7298, 1.49618
"""Constriction of Clerc and Kennedy; the attraction is that of both best places."""


@dataclass(frozen=True, slots=True)
class ParticleSwarm:
    """Particle swarm over falling energies in sectors of the arc.

    Parameters
    ----------
    max_wet_mm
        Greatest depth of the target by control point, ``(points,)`` mm; sectors begin at its maxima.
    sectors
        Number of sectors, and so of rises of the energy less one; by default one for 51 degrees of a whole
        turn of 72 control points, which gives the 6.6 rises of the published plans.
    particles, iterations
        Size of the swarm, and how often it moves.
    seed
        Of the random numbers.
    """

    max_wet_mm: NDArray[np.float64]
    sectors: int = 7
    particles: int = 60
    iterations: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("sectors", "particles", "iterations"):
            if getattr(self, name) < 1:
                raise InputError(f"particle_swarm.{name}", getattr(self, name), "at least 1")

    def select(self, task: SelectionTask) -> Selection:
        """Choose one layer per control point; see `isodose.arc.selection.Selector`.

        Raises
        ------
        InputError
            If several layers per control point or a budget are asked for, which the method does not know.
        """
        if task.layers_per_point != 1 or task.budget_s is not None:
            raise InputError("task", "several layers per control point, or a budget", "neither, for a swarm")
        if self.max_wet_mm.shape != (task.cost.shape[0],):
            found = f"shape {self.max_wet_mm.shape}"
            raise InputError("particle_swarm.max_wet_mm", found, f"({task.cost.shape[0]},)")
        starts = sector_starts(self.max_wet_mm[task.delivered], self.sectors)
        energies = _swarm(
            task.slot_cost,
            task.time_weight * task.table.seconds,
            starts,
            self.particles,
            self.iterations,
            np.random.default_rng(self.seed),
        )
        return task.selection(energies, "particle swarm")


def sector_starts(depth_mm: NDArray[np.float64], sectors: int) -> NDArray[np.int64]:
    """First control point of each sector: even parts, each moved to the deepest point near its beginning."""
    n = depth_mm.size
    sectors = min(sectors, n)
    half = n / sectors / 2.0
    starts = [0]
    for i in range(1, sectors):
        low = max(int(np.ceil((i - 0.5) * 2 * half)), starts[-1] + 1)
        high = min(int(np.floor((i + 0.5) * 2 * half)), n - sectors + i)
        if high >= low:
            starts.append(low + int(np.argmax(depth_mm[low : high + 1])))
    return np.array(starts, dtype=np.int64)


@njit(cache=True, error_model="numpy")
def _swarm(cost, price, starts, particles, iterations, random):  # type: ignore[no-untyped-def]
    """Best sequence that the swarm finds."""
    slots = cost.shape[0]
    lowest, highest = np.empty(slots, dtype=np.int64), np.empty(slots, dtype=np.int64)
    for s in range(slots):
        usable = np.flatnonzero(np.isfinite(cost[s]))
        lowest[s], highest[s] = usable[0], usable[-1]
    place = np.empty((particles, slots))
    for p in range(particles):
        for s in range(slots):
            place[p, s] = lowest[s] + random.random() * (highest[s] - lowest[s])
    speed = np.zeros((particles, slots))
    own, own_value = place.copy(), np.full(particles, np.inf)
    best, best_value = place[0].copy(), np.inf
    path, sorted_place = np.empty(slots, dtype=np.int64), np.empty(slots)
    answer = np.empty(slots, dtype=np.int64)
    for _ in range(iterations):
        for p in range(particles):
            value = _decoded(place[p], cost, price, starts, lowest, sorted_place, path)
            if value < own_value[p]:
                own_value[p] = value
                own[p] = place[p]
            if value < best_value:
                best_value = value
                best[:] = place[p]
                answer[:] = path
        for p in range(particles):
            for s in range(slots):
                speed[p, s] = (
                    INERTIA * speed[p, s]
                    + ATTRACTION * random.random() * (own[p, s] - place[p, s])
                    + ATTRACTION * random.random() * (best[s] - place[p, s])
                )
                place[p, s] = min(max(place[p, s] + speed[p, s], lowest[s]), highest[s])
    return answer


@njit(cache=True, error_model="numpy")
def _decoded(place, cost, price, starts, lowest, sorted_place, path):  # type: ignore[no-untyped-def]
    """Sequence of a particle, falling within each sector, and its value."""
    slots = cost.shape[0]
    for k in range(starts.size):
        first = starts[k]
        last = starts[k + 1] if k + 1 < starts.size else slots
        sorted_place[first:last] = -np.sort(-place[first:last])
        for s in range(first, last):
            room = lowest[s] + (last - 1 - s)  # for the sector's remaining falls
            wanted = max(int(sorted_place[s] + 0.5), room)
            if s > first:
                wanted = min(wanted, path[s - 1] - 1)
            path[s] = _nearest(cost[s], max(wanted, 0))
    value = cost[0, path[0]]
    for s in range(1, slots):
        value += cost[s, path[s]] + price[path[s - 1], path[s]]
    return value


@njit(cache=True, error_model="numpy")
def _nearest(cost, wanted):  # type: ignore[no-untyped-def]
    """Usable energy nearest to a wanted one, the lower of two alike."""
    for away in range(cost.size):
        if wanted - away >= 0 and np.isfinite(cost[wanted - away]):
            return wanted - away
        if wanted + away < cost.size and np.isfinite(cost[wanted + away]):
            return wanted + away
    return wanted
