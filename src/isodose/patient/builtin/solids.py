"""Solids from which the anatomies are composed: ellipsoids, tubes, upright columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.patient.builtin.shapes import FAR, Box, Distances, Field, Shape, overlap


def rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    """Matrix that turns about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i], turn[j, j], turn[i, j], turn[j, i] = c, c, -s, s
        matrix = turn @ matrix
    return matrix


class Ellipsoid(Shape):
    """An ellipsoid; with ``power`` above 2 it swells towards a rounded box.

    Distances are first-order: (q - 1) / |grad q| with q the scaled radius.
    """

    def __init__(
        self,
        centre: ArrayLike,
        semi_axes: ArrayLike,
        turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
        power: float = 2.0,
    ) -> None:
        self.centre, self.semi = np.asarray(centre, dtype=np.float64), np.asarray(semi_axes, dtype=np.float64)
        self.matrix = rotation(turn_deg) if any(turn_deg) else None
        self.power = power
        half = self.semi
        if self.matrix is not None:
            half = np.sqrt(((self.matrix * self.semi) ** 2).sum(axis=1))
            if power > 2.0:
                half = np.abs(self.matrix) @ self.semi
        self.lower, self.upper = self.centre - half, self.centre + half

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        p = [c[box] - np.float32(o) for c, o in zip((field.x, field.y, field.z), self.centre, strict=True)]
        if self.matrix is not None:
            m = self.matrix.astype(np.float32)
            p = [m[0, i] * p[0] + m[1, i] * p[1] + m[2, i] * p[2] for i in range(3)]
        inverse = (1.0 / self.semi).astype(np.float32)
        u = [np.abs(c * i) for c, i in zip(p, inverse, strict=True)]
        return superellipse_distance(u, inverse, self.power)


def superellipse_distance(
    u: Sequence[Distances], inverse: Sequence[np.float32 | Distances] | Distances, power: float
) -> Distances:
    """First-order distance for scaled coordinates ``u = |p| / semi-axis`` of any dimension."""
    tiny = np.float32(1e-6)
    if power == 2.0:
        squares = [c * c for c in u]
        q = np.sqrt(sum(squares[1:], squares[0])) + tiny
        slopes = [s * (i * i) for s, i in zip(squares, inverse, strict=True)]
        return np.asarray((q - 1) * q / (np.sqrt(sum(slopes[1:], slopes[0])) + tiny))
    n = np.float32(power)
    raised = [np.power(c + tiny, n - 1) for c in u]
    total = sum((r * c for r, c in zip(raised[1:], u[1:], strict=True)), raised[0] * u[0]) + tiny
    q = np.power(total, 1 / n)
    slopes = [(r * i) ** 2 for r, i in zip(raised, inverse, strict=True)]
    slope = np.sqrt(sum(slopes[1:], slopes[0])) * np.power(q, 1 - n) + tiny
    return np.asarray((q - 1) / slope)


