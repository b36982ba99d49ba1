"""The neck and the glands: spine, pharynx and larynx, muscles, vessels, parotids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import AIR_HU, Block, Layer, bone, grained
from isodose.patient.builtin.head.cranium import STEM_ENDS_AT_MM
from isodose.patient.builtin.shapes import Distances, Shape, Union, half_space
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.spine import Column, Vertebra, column
from isodose.patient.builtin.variation import SIDES, Variation


@dataclass(frozen=True, slots=True)
class Neck:
    """Shapes of the neck that other parts need, and its layers."""

    spine: Column
    cord: Shape
    airway: Shape
    nasopharynx: Shape
    parotid: Mapping[float, Shape]
    submandibular: Mapping[float, Shape]
    larynx: Shape
    oesophagus: Shape
    soft: list[Layer]
    bones: list[Layer]
    cavities: list[Layer]
    ear_canals: list[Layer]


def neck(mandible: Shape, vary: Variation) -> Neck:
    """Neck of one anatomy; the parotids fold round the jaw."""
    spine = _spine(vary)
    nasopharynx = Ellipsoid((0, -5, 0), (13 * vary.factor(0.08), 7, 12))
    larynx_z = -92.0 + vary.shift(3.0)
    airway = _airway(nasopharynx, larynx_z, vary)
    larynx = Ellipsoid((0, -17, larynx_z), (19, 17, 20), power=2.5)
    oesophagus = Tube([(0, -1, larynx_z - 22), (1, 0, -128), (2, 2, -160)], 6.5, stretch=(1.4, 0.85, 1.0))
    parotid = {s: _parotid(s, mandible, vary) for s in SIDES}
    submandibular = {
        s: Ellipsoid((s * 28, -30 + vary.shift(1.5), -74), (9, 16, 14 * vary.factor(0.06)), (10, 0, s * 20))
        - mandible.grown(1.5)
        for s in SIDES
    }
    soft = [layer for s in SIDES for layer in _side(s, larynx_z, vary)]
    prevertebral = Tube([(0, 9, -12), (0, 9, -60), (0, 3, -110), (0, 8, -150)], 5.5, stretch=(2.6, 1, 1))
    soft += [
        Layer(prevertebral, grained(58.0, 3.0, 6.0)),
        Layer(larynx - half_space("z", below_mm=larynx_z - 16), grained(45.0, 5.0, 8.0)),
        *(Layer(shape, grained(-8.0, 14.0, 12.0)) for shape in parotid.values()),
        *(Layer(shape, grained(32.0, 6.0, 6.0)) for shape in submandibular.values()),
        Layer(oesophagus, grained(40.0, 3.0, 6.0)),
    ]
    bones = [*spine.layers(1050.0, 320.0), Layer(_atlas(), bone(1050.0, 450.0, 1.3)), *_larynx(larynx_z)]
    canal = spine.layers(0.0, 0.0)[2:]
    cavities = [
        *canal,
        Layer(airway.grown(1.5) - half_space("z", above_mm=-20.0), 45.0),
        Layer(airway, AIR_HU),
        *(layer for s in SIDES for layer in _ear(s)),
    ]
    canals = [
        Layer(Tube([(s * 82, 22, 5), (s * 66, 18, 6), (s * 48, 17, 8)], (3.4, 3.0, 3.2)), AIR_HU)
        for s in SIDES
    ]
    cord = spine.cord & half_space("z", below_mm=STEM_ENDS_AT_MM)
    return Neck(
        spine,
        cord,
        airway,
        nasopharynx,
        parotid,
        submandibular,
        larynx,
        oesophagus,
        soft,
        bones,
        cavities,
        canals,
    )


def _spine(vary: Variation) -> Column:
    bow = vary.shift(2.5)
    heights = np.array([0.0, -14, -33, -52, -70, -88, -107, -126, -146, -166])
    y = np.array([34.0, 34, 35, 35 - bow, 34 - bow, 33 - bow, 33, 35, 39, 44])
    line = np.column_stack([np.zeros_like(y), y, heights])
    vertebrae = [
        Vertebra(
            (0.0, float(y[i]), float(heights[i])), 12.0 + 0.8 * (i - 2), 8.0, 6.6, 8.2, spinous, 4.0, 27.0
        )
        for i, spinous in zip(range(2, 9), (16, 12, 13, 15, 20, 27, 30), strict=True)
    ]
    return column(vertebrae, line[1:], 5.0 * vary.factor(0.05), cord_flatness=1.3)


def _atlas() -> Shape:
    """First vertebra and the dens of the second."""
    angle = np.linspace(0, 2 * np.pi, 17)
    ring = np.column_stack([20 * np.sin(angle), 29 - 18 * np.cos(angle), np.full(17, -17.0)])
    parts: list[Shape] = [Tube(ring, 3.4, stretch=(1.0, 1.0, 1.4))]
    parts.append(Tube([(0, 17.5, -34), (0, 17, -13)], (6.5, 4.2)))
    for s in SIDES:
        parts.append(Ellipsoid((s * 20, 27, -17), (8, 10, 8)))
        parts.append(Tube([(s * 22, 29, -17), (s * 38, 30, -17)], 4.0))
    return Union(parts, 1.5)


def _airway(nasopharynx: Shape, larynx_z: float, vary: Variation) -> Shape:
    width = vary.between(1.3, 1.9)
    pharynx = Tube(
        [(0, -4, -6), (0, -2, -28), (0, -4, -52), (0, -8, larynx_z + 18)],
        (6, 5.5, 6.5, 6),
        stretch=(width, 1.0, 1.0),
    )
    glottis = Tube(
        [(0, -9, larynx_z + 18), (0, -16, larynx_z), (0, -13, larynx_z - 20)], (6, 4.2, 7.5), (0.8, 1.3, 1)
    )
    trachea = Tube([(0, -13, larynx_z - 18), (0, -8, -160)], 8.2)
    piriform = [Ellipsoid((s * 13, -4, larynx_z + 6), (3.0, 4.5, 10), (0, 0, s * 20)) for s in SIDES]
    return Union([nasopharynx, pharynx, glottis, trachea, *piriform], 3.0)


def _larynx(z: float) -> list[Layer]:
    shield = []
    for s in SIDES:
        shield += [
            Tube([(0, -36, z + 2), (s * 10, -26, z + 2), (s * 18, -8, z + 4)], 2.0, stretch=(1, 1, 6.0))
        ]
    angle = np.linspace(0, 2 * np.pi, 13)
    cricoid = Tube(np.column_stack([12 * np.sin(angle), -13 - 12 * np.cos(angle), np.full(13, z - 18)]), 2.4)
    hyoid = [(s, y) for s, y in ((-20, -14), (-16, -30), (0, -40), (16, -30), (20, -14))]
    return [
        Layer(Union([*shield, cricoid]), _cartilage),
        Layer(Tube([(x, y, z + 30) for x, y in hyoid], 3.0), bone(650.0, 250.0, 1.3)),
    ]


def _cartilage(block: Block) -> Distances:
    """Cartilage, calcified in places."""
    return np.asarray(110.0 + 260.0 * np.clip(block.coarse, 0, 1.5) + 20.0 * block.fine, dtype=np.float32)


def _parotid(s: float, mandible: Shape, vary: Variation) -> Shape:
    size = vary.factor(0.06)
    superficial = Ellipsoid((s * 58, 3, -30), (12 * size, 23 * size, 29 * size), (10, 0, -s * 8))
    deep = Ellipsoid((s * 51, 15, -28), (13 * size, 10.5 * size, 25 * size))
    gland = Union([superficial, deep], 8.0)
    return (gland - mandible.grown(1.5)) - Tube([(s * 57, 42, -4), (s * 52, 36, -50)], 8.0)


def _side(s: float, larynx_z: float, vary: Variation) -> list[Layer]:
    mastoid, collar = (s * 57, 36, -12), (s * 20, -18, -145)
    carotid = [(s * 27, 6, 5), (s * 25, 4, -60), (s * 24, 4, -150)]
    jugular = [(s * 33, 14, 2), (s * 34, 10, -60), (s * 31, 8, -150)]
    masseter = Ellipsoid((s * 54, -20, -38), (7.5, 17, 28), (12, 0, 0))
    pterygoid = Ellipsoid((s * 33, -12, -24), (8, 11, 20), (0, s * 18, 0))
    temporalis = Ellipsoid((s * 66, -22, 24), (5.5, 30, 34))
    semispinalis = Ellipsoid((s * 15, 62, -70), (13, 13, 70), (4, 0, 0), power=2.5)
    splenius = Ellipsoid((s * 35, 52, -62), (9, 17, 62), (4, 0, s * 30))
    thyroid = Ellipsoid((s * 15, -14, larynx_z - 24), (8, 9, 20 * vary.factor(0.1)), (0, 0, s * 20))
    return [
        Layer(Ellipsoid((s * 33, 8, -75), (15, 15, 66), (4, 0, 0)), grained(-85.0, 10.0, 10.0)),
        Layer(Ellipsoid((s * 41, -58, -24), (15, 15, 22)), grained(-95.0, 8.0, 8.0)),
        Layer(semispinalis, grained(58.0, 4.0, 7.0)),
        Layer(splenius, grained(56.0, 4.0, 7.0)),
        Layer(
            Tube([mastoid, (s * 49, 10, -70), collar], (7, 9.5, 8), (0.8, 1.2, 1.0)), grained(58.0, 3.0, 7.0)
        ),
        Layer(Tube(carotid, 3.4), 47.0),
        Layer(Tube(jugular, 5.0), 45.0),
        Layer(masseter, grained(60.0, 3.0, 7.0)),
        Layer(pterygoid, grained(58.0, 3.0, 7.0)),
        Layer(temporalis, grained(57.0, 3.0, 7.0)),
        Layer(thyroid, grained(100.0, 6.0, 6.0)),
    ]


def _ear(s: float) -> list[Layer]:
    drum = Ellipsoid((s * 43, 15, 8), (4.0, 4.0, 6.0))
    mastoid = Ellipsoid((s * 57, 34, -2), (8, 12, 16))
    return [Layer(mastoid, _mastoid_cells), Layer(drum, -750.0)]


def _mastoid_cells(block: Block) -> Distances:
    """Small air cells parted by thin bone, under a dense rind."""
    cells = np.where(block.fine > -0.1, -550.0, 650.0)
    rind = np.clip(2.5 - block.depth, 0, 1)
    return np.asarray(cells + rind * (900.0 - cells), dtype=np.float32)
