"""Groups of an arc's spots, two by two neighbours of a layer, and wider spots in the place of groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isodose.arc.arc_plan import ArcSpots
from isodose.machine.machine import Machine
from isodose.plan.plan import Layer, Spots

if TYPE_CHECKING:
    from isodose.arc.arc_influence import ArcInfluence


def spot_groups(arc: ArcInfluence | ArcSpots) -> NDArray[np.int64]:
    """Group of each of an arc's spots ``(spots,)``: two by two neighbours of a layer."""
    spacing = arc.counts.lattice.spacing_mm
    x, y = (
        np.concatenate([getattr(layer.spots, name) for beam in arc.plan.beams for layer in beam.layers])
        for name in ("x_mm", "y_mm")
    )
    column, row = (np.rint(place / spacing).astype(np.int64) // 2 for place in (x, y))
    places = np.column_stack([arc.point, arc.energy, row, column])
    return np.asarray(np.unique(places, axis=0, return_inverse=True)[1].ravel())


def wide_spots(spots: ArcSpots, machine: Machine) -> ArcSpots:
    """One spot in the place of each of `spot_groups`, in its middle and as wide as four in their places.

    Its dose is nearly that of the group with equal weights, at the price of one. Groups of fewer than four at
    the edge become as wide as the others.

    Parameters
    ----------
    spots
        Of whole layers.
    machine
        Gives the size of single spots.
    """
    groups, spacing = spot_groups(spots), spots.counts.lattice.spacing_mm
    beams, firsts, at = [], [], 0
    for beam in spots.plan.beams:
        layers = []
        for layer in beam.layers:
            _, first, group = np.unique(
                groups[at : at + len(layer.spots)], return_index=True, return_inverse=True
            )
            layers.append(_widened(layer, group, machine, 0.5 * spacing))
            firsts.append(at + first)
            at += len(layer.spots)
        beams.append(replace(beam, layers=tuple(layers)))
    kept = np.concatenate(firsts)
    plan = replace(spots.plan, beams=tuple(beams))
    return ArcSpots(plan, spots.counts, spots.point[kept], spots.energy[kept])


def _widened(layer: Layer, group: NDArray[np.int64], machine: Machine, half_mm: float) -> Layer:
    """Layer of the middles of groups; four spots half a spacing from their middle add its square."""
    spots, count = layer.spots, np.bincount(group)
    x, y = (np.bincount(group, place) / count for place in (spots.x_mm, spots.y_mm))
    wide_x, wide_y = (float(np.hypot(sigma, half_mm)) for sigma in layer.spot_sigma_mm(machine))
    particles = np.asarray(np.bincount(group, spots.particles), dtype=np.float64)
    return replace(layer, spots=Spots(x, y, particles), sigma_mm=(wide_x, wide_y))
