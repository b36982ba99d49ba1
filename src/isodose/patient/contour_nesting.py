"""Which of the contours of a plane are holes, where the file says no more than that they are closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.patient.contours import area_mm2

TOUCH_MM = 0.01
"""A vertex this close to an outline lies on it."""


def _inside(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.int8]:
    """Place of points ``(n, 2)`` by a polygon ``(m, 2)``: 1 inside, 0 on the outline, -1 outside."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    px, py = points[:, :1], points[:, 1:]
    edge = b - a
    across = (a[:, 1] > py) != (b[:, 1] > py)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = a[:, 0] + (py - a[:, 1]) * edge[:, 0] / edge[:, 1]
    inside = np.count_nonzero(across & (px < crossing), axis=1) % 2 == 1
    squared = np.maximum(np.sum(edge**2, axis=1), 1e-30)
    along = np.clip(((px - a[:, 0]) * edge[:, 0] + (py - a[:, 1]) * edge[:, 1]) / squared, 0, 1)
    distance = np.hypot(px - a[:, 0] - along * edge[:, 0], py - a[:, 1] - along * edge[:, 1]).min(axis=1)
    return np.where(distance <= TOUCH_MM, 0, np.where(inside, 1, -1)).astype(np.int8)


def _boxes_meet(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Whether the bounding boxes of two polygons overlap."""
    return bool(np.all(a.min(axis=0) <= b.max(axis=0)) and np.all(b.min(axis=0) <= a.max(axis=0)))


def _contains(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> bool:
    """Whether a polygon lies within another, which it may touch."""
    if not _boxes_meet(outer, inner) or abs(area_mm2(inner)) >= abs(area_mm2(outer)):
        return False
    return bool(np.all(_inside(inner, outer) >= 0) and np.all(_inside(outer, inner) <= 0))


def _crosses(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Whether two polygons overlap without one lying within the other."""
    if not _boxes_meet(a, b) or _contains(a, b) or _contains(b, a):
        return False
    return bool(np.any(_inside(a, b) > 0) or np.any(_inside(b, a) > 0))


def rings_of(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Rings of an outline that comes back to a vertex, such as the outer and inner ring of a keyhole.

    Channels, passed forth and back, vanish. Filled even-odd, the rings are what the outline was.

    Parameters
    ----------
    points
        Vertices ``(n, 2)`` in mm.
    """
    if np.unique(points[:, 0] + 1j * points[:, 1]).size == len(points):
        return [points]
    rings: list[NDArray[np.float64]] = []
    path: list[tuple[float, float]] = []
    place: dict[tuple[float, float], int] = {}
    for vertex in [(float(x), float(y)) for x, y in points]:
        if vertex in place:
            first = place[vertex]
            if len(path) - first >= 3:
                rings.append(np.array(path[first:]))
            for gone in path[first + 1 :]:
                del place[gone]
            del path[first + 1 :]
        else:
            place[vertex] = len(path)
            path.append(vertex)
    if len(path) >= 3:
        rings.append(np.array(path))
    return rings


def keyhole(outer: NDArray[np.float64], holes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One outline ``(n, 2)`` of a polygon and its holes, joined by channels of no width."""
    outline = outer if area_mm2(outer) > 0 else outer[::-1]
    for hole in holes:
        inner = hole if area_mm2(hole) < 0 else hole[::-1]
        distance = np.linalg.norm(outline[:, None] - inner[None], axis=2)
        i, j = np.unravel_index(int(distance.argmin()), distance.shape)
        around = np.concatenate([inner[j:], inner[: j + 1]])
        outline = np.concatenate([outline[: i + 1], around, outline[i:]])
    return outline


def joined(polygons: list[tuple[NDArray[np.float64], bool]]) -> list[NDArray[np.float64]]:
    """Outlines of a plane without holes of their own: each hole is joined to the smallest polygon around it.

    Parameters
    ----------
    polygons
        Vertices in mm of every contour of the plane, and whether it is a hole. A hole in none is dropped.
    """
    outers = sorted((p for p, hole in polygons if not hole), key=lambda p: abs(area_mm2(p)))
    holes: list[list[NDArray[np.float64]]] = [[] for _ in outers]
    for inner in (p for p, hole in polygons if hole):
        around = next((i for i, outer in enumerate(outers) if _contains(outer, inner)), None)
        if around is not None:
            holes[around].append(inner)
    return [keyhole(outer, inner) if inner else outer for outer, inner in zip(outers, holes, strict=True)]


def holes_by_nesting(polygons: list[NDArray[np.float64]]) -> list[bool]:
    """Whether each polygon of a plane is a hole: it lies within an odd number of others.

    Parameters
    ----------
    polygons
        Vertices ``(n, 2)`` in mm of every contour of one plane.
    """
    return [
        sum(_contains(outer, inner) for outer in polygons if outer is not inner) % 2 == 1
        for inner in polygons
    ]


def exclusive_or(polygons: list[NDArray[np.float64]]) -> list[tuple[NDArray[np.float64], bool]]:
    """Polygons of a plane that are to be combined by exclusive or, as polygons that are holes or not.

    Nested ones alternate. If any cross each other, all are joined to one outline by channels of no width,
    which filled even-odd is the exclusive or.
    """
    pairs = [(a, b) for i, a in enumerate(polygons) for b in polygons[:i]]
    if not any(_crosses(a, b) or np.array_equal(a, b) for a, b in pairs):
        return list(zip(polygons, holes_by_nesting(polygons), strict=True))
    start = polygons[0][:1]
    return [(np.concatenate([part for p in polygons for part in (p, p[:1], start)]), False)]
