"""Points around a cell, side by side: those of the 27 cells that a region no wider than a cell can touch.

Cells are visited in ascending order. Nine marks, one for each neighbouring row of three cells along z, then
move forward only, so that all visits together pass the list nine times. The points around a cell are gathered
once for all regions in it, and compared without asking which cell they are in: a processor compares several
at a time, which costs less than to choose.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.track.cell_list import SPARE

_VECTOR = 8  # points that are compared together
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)  # no sign: no test for an index from the end


class Neighbourhood(NamedTuple):
    """Room for the points around a cell.

    Attributes
    ----------
    points_nm
        Their ``x, y, z``, and more room; after the last, ``x`` is infinite for a vector's length.
    marks
        ``[9]`` cell of the list where each neighbouring row begins, or that follows it.
    """

    points_nm: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    marks: NDArray[np.uint64]


@njit(cache=True)
def neighbourhood_in(cell_list):  # type: ignore[no-untyped-def]
    """Return the room, with the marks before all cells."""
    room = cell_list.points_nm[0].size + _VECTOR
    return Neighbourhood((np.empty(room), np.empty(room), np.empty(room)), np.zeros(9, np.uint64))


@njit(cache=True, inline="always")
def _copy_vector(points, n, room, to):  # type: ignore[no-untyped-def]
    """Copy ``SPARE`` coordinates from n on: read all before the first is written, as one register does."""
    a, b, c, d = points[n], points[n + _ONE], points[n + _TWO], points[n + _THREE]
    room[to], room[to + _ONE], room[to + _TWO], room[to + _THREE] = a, b, c, d


@njit(cache=True, error_model="numpy")
def surround(cell_list, near, number):  # type: ignore[no-untyped-def]
    """Gather the points around a cell, whose number must not be below the last one's; return how many."""
    numbers, first_point = cell_list.numbers, cell_list.first_point
    xs, ys, zs = cell_list.points_nm
    to_x, to_y, to_z = near.points_nm
    _, rows, layers = cell_list.lattice.shape
    count = np.uint64(0)
    for row in range(9):
        first = number + ((row // 3 - 1) * rows + row % 3 - 1) * layers - 1
        begin = near.marks[row]
        # sums of comparisons instead of branches that no processor can foretell
        begin += np.uint64(numbers[begin] < first)
        begin += np.uint64(numbers[begin] < first)
        while numbers[begin] < first:
            begin += _ONE
        near.marks[row] = begin
        end = begin + np.uint64(numbers[begin] <= first + 2)
        end += np.uint64(numbers[begin + _ONE] <= first + 2) + np.uint64(numbers[begin + _TWO] <= first + 2)
        point, last = np.uint64(first_point[begin]), np.uint64(first_point[end])
        to, count = count, count + last - point
        while True:  # at least once, and too much: the next row overwrites it
            _copy_vector(xs, point, to_x, to)
            _copy_vector(ys, point, to_y, to)
            _copy_vector(zs, point, to_z, to)
            point, to = point + np.uint64(SPARE), to + np.uint64(SPARE)
            if point >= last:
                break
    for n in range(_VECTOR):
        to_x[count + np.uint64(n)] = np.inf
    return np.int64(count)


@njit(cache=True, inline="always")
def _in_vectors(count):  # type: ignore[no-untyped-def]
    return range(np.uint64((count + _VECTOR - 1) // _VECTOR * _VECTOR))


@njit(cache=True, error_model="numpy")
def points_in_sphere(near, count, x, y, z, radius_nm):  # type: ignore[no-untyped-def]
    """Return how many of the points around lie within a radius of a place (nm).

    The radius must not be more than half a cell's edge.
    """
    r2 = radius_nm * radius_nm
    xs, ys, zs = near.points_nm
    inside = 0
    for n in _in_vectors(count):
        dx, dy, dz = xs[n] - x, ys[n] - y, zs[n] - z
        inside += dx * dx + dy * dy + dz * dz <= r2
    return inside


@njit(cache=True, error_model="numpy")
def points_in_cylinder(near, count, x, y, z, axis, radius_nm, half_height_nm):  # type: ignore[no-untyped-def]
    """Return how many of the points around lie in a cylinder round (x, y, z) with a unit vector as axis.

    The sphere around the cylinder must not be wider than a cell.
    """
    ux, uy, uz = axis
    r2 = radius_nm * radius_nm
    xs, ys, zs = near.points_nm
    inside = 0
    for n in _in_vectors(count):
        dx, dy, dz = xs[n] - x, ys[n] - y, zs[n] - z
        along = dx * ux + dy * uy + dz * uz
        inside += (abs(along) <= half_height_nm) & (dx * dx + dy * dy + dz * dz - along * along <= r2)
    return inside
