"""Male pelvis: prostate and vesicles between bladder and rectum, pelvic bones, femora, muscles and fat.

Lengths are those of adults (mm); the origin is the prostate; x to the patient's left, y to the back, z up.
"""

from __future__ import annotations

import numpy as np

from isodose.patient.builtin.anatomy import Anatomy, Layer, Region, grained, muscle_with_fat_planes
from isodose.patient.builtin.pelvis.bones import Bones, bones
from isodose.patient.builtin.pelvis.organs import Organs, organs
from isodose.patient.builtin.shapes import Intersection, Shape, Union, half_space
from isodose.patient.builtin.solids import Column, Ellipsoid, Tube
from isodose.patient.builtin.variation import SIDES, Variation
from isodose.patient.builtin.warp import StandingWaves
from isodose.patient.structure import Role

EXTENT_MM = (430.0, 316.0, 260.0)


def anatomy(seed: int) -> Anatomy:
    """Pelvis of a seed."""
    vary = Variation((seed, 103))
    frame, inner = bones(vary), organs(vary)
    skin, muscle = _body(vary)
    surface = [Layer(skin, 0.0), Layer(skin.grown(-1.8), grained(-102.0, 7.0, 8.0))]
    layers = [
        Layer(muscle, muscle_with_fat_planes(54.0, -92.0, 0.24)),
        Layer(inner.cavity, grained(-98.0, 10.0, 10.0)),
        *inner.muscles,
        *frame.layers,
        *inner.layers,
    ]
    clinical = _clinical(inner, vary)
    planning = clinical.grown(6.0)
    scale = (vary.factor(0.03), vary.factor(0.03), vary.factor(0.025))
    warp = StandingWaves.random(vary.rng, 1.0, scale).moved((0.0, 6.0, 0.0))
    interior = skin.grown(-2.0)
    regions = _regions(inner, frame, clinical, planning)
    return Anatomy("pelvis", EXTENT_MM, skin, surface, interior, layers, [], regions, warp, seed=seed)


def _body(vary: Variation) -> tuple[Shape, Shape]:
    """Skin, and the muscular body under the fat."""
    fat = vary.between(10.0, 28.0)
    z = np.array([-60.0, -20, 30, 90, 140])
    half = np.array([158.0, 162, 156, 146, 140])
    front = np.array([66.0, 76, 82, 86, 88])
    trunk: Shape = Column(z, half, front, (96, 104, 108, 104, 100), 6.0, power=2.6)
    trunk = Intersection(trunk, half_space("z", above_mm=-62.0), 45.0)
    legs = [
        Tube([(s * 82, 6, -30), (s * 84, 4, -90), (s * 80, 2, -220)], (72, 74, 68), stretch=(1.0, 1.06, 1.0))
        for s in SIDES
    ]
    buttocks = [Ellipsoid((s * 68, 74, -8), (62, 46, 66)) for s in SIDES]
    genitals = Ellipsoid((0, -62, -72), (24, 24, 34))
    muscle = Union([trunk, *legs, *buttocks], 10.0)
    belly = Ellipsoid((0, -40, 110), (120, 52 + vary.between(0, 14), 90))
    body = Union([muscle.grown(fat), belly], 20.0)
    return Union([body, genitals], 10.0), muscle


def _clinical(inner: Organs, vary: Variation) -> Shape:
    """Prostate and the root of the vesicles, off the rectum."""
    root = inner.seminal_vesicles & Ellipsoid((0, 14, 22), (26, 20, 14))
    margin = vary.between(1.0, 3.0)
    return Union([inner.prostate, root], 3.0).grown(margin) - Union([inner.rectum, inner.bladder]).grown(0.3)


def _regions(inner: Organs, frame: Bones, clinical: Shape, planning: Shape) -> list[Region]:
    regions = [
        Region("CTV", Role.CTV, clinical, (230, 90, 60)),
        Region("PTV", Role.PTV, planning, (255, 40, 40)),
    ]
    organs_: list[tuple[str, Shape, tuple[int, int, int]]] = [
        ("Prostate", inner.prostate, (220, 150, 60)),
        ("SeminalVes", inner.seminal_vesicles, (220, 200, 90)),
        ("Bladder", inner.bladder, (240, 230, 70)),
        ("Rectum", inner.rectum, (150, 100, 60)),
        ("PenileBulb", inner.bulb, (210, 120, 220)),
        ("Bowel", inner.bowel, (120, 200, 140)),
    ]
    for s, letter in zip(SIDES, "LR", strict=True):
        organs_.append((f"Femur_Head_{letter}", frame.femoral_head[s], (90, 150, 255)))
    return [*regions, *(Region(name, Role.ORGAN, shape, colour) for name, shape, colour in organs_)]
