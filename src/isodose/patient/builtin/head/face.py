"""The face: nose and sinuses, orbits, mouth, jaws and teeth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import AIR_HU, Block, Layer, bone, grained
from isodose.patient.builtin.shapes import Distances, Shape, Union, half_space
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.variation import SIDES, Variation


@dataclass(frozen=True, slots=True)
class Face:
    """Shapes of the face that other parts need, and its layers."""

    eye: Mapping[float, Shape]
    lens: Mapping[float, Shape]
    optic_nerve: Mapping[float, Shape]
    mandible: Shape
    mouth: Shape
    nostrils: list[Layer]
    bones: list[Layer]
    cavities: list[Layer]


def face(vary: Variation) -> Face:
    """Face of one anatomy."""
    orbits = _Orbits(vary)
    mandible, teeth, jaw_layers = _jaws(vary)
    tongue = Ellipsoid((0, -48, -46), (23, 30, 21), (-15, 0, 0)) | Ellipsoid((0, -30, -58), (19, 20, 22))
    mouth = (Ellipsoid((0, -54, -43), (27, 33, 21), power=2.6) - mandible.grown(1.0)) - teeth.grown(0.5)
    bones, cavities, nostrils = _nose_and_sinuses(vary)
    mouth_air = Ellipsoid((0, -50, -23.5), (17, 26, vary.between(1.5, 4.0)), (-4, 0, 0))
    soft_palate = Tube([(0, -28, -19), (0, -16, -22), (0, -9, -34)], (4.5, 4, 3), stretch=(3.2, 1, 1))
    return Face(
        eye=orbits.eye,
        lens=orbits.lens,
        optic_nerve=orbits.nerve,
        mandible=mandible,
        mouth=mouth,
        nostrils=nostrils,
        bones=[*bones, *orbits.layers, Layer(tongue, grained(52.0, 8.0, 8.0)), *jaw_layers],
        cavities=[*cavities, Layer(mouth_air, AIR_HU), Layer(soft_palate, 50.0)],
    )


class _Orbits:
    """Eyes in their fat, with nerve, muscles and bony walls."""

    def __init__(self, vary: Variation) -> None:
        apart, radius = 31.5 + vary.shift(1.0), 12.0 * vary.factor(0.02)
        self.eye: dict[float, Shape] = {}
        self.lens: dict[float, Shape] = {}
        self.nerve: dict[float, Shape] = {}
        self.layers: list[Layer] = []
        for s in SIDES:
            centre = np.array([s * apart, -66.0, 25.0])
            self.eye[s] = Ellipsoid(centre, (radius, radius, radius))
            self.lens[s] = Ellipsoid(centre + np.array((0, -7.8, 0)), (4.6, 2.2, 4.6))
            path = [centre + np.array((-s, 11.8, 0)), (s * 22, -40, 27), (s * 10, -22, 34), (s * 7, -17, 36)]
            self.nerve[s] = Tube(path, (2.2, 2.2, 2.2, 2.0))
            cone = Ellipsoid((s * 30, -52, 25), (18, 29, 18.5), (0, 0, -s * 20))
            orbit = cone & half_space("y", below_mm=-30.0)
            apex = np.array([s * 17, -32.0, 28.0])
            offsets = ((11, 0), (-11, 0), (0, 11), (0, -11))
            muscles = [
                Tube(
                    [apex, centre + np.array((dx * 0.95, 8, dz * 0.95)), centre + np.array((dx, -2, dz))],
                    (1.6, 2.4, 1.2),
                )
                for dx, dz in offsets
            ]
            rim = [(s * 46, -56, 4), (s * 47.5, -57, 22), (s * 44, -66, 40), (s * 22, -76, 42)]
            arch = [(s * 42, -62, 0), (s * 55, -46, 1), (s * 63, -18, 2), (s * 62, 8, 4)]
            self.layers += [
                Layer(Tube(arch, (7.0, 5.0, 3.2, 4.0), stretch=(1, 1, 1.3)), bone(1050.0, 450.0, 1.4)),
                Layer(Tube(rim, (5.0, 3.6, 4.0, 4.0)), bone(1050.0, 500.0, 1.4)),
                Layer(orbit.grown(1.8) & half_space("y", above_mm=-62.0), 850.0),
                Layer(cone - half_space("y", below_mm=-73.0), grained(-95.0, 5.0, 6.0)),
                *(Layer(muscle, 50.0) for muscle in muscles),
                Layer(self.nerve[s], 38.0),
                Layer(self.eye[s].grown(0.6), 55.0),
                Layer(self.eye[s].grown(-0.8), 12.0),
                Layer(self.lens[s], 85.0),
            ]


def _arch(width: float, front: float, back: float, z: float, n: int = 9) -> list[tuple[float, float, float]]:
    """Points along a dental arch, from the right end over the front to the left end."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, n)
    return [(width * np.sin(a), back + (front - back) * np.cos(a) ** 0.8, z) for a in angle]


