"""Points in space sorted into cubic cells, so that neighbours are found in a time that does not grow.

Cells are kept in blocks of 4 x 4 x 4. Only blocks that hold a point exist; they are found through a hash
table, and the 64 bits of one word say which of their cells hold points. The points of a cell lie side by
side, and the cells of a block too.
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
_COARSE = 32  # cells per axis of the coarse grid
_MANY = 1 << 15  # points from which the caches matter


class CellList(NamedTuple):
    """Points by cell.

    Attributes
    ----------
    points_nm
        ``[points, 3]`` the points, cell by cell.
    blocks
        ``[capacity, 4]`` hash table of blocks: key (-1 where free), a bit for each cell that holds points
        (bit ``(x & 3) << 4 | (y & 3) << 2 | (z & 3)``), number of its first such cell, number of the block.
    first_point
        ``[cells + 1]`` first point of each cell that holds points.
    edge_nm
        Edge of a cell, nm.
    """

    points_nm: NDArray[np.float64]
    blocks: NDArray[np.int64]
    first_point: NDArray[np.int64]
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
def _slot_of(blocks, key):  # type: ignore[no-untyped-def]
    """Slot that holds a key, or the free one where it belongs."""
    mask = np.int64(blocks.shape[0] - 1)
    slot = np.int64((np.uint64(key) * _MIX) >> _TOP_BITS) & mask
    while blocks[slot, 0] != key and blocks[slot, 0] != _EMPTY:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def _empty_blocks(capacity):  # type: ignore[no-untyped-def]
    blocks = np.zeros((capacity, 4), np.int64)
    blocks[:, 0] = _EMPTY
    return blocks


@njit(cache=True)
def _with_twice_the_room(blocks):  # type: ignore[no-untyped-def]
    wider = _empty_blocks(2 * blocks.shape[0])
    for slot in range(blocks.shape[0]):
        if blocks[slot, 0] != _EMPTY:
            wider[_slot_of(wider, blocks[slot, 0])] = blocks[slot]
    return wider


@njit(cache=True, error_model="numpy")
def _find_blocks(points_nm, edge_nm):  # type: ignore[no-untyped-def]
    total = points_nm.shape[0]
    blocks = _empty_blocks(64)
    block_of, bit_of = np.empty(total, np.int32), np.empty(total, np.uint8)
    per_nm = 1.0 / edge_nm
    used = 0
    for n in range(total):
        ix = math.floor(points_nm[n, 0] * per_nm)
        iy = math.floor(points_nm[n, 1] * per_nm)
        iz = math.floor(points_nm[n, 2] * per_nm)
        if max(abs(ix), abs(iy), abs(iz)) >= _OFFSET:
            raise OverflowError("a point lies more than a million cells from the origin")
        key = _key(ix >> 2, iy >> 2, iz >> 2)
        slot = _slot_of(blocks, key)
        if blocks[slot, 0] == _EMPTY:
            if 2 * used > blocks.shape[0]:
                blocks = _with_twice_the_room(blocks)
                slot = _slot_of(blocks, key)
            blocks[slot, 0], blocks[slot, 3] = key, used
            used += 1
        bit = ((ix & 3) << 4) | ((iy & 3) << 2) | (iz & 3)
        block_of[n], bit_of[n] = blocks[slot, 3], bit
        blocks[slot, 1] |= np.int64(_ONE << np.uint64(bit))
    return blocks, used, block_of, bit_of


@njit(cache=True, error_model="numpy")
def _near_ones_together(points_nm):  # type: ignore[no-untyped-def]
    """Order points by a coarse grid over all of them (counting sort), for the sake of the caches."""
    total = points_nm.shape[0]
    low, per_nm = np.empty(3), np.empty(3)
    for axis in range(3):
        low[axis] = points_nm[:, axis].min()
        per_nm[axis] = _COARSE * (1.0 - 1e-9) / max(points_nm[:, axis].max() - low[axis], 1e-9)
    first = np.zeros(_COARSE**3 + 1, np.int64)
    coarse = np.empty(total, np.int32)
    for n in range(total):
        cell = 0
        for axis in range(3):
            cell = cell * _COARSE + int((points_nm[n, axis] - low[axis]) * per_nm[axis])
        coarse[n] = cell
        first[cell + 1] += 1
    for c in range(_COARSE**3):
        first[c + 1] += first[c]
    ordered = np.empty_like(points_nm)
    for n in range(total):
        ordered[first[coarse[n]]] = points_nm[n]
        first[coarse[n]] += 1
    return ordered


@njit(cache=True, error_model="numpy")
def sort_into_cells(points_nm, edge_nm):  # type: ignore[no-untyped-def]
    """Sort points ``[points, 3]``, at most a million cells from the origin, into cells of an edge."""
    total = points_nm.shape[0]
    if total > _MANY:
        points_nm = _near_ones_together(points_nm)
    blocks, used, block_of, bit_of = _find_blocks(points_nm, edge_nm)
    occupied, first_cell = np.empty(used, np.uint64), np.empty(used, np.int64)
    for slot in range(blocks.shape[0]):
        if blocks[slot, 0] != _EMPTY:
            occupied[blocks[slot, 3]] = np.uint64(blocks[slot, 1])
    cells = 0
    for b in range(used):
        first_cell[b] = cells
        cells += _bits_set(occupied[b])
    for slot in range(blocks.shape[0]):
        if blocks[slot, 0] != _EMPTY:
            blocks[slot, 2] = first_cell[blocks[slot, 3]]
    first_point = np.zeros(cells + 2, np.int64)
    cell_of = np.empty(total, np.int64)
    for n in range(total):
        below = (_ONE << np.uint64(bit_of[n])) - _ONE
        cell_of[n] = first_cell[block_of[n]] + _bits_set(occupied[block_of[n]] & below)
        first_point[cell_of[n] + 2] += 1
    for c in range(cells):
        first_point[c + 2] += first_point[c + 1]
    points = np.empty((total, 3))
    for n in range(total):
        place = first_point[cell_of[n] + 1]
        first_point[cell_of[n] + 1] += 1
        for axis in range(3):
            points[place, axis] = points_nm[n, axis]
    return CellList(points, blocks, first_point[: cells + 1], edge_nm)


@njit(cache=True, error_model="numpy")
def _candidates(cell_list, x, y, z, reach_x, reach_y, reach_z, found):  # type: ignore[no-untyped-def]
    """Write first and last point of the occupied cells that a box touches to ``found``; return how many."""
    per_nm = 1.0 / cell_list.edge_nm
    x0, x1 = math.floor((x - reach_x) * per_nm), math.floor((x + reach_x) * per_nm)
    y0, y1 = math.floor((y - reach_y) * per_nm), math.floor((y + reach_y) * per_nm)
    z0, z1 = math.floor((z - reach_z) * per_nm), math.floor((z + reach_z) * per_nm)
    count = 0
    for bx in range(x0 >> 2, (x1 >> 2) + 1):
        for by in range(y0 >> 2, (y1 >> 2) + 1):
            for bz in range(z0 >> 2, (z1 >> 2) + 1):
                slot = _slot_of(cell_list.blocks, _key(bx, by, bz))
                if cell_list.blocks[slot, 0] == _EMPTY:
                    continue
                word, first_cell = np.uint64(cell_list.blocks[slot, 1]), cell_list.blocks[slot, 2]
                for ix in range(max(x0, 4 * bx), min(x1, 4 * bx + 3) + 1):
                    for iy in range(max(y0, 4 * by), min(y1, 4 * by + 3) + 1):
                        for iz in range(max(z0, 4 * bz), min(z1, 4 * bz + 3) + 1):
                            bit = _ONE << np.uint64(((ix & 3) << 4) | ((iy & 3) << 2) | (iz & 3))
                            if word & bit:
                                cell = first_cell + _bits_set(word & (bit - _ONE))
                                found[count, 0] = cell_list.first_point[cell]
                                found[count, 1] = cell_list.first_point[cell + 1]
                                count += 1
    return count


@njit(cache=True, error_model="numpy")
def points_in_sphere(cell_list, x, y, z, radius_nm, found):  # type: ignore[no-untyped-def]
    """Return how many points lie within a radius, at most half a cell's edge, of a place (nm).

    ``found`` is room to work in, int64 ``[CANDIDATE_CELLS, 2]``.
    """
    r2 = radius_nm * radius_nm
    count = 0
    for c in range(_candidates(cell_list, x, y, z, radius_nm, radius_nm, radius_nm, found)):
        for n in range(found[c, 0], found[c, 1]):
            dx = cell_list.points_nm[n, 0] - x
            dy = cell_list.points_nm[n, 1] - y
            dz = cell_list.points_nm[n, 2] - z
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
    count = 0
    for c in range(_candidates(cell_list, x, y, z, reach_x, reach_y, reach_z, found)):
        for n in range(found[c, 0], found[c, 1]):
            dx = cell_list.points_nm[n, 0] - x
            dy = cell_list.points_nm[n, 1] - y
            dz = cell_list.points_nm[n, 2] - z
            along = dx * ux + dy * uy + dz * uz
            inside = abs(along) <= half_height_nm and dx * dx + dy * dy + dz * dz - along * along <= r2
            count += inside
    return count
