"""Points in space sorted into cubic cells, so that neighbours are found in a time that does not grow.

Cells are kept in blocks of 4 x 4 x 4. The 64 bits of one word say which cells of a block hold points; the
points of a cell lie side by side, and so do the cells of a block. Where the points fill their surroundings
well enough, blocks are counted through on a grid, else found through a hash table.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

CANDIDATE_CELLS = 8
"""Cells that a region no wider than one of them can touch."""

_BITS = 21
_OFFSET = 1 << (_BITS - 1)
_EMPTY = np.int64(-1)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_TOP_BITS = np.uint64(40)  # only the top bits of a product depend on all bits of the key
_ONE = np.uint64(1)
_GRID_BLOCKS_PER_POINT, _SMALL_GRID = 8, 1 << 16
_ROOM = 1 << 10  # of a hash table at first


def _whole_ranges(shift: int) -> NDArray[np.uint64]:
    """Bits of all cells of a block whose number on one axis is in a range, by ``4 * first + last``."""
    cells = (np.arange(64) >> shift) & 3
    wanted = [(first <= cells) & (cells <= last) for first in range(4) for last in range(4)]
    return np.array([sum(1 << int(bit) for bit in np.flatnonzero(w)) for w in wanted], dtype=np.uint64)


_WHOLE_X, _WHOLE_Y, _WHOLE_Z = _whole_ranges(4), _whole_ranges(2), _whole_ranges(0)


class CellList(NamedTuple):
    """Points by cell.

    Attributes
    ----------
    points_nm
        ``x, y, z`` of the points, ``[points]`` each, cell by cell.
    occupied
        ``[blocks]`` by a bit, which cells hold points: ``(x & 3) << 4 | (y & 3) << 2 | (z & 3)``.
    first_cell
        ``[blocks]`` number of its first such cell.
    first_point
        ``[cells + 1]`` first point of each cell that holds points.
    low, shape
        First block on each axis, and number of blocks, of the grid; the shape is 0 where there is a table.
    grid
        Number of each block of the grid plus one, 0 where it holds no points.
    table
        ``[capacity, 2]`` hash table: key of a block (-1 where free) and its number.
    edge_nm
        Edge of a cell, nm.
    """

    points_nm: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    occupied: NDArray[np.uint64]
    first_cell: NDArray[np.int64]
    first_point: NDArray[np.int64]
    low: tuple[int, int, int]
    shape: tuple[int, int, int]
    grid: NDArray[np.int32]
    table: NDArray[np.int64]
    edge_nm: float


@njit(cache=True, inline="always")
def _key(bx, by, bz):  # type: ignore[no-untyped-def]
    return (((bx + _OFFSET) << (2 * _BITS)) | ((by + _OFFSET) << _BITS)) | (bz + _OFFSET)


@njit(cache=True, inline="always")
def _bits_set(word):  # type: ignore[no-untyped-def]
    word = word - ((word >> _ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, inline="always")
def _slot_of(table, key):  # type: ignore[no-untyped-def]
    """Slot that holds a key, or the free one where it belongs."""
    mask = np.int64(table.shape[0] - 1)
    # four blocks in a row along z share a line of the cache
    slot = ((np.int64((np.uint64(key >> 2) * _MIX) >> _TOP_BITS) << 2) | (key & 3)) & mask
    while table[slot, 0] != key and table[slot, 0] != _EMPTY:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, inline="always")
def _grid_place(low, shape, bx, by, bz):  # type: ignore[no-untyped-def]
    """Place of a block in the grid; negative outside."""
    x, y, z = bx - low[0], by - low[1], bz - low[2]
    inside = (x >= 0) & (x < shape[0]) & (y >= 0) & (y < shape[1]) & (z >= 0) & (z < shape[2])
    return (x * shape[1] + y) * shape[2] + z if inside else np.int64(-1)


@njit(cache=True, inline="always")
def _block_at(cell_list, bx, by, bz):  # type: ignore[no-untyped-def]
    """Number of a block; negative where there is none."""
    if cell_list.grid.size > 0:
        place = _grid_place(cell_list.low, cell_list.shape, bx, by, bz)
        return np.int64(cell_list.grid[place]) - 1 if place >= 0 else np.int64(-1)
    slot = _slot_of(cell_list.table, _key(bx, by, bz))
    return cell_list.table[slot, 1]


@njit(cache=True)
def _with_room(table, wanted):  # type: ignore[no-untyped-def]
    """The table, or a copy of twice the size if it would be more than half full."""
    if 2 * wanted <= table.shape[0]:
        return table
    wider = np.full((2 * table.shape[0], 2), _EMPTY)
    for slot in range(table.shape[0]):
        if table[slot, 0] != _EMPTY:
            wider[_slot_of(wider, table[slot, 0])] = table[slot]
    return wider


@njit(cache=True, error_model="numpy")
def _extent(points_nm, per_nm):  # type: ignore[no-untyped-def]
    """First block on each axis and number of blocks up to the last; no number if most would be empty."""
    low, shape, blocks = np.zeros(3, np.int64), np.ones(3, np.int64), 1.0
    for axis in range(3 if points_nm.shape[0] > 0 else 0):
        least, most = points_nm[0, axis], points_nm[0, axis]
        for n in range(points_nm.shape[0]):
            least, most = min(least, points_nm[n, axis]), max(most, points_nm[n, axis])
        if max(-least, most) * per_nm >= _OFFSET:
            raise OverflowError("a point lies more than a million cells from the origin")
        low[axis] = math.floor(least * per_nm) >> 2
        shape[axis] = (math.floor(most * per_nm) >> 2) + 1 - low[axis]
        blocks *= shape[axis]
    if blocks > _GRID_BLOCKS_PER_POINT * points_nm.shape[0] + _SMALL_GRID:
        shape[:] = 0
    return (low[0], low[1], low[2]), (shape[0], shape[1], shape[2])


@njit(cache=True, error_model="numpy")
def _number_on_grid(points_nm, per_nm, low, shape, block_of, bit_of):  # type: ignore[no-untyped-def]
    """Fill block and bit of each point; return the grid of numbers, in the order of space, and how many."""
    grid = np.zeros(shape[0] * shape[1] * shape[2], np.int32)
    for n in range(block_of.size):
        ix = math.floor(points_nm[n, 0] * per_nm)
        iy = math.floor(points_nm[n, 1] * per_nm)
        iz = math.floor(points_nm[n, 2] * per_nm)
        bit_of[n] = ((ix & 3) << 4) | ((iy & 3) << 2) | (iz & 3)
        block_of[n] = _grid_place(low, shape, ix >> 2, iy >> 2, iz >> 2)
        grid[block_of[n]] = 1
    used = 0
    for place in range(grid.size):
        if grid[place] > 0:
            used += 1
            grid[place] = used
    for n in range(block_of.size):
        block_of[n] = grid[block_of[n]] - 1
    return grid, used


@njit(cache=True, error_model="numpy")
def _number_in_table(points_nm, per_nm, block_of, bit_of):  # type: ignore[no-untyped-def]
    """Fill block and bit of each point; return the hash table of numbers, and how many."""
    table = np.full((_ROOM, 2), _EMPTY)
    used, last, block = 0, _EMPTY, 0
    for n in range(block_of.size):
        ix = math.floor(points_nm[n, 0] * per_nm)
        iy = math.floor(points_nm[n, 1] * per_nm)
        iz = math.floor(points_nm[n, 2] * per_nm)
        bit_of[n] = ((ix & 3) << 4) | ((iy & 3) << 2) | (iz & 3)
        key = _key(ix >> 2, iy >> 2, iz >> 2)
        if key != last:  # points of a track often follow one another
            slot = _slot_of(table, key)
            if table[slot, 0] == _EMPTY:
                used += 1
                table = _with_room(table, used)
                slot = _slot_of(table, key)
                table[slot, 0], table[slot, 1] = key, used - 1
            last, block = key, table[slot, 1]
        block_of[n] = block
    return table, used


@njit(cache=True, error_model="numpy")
def _by_block(points_nm, block_of, bit_of, blocks):  # type: ignore[no-untyped-def]
    """Coordinates and bits of the points in the order of the blocks, and the end of each block."""
    total = block_of.size
    end = np.zeros(blocks + 1, np.int32)
    for n in range(total):
        end[block_of[n] + 1] += 1
    for b in range(blocks):
        end[b + 1] += end[b]
    xs, ys, zs, bits = np.empty(total), np.empty(total), np.empty(total), np.empty_like(bit_of)
    for n in range(total):
        to = end[block_of[n]]
        end[block_of[n]] += 1
        xs[to], ys[to], zs[to] = points_nm[n, 0], points_nm[n, 1], points_nm[n, 2]
        bits[to] = bit_of[n]
    return (xs, ys, zs), bits, end


@njit(cache=True, error_model="numpy")
def _by_cell(points, bits, end, blocks):  # type: ignore[no-untyped-def]
    """Sort coordinates by cell inside blocks; return occupied cells, the first of them, and first points."""
    xs, ys, zs = points
    most, begin = 0, 0
    for b in range(blocks):
        most, begin = max(most, end[b] - begin), end[b]
    room, place = np.empty((most, 3)), np.zeros(64, np.int32)
    occupied, first_cell = np.zeros(blocks, np.uint64), np.zeros(blocks, np.int32)
    first_point = np.zeros(bits.size + 1, np.int32)
    cells, begin = 0, 0
    for b in range(blocks):
        word = np.uint64(0)
        for n in range(begin, end[b]):
            place[bits[n]] += 1
            word |= _ONE << np.uint64(bits[n])
            room[n - begin, 0], room[n - begin, 1], room[n - begin, 2] = xs[n], ys[n], zs[n]
        occupied[b], first_cell[b] = word, cells
        while word:
            bit = _bits_set((word & (~word + _ONE)) - _ONE)
            first_point[cells + 1] = first_point[cells] + place[bit]
            place[bit] = first_point[cells]
            cells += 1
            word &= word - _ONE
        for n in range(begin, end[b]):
            to = place[bits[n]]
            place[bits[n]] += 1
            xs[to], ys[to], zs[to] = room[n - begin, 0], room[n - begin, 1], room[n - begin, 2]
        for n in range(begin, end[b]):
            place[bits[n]] = 0
        begin = end[b]
    return occupied, first_cell, first_point[: cells + 1].copy()


@njit(cache=True, error_model="numpy")
def sort_into_cells(points_nm, edge_nm):  # type: ignore[no-untyped-def]
    """Sort points ``[points, 3]``, at most a million cells from the origin, into cells of an edge."""
    block_of, bit_of = np.empty(points_nm.shape[0], np.int32), np.empty(points_nm.shape[0], np.uint8)
    low, shape = _extent(points_nm, 1.0 / edge_nm)
    if shape[0] > 0:
        table = np.full((1, 2), _EMPTY)
        grid, blocks = _number_on_grid(points_nm, 1.0 / edge_nm, low, shape, block_of, bit_of)
    else:
        grid = np.zeros(0, np.int32)
        table, blocks = _number_in_table(points_nm, 1.0 / edge_nm, block_of, bit_of)
    points, bits, end = _by_block(points_nm, block_of, bit_of, blocks)
    occupied, first_cell, first_point = _by_cell(points, bits, end, blocks)
    return CellList(points, occupied, first_cell, first_point, low, shape, grid, table, edge_nm)


@njit(cache=True, inline="always")
def _cells_of_box(box, bx, by, bz):  # type: ignore[no-untyped-def]
    """Bits of the cells of a block that lie in a box of cells."""
    x0, x1, y0, y1, z0, z1 = box
    x = _WHOLE_X[(max(x0, 4 * bx) & 3) << 2 | (min(x1, 4 * bx + 3) & 3)]
    y = _WHOLE_Y[(max(y0, 4 * by) & 3) << 2 | (min(y1, 4 * by + 3) & 3)]
    return x & y & _WHOLE_Z[(max(z0, 4 * bz) & 3) << 2 | (min(z1, 4 * bz + 3) & 3)]


@njit(cache=True, error_model="numpy")
def _candidates(cell_list, x, y, z, reach_x, reach_y, reach_z, found):  # type: ignore[no-untyped-def]
    """Write first and last point of the runs of occupied cells that a box touches; return how many."""
    per_nm = 1.0 / cell_list.edge_nm
    x0, x1 = math.floor((x - reach_x) * per_nm), math.floor((x + reach_x) * per_nm)
    y0, y1 = math.floor((y - reach_y) * per_nm), math.floor((y + reach_y) * per_nm)
    z0, z1 = math.floor((z - reach_z) * per_nm), math.floor((z + reach_z) * per_nm)
    box = (x0, x1, y0, y1, z0, z1)
    count = 0
    for bx in range(x0 >> 2, (x1 >> 2) + 1):
        for by in range(y0 >> 2, (y1 >> 2) + 1):
            for bz in range(z0 >> 2, (z1 >> 2) + 1):
                block = _block_at(cell_list, bx, by, bz)
                if block < 0:
                    continue
                word = cell_list.occupied[block]
                wanted = word & _cells_of_box(box, bx, by, bz)
                while wanted:
                    bit = wanted & (~wanted + _ONE)
                    cell = cell_list.first_cell[block] + _bits_set(word & (bit - _ONE))
                    found[count, 0] = cell_list.first_point[cell]
                    while wanted & bit:  # occupied cells that follow have their points side by side
                        wanted ^= bit
                        bit <<= _ONE
                        cell += 1
                    found[count, 1] = cell_list.first_point[cell]
                    count += 1
    return count


@njit(cache=True, error_model="numpy")
def points_in_sphere(cell_list, x, y, z, radius_nm, found):  # type: ignore[no-untyped-def]
    """Return how many points lie within a radius, at most half a cell's edge, of a place (nm).

    ``found`` is room to work in, int64 ``[CANDIDATE_CELLS, 2]``.
    """
    r2 = radius_nm * radius_nm
    xs, ys, zs = cell_list.points_nm
    count = 0
    for c in range(_candidates(cell_list, x, y, z, radius_nm, radius_nm, radius_nm, found)):
        for n in range(np.uint64(found[c, 0]), np.uint64(found[c, 1])):
            dx, dy, dz = xs[n] - x, ys[n] - y, zs[n] - z
            count += dx * dx + dy * dy + dz * dz <= r2
    return count


@njit(cache=True, error_model="numpy")
def points_in_cylinder(cell_list, x, y, z, axis, radius_nm, half_height_nm, found):  # type: ignore[no-untyped-def]
    """Return how many points lie in a cylinder round (x, y, z) with a unit vector as axis.

    The sphere around the cylinder must not be wider than a cell. ``found`` is room to work in, int64
    ``[CANDIDATE_CELLS, 2]``.
    """
    ux, uy, uz = axis
    r2 = radius_nm * radius_nm
    reach_x = half_height_nm * abs(ux) + radius_nm * math.sqrt(max(0.0, 1.0 - ux * ux))
    reach_y = half_height_nm * abs(uy) + radius_nm * math.sqrt(max(0.0, 1.0 - uy * uy))
    reach_z = half_height_nm * abs(uz) + radius_nm * math.sqrt(max(0.0, 1.0 - uz * uz))
    xs, ys, zs = cell_list.points_nm
    count = 0
    for c in range(_candidates(cell_list, x, y, z, reach_x, reach_y, reach_z, found)):
        for n in range(np.uint64(found[c, 0]), np.uint64(found[c, 1])):
            dx, dy, dz = xs[n] - x, ys[n] - y, zs[n] - z
            along = dx * ux + dy * uy + dz * uz
            inside = (abs(along) <= half_height_nm) & (dx * dx + dy * dy + dz * dz - along * along <= r2)
            count += inside
    return count