class Tube(Shape):
    """A bent rod through points, its radius linear between them; optionally stretched along the axes.

    Parameters
    ----------
    points
        ``(n, 3)`` mm.
    radii
        One radius, or one for each point, mm.
    stretch
        Factor on the cross-section along (x, y, z).
    """

    def __init__(
        self,
        points: ArrayLike,
        radii: ArrayLike,
        stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        self.points = np.atleast_2d(np.asarray(points, dtype=np.float64))
        self.radii = np.broadcast_to(np.asarray(radii, dtype=np.float64), (len(self.points),))
        self.stretch = np.asarray(stretch, dtype=np.float64)
        reach = self.radii[:, None] * self.stretch
        self.lower, self.upper = (self.points - reach).min(axis=0), (self.points + reach).max(axis=0)

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        scale = (1.0 / self.stretch).astype(np.float32)
        p = [c[box] * s for c, s in zip((field.x, field.y, field.z), scale, strict=True)]
        points = self.points / self.stretch
        out = np.full(p[0].shape, FAR, dtype=np.float32)
        for a, b, ra, rb in zip(points, points[1:], self.radii, self.radii[1:], strict=False):
            np.minimum(out, _rod_distance(p, a, b, ra, rb), out=out)
        return out


def _rod_distance(
    p: Sequence[Distances], a: NDArray[np.float64], b: NDArray[np.float64], radius_a: float, radius_b: float
) -> Distances:
    """Distance from a straight rod with round ends."""
    run = (b - a).astype(np.float32)
    x, y, z = (c - np.float32(o) for c, o in zip(p, a, strict=True))
    t = np.clip((x * run[0] + y * run[1] + z * run[2]) / np.float32(max(float(run @ run), 1e-6)), 0, 1)
    gap = (x - t * run[0]) ** 2 + (y - t * run[1]) ** 2 + (z - t * run[2]) ** 2
    return np.asarray(np.sqrt(gap) - (np.float32(radius_a) + t * np.float32(radius_b - radius_a)))


class Bush(Shape):
    """Many thin rods, each evaluated in its own near surroundings only; distances reach 4 mm outside.

    Parameters
    ----------
    starts, ends
        ``(n, 3)`` mm.
    radii
        ``(n, 2)`` mm, at start and end.
    """

    def __init__(
        self, starts: NDArray[np.float64], ends: NDArray[np.float64], radii: NDArray[np.float64]
    ) -> None:
        self.rods = [Tube(np.array([a, b]), r) for a, b, r in zip(starts, ends, radii, strict=True)]
        for rod in self.rods:
            rod.reach_mm = 4.0
        self.spans = np.array([(r.lower[2], r.upper[2]) for r in self.rods])
        self.lower = np.min([r.lower for r in self.rods], axis=0)
        self.upper = np.max([r.upper for r in self.rods], axis=0)

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        out = np.full(tuple(s.stop - s.start for s in box), FAR, dtype=np.float32)
        heights = (self.spans - field.centre_mm[2]) * field.scale[2]
        z, reach = field.axes[2], 4.0 + field.slack_mm
        near = (heights[:, 0] - reach <= z[-1]) & (heights[:, 1] + reach >= z[0])
        for i in np.flatnonzero(near):
            rod = self.rods[i]
            own = field.box(rod)
            _, outer = overlap(own, box)
            if all(s.stop > s.start for s in outer):
                part = tuple(
                    slice(o.start + b.start, o.stop + b.start) for o, b in zip(outer, box, strict=True)
                )
                np.minimum(out[outer], rod.evaluate(field, (part[0], part[1], part[2])), out=out[outer])
        return out


class Column(Shape):
    """An upright body whose horizontal sections are superellipses that change with height.

    Parameters
    ----------
    z_mm
        Heights of the sections, ascending; the end sections hold beyond them.
    half_width, front, back
        Half-axes of each section along x, towards -y and towards +y, mm.
    centre_y, centre_x
        Where front and back meet, and the middle, mm.
    power
        Exponent of the superellipse.
    """

    def __init__(
        self,
        z_mm: ArrayLike,
        half_width: ArrayLike,
        front: ArrayLike,
        back: ArrayLike,
        centre_y: ArrayLike = 0.0,
        centre_x: ArrayLike = 0.0,
        power: float = 2.0,
    ) -> None:
        self.heights = np.asarray(z_mm, dtype=np.float64)
        rows = (half_width, front, back, centre_y, centre_x)
        self.rows = [np.broadcast_to(np.asarray(r, dtype=np.float64), self.heights.shape) for r in rows]
        self.power = power
        width, front_, back_, y, x = self.rows
        self.lower = np.array([(x - width).min(), (y - front_).min(), -1e4])
        self.upper = np.array([(x + width).max(), (y + back_).max(), 1e4])

    def evaluate(self, field: Field, box: Box) -> Distances:
        """See `Shape`."""
        z = np.asarray(field.straight_z[box[0], :, :], dtype=np.float64)
        width, front, back, y0, x0 = (
            _smooth_interpolation(z, self.heights, row).astype(np.float32) for row in self.rows
        )
        x, y = field.x[box] - x0, field.y[box] - y0
        inverse_x = np.asarray(1 / width, dtype=np.float32)
        inverse_y = np.where(y < 0, 1 / front, 1 / back).astype(np.float32)
        u = [np.abs(x * inverse_x), np.abs(y * inverse_y)]
        return superellipse_distance(u, [inverse_x, inverse_y], self.power)


def _smooth_interpolation(
    z: NDArray[np.float64], heights: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Monotone cubic interpolation, constant beyond the ends."""
    from scipy.interpolate import PchipInterpolator  # slow to import, and only the trunk needs it

    clipped = np.clip(z, heights[0], heights[-1])
    return np.asarray(PchipInterpolator(heights, values)(clipped))
