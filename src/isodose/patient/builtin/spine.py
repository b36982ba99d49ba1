"""The vertebral column: bodies, discs, arches with their processes, the canal and the cord in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.patient.builtin.anatomy import Layer, bone, grained
from isodose.patient.builtin.shapes import Shape, Union
from isodose.patient.builtin.solids import Ellipsoid, Tube


@dataclass(frozen=True, slots=True)
class Vertebra:
    """Measures of one vertebra in mm.

    Parameters
    ----------
    canal
        Middle of the spinal canal (x, y, z) at mid height of the body.
    half_width, half_depth, half_height
        Of the body.
    canal_radius
        Of the spinal canal.
    spinous, spinous_drop
        Length and fall of the spinous process.
    transverse
        Reach of the transverse processes from the middle.
    """

    canal: tuple[float, float, float]
    half_width: float
    half_depth: float
    half_height: float
    canal_radius: float
    spinous: float
    spinous_drop: float
    transverse: float

    @property
    def body_y(self) -> float:
        """Middle of the body along y."""
        return self.canal[1] - self.canal_radius - self.half_depth

    def body(self) -> Shape:
        """Shape of the vertebral body."""
        x, _, z = self.canal
        semi = (self.half_width, self.half_depth, self.half_height)
        return Ellipsoid((x, self.body_y, z), semi, power=3.2)

    def arch(self) -> Shape:
        """Pedicles, laminae and processes."""
        x, y, z = self.canal
        r = self.canal_radius
        parts: list[Shape] = []
        for side in (-1.0, 1.0):
            ring = [
                (x + side * 0.75 * self.half_width, y - r - 2.0, z + 0.3 * self.half_height),
                (x + side * (r + 3.0), y, z),
                (x + side * (0.6 * r + 2.0), y + r + 1.0, z - 1.0),
                (x, y + r + 4.5, z - 3.0),
            ]
            parts.append(Tube(ring, (4.0, 3.6, 3.2, 3.2), stretch=(1.0, 1.0, 1.5)))
            tip = (x + side * self.transverse, y + 3.0, z)
            parts.append(Tube([ring[1], tip], (3.8, 3.4), stretch=(1.0, 1.0, 1.2)))
        tip = (x, y + r + 4.0 + self.spinous, z - 3.0 - self.spinous_drop)
        parts.append(Tube([(x, y + r + 4.0, z - 3.0), tip], (2.6, 3.2), stretch=(1.0, 1.0, 1.7)))
        return Union(parts)


def disc(above: Vertebra, below: Vertebra) -> Shape:
    """Disc between two neighbouring vertebrae."""
    top = above.canal[2] - above.half_height
    bottom = below.canal[2] + below.half_height
    centre = ((above.canal[0] + below.canal[0]) / 2, (above.body_y + below.body_y) / 2, (top + bottom) / 2)
    semi = (below.half_width, below.half_depth, max(1.0, (top - bottom) / 2 + 1.2))
    return Ellipsoid(centre, semi, power=3.0)


@dataclass(frozen=True, slots=True)
class Column:
    """A run of vertebrae, from the head down, with what lies in their canal."""

    vertebrae: Sequence[Vertebra]
    canal_line: NDArray[np.float64]
    canal: Shape
    cord: Shape
    bones: Shape
    discs: Shape

    def front_y(self, z_mm: float) -> float:
        """Front face of the bodies at a height."""
        z = [v.canal[2] for v in self.vertebrae]
        face = [v.body_y - v.half_depth for v in self.vertebrae]
        return float(np.interp(z_mm, z[::-1], face[::-1]))

    def layers(self, cortex_hu: float, marrow_hu: float) -> list[Layer]:
        """Painted in order: discs, bones, canal, cord."""
        return [
            Layer(self.discs, grained(85.0, 5.0, 8.0)),
            Layer(self.bones, bone(cortex_hu, marrow_hu, 1.3, 45.0)),
            Layer(self.canal, grained(10.0, 4.0, 4.0)),
            Layer(self.cord, grained(38.0, 2.0, 3.0)),
        ]


def column(
    vertebrae: Sequence[Vertebra],
    canal_line: NDArray[np.float64],
    cord_radius: ArrayLike,
    cord_flatness: float = 1.3,
    cord_ends_at: int | None = None,
) -> Column:
    """Column of vertebrae whose canal follows a line of points ``(n, 3)`` from the head down."""
    radius = float(np.mean([v.canal_radius for v in vertebrae]))
    discs = [disc(a, b) for a, b in pairwise(vertebrae)]
    bones: list[Shape] = [part for v in vertebrae for part in (v.body(), v.arch())]
    cord_line = canal_line[:cord_ends_at]
    return Column(
        vertebrae,
        canal_line,
        Tube(canal_line, radius, stretch=(1.15, 1.0, 1.0)),
        Tube(cord_line, np.broadcast_to(cord_radius, len(cord_line)), stretch=(cord_flatness, 1.0, 1.0)),
        Union(bones, 1.5),
        Union(discs),
    )
