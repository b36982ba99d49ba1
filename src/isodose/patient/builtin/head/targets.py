"""A nasopharyngeal carcinoma: gross tumour, clinical volumes of primary and neck nodes, their margins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.head.cranium import Cranium
from isodose.patient.builtin.head.neck import Neck
from isodose.patient.builtin.shapes import Shape, Union
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.variation import SIDES, Variation


@dataclass(frozen=True, slots=True)
class Targets:
    """Tumour and target volumes."""

    gross: Shape
    clinical: Shape
    planning: Shape
    nodal: Shape
    nodal_planning: Shape


def targets(cranium: Cranium, neck: Neck, vary: Variation) -> Targets:
    """Targets of one anatomy; the tumour sits on either side of the vault, larger or smaller."""
    side = 1.0 if vary.chance(0.5) else -1.0
    size = vary.between(0.95, 1.5)
    knots = [
        Ellipsoid((side * 8, 4, 2), (15 * size, 9 * size, 13 * size), (0, 0, side * vary.between(0, 30)))
    ]
    for _ in range(4):
        place = np.array([side * vary.between(0, 20), vary.between(-3, 7), vary.between(-12, 12)])
        knots.append(Ellipsoid(place, np.array([7, 6, 8]) * size * vary.factor(0.2)))
    cochleae = Union(list(cranium.cochlea.values()))
    keep_off = Union(
        [cranium.brainstem.grown(3.5), neck.cord.grown(5.0), cranium.brain.grown(0.5), cochleae.grown(2.0)]
    )
    tumour = (Union(knots, 6.0) - cranium.brainstem.grown(6.0)) - cochleae.grown(4.0)
    gross = (tumour - cranium.brain.grown(1.5)) - neck.airway
    wall = Union([neck.nasopharynx.grown(5.0), Ellipsoid((0, 7, 4), (17, 9, 15))], 5.0)
    clinical = Union([tumour.grown(5.0), wall], 4.0) - keep_off
    planning = clinical.grown(3.0)
    chains: list[Shape] = []
    for s in SIDES:
        lower = -95.0 + vary.shift(8.0)
        chains.append(Tube([(s * 33, 12, -26), (s * 34, 8, -60), (s * 31, 6, lower)], (8, 10.5, 9)))
    nodal = Union(chains) - Union([clinical.grown(0.5), *(p.grown(0.5) for p in neck.parotid.values())])
    nodal = nodal - neck.spine.bones
    return Targets(gross, clinical, planning, nodal, nodal.grown(4.0))
