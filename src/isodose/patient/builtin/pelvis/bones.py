"""Bones of the pelvis: sacrum and coccyx, hip bones with wings and rami, femora."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isodose.patient.builtin.anatomy import Layer, bone
from isodose.patient.builtin.shapes import Distances, Implicit, Shape, Union, half_space
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.spine import Vertebra, column
from isodose.patient.builtin.variation import SIDES, Variation


@dataclass(frozen=True, slots=True)
class Bones:
    """Heads of the femora by side, and the layers."""

    femoral_head: Mapping[float, Shape]
    layers: list[Layer]


def bones(vary: Variation) -> Bones:
    """Bones of one anatomy; the origin is the middle of the prostate."""
    apart, radius = 90.0 + vary.shift(3.0), 24.0 * vary.factor(0.04)
    hip_z = 12.0 + vary.shift(4.0)
    heads: dict[float, Shape] = {}
    femora: dict[float, Shape] = {}
    joints: list[Shape] = []
    hips: list[Shape] = []
    for s in SIDES:
        centre = np.array([s * apart, -4.0, hip_z])
        heads[s] = Ellipsoid(centre, (radius, radius, radius))
        femora[s] = _femur(s, centre, heads[s])
        joints.append(Ellipsoid(centre, (radius + 3.0,) * 3))
        hips.append(_hip(s, centre, radius) - Ellipsoid(centre, (radius + 3.0,) * 3))
    symphysis = Ellipsoid((0, -47, -6), (3.5, 9, 17), (-35, 0, 0))
    hip_bones = Union(hips, 2.0)
    sacrum = _sacrum(vary)
    lumbar = [
        Vertebra((0.0, 72.0 - 4.0 * i, 116.0 + 36.0 * i), 25.0, 17.0, 13.5, 9.5, 26.0, 6.0, 42.0)
        for i in range(2)
    ][::-1]
    line = np.array([(0, 64.0, 190), (0, 68, 152), (0, 72, 116), (0, 84, 92), (0, 96, 64), (0, 98, 44)])
    back = column(lumbar, line, 6.5)
    marrow = vary.between(180, 260)
    layers = [
        *(Layer(joint, 65.0) for joint in joints),
        Layer(symphysis, 95.0),
        Layer(hip_bones, bone(900.0, marrow, 1.7, 50.0)),
        Layer(sacrum, bone(700.0, marrow - 40.0, 1.4, 50.0)),
        *back.layers(800.0, 190.0)[:3],
        *(Layer(femora[s], bone(1250.0, 30.0, 5.0, 20.0)) for s in SIDES),
        *(
            Layer(_trabecular(s, apart, hip_z, radius) & femora[s], bone(850.0, 260.0, 1.8, 45.0))
            for s in SIDES
        ),
    ]
    return Bones(heads, layers)


def _femur(s: float, centre: Distances, head: Shape) -> Shape:
    x, y, z = (float(v) for v in centre)
    neck = Tube([(x, y, z), (x + s * 26, y + 5, z - 14), (x + s * 42, y + 10, z - 26)], (16, 14, 16))
    trochanter = Ellipsoid((x + s * 48, y + 14, z - 16), (15, 19, 25), (0, -s * 15, 0))
    lesser = Ellipsoid((x + s * 26, y + 18, z - 62), (9, 9, 13))
    shaft = Tube(
        [(x + s * 42, y + 9, z - 34), (x + s * 34, y + 2, z - 90), (x + s * 24, y - 6, z - 260)], (18, 15, 14)
    )
    return Union([head, neck, trochanter, lesser, shaft], 8.0)


def _trabecular(s: float, apart: float, hip_z: float, radius: float) -> Shape:
    """Where the femur is spongy under a thin shell: head, neck and trochanters."""
    return Ellipsoid((s * (apart + 20), 2, hip_z - 10), (62, 48, radius + 36), (0, -s * 25, 0))


def _hip(s: float, centre: Distances, radius: float) -> Shape:
    x, y, z = (float(v) for v in centre)
    cup: Shape = Ellipsoid((x - s * 6, y + 2, z + 5), (radius + 7, radius + 11, radius + 12))
    cup = cup & Implicit(
        lambda px, py, pz: (s * (px - x) * np.float32(0.8) - (pz - z) * np.float32(0.6)) - np.float32(9.0),
        cup.lower,
        cup.upper,
    )
    upper_ramus = Tube(
        [(s * 8, -48, 2), (s * 28, -46, 8), (s * 50, -34, 12), (x - s * 22, -14, z)], (8.5, 7.5, 8, 12)
    )
    body = Tube([(s * 9, -48, 2), (s * 9, -44, -16)], (7.5, 6.5), stretch=(0.8, 1.2, 1.0))
    lower_ramus = Tube(
        [(s * 9, -42, -18), (s * 24, -26, -34), (s * 42, 0, -52), (s * 54, 22, -50)], (6.5, 6, 7, 12)
    )
    ischium = Tube([(s * 55, 26, -46), (s * 64, 26, -22), (x - s * 18, y + 16, z - 4)], (14, 13, 15))
    spine = Tube([(s * 64, 34, -8), (s * 50, 46, 2)], (6.0, 3.0))
    return Union([cup, upper_ramus, body, lower_ramus, ischium, spine, _wing(s, z)], 6.0)


def _wing(s: float, hip_z: float) -> Shape:
    """Wing of the ilium: a curved plate from the joint to the crest, thicker at its rim."""

    def plate(x: Distances, y: Distances, z: Distances) -> Distances:
        up = z - np.float32(hip_z)
        sheet = np.float32(88.0) - np.float32(0.58) * y + np.float32(0.22) * (up - 40.0)
        sheet = sheet - np.float32(0.0022) * (y - np.float32(10.0)) ** 2
        off = np.abs(s * x - sheet) * np.float32(0.84)
        across, height = (y - np.float32(18.0)) / 66.0, (up - np.float32(64.0)) / 72.0
        rim = np.sqrt(across**2 + height**2) + np.float32(1e-6)
        inside = (rim - 1) * np.float32(66.0)
        thickness = np.float32(5.0) + 5.0 * np.exp(-((inside + 7.0) ** 2) / 60.0) + 9.0 * np.exp(-up / 22.0)
        back = 7.0 * np.clip((y - np.float32(40.0)) / 25.0, 0, 1)
        taper = np.sqrt(np.clip(-inside / np.float32(10.0), 0.02, 1))
        return np.asarray(
            np.maximum(off - np.minimum(thickness + back, 16.0) * taper, inside), dtype=np.float32
        )

    bounds = sorted((s * 25.0, s * 160.0))
    return Implicit(plate, (bounds[0], -50, hip_z - 10), (bounds[1], 86, hip_z + 138))


def _sacrum(vary: Variation) -> Shape:
    tilt = vary.shift(3.0)
    parts: list[Shape] = [
        Tube([(0, 62, 98), (0, 82, 70), (0, 92, 44), (0, 88, 22)], (20, 17, 12, 8), stretch=(1.5, 1.0, 1.0)),
        Tube([(0, 88, 22), (0, 76 + tilt, 2), (0, 64 + tilt, -6)], (6.5, 5, 3.5), stretch=(1.4, 1.0, 1.0)),
    ]
    for s in SIDES:
        parts.append(Ellipsoid((s * 33, 74, 80), (24, 17, 27), (-25, 0, s * 25), power=2.4))
        parts.append(Ellipsoid((s * 22, 86, 52), (20, 11, 22), (-10, 0, s * 10)))
    return Union(parts, 6.0) - half_space("z", above_mm=102.0)