def _jaws(vary: Variation) -> tuple[Shape, Shape, list[Layer]]:
    half = 46.0 * vary.factor(0.03)
    parts: list[Shape] = []
    for s in SIDES:
        body = [
            (0, -87, -76),
            (s * 16, -82, -75),
            (s * 30, -62, -70),
            (s * 40, -36, -64),
            (s * half, -12, -58),
        ]
        ramus = [(s * half, -12, -56), (s * (half + 2), -8, -36), (s * (half + 3), -1, -10)]
        coronoid = [(s * half, -18, -48), (s * (half + 1), -24, -12)]
        condyle = [(s * (half - 4), 0, -3), (s * (half + 8), 1, -3)]
        parts += [
            Tube(body, (6.5, 6.2, 5.6, 5.4, 5.2), stretch=(1.0, 1.0, 1.9)),
            Tube(ramus, (4.6, 4.2, 3.8), stretch=(0.95, 2.2, 1.0)),
            Tube(coronoid, (4.0, 2.2), stretch=(0.9, 1.8, 1.0)),
            Tube(condyle, 4.2),
        ]
    mandible = Union(parts, 3.0)
    lower = Tube(_arch(25, -84, -42, -56), 4.2, stretch=(1.0, 1.0, 2.2))
    upper = Tube(_arch(26, -87, -42, -31), 4.3, stretch=(1.0, 1.0, 2.2))
    alveolus = Tube(_arch(26, -85, -40, -21), 5.5, stretch=(1.0, 1.0, 1.3))
    teeth = lower | upper
    layers = [
        Layer(alveolus, bone(900.0, 420.0, 1.5)),
        Layer(mandible, bone(1350.0, 420.0, 2.4, 80.0)),
        Layer(teeth.grown(1.2) - mandible, 60.0),
        Layer(teeth, _teeth),
    ]
    return mandible, teeth, layers


def _teeth(block: Block) -> Distances:
    """Teeth in a row: dentine under enamel, parted by narrow gaps along the arch."""
    x, y = block.field.x[block.box], block.field.y[block.box]
    along = np.arctan2(x, -(y + np.float32(42.0))) * np.float32(34.0)
    gap = np.exp(-(((np.mod(along, 8.0) - 4.0) / 0.9) ** 2))
    enamel = np.clip(2.0 - block.depth, 0, 1)
    return np.asarray((1500.0 + 600.0 * enamel) * (1 - 0.7 * gap) + 80.0 * block.fine, dtype=np.float32)


def _nose_and_sinuses(vary: Variation) -> tuple[list[Layer], list[Layer], list[Layer]]:
    nasal = Ellipsoid((0, -56, 4), (14, 40, 20), power=3.0)
    septum_x = vary.shift(1.5)
    air: list[Shape] = []
    maxillary, maxillary_air, nostrils = [], [], []
    for s in SIDES:
        for z, thick in ((-9.0, 2.6), (2.0, 2.4), (13.0, 2.0)):
            meatus = Ellipsoid((septum_x + s * 7.5, -56, z), (4.6, 34, thick), (0, s * 20, 0))
            air.append(meatus)
        air.append(Ellipsoid((septum_x + s * 2.8, -56, 3), (1.3, 36, 15)))
        nostrils.append(Layer(Tube([(s * 6, -86, -2), (s * 6, -96, -8), (s * 6, -99, -14)], 3.2), AIR_HU))
        size = vary.factor(0.08)
        sinus = Ellipsoid((s * 29, -52, 0), (12.5 * size, 17 * size, 16 * size), (0, 0, s * 15), power=2.6)
        swollen = vary.between(0.5, 2.5) if vary.chance(0.6) else vary.between(3.0, 6.0)
        maxillary.append(sinus)
        maxillary_air.append(sinus.grown(-swollen))
    back = Tube([(0, -24, 2), (0, -8, 2)], (8.5, 9), stretch=(1, 1, 1.1))
    ethmoid = Union([Ellipsoid((s * 8.5, -50, 24), (6, 21, 9)) for s in SIDES])
    sphenoid = Union([Ellipsoid((s * 8, -17, 19), (8, 11, 8.5)) for s in SIDES])
    frontal = Union([Ellipsoid((s * 12, -73, 46 + vary.shift(2)), (11, 4.5, 9), (20, 0, 0)) for s in SIDES])
    palate = Ellipsoid((0, -56, -17), (24, 33, 3.2), (-2, 0, 0), power=3.0)
    walls = Union([m.grown(2.0) for m in maxillary] + [nasal.grown(1.8)], 3.0)
    bones = [
        Layer(walls & half_space("y", above_mm=-82.0), bone(800.0, 400.0, 1.5)),
        Layer(palate, bone(900.0, 350.0, 1.6)),
        Layer(Union([ethmoid.grown(1.4), sphenoid.grown(3.0), frontal.grown(2.5)], 3.0), 700.0),
        Layer(Tube([(0, -80, 34), (0, -92, 17)], (4.5, 3.0), stretch=(1.8, 1, 1)), bone(900.0, 500.0, 1.2)),
    ]
    cavities = [
        Layer(nasal, grained(40.0, 4.0, 8.0)),
        Layer(Union(air), AIR_HU),
        Layer(back, AIR_HU),
        Layer(ethmoid, _ethmoid_cells),
        Layer(sphenoid, AIR_HU),
        Layer(frontal, AIR_HU),
        *(Layer(m, 30.0) for m in maxillary),
        *(Layer(m, AIR_HU) for m in maxillary_air),
    ]
    return bones, cavities, nostrils


def _ethmoid_cells(block: Block) -> Distances:
    """Air cells parted by leaves thinner than a voxel."""
    return np.asarray(np.where(np.abs(block.fine) < 0.3, -350.0, -930.0), dtype=np.float32)
