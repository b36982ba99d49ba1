"""Shapes as signed distances, from which the built-in patients are composed.

A shape answers with its distance in mm, negative inside, good near its surface (to first order) and only a
bound far from it. Shapes are evaluated on a `Field`, a block of points, each within reach of its own bounds
only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Distances: TypeAlias = NDArray[np.float32]
Box: TypeAlias = tuple[slice, slice, slice]

FAR = np.float32(60.0)
"""Distance reported beyond the reach of a shape, mm."""

_REACH_MM = 10.0


class Warp(Protocol):
    """Maps coordinates (broadcastable ``[z, y, x]``) to those of the undeformed anatomy."""

    @property
    def scale(self) -> NDArray[np.float64]:
        """Mean stretch along (x, y, z)."""
        ...

    @property
    def centre_mm(self) -> tuple[float, float, float]:
        """Point of the undeformed anatomy that comes to the origin."""
        ...

    @property
    def slack_mm(self) -> float:
        """Largest displacement along an axis."""
        ...

    def __call__(self, x: Distances, y: Distances, z: Distances) -> tuple[Distances, Distances, Distances]:
        """Coordinates of the undeformed anatomy."""
        ...


class Field:
    """Points on which shapes are evaluated: a block of a grid, its coordinates bent by a smooth warp.

    Parameters
    ----------
    x_mm, y_mm, z_mm
        Voxel centres along each axis.
    warp
        The displacement.
    """

    def __init__(
        self, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64], z_mm: NDArray[np.float64], warp: Warp
    ) -> None:
        self.axes = (x_mm, y_mm, z_mm)
        x = x_mm.astype(np.float32)[None, None, :]
        y = y_mm.astype(np.float32)[None, :, None]
        z = z_mm.astype(np.float32)[:, None, None]
        self.shape = (z_mm.size, y_mm.size, x_mm.size)
        self.x, self.y, self.z = warp(x, y, z)
        self.straight_z = z / np.float32(warp.scale[2]) + np.float32(warp.centre_mm[2])
        self.scale, self.slack_mm, self.centre_mm = warp.scale, warp.slack_mm, np.asarray(warp.centre_mm)
        self._known: dict[int, tuple[Shape, Box, Distances]] = {}

    def box(self, shape: Shape) -> Box:
        """Part of the block within reach of a shape; may be empty."""
        slices = []
        reach = shape.reach_mm + self.slack_mm
        for axis, low, high in zip(
            self.axes,
            (shape.lower - self.centre_mm) * self.scale - reach,
            (shape.upper - self.centre_mm) * self.scale + reach,
            strict=True,
        ):
            first = int(np.searchsorted(axis, low))
            last = int(np.searchsorted(axis, high, side="right"))
            slices.append(slice(first, max(first, last)))
        return slices[2], slices[1], slices[0]

    def distance(self, shape: Shape) -> tuple[Box, Distances]:
        """Distances within reach of a shape, and where in the block they lie."""
        known = self._known.get(id(shape))
        if known is None:
            box = self.box(shape)
            empty = any(s.stop == s.start for s in box)
            extent = tuple(s.stop - s.start for s in box)
            values = np.full(extent, FAR) if empty else shape.evaluate(self, box)
            known = self._known[id(shape)] = (shape, box, values.astype(np.float32, copy=False))
        return known[1], known[2]

    def distance_on(self, shape: Shape, box: Box) -> Distances:
        """Distances of a shape on any part of the block."""
        own, values = self.distance(shape)
        if own == box:
            return values
        out = np.full(tuple(s.stop - s.start for s in box), FAR, dtype=np.float32)
        inner, outer = overlap(own, box)
        out[outer] = values[inner]
        return out


def overlap(a: Box, b: Box) -> tuple[Box, Box]:
    """Where two parts of a block meet, in the indices of the first and of the second."""
    first = [max(p.start, q.start) for p, q in zip(a, b, strict=True)]
    last = [max(f, min(p.stop, q.stop)) for f, p, q in zip(first, a, b, strict=True)]
    in_a = tuple(slice(f - p.start, t - p.start) for f, t, p in zip(first, last, a, strict=True))
    in_b = tuple(slice(f - q.start, t - q.start) for f, t, q in zip(first, last, b, strict=True))
    return (in_a[0], in_a[1], in_a[2]), (in_b[0], in_b[1], in_b[2])


class Shape(ABC):
    """A solid with bounds ``lower`` and ``upper``, (x, y, z) in mm."""

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    reach_mm: float = _REACH_MM

    def need_reach(self, reach_mm: float) -> None:
        """Make sure that distances are good up to so many mm outside the shape."""
        self.reach_mm = max(self.reach_mm, reach_mm)

    @abstractmethod
    def evaluate(self, field: Field, box: Box) -> Distances:
        """Signed distances in mm on a part of a field."""

    def grown(self, margin_mm: float) -> Shape:
        """Return the shape with a margin (negative: shrunk)."""
        return Grown(self, margin_mm)

    def joined(self, *others: Shape, blend_mm: float = 0.0) -> Shape:
        """Union, with the joint rounded over a length."""
        return Union((self, *others), blend_mm)

    def __or__(self, other: Shape) -> Shape:
        return Union((self, other))

    def __and__(self, other: Shape) -> Shape:
        return Intersection(self, other)

    def __sub__(self, other: Shape) -> Shape:
        return Difference(self, other)


class Grown(Shape):
    """A shape with a constant margin."""

    def __init__(self, shape: Shape, margin_mm: float) -> None:
        self.shape, self.margin = shape, np.float32(margin_mm)
        self.lower, self.upper = shape.lower - margin_mm, shape.upper + margin_mm
        self.need_reach(_REACH_MM)

    def need_reach(self, reach_mm: float) -> None:
        """See `Shape`."""
        super().need_reach(reach_mm)
        self.shape.need_reach(reach_mm + max(float(self.margin), 0.0))

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        return np.asarray(field.distance_on(self.shape, box) - self.margin)


class Union(Shape):
    """Several shapes; where two come close they blend over a length (polynomial smooth minimum)."""

    def __init__(self, shapes: Sequence[Shape], blend_mm: float = 0.0) -> None:
        self.shapes, self.blend = tuple(shapes), np.float32(blend_mm)
        self.lower = np.min([s.lower for s in shapes], axis=0)
        self.upper = np.max([s.upper for s in shapes], axis=0)
        self.need_reach(_REACH_MM)

    def need_reach(self, reach_mm: float) -> None:
        """See `Shape`."""
        super().need_reach(reach_mm)
        for shape in self.shapes:
            shape.need_reach(reach_mm + float(self.blend))

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        out = np.full(tuple(s.stop - s.start for s in box), FAR, dtype=np.float32)
        for shape in self.shapes:
            own, values = field.distance(shape)
            inner, outer = overlap(own, box)
            out[outer] = _smooth_minimum(out[outer], values[inner], self.blend)
        return out


class Intersection(Shape):
    """What two shapes share."""

    def __init__(self, a: Shape, b: Shape, blend_mm: float = 0.0) -> None:
        self.a, self.b, self.blend = a, b, np.float32(blend_mm)
        self.lower, self.upper = np.maximum(a.lower, b.lower), np.minimum(a.upper, b.upper)
        self.need_reach(_REACH_MM)

    def need_reach(self, reach_mm: float) -> None:
        """See `Shape`."""
        super().need_reach(reach_mm)
        self.a.need_reach(reach_mm + float(self.blend))
        self.b.need_reach(reach_mm + float(self.blend))

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        return -_smooth_minimum(-field.distance_on(self.a, box), -field.distance_on(self.b, box), self.blend)


class Difference(Shape):
    """The first shape without the second."""

    def __init__(self, a: Shape, b: Shape, blend_mm: float = 0.0) -> None:
        self.a, self.b, self.blend = a, b, np.float32(blend_mm)
        self.lower, self.upper = a.lower, a.upper
        self.need_reach(_REACH_MM)

    def need_reach(self, reach_mm: float) -> None:
        """See `Shape`."""
        super().need_reach(reach_mm)
        self.a.need_reach(reach_mm + float(self.blend))
        self.b.need_reach(reach_mm + float(self.blend))

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        return -_smooth_minimum(-field.distance_on(self.a, box), field.distance_on(self.b, box), self.blend)


def _smooth_minimum(a: Distances, b: Distances, blend: np.float32) -> Distances:
    if blend <= 0:
        return np.minimum(a, b)
    h = np.maximum(blend - np.abs(a - b), np.float32(0)) / blend
    return np.asarray(np.minimum(a, b) - h * h * (blend * np.float32(0.25)))


class Implicit(Shape):
    """A shape given by a function of coordinates ``(x, y, z)`` in mm that returns distances."""

    def __init__(
        self,
        function: Callable[[Distances, Distances, Distances], Distances],
        lower: ArrayLike,
        upper: ArrayLike,
    ) -> None:
        self.function = function
        self.lower, self.upper = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        return self.function(field.x[box], field.y[box], field.z[box])


def half_space(axis: str, below_mm: float | None = None, above_mm: float | None = None) -> Shape:
    """Everything below, or everything above, a plane across ``"x"``, ``"y"`` or ``"z"``."""
    i = "xyz".index(axis)
    lower, upper = np.full(3, -1e4), np.full(3, 1e4)
    if below_mm is not None:
        upper[i] = below_mm
        plane = np.float32(below_mm)
        return Implicit(lambda x, y, z: (x, y, z)[i] - plane, lower, upper)
    if above_mm is None:
        raise TypeError("half_space needs below_mm or above_mm")
    lower[i] = above_mm
    floor = np.float32(above_mm)
    return Implicit(lambda x, y, z: floor - (x, y, z)[i], lower, upper)
