"""Thorax: lungs with vessels and one to three tumours, heart, great vessels, oesophagus, spine, curved ribs.

Lengths are those of adults (mm), arms raised; x to the patient's left, y to the back, z up. The first
tumour lies at the middle height of the CT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import Anatomy, Layer, Region, grained, muscle_with_fat_planes
from isodose.patient.builtin.shapes import Shape, Union
from isodose.patient.builtin.solids import Column, Ellipsoid
from isodose.patient.builtin.thorax.cage import cage_layers, spine
from isodose.patient.builtin.thorax.lungs import MIDDLE_Y, Lungs, cavity, lungs, parenchyma
from isodose.patient.builtin.thorax.mediastinum import Mediastinum, mediastinum
from isodose.patient.builtin.variation import SIDES, Variation
from isodose.patient.builtin.warp import StandingWaves
from isodose.patient.structure import Role

EXTENT_MM = (420.0, 304.0, 300.0)


@dataclass(frozen=True, slots=True)
class _Tumour:
    place: np.ndarray[tuple[int], np.dtype[np.float64]]
    gross: Shape
    clinical: Shape
    planning: Shape


def anatomy(seed: int) -> Anatomy:
    """Thorax of a seed."""
    vary = Variation((seed, 102))
    inside = cavity(vary)
    back = spine(vary)
    middle = mediastinum(back, vary)
    air = lungs(inside, middle, vary)
    place = _tumour_place(vary)
    tumours = [_tumour(air, place, vary.between(9.0, 19.0), vary)]
    for _ in range(int(vary.rng.integers(0, 3))):
        other = _tumour_place(vary)
        other[0] *= -np.sign(other[0] * place[0]) if len(tumours) == 1 else 1.0
        if all(np.linalg.norm(other - t.place) > 60.0 for t in tumours):
            tumours.append(_tumour(air, other, vary.between(5.0, 9.0), vary))
    skin, surface, wall = _wall(inside, vary)
    layers = [
        *wall,
        Layer(inside, grained(-90.0, 10.0, 10.0)),
        *_abdomen(air, inside, vary),
        *cage_layers(inside, vary),
        *middle.layers,
        *back.layers(800.0, 190.0),
    ]
    texture = parenchyma(vary)
    for s in SIDES:
        layers += [Layer(air.lung[s], texture), Layer(air.vessels[s] & air.lung[s], grained(35.0, 0.0, 8.0))]
    layers += [
        Layer(air.bronchi.grown(1.2), 20.0),
        Layer(air.bronchi, -990.0),
        Layer(middle.trachea.grown(1.6), 55.0),
        Layer(middle.trachea, -1000.0),
        *(Layer(t.gross, grained(35.0, 8.0, 8.0)) for t in tumours),
    ]
    scale = (vary.factor(0.04), vary.factor(0.04), vary.factor(0.03))
    warp = StandingWaves.random(vary.rng, 1.3, scale).moved((0.0, -12.0, float(place[2])))
    interior = skin.grown(-2.0)
    regions = _regions(air, middle, back.cord, tumours, skin.grown(-3.0))
    return Anatomy("thorax", EXTENT_MM, skin, surface, interior, layers, [], regions, warp, seed=seed)


def _wall(inside: Column, vary: Variation) -> tuple[Shape, list[Layer], list[Layer]]:
    """Skin, fat and muscle round the rib cage; breasts where the anatomy has them."""
    female = vary.chance(0.5)
    muscle, fat = vary.between(10.0, 17.0), vary.between(6.0, 22.0)
    z = np.array([-190.0, -140, -80, -20, 40, 80, 110, 150])
    half = np.interp(z, inside.heights, inside.rows[0])
    half = np.maximum(half, np.array([0.0, 0, 0, 0, 116, 132, 150, 158]) - 6.0)
    front = np.maximum(np.interp(z, inside.heights, inside.rows[1]), np.array([0.0, 0, 0, 0, 0, 62, 56, 46]))
    rear = np.maximum(np.interp(z, inside.heights, inside.rows[2]), 88.0)
    body = Column(z, half + 8.0, front + 8.0, rear + 8.0, MIDDLE_Y, power=2.5)
    parts: list[Shape] = [body.grown(muscle)]
    latissimus = [Ellipsoid((s * 118, 40, -10), (22, 38, 95), (0, 0, -s * 15)) for s in SIDES]
    trunk = Union([*parts, *latissimus], 15.0)
    outline = trunk.grown(fat)
    layers = [Layer(trunk, muscle_with_fat_planes(56.0, -90.0, 0.16))]
    pectoral: list[Layer] = []
    if female:
        size = vary.between(0.8, 1.2)
        chest = float(-inside.rows[1].max()) + MIDDLE_Y - 8.0 - muscle - fat
        breasts = [
            Ellipsoid((s * 78, chest + 10.0, -24), (60 * size, 32 * size, 58 * size), (0, 0, s * 22))
            for s in SIDES
        ]
        glands = Union([b.grown(-12.0) for b in breasts])
        outline = Union([outline, *breasts], 18.0)
        pectoral = [Layer(glands - trunk, grained(-25.0, 38.0, 22.0))]
    surface = [Layer(outline, 0.0), Layer(outline.grown(-1.8), grained(-100.0, 7.0, 8.0))]
    return outline, surface, [*layers, *pectoral]


def _abdomen(air: Lungs, inside: Column, vary: Variation) -> list[Layer]:
    """Organs that the domes of the diaphragm cover: liver on the right, stomach and spleen on the left."""
    within = inside.grown(-2.0)
    liver = Union([air.dome[-1.0].grown(-3.0), Ellipsoid((6, -28, -125), (60, 46, 36))], 10.0) & within
    stomach = Ellipsoid((62, -22, -138), (38, 34, 40))
    bubble = Ellipsoid((64, -40 + vary.shift(4.0), -122), (22, 16, 18))
    spleen = Ellipsoid((96, 44, -138), (24, 40, 38), (0, 0, -20))
    return [
        Layer((air.dome[1.0] | air.dome[-1.0]) & within, 45.0),
        Layer((air.dome[1.0].grown(-3.0)) & within, grained(-95.0, 10.0, 10.0)),
        Layer(liver, grained(60.0, 3.0, 4.0)),
        Layer(stomach & within, grained(40.0, 4.0, 4.0)),
        Layer(bubble & within, -960.0),
        Layer(spleen & within, grained(50.0, 3.0, 4.0)),
    ]


def _tumour_place(vary: Variation) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    side = 1.0 if vary.chance(0.45) else -1.0
    return np.array([side * vary.between(62, 92), vary.between(-22, 48), vary.between(-35, 60)])


def _tumour(
    air: Lungs, place: np.ndarray[tuple[int], np.dtype[np.float64]], radius: float, vary: Variation
) -> _Tumour:
    """Irregular tumour in a lung; the clinical volume keeps to the lung, the planning volume does not."""
    knots: list[Shape] = [Ellipsoid(place, radius * vary.rng.uniform(0.8, 1.1, 3))]
    for _ in range(4):
        away = vary.rng.normal(size=3)
        centre = place + 0.6 * radius * away / np.linalg.norm(away)
        knots.append(Ellipsoid(centre, radius * vary.rng.uniform(0.4, 0.65, 3)))
    lung = air.lung[float(np.sign(place[0]))]
    gross = Union(knots, 0.4 * radius) & lung.grown(1.0)
    clinical = Union(knots, 0.4 * radius).grown(5.0) & lung.grown(2.0)
    return _Tumour(place, gross, clinical, clinical.grown(5.0))


def _regions(
    air: Lungs, middle: Mediastinum, cord: Shape, tumours: list[_Tumour], inside: Shape
) -> list[Region]:
    gross = Union([t.gross for t in tumours])
    regions: list[Region] = []
    for i, t in enumerate(tumours):
        suffix = "" if i == 0 else str(i + 1)
        regions += [
            Region(f"GTV{suffix}", Role.GTV, t.gross, (200, 30, 30)),
            Region(f"CTV{suffix}", Role.CTV, t.clinical & inside, (230, 90, 60)),
            Region(f"PTV{suffix}", Role.PTV, t.planning & inside, (255, 40, 40)),
        ]
    organs = (
        ("Lung_L", (air.lung[1.0] - gross) - air.bronchi, (80, 160, 255)),
        ("Lung_R", (air.lung[-1.0] - gross) - air.bronchi, (60, 200, 220)),
        ("Heart", middle.heart, (230, 110, 150)),
        ("A_Aorta", middle.aorta, (220, 60, 160)),
        ("Esophagus", middle.oesophagus, (190, 150, 60)),
        ("SpinalCord", cord, (70, 90, 230)),
        ("Trachea", middle.trachea, (160, 220, 160)),
    )
    return [*regions, *(Region(name, Role.ORGAN, shape, colour) for name, shape, colour in organs)]
