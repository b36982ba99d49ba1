"""Skull, brain and what leaves it: endocranium, base, petrous bones, brainstem, chiasm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import Block, Layer, Tone, bone, grained
from isodose.patient.builtin.shapes import Difference, Distances, Shape, Union, half_space
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.variation import SIDES, Variation

STEM_ENDS_AT_MM = -13.0
"""Height of the foramen magnum, where the cord begins."""


@dataclass(frozen=True, slots=True)
class Cranium:
    """Shapes of the cranium that other parts need, and its layers."""

    skull: Shape
    brain: Shape
    brainstem: Shape
    chiasm: Shape
    pituitary: Shape
    cochlea: Mapping[float, Shape]
    bones: list[Layer]
    contents: list[Layer]


def cranium(vary: Variation) -> Cranium:
    """Cranium of one anatomy."""
    skull_mm, table_mm = vary.between(6.0, 7.8), vary.between(1.6, 2.1)
    clivus = Tube([(0, 1, 24), (0, 12, 6), (0, 21, -10)], (6.5, 5.5, 3.5), stretch=(2.0, 1.0, 1.0))
    endocranium = _endocranium(clivus, vary)
    pons_y = 27.0 + vary.shift(0.7)
    stem: Shape = Union(
        [
            Tube([(0, 23, 38), (0, pons_y, 24), (0, 33, 0), (0, 34, -18)], (10, 12, 8, 6.5), (1.15, 1, 1)),
            Ellipsoid((0, pons_y - 1, 20), (17.5 * vary.factor(0.05), 12.5, 14)),
        ],
        6.0,
    )
    stem = stem & half_space("z", below_mm=38.0) & half_space("z", above_mm=STEM_ENDS_AT_MM)
    brain_with_stem = endocranium.grown(-vary.between(1.6, 2.8))
    cerebellum = _cerebellum() & brain_with_stem
    chiasm = Tube([(-7, -17, 36), (0, -9, 39), (7, -17, 36)], 2.2, stretch=(1.2, 1.2, 1.0))
    pituitary = Ellipsoid((0, -9, 32), (6, 4.5, 3.8))
    above_foramen = half_space("z", above_mm=STEM_ENDS_AT_MM + 1.0)
    brain = ((brain_with_stem & above_foramen) - stem.grown(0.5)) - (chiasm | pituitary).grown(1.0)
    cochlea = {s: Ellipsoid((s * 27, 14, 9), (3.2, 3.2, 3.2)) for s in SIDES}
    petrous = Union([Tube([(s * 56, 30, 3), (s * 36, 18, 7), (s * 16, 7, 12)], (10, 8.5, 5)) for s in SIDES])
    skull = endocranium.grown(skull_mm)
    bones = [
        Layer(skull, _skull_tone(skull_mm, table_mm, vary)),
        Layer(clivus, bone(900.0, 380.0, 1.5)),
        Layer(petrous, bone(1450.0, 1000.0, 2.0, 150.0)),
    ]
    contents = [
        Layer(endocranium - petrous, grained(12.0, 2.0, 2.0)),
        Layer(brain_with_stem - petrous.grown(1.0), _brain_matter),
        Layer(cerebellum - petrous.grown(1.0), grained(37.0, 2.0, 4.0)),
        Layer((_tentorium() & brain_with_stem) - stem.grown(4.0), 45.0),
        Layer(_ventricles(vary), grained(8.0, 1.0, 1.0)),
        Layer(_falx() & brain_with_stem, 46.0),
        Layer(stem.grown(2.5) & endocranium, 10.0),
        Layer(stem, grained(33.0, 1.5, 2.0)),
        Layer(pituitary, 45.0),
        Layer(chiasm, 38.0),
        *(Layer(shape, 120.0) for shape in cochlea.values()),
    ]
    return Cranium(skull, brain, stem, chiasm, pituitary, cochlea, bones, contents)


def _endocranium(clivus: Shape, vary: Variation) -> Shape:
    width, length = 67.0 * vary.factor(0.02), 85.0 * vary.factor(0.02)
    cerebrum = Ellipsoid((0, 14, 62), (width, length, 47.0), power=2.2)
    temporal = [Ellipsoid((s * 39, -2, 30), (23, 35, 23)) for s in SIDES]
    posterior = Ellipsoid((0, 54, 18), (50, 37, 31), (-10, 0, 0))
    foramen = Tube([(0, 33, 10), (0, 34, -22)], (15, 11))
    vault = Union([cerebrum, *temporal, posterior, foramen], 9.0)
    sella = Ellipsoid((0, -16, 17), (17, 22, 14), (12, 0, 0))
    return Difference(Difference(vault, sella, 6.0), clivus.grown(1.0), 5.0)


def _cerebellum() -> Shape:
    halves = [Ellipsoid((s * 22, 60, 10), (28, 29, 23), (-12, 0, 0)) for s in SIDES]
    return Union(halves, 5.0)


def _tentorium() -> Shape:
    dome = Ellipsoid((0, 62, 6), (60, 46, 33), (-14, 0, 0))
    return (dome.grown(0.6) - dome.grown(-0.6)) & half_space("z", above_mm=14.0)


def _falx() -> Shape:
    return half_space("x", below_mm=0.7) & half_space("x", above_mm=-0.7) & half_space("z", above_mm=66.0)


def _ventricles(vary: Variation) -> Shape:
    size = vary.between(0.8, 1.35)
    parts: list[Shape] = []
    for s in SIDES:
        horn = [(s * 9, -18, 62), (s * 8, 5, 70), (s * 14, 38, 62), (s * 26, 52, 52), (s * 30, 24, 34)]
        parts.append(Tube(horn, np.array([4.0, 4.5, 5.0, 5.0, 2.0]) * size, stretch=(1.0, 1.0, 1.3)))
    parts.append(Tube([(0, -2, 50), (0, 16, 48)], 2.0 * size, stretch=(1.0, 1.0, 3.0)))
    parts.append(Ellipsoid((0, 43, 14), (6, 4.5, 9)))
    return Union(parts, 3.0)


def _skull_tone(thickness: float, table_mm: float, vary: Variation) -> Tone:
    table, diploe = vary.between(1250, 1500), vary.between(420, 620)

    def tone(block: Block) -> Distances:
        """Dense tables outside and inside, spongy diploe between; the base is denser throughout."""
        outer = np.clip(block.depth - np.float32(table_mm) + 0.5, 0, 1)
        inner = np.clip(np.float32(thickness - table_mm) - block.depth + 0.5, 0, 1)
        base = 1 - np.clip((block.field.z[block.box] - 10.0) / 25.0, 0, 1)
        spongy = diploe + 90.0 * block.fine + 60.0 * block.coarse + 200.0 * base
        return np.asarray(table + outer * inner * (spongy - table), dtype=np.float32)

    return tone


def _brain_matter(block: Block) -> Distances:
    """Grey rim and folds, white core, liquor in the furrows near the surface."""
    fold = np.abs(block.coarse + 0.35 * block.fine)
    near = np.exp(-np.maximum(block.depth, 0) / np.float32(9.0))
    furrow = np.exp(-((fold / np.float32(0.16)) ** 2)) * near
    grey = np.maximum(np.exp(-((fold / np.float32(0.55)) ** 2)) * np.sqrt(near), near)
    matter = 29.0 + 9.0 * grey + 1.5 * block.fine
    return np.asarray(matter + furrow * (10.0 - matter), dtype=np.float32)
