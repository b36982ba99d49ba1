"""Soft organs of the male pelvis: prostate, vesicles, bladder, rectum with gas, bowel, muscles, vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import Block, Layer, grained
from isodose.patient.builtin.shapes import Distances, Shape, Union
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.variation import SIDES, Variation


@dataclass(frozen=True, slots=True)
class Organs:
    """Shapes of the organs, and their layers in two passes: muscles below, organs above the bones."""

    prostate: Shape
    seminal_vesicles: Shape
    bladder: Shape
    rectum: Shape
    bulb: Shape
    bowel: Shape
    cavity: Shape
    muscles: list[Layer]
    layers: list[Layer]


def organs(vary: Variation) -> Organs:
    """Organs of one anatomy: every seed fills bladder and rectum differently."""
    size = vary.between(0.85, 1.2)
    prostate = Union(
        [
            Ellipsoid((0, 0, 2), (24 * size, 16 * size, 19 * size), (-12, 0, 0)),
            Ellipsoid((0, 2, -10), (16 * size, 13 * size, 14 * size)),
        ],
        8.0,
    )
    behind = 16.0 * size
    vesicles = Union(
        [
            Tube(
                [
                    (s * 4, behind - 6, 17 * size),
                    (s * 17, behind - 4, 25 * size),
                    (s * 31, behind + 3, 29 * size),
                ],
                np.array([4.5, 6.0, 4.5]) * vary.factor(0.1),
                stretch=(1.0, 0.85, 1.1),
            )
            for s in SIDES
        ],
        3.0,
    ) - prostate.grown(0.3)
    rectum, gas = _rectum(behind, vary)
    rectum = (rectum - prostate.grown(1.5)) - vesicles.grown(1.0)
    fill = vary.between(0.75, 1.2)
    full = Ellipsoid(
        (0, -24, 20 * size + 27 * fill), (44 * fill, 36 * fill, 33 * fill), (-14, 0, 0), power=2.2
    )
    bladder: Shape = Union([full, Ellipsoid((0, -10, 20 * size), (18, 16, 10))], 10.0)
    bladder = (bladder - prostate.grown(1.0)) - Union([vesicles, rectum]).grown(1.5)
    bulb = Ellipsoid((0, 6, -44), (9, 10, 7))
    cavity = Union(
        [
            Ellipsoid((0, 10, 50), (58, 62, 70), power=2.4),
            Ellipsoid((0, -15, 130), (100, 72, 70), power=2.4),
            Ellipsoid((0, 15, -10), (42, 48, 36), power=2.2),
        ],
        14.0,
    )
    bowel = (Ellipsoid((0, -28, 122), (92, 54, 46), power=2.6) - bladder.grown(3.0)) - rectum.grown(2.0)
    layers = [
        Layer(bowel, _bowel),
        Layer(bladder, 40.0),
        Layer(bladder.grown(-3.0), grained(6.0, 1.0, 1.5)),
        Layer(rectum, grained(38.0, 5.0, 8.0)),
        Layer(gas & rectum.grown(-2.5), -950.0),
        Layer(vesicles, grained(32.0, 4.0, 5.0)),
        Layer(prostate, grained(42.0, 4.0, 5.0)),
        Layer(bulb, 50.0),
    ]
    return Organs(prostate, vesicles, bladder, rectum, bulb, bowel, cavity, _muscles(), layers)


def _rectum(behind: float, vary: Variation) -> tuple[Shape, Shape]:
    wide = vary.between(0.8, 1.25)
    y = behind + 14.0 * wide
    line = [
        (0, 34, -62),
        (0, 34, -40),
        (0, y + 1, -18),
        (0, y, 4),
        (2, y + 6, 28),
        (6, y + 18, 52),
        (16, y + 20, 78),
    ]
    radii = np.array([7.0, 8.5, 13.5 * wide, 15.0 * wide, 15.0 * wide, 13.5, 12.0])
    wall = Tube(line, radii, stretch=(1.2, 0.9, 1.0))
    pockets: list[Shape] = []
    for _ in range(int(vary.rng.integers(1, 4))):
        where = vary.between(2.0, 5.0)
        i = int(where)
        place = np.array(line[i]) + (where - i) * (np.array(line[i + 1]) - np.array(line[i]))
        pockets.append(Ellipsoid(place + np.array((0, -3, 0)), np.array([9, 6, 11]) * vary.between(0.7, 1.3)))
    return wall, Union(pockets, 3.0)


def _bowel(block: Block) -> Distances:
    """Loops of bowel parted by fat, some with gas towards the front."""
    plane = np.exp(-((block.coarse / np.float32(0.28)) ** 2))
    content = 35.0 + 8.0 * block.fine
    gas = (block.coarse > 1.6) & (block.field.y[block.box] < -25.0)
    tissue = content + plane * (-95.0 - content)
    return np.asarray(np.where(gas, -880.0, tissue), dtype=np.float32)


def _muscles() -> list[Layer]:
    """Muscles that the fat planes of the wall would not show: beside the hip, inside the pelvis, behind."""
    layers: list[Layer] = []
    tone = grained(56.0, 4.0, 7.0)
    for s in SIDES:
        layers += [
            Layer(Ellipsoid((s * 82, 82, 28), (62, 34, 82), (0, -s * 18, -s * 28), power=2.4), tone),
            Layer(Ellipsoid((s * 128, 10, 60), (22, 48, 60), (0, -s * 15, -s * 25)), tone),
            Layer(Tube([(s * 52, -8, 130), (s * 72, -34, 60), (s * 96, -38, 5)], (21, 19, 15)), tone),
            Layer(Ellipsoid((s * 52, 8, 0), (7, 36, 34), (0, 0, s * 12)), tone),
            Layer(Tube([(s * 4, 36, -52), (s * 26, 20, -30), (s * 42, 6, -6)], 3.5, stretch=(1, 5, 1)), tone),
            Layer(Ellipsoid((s * 24, -72, 100), (22, 7, 110), (-6, 0, 0), power=2.6), tone),
            Layer(Ellipsoid((s * 36, 96, 150), (26, 20, 60), power=2.4), tone),
            Layer(Ellipsoid((s * 52, -28, -100), (26, 40, 76), (0, s * 8, 0)), tone),
            Layer(Ellipsoid((s * 104, -40, -110), (30, 30, 90), (0, s * 6, 0)), tone),
            Layer(Ellipsoid((s * 76, 48, -120), (36, 32, 80)), tone),
            Layer(
                Tube([(s * 40, 20, 120), (s * 52, -14, 80), (s * 64, -50, 20), (s * 74, -58, -40)], 6.0), 45.0
            ),
            Layer(
                Tube([(s * 34, 26, 120), (s * 46, -4, 80), (s * 56, -46, 20), (s * 66, -52, -40)], 6.5), 43.0
            ),
        ]
    return layers
