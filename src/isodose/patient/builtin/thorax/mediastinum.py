"""Between the lungs: heart, great vessels, oesophagus, and the fat that holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import Layer, grained
from isodose.patient.builtin.shapes import Shape, Union
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.spine import Column as Spine
from isodose.patient.builtin.variation import Variation


@dataclass(frozen=True, slots=True)
class Mediastinum:
    """Shapes between the lungs, and their layers."""

    whole: Shape
    heart: Shape
    aorta: Shape
    oesophagus: Shape
    trachea: Shape
    carina_y: float
    layers: list[Layer]


def mediastinum(spine: Spine, vary: Variation) -> Mediastinum:
    """Mediastinum of one anatomy."""
    front = spine.front_y
    heart, aorta, vessels, core = _heart(vary), _aorta(spine), _vessels(), _core()
    path = [(x, front(z) - 9.5, z) for x, z in ((3, 230), (6, 100), (4, 50), (5, 0), (9, -60))]
    oesophagus = Tube(
        [*path, (16, front(-105) - 18, -105), (26, front(-135) - 34, -135)],
        7.2 * vary.factor(0.06),
        stretch=(1.25, 0.85, 1.0),
    )
    lumen = Tube([(x, y + 1.0, z) for x, y, z in path[1:4]], 1.8, stretch=(1.8, 1.0, 1.0))
    trachea = Tube([(0, front(z) - 26.0, z) for z in (230, 100, 50)], 9.0 * vary.factor(0.05))
    behind = Tube(spine.canal_line + np.array((0.0, 14.0, 0.0)), 23.0)
    whole = Union(
        [
            core,
            heart.grown(4.0),
            aorta.grown(2.0),
            vessels.grown(1.5),
            trachea.grown(3.0),
            spine.bones.grown(3.0),
            oesophagus.grown(1.0),
            behind,
        ],
        8.0,
    )
    layers = [
        Layer(core | heart.grown(4.0) | aorta.grown(3.0), grained(-95.0, 12.0, 12.0)),
        Layer(vessels, 42.0),
        Layer(heart, grained(42.0, 5.0, 5.0)),
        Layer(aorta, grained(44.0, 2.0, 3.0)),
        Layer(oesophagus, grained(38.0, 3.0, 6.0)),
        Layer(lumen, -500.0),
    ]
    return Mediastinum(whole, heart, aorta - heart, oesophagus, trachea, front(50) - 26.0, layers)


def _heart(vary: Variation) -> Shape:
    """Ventricles, and the atria behind and to the right of them."""
    size, left = vary.factor(0.05), vary.shift(3.0)
    return Union(
        [
            Ellipsoid((26 + left, -36, -48), (55 * size, 41 * size, 45 * size), (15, -28, -30)),
            Ellipsoid((-12 + left, -22, -32), (34 * size, 34 * size, 40 * size)),
        ],
        14.0,
    )


def _aorta(spine: Spine) -> Shape:
    """Aorta from the heart over its arch, and down along the spine."""
    front = spine.front_y
    arch = [(-8, -22, -8), (-14, -30, 24), (-8, -24, 46), (12, -8, 60), (28, 14, 58), (33, front(44) + 2, 42)]
    down = [
        (33, front(10) + 7, 10),
        (32, front(-60) + 6, -60),
        (25, front(-130) - 6, -130),
        (10, front(-200) - 14, -200),
    ]
    return Tube(arch + down, [15, 15.5, 14.5, 13.5, 13, 12.5, 12.5, 12, 11.5, 11])


def _vessels() -> Shape:
    """Great vessels but the aorta: pulmonary trunk and arteries, venae cavae, arteries of neck and arm."""
    pulmonary = Tube([(14, -36, -8), (12, -22, 18), (2, -2, 24)], (13.5, 13.5, 11))
    arteries = [Tube([(2, -2, 24), (s * 26, 6, 22), (s * 46, 14, 14)], (10.5, 9.5, 7)) for s in (1.0, -1.0)]
    cava = Tube([(-24, -8, -30), (-27, -14, 20), (-22, -18, 80), (-10, -16, 106), (24, -14, 112)], 9.0)
    lower_cava = Tube([(-22, 4, -60), (-24, 12, -100), (-20, 20, -200)], 11.0)
    necks = [
        Tube([a, b], r)
        for a, b, r in (
            ((-8, -14, 56), (-24, 0, 230), 6.0),
            ((6, 0, 66), (22, 0, 230), 4.8),
            ((16, 16, 64), (34, 20, 130), 5.2),
        )
    ]
    return Union([pulmonary, *arteries, cava, lower_cava, *necks])


def _core() -> Shape:
    """Fat in which heart, vessels and airways lie."""
    return Union(
        [
            Ellipsoid((0, 20, 45), (30, 34, 60), power=2.4),
            Ellipsoid((0, -2, 112), (34, 46, 62)),
            Ellipsoid((2, -20, 20), (33, 62, 46)),
            Ellipsoid((6, 34, -70), (32, 24, 90), power=2.4),
            Tube([(4, -62, 30), (14, -70, -60)], 12.0),
        ],
        12.0,
    )
