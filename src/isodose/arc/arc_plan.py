"""Plans of an arc: chosen layers become beams, one a control point, with spots ready to be weighted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.arc.spot_counts import SpotCounts
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.optimise.weighted_plan import with_weights
from isodose.plan.plan import Beam, Layer, Plan, Spots


@dataclass(frozen=True, slots=True, eq=False)
class ArcSpots:
    """Spots of an arc's layers, in the order of an influence matrix's columns.

    Parameters
    ----------
    plan
        A beam per control point.
    counts
        Control points and energies.
    point, energy
        Control point and energy of each spot, ``(spots,)``.
    """

    plan: Plan
    counts: SpotCounts
    point: NDArray[np.int64]
    energy: NDArray[np.int64]

    def only(self, columns: NDArray[np.int64]) -> ArcSpots:
        """Some of the spots, by their ascending numbers."""
        wanted = np.zeros(self.point.size)
        wanted[columns] = 1.0
        plan = with_weights(self.plan, wanted)
        return ArcSpots(plan, self.counts, self.point[columns], self.energy[columns])

    def of_layers(self, chosen: NDArray[np.bool_]) -> ArcSpots:
        """Spots of chosen layers ``(points, energies)``."""
        return self.only(np.flatnonzero(chosen[self.point, self.energy]))


def arc_plan(
    counts: SpotCounts,
    machine: Machine,
    chosen: NDArray[np.bool_] | None = None,
    *,
    name: str = "arc",
    particles_per_spot: float = 1e6,
    fractions: int = 1,
    prescription_gy: float | None = None,
    target: str | None = None,
) -> Plan:
    """Plan with a beam per control point and its layers from high to low energy.

    Parameters
    ----------
    counts
        Control points and spots.
    machine
        What delivers it.
    chosen
        Which layers, ``(points, energies)``, such as `Selection.chosen` gives; by default all that have a
        spot. Control points without a layer have no beam.
    name, fractions, prescription_gy, target
        As in `Plan`.
    particles_per_spot
        Weight of every spot until an optimiser finds better.

    Raises
    ------
    InputError
        If no layer is chosen, or one without spots is.
    """
    wanted = _wanted(counts, chosen)
    beams = tuple(
        _beam(counts, int(g), wanted[g], particles_per_spot) for g in np.flatnonzero(wanted.any(axis=1))
    )
    if not beams:
        raise InputError("chosen", "no layer", "at least one")
    return Plan(name, machine.ion, machine.name, beams, fractions, prescription_gy, target)


def _wanted(counts: SpotCounts, chosen: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Layers chosen, by default all that have a spot; one without is refused."""
    wanted = counts.allowed if chosen is None else np.asarray(chosen, dtype=np.bool_)
    if wanted.shape != counts.target.shape:
        raise InputError("chosen", f"shape {wanted.shape}", f"{counts.target.shape}")
    empty = np.argwhere(wanted & ~counts.allowed)
    if len(empty):
        g, e = empty[0]
        found = f"control point {g} at {counts.energies_mev_u[e]:g} MeV/u, which has no spot there"
        raise InputError("chosen", found, "layers with spots")
    return wanted


def _beam(counts: SpotCounts, g: int, energies: NDArray[np.bool_], particles: float) -> Beam:
    """Beam of a control point with layers of some of the energies, from high to low."""
    point = counts.points[g]
    gantry = point.gantry_angle_deg % 360.0
    layers = tuple(
        Layer(float(counts.energies_mev_u[e]), _spots(counts, g, int(e), particles))
        for e in np.flatnonzero(energies)[::-1]
    )
    label = f"{point.arc + 1}.{g + 1}: gantry {gantry:g}"
    return Beam(label, gantry, point.couch_angle_deg, counts.isocentre_mm, layers, point.range_shifter)


def _spots(counts: SpotCounts, point: int, energy: int, particles: float) -> Spots:
    used, view = counts.spots(point, energy), counts.views[point]
    return Spots(view.x_mm[used], view.y_mm[used], np.full(int(used.sum()), particles))


def layer_columns(
    counts: SpotCounts, chosen: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Control point and energy of every spot of `arc_plan`, in the order of an influence matrix's columns."""
    point, energy = [], []
    for g, e, number in _layers(counts, counts.allowed if chosen is None else chosen):
        point.append(np.full(number, g))
        energy.append(np.full(number, e))
    return np.concatenate(point), np.concatenate(energy)


def _layers(counts: SpotCounts, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    for g in range(len(counts.points)):
        for e in np.flatnonzero(wanted[g])[::-1]:
            yield g, int(e), int(counts.target[g, e])
