"""Between the lungs: heart, great vessels, oesophagus, and the fat that holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import Layer, grained
from isodose.patient.builtin.shapes import Ellipsoid, Shape, Tube, Union
from isodose.patient.builtin.spine import Column as Spine
from isodose.patient.builtin.variation import Variation


@dataclass(frozen=True, slots=True)
class Mediastinum:
    """Shapes between the lungs, and their layers."""

    whole: Shape
    heart: Shape
    aorta: Shape
    oesophagus: Shape
    layers: list[Layer]


def mediastinum(spine: Spine, vary: Variation) -> Mediastinum:
    """Mediastinum of one anatomy."""
    size, left = vary.factor(0.05), vary.shift(3.0)
    heart = Union(
        [
            Ellipsoid((26 + left, -36, -48), (55 * size, 41 * size, 45 * size), (15, -28, -30)),
            Ellipsoid((-12 + left, -22, -32), (34 * size, 34 * size, 40 * size)),
        ],
        14.0,
    )
    arch = [(-8, -22, -8), (-14, -28, 24), (-8, -16, 48), (6, 8, 60), (20, 32, 52), (27, 46, 32)]
    down = [(27, 50, 10), (25, 52, -60), (16, 50, -130), (8, 46, -200)]
    aorta = Tube(arch + down, [15, 15.5, 14.5, 13.5, 13, 12.5, 12.5, 12, 11.5, 11])
    pulmonary = Tube([(14, -36, -8), (12, -22, 18), (2, -2, 24)], (13.5, 13.5, 11))
    arteries = [Tube([(2, -2, 24), (s * 26, 6, 22), (s * 46, 14, 14)], (10.5, 9.5, 7)) for s in (1.0, -1.0)]
    cava = Tube([(-24, -8, -30), (-27, -14, 20), (-22, -18, 80), (-10, -16, 106), (24, -14, 112)], 9.0)
    lower_cava = Tube([(-22, 4, -60), (-24, 12, -100), (-20, 20, -200)], 11.0)
    necks = [
        Tube([a, b], r)
        for a, b, r in (
            ((-8, -14, 56), (-24, 0, 160), 6.0),
            ((6, 0, 66), (22, 0, 160), 4.8),
            ((16, 16, 64), (30, 20, 130), 5.2),
        )
    ]
    oesophagus = Tube(
        [(3, 32, 170), (6, 38, 100), (4, 37, 50), (5, 33, 0), (9, 28, -60), (16, 20, -105), (26, 6, -135)],
        7.2 * vary.factor(0.06),
        stretch=(1.25, 0.85, 1.0),
    )
    lumen = Tube([(4, 38, 120), (4, 37, 50), (5, 33, 0)], 1.8, stretch=(1.8, 1.0, 1.0))
    vessels = Union([pulmonary, *arteries, cava, lower_cava, *necks])
    core = Union(
        [
            Ellipsoid((0, 20, 45), (30, 34, 60), power=2.4),
            Ellipsoid((0, -2, 112), (34, 46, 62)),
            Ellipsoid((2, -20, 20), (33, 62, 46)),
            Ellipsoid((6, 34, -70), (32, 24, 90), power=2.4),
            Tube([(4, -62, 30), (14, -70, -60)], 12.0),
        ],
        12.0,
    )
    behind = Tube(spine.canal_line + np.array((0.0, 14.0, 0.0)), 23.0)
    whole = Union(
        [core, heart.grown(4.0), aorta.grown(2.0), vessels.grown(1.5), spine.bones.grown(3.0), behind], 8.0
    )
    layers = [
        Layer(core | heart.grown(4.0) | aorta.grown(3.0), grained(-95.0, 12.0, 12.0)),
        Layer(vessels, 42.0),
        Layer(heart, grained(42.0, 5.0, 5.0)),
        Layer(aorta, grained(44.0, 2.0, 3.0)),
        Layer(oesophagus, grained(38.0, 3.0, 6.0)),
        Layer(lumen, -500.0),
    ]
    return Mediastinum(whole, heart, aorta, oesophagus, layers)
