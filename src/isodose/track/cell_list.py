"""Points in space sorted into cubic cells, the cells in the order of a lattice that is never stored.

Cells are numbered x by x, y by y, z by z over the box around all points, and only those that hold points are
kept. Neighbours along z have numbers that follow one another, so the points of three such cells lie side by
side; a row next to it lies at a fixed distance in number. Whoever visits places in the order of their cells
therefore meets the cells of every neighbouring row in order too (:mod:`isodose.track.neighbourhood`): no
search, no hash table, and no memory for empty space, however far the points scatter.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError

SPARE = 4
"""Entries after the last of each array of a list, so that whole vectors may be read at its end."""

BEYOND = np.iinfo(np.int64).max
"""Number of a cell beyond all others."""

_MOST_CELLS = 1_000_000  # either side of the origin: more in three axes have no 64-bit numbers
_BORDER = 3  # a cell in the middle layer and its neighbours stand for all places outside: no points
_DIGIT = 8


class Lattice(NamedTuple):
    """Cells in a box around points, and three layers of empty ones on each side.

    Attributes
    ----------
    low
        Cell at the box's corner, on each axis, counted from the origin.
    shape
        Number of cells on each axis.
    edge_nm
        Edge of a cell, nm.
    """

    low: tuple[int, int, int]
    shape: tuple[int, int, int]
    edge_nm: float


class CellList(NamedTuple):
    """Points by cell.

    Attributes
    ----------
    points_nm
        ``x, y, z`` of the points, ``[points + SPARE]`` each, cell by cell, then infinity.
    numbers
        ``[cells + SPARE]`` number of each cell that holds points, ascending, then ``BEYOND``.
    first_point
        ``[cells + SPARE]`` its first point, then the number of points.
    lattice
        What numbers the cells.
    """

    points_nm: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    numbers: NDArray[np.int64]
    first_point: NDArray[np.int32]
    lattice: Lattice


def checked_points(points_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points ``[points, 3]`` as kernels want them; InputError if they are none."""
    if points_nm.ndim != 2 or points_nm.shape[1] != 3:
        raise InputError("points_nm", points_nm.shape, "an array [points, 3]")
    if not np.all(np.isfinite(points_nm)):
        raise InputError("points_nm", "a place that is not finite", "finite places")
    return np.ascontiguousarray(points_nm, dtype=np.float64)


@njit(cache=True, error_model="numpy")
def _lattice_around(points_nm, edge_nm):  # type: ignore[no-untyped-def]
    low, shape = np.full(3, -_BORDER), np.full(3, 2 * _BORDER + 1)
    for axis in range(3 if points_nm.shape[0] > 0 else 0):
        least, most = points_nm[0, axis], points_nm[0, axis]
        for n in range(points_nm.shape[0]):
            least, most = min(least, points_nm[n, axis]), max(most, points_nm[n, axis])
        if max(-least, most) > _MOST_CELLS * edge_nm:
            raise OverflowError("a point lies more than a million cells from the origin")
        low[axis] = math.floor(least / edge_nm) - _BORDER
        shape[axis] = math.floor(most / edge_nm) + _BORDER + 1 - low[axis]
    return Lattice((low[0], low[1], low[2]), (shape[0], shape[1], shape[2]), edge_nm)


@njit(cache=True, inline="always")
def _on_axis(lattice, axis, place_nm):  # type: ignore[no-untyped-def]
    """Cell of a place on an axis; the border's middle for a place outside of it."""
    cell = np.floor(place_nm / lattice.edge_nm) - lattice.low[axis]
    return np.int64(min(max(cell, 1.0), lattice.shape[axis] - 2.0))


@njit(cache=True, error_model="numpy")
def cell_numbers(lattice, places_nm):  # type: ignore[no-untyped-def]
    """Return numbers ``[places]`` of the cells of places (nm), the first three columns of an array."""
    numbers = np.empty(places_nm.shape[0], np.int64)
    for n in range(numbers.size):
        x = _on_axis(lattice, 0, places_nm[n, 0])
        y = _on_axis(lattice, 1, places_nm[n, 1])
        numbers[n] = (x * lattice.shape[1] + y) * lattice.shape[2] + _on_axis(lattice, 2, places_nm[n, 2])
    return numbers


@njit(cache=True, error_model="numpy")
def in_order(numbers, lattice):  # type: ignore[no-untyped-def]
    """Sort numbers of cells (which are overwritten); return them, and where each was: a stable radix sort."""
    largest = lattice.shape[0] * lattice.shape[1] * lattice.shape[2]
    was = np.arange(numbers.size).astype(np.int32)
    to_numbers, to_was = np.empty_like(numbers), np.empty_like(was)
    end = np.empty((1 << _DIGIT) + 1, np.int64)
    mask = (1 << _DIGIT) - 1
    for shift in range(0, 63, _DIGIT):
        if largest >> shift == 0:
            break
        end[:] = 0
        for number in numbers:
            end[((number >> shift) & mask) + 1] += 1
        for digit in range(mask):
            end[digit + 1] += end[digit]
        for n in range(numbers.size):
            digit = (numbers[n] >> shift) & mask
            to = end[digit]
            end[digit] += 1
            to_numbers[to], to_was[to] = numbers[n], was[n]
        numbers, to_numbers = to_numbers, numbers
        was, to_was = to_was, was
    return numbers, was


@njit(cache=True, error_model="numpy")
def sort_into_cells(points_nm, edge_nm):  # type: ignore[no-untyped-def]
    """Sort points ``[points, 3]``, at most a million cells from the origin, into cells of an edge."""
    lattice = _lattice_around(points_nm, edge_nm)
    of_point, was = in_order(cell_numbers(lattice, points_nm), lattice)
    total = of_point.size
    room = total + SPARE
    xs, ys, zs = np.full(room, np.inf), np.full(room, np.inf), np.full(room, np.inf)
    numbers, first_point = np.full(room, BEYOND), np.full(room, np.int32(total))
    cells, last = 0, BEYOND
    for n in range(total):
        point = was[n]
        xs[n], ys[n], zs[n] = points_nm[point, 0], points_nm[point, 1], points_nm[point, 2]
        if of_point[n] != last:
            last = of_point[n]
            numbers[cells], first_point[cells] = last, n
            cells += 1
    return CellList((xs, ys, zs), numbers[: cells + SPARE], first_point[: cells + SPARE], lattice)
