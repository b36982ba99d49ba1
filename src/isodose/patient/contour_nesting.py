"""Which of the contours of a plane are holes, where the file says no more than that they are closed."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isodose.patient.contour_planes import area_mm2

TOUCH_MM = 0.01
"""A vertex this close to an outline lies on it."""


@njit(cache=True, error_model="numpy")
def _places(points, polygon, place):  # type: ignore[no-untyped-def]
    """Place of each point by a polygon: 1 inside, 0 on the outline, -1 outside."""
    for i in range(len(points)):
        px, py = points[i, 0], points[i, 1]
        inside = False
        nearest = np.inf
        ax, ay = polygon[-1, 0], polygon[-1, 1]
        for j in range(len(polygon)):
            bx, by = polygon[j, 0], polygon[j, 1]
            dx, dy = bx - ax, by - ay
            if (ay > py) != (by > py) and px < ax + (py - ay) * dx / dy:
                inside = not inside
            squared = dx * dx + dy * dy
            along = 0.0
            if squared > 0.0:
                along = min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / squared))
            ex, ey = px - ax - along * dx, py - ay - along * dy
            nearest = min(nearest, ex * ex + ey * ey)
            ax, ay = bx, by
        place[i] = 1 if inside else -1
        if nearest <= TOUCH_MM * TOUCH_MM:
            place[i] = 0


def _inside(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.int8]:
    """Place of points ``(n, 2)`` by a polygon ``(m, 2)``: 1 inside, 0 on the outline, -1 outside."""
    place = np.empty(len(points), dtype=np.int8)
    _places(np.ascontiguousarray(points), np.ascontiguousarray(polygon), place)
    return place


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
        distances, nearest = cKDTree(outline).query(inner)
        j = int(distances.argmin())
        i = int(nearest[j])
        around = np.concatenate([inner[j:], inner[: j + 1]])
        outline = np.concatenate([outline[: i + 1], around, outline[i:]])
    return outline


def joined(polygons: list[tuple[NDArray[np.float64], bool]]) -> list[NDArray[np.float64]]:
    """Outlines of a plane without holes of their own: each hole is joined to the smallest polygon around it.

    Parameters
    ----------
    polygons
        Vertices in mm of every contour of the plane, and whether it is a hole. A hole in none is
        dropped.
    """
    outers = sorted((p for p, hole in polygons if not hole), key=lambda p: abs(area_mm2(p)))
    holes: list[list[NDArray[np.float64]]] = [[] for _ in outers]
    for inner in (p for p, hole in polygons if hole):
        around = [i for i, outer in enumerate(outers) if _contains(outer, inner)]
        around = around or [i for i, outer in enumerate(outers) if np.any(_inside(inner, outer) > 0)]
        if around:
            holes[around[0]].append(inner)
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
