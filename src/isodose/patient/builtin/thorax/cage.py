"""The rib cage: curved ribs with their cartilage, sternum, shoulder blades, collar bones, spine."""

from __future__ import annotations

import numpy as np

from isodose.patient.builtin.anatomy import Layer, bone, grained
from isodose.patient.builtin.shapes import Box, Distances, Field, Shape, Union
from isodose.patient.builtin.solids import Column, Ellipsoid, Tube
from isodose.patient.builtin.spine import Column as Spine
from isodose.patient.builtin.spine import Vertebra, column
from isodose.patient.builtin.thorax.lungs import MIDDLE_Y
from isodose.patient.builtin.variation import SIDES, Variation


class Ribs(Shape):
    """Ribs: bars of elliptical section that run round a cavity, falling from the spine to the front.

    Unrolled on the cavity, the ribs are lines of equal slope at a constant pitch, so that one evaluation
    finds the nearest of all of them.

    Parameters
    ----------
    cavity
        What they run round.
    pitch_mm
        Distance of neighbouring ribs at the spine.
    offset_mm
        Height of a rib at the spine.
    part
        Range of the angle from the spine (0) over the flank to the front (1) where they exist.
    section_mm
        Half-axes of the section: across the wall, along it.
    """

    def __init__(
        self,
        cavity: Column,
        pitch_mm: float,
        offset_mm: float,
        part: tuple[float, float],
        section_mm: tuple[float, float],
    ) -> None:
        self.cavity, self.pitch, self.offset = cavity, pitch_mm, offset_mm
        self.part, self.section = part, section_mm
        self.lower = cavity.lower - 14.0
        self.upper = cavity.upper + 14.0
        self.need_reach(self.reach_mm)

    def need_reach(self, reach_mm: float) -> None:
        """See `Shape`."""
        super().need_reach(reach_mm)
        self.cavity.need_reach(reach_mm + 14.0)

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        x, y, z = field.x[box], field.y[box], field.z[box]
        across = (field.distance_on(self.cavity, box) - np.float32(self.section[0] + 1.0)) / np.float32(
            self.section[0]
        )
        turn = np.arctan2(np.abs(x), y - np.float32(MIDDLE_Y)) * np.float32(1 / np.pi)
        fall = np.float32(75.0) * np.clip(turn / np.float32(0.75), 0, 1) ** 1.5
        fall = fall - np.float32(60.0) * np.clip(turn - np.float32(0.75), 0, 1)
        place = (z + fall - np.float32(self.offset)) / np.float32(self.pitch)
        along = (place - np.rint(place)) * np.float32(self.pitch) / np.float32(self.section[1])
        q = np.sqrt(across * across + along * along) + np.float32(1e-6)
        slope = np.sqrt((across / self.section[0]) ** 2 + (along / self.section[1]) ** 2) + np.float32(1e-6)
        bars = (q - 1) * q / slope
        span = np.float32(70.0)  # mm of arc for the whole range of the angle, near enough for its ends
        ends = (
            np.maximum(np.float32(self.part[0]) - turn, turn - np.float32(self.part[1]))
            * span
            * np.float32(3)
        )
        return np.asarray(np.maximum(bars, ends), dtype=np.float32)


def spine(vary: Variation) -> Spine:
    """Thoracic vertebrae of a gently bent back."""
    pitch = 22.5 * vary.factor(0.03)
    heights = 222.0 - pitch * np.arange(19) + vary.shift(6.0)
    bow = vary.between(3.0, 7.0)
    sway = vary.shift(3.0)
    y = 74.0 + bow * np.cos((heights + 20.0) / 190.0 * np.pi) - bow
    x = sway * np.sin(heights / 110.0)
    line = np.column_stack([x, y, heights])
    vertebrae = [
        Vertebra(
            (float(p[0]), float(p[1]), float(p[2])),
            11.5 + 0.45 * i,
            10.9 + 0.35 * i,
            0.39 * pitch,
            8.8,
            26.0,
            16.0,
            30.0,
        )
        for i, p in enumerate(line)
    ]
    return column(vertebrae, line, 4.8 * vary.factor(0.05), cord_flatness=1.25)


def cage_layers(inside: Column, vary: Variation) -> list[Layer]:
    """Bones and cartilage of the chest wall, without the spine."""
    pitch, offset = vary.between(24.0, 27.0), vary.between(0.0, 25.0)
    cartilage = Ribs(inside, pitch, offset, (0.8, 0.93), (3.8, 6.0))
    ribs = Ribs(inside, pitch, offset, (0.07, 0.805), (3.9, 6.6))
    front = -float(inside.rows[1].max()) + MIDDLE_Y
    sternum = Union(
        [
            Ellipsoid((0, front + 20, 72), (27, 7, 26), (-28, 0, 0), power=3.0),
            Ellipsoid((0, front - 1, 10), (18, 6.5, 56), (-10, 0, 0), power=3.0),
        ],
        4.0,
    )
    layers = [
        Layer(cartilage, grained(110.0, 15.0, 15.0)),
        Layer(ribs, bone(950.0, 210.0, 1.5, 50.0)),
        Layer(sternum, bone(650.0, 180.0, 1.6, 45.0)),
    ]
    for s in SIDES:
        collar = [
            (s * 18, front + 32, 100),
            (s * 60, front + 28, 118),
            (s * 110, front + 60, 128),
            (s * 150, 20, 134),
        ]
        blade = Ellipsoid((s * 98, 84, 52), (42, 3.4, 68), (4, 0, -s * 26), power=2.4)
        spur = Tube([(s * 70, 98, 85), (s * 120, 76, 112), (s * 148, 40, 122)], (4.5, 5.0, 6.5))
        head = Ellipsoid((s * 158, 22, 112), (22, 22, 23))
        shaft = Tube([(s * 162, 22, 112), (s * 178, 18, 150), (s * 200, 0, 200)], (14, 11, 11))
        layers += [
            Layer(Tube(collar, (6.5, 5.5, 5.5, 6.0)), bone(1050.0, 300.0, 1.8)),
            Layer(
                Union([blade, spur, Ellipsoid((s * 136, 32, 104), (8, 14, 20))], 4.0), bone(900.0, 300.0, 1.4)
            ),
            Layer(head.joined(shaft, blend_mm=8.0), bone(1150.0, 120.0, 2.2)),
        ]
    return layers
