"""Run matrices of groups: spots that go together make a column, voxels that are averaged make a row.

Spots of a group have the same weight, which makes one wider spot of them and leaves no gaps, unlike leaving
spots out.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.goal import Goal
from isodose.optimise.objective import Worse
from isodose.optimise.run_matrix import RunMatrix

Numbers = NDArray[np.int64]

_CHUNK = 4_000_000
"""Entries that are gathered together."""


def voxel_groups(
    voxels: Numbers,
    goals: Sequence[Goal],
    shape: tuple[int, int, int],
    fine: tuple[int, int, int],
    rough: tuple[int, int, int],
) -> Numbers:
    """Groups of voxels that lie together and belong to the same goals.

    Parameters
    ----------
    voxels
        Flat voxels of a grid, ``(n,)``.
    goals
        What looks at them.
    shape
        Of the grid, ``(z, y, x)``.
    fine, rough
        Size of the blocks in voxels ``(z, y, x)``, where some goal minds low values, and elsewhere.

    Returns
    -------
    ndarray
        Number of each voxel's group ``(n,)``, in the order in which they appear.
    """
    belongs = np.zeros(voxels.size, dtype=np.int64)
    minds_low = np.zeros(voxels.size, dtype=np.bool_)
    for i, goal in enumerate(goals):
        inside = np.isin(voxels, goal.voxels)
        belongs[inside] |= 1 << i
        if goal.objective.worse is not Worse.HIGH:
            minds_low |= inside
    block = np.where(minds_low[:, None], np.array(fine), np.array(rough))
    places = np.stack(np.unravel_index(voxels, shape), axis=1) // block
    _, first, group = np.unique(
        np.column_stack([places, belongs]), axis=0, return_index=True, return_inverse=True
    )
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(first.size)
    return np.asarray(rank[group.ravel()])


def grouped(
    matrix: RunMatrix,
    columns: Numbers,
    spots: Numbers,
    rows: Numbers,
    least: float = 0.0,
    threads: int | None = None,
) -> RunMatrix:
    """Matrix of groups of columns and rows.

    One quantity decides which entries are small, for all of them: the dose, or where there is none the first
    in the order of `Quantity`. So all keep one pattern, which does not depend on their order.

    Parameters
    ----------
    matrix
        What to sum over groups of columns and to average over groups of rows.
    columns
        Columns that are there, ``(n,)``.
    spots
        Group of each, ``(n,)``, from 0 on without a gap.
    rows
        Group of each row, ``(rows,)``, from 0 on without a gap.
    least
        Where the deciding quantity is below this part of the largest of its column, entries of all quantities
        are given to the others of the column: of each quantity, a column keeps its sum.
    threads
        Number of threads.

    Raises
    ------
    InputError
        If there are not as many numbers as columns and rows.
    """
    for name, given, count in (("spots", spots, columns.size), ("rows", rows, matrix.rows)):
        if given.shape != (count,):
            raise InputError(f"groups of {name}", f"shape {given.shape}", f"({count},)")
    groups = _groups(matrix, columns, spots, rows)
    cuts = _chunks(groups.before)
    decides, *others = sorted(matrix.values, key=list(Quantity).index)
    with ThreadPoolExecutor(threads) as pool:
        gather = partial(_gathered, matrix, matrix.values[decides], groups, least)
        parts = list(pool.map(gather, cuts[:-1], cuts[1:]))
        values = {decides: np.concatenate([part.values for part in parts])}
        for quantity in others:
            follow = partial(_followed, matrix, matrix.values[quantity], groups)
            values[quantity] = np.concatenate(list(pool.map(follow, parts, cuts[:-1], cuts[1:])))
    return RunMatrix(groups.inverse.size, *_joined(parts), values)


class _Groups(NamedTuple):
    """What goes together.

    `members` are the columns of all groups, those of a group between two of the `edges`; `before` counts the
    entries before each group, and all. `group` is that of each row, `inverse` one over the size of each.
    """

    members: Numbers
    edges: Numbers
    before: Numbers
    group: NDArray[np.int32]
    inverse: NDArray[np.float32]


def _groups(matrix: RunMatrix, columns: Numbers, spots: Numbers, rows: Numbers) -> _Groups:
    order = np.argsort(spots, kind="stable")
    members, edges = columns[order], np.searchsorted(spots[order], np.arange(int(spots.max()) + 2))
    entries = matrix.run_entry[matrix.column_run]
    before = np.concatenate([[0], np.cumsum((entries[1:] - entries[:-1])[members])])[edges]
    inverse = (1.0 / np.bincount(rows)).astype(np.float32)
    return _Groups(members, edges, before, rows.astype(np.int32), inverse)


def _chunks(before: Numbers) -> Numbers:
    """Groups between which the work is cut, by the entries before each of them."""
    cuts = np.searchsorted(before, np.arange(0, int(before[-1]), _CHUNK))
    return np.unique(np.concatenate([cuts, [before.size - 1]]))


class _Columns(NamedTuple):
    """Columns of a run matrix: end of each among the runs, first row and end of each run, and values."""

    ends: Numbers
    run_row: NDArray[np.int32]
    run_end: Numbers
    values: NDArray[np.float32]


def _gathered(
    matrix: RunMatrix, source: NDArray[np.float32], groups: _Groups, least: float, begin: int, end: int
) -> _Columns:
    """Columns of the groups from `begin` to before `end`."""
    most = int(groups.before[end] - groups.before[begin])
    found = _Columns(
        np.empty(end - begin, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int64),
        np.empty(most, np.float32),
    )
    runs, count = _gather(
        matrix.column_run,
        matrix.run_row,
        matrix.run_entry,
        source,
        groups.members,
        groups.edges[begin : end + 1],
        groups.group,
        groups.inverse,
        np.float32(least),
        *found,
    )
    return _Columns(
        found.ends, found.run_row[:runs].copy(), found.run_end[:runs].copy(), found.values[:count].copy()
    )


def _followed(
    matrix: RunMatrix,
    source: NDArray[np.float32],
    groups: _Groups,
    pattern: _Columns,
    begin: int,
    end: int,
) -> NDArray[np.float32]:
    """Values of another quantity in the pattern of the groups from `begin` to before `end`."""
    kept = np.empty(pattern.values.size, np.float32)
    _follow(
        matrix.column_run,
        matrix.run_row,
        matrix.run_entry,
        source,
        groups.members,
        groups.edges[begin : end + 1],
        groups.group,
        groups.inverse,
        pattern.ends,
        pattern.run_row,
        pattern.run_end,
        kept,
    )
    return kept


def _joined(parts: Sequence[_Columns]) -> tuple[Numbers, NDArray[np.int32], Numbers]:
    """Pattern of all columns: first run of each, first row of each run and first entry of each."""
    column_run, run_entry = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    for part in parts:
        column_run.append(part.ends + column_run[-1][-1])
        run_entry.append(part.run_end + run_entry[-1][-1])
    rows = np.concatenate([part.run_row for part in parts])
    return np.concatenate(column_run), rows, np.concatenate(run_entry)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(  # type: ignore[no-untyped-def]
    column_run, run_row, run_entry, source, members, edges, group, inverse, least, ends, row, last, kept
):
    """Runs of each group of columns: their number so far, first rows, ends among the entries, and values."""
    bits, total = np.zeros(inverse.size // 64 + 1, np.uint64), np.zeros(inverse.size, np.float32)
    run, at = -1, 0
    for k in range(edges.size - 1):
        columns = members[edges[k] : edges[k + 1]]
        low, high = _add_up(column_run, run_row, run_entry, source, columns, group, total, bits)
        scale, limit = _cut(total, inverse, 64 * low, min(64 * (high + 1), inverse.size), least)
        before = -2
        for word in range(low, high + 1):
            here = bits[word]
            bits[word] = 0
            if here == 0:
                continue
            for bit in range(64):
                if (here >> np.uint64(bit)) & np.uint64(1):
                    g = 64 * word + bit
                    value = total[g] * inverse[g]
                    total[g] = 0.0
                    if value < limit:
                        continue
                    if g != before + 1:
                        run += 1
                        row[run] = g
                    kept[at] = scale * value
                    at += 1
                    last[run] = at
                    before = g
        ends[k] = run + 1
    return run + 1, at


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(  # type: ignore[no-untyped-def]
    column_run, run_row, run_entry, source, members, edges, group, inverse, ends, row, last, kept
):
    """Values in the runs of each group of columns, whose sum is that of all its entries."""
    bits, total = np.zeros(inverse.size // 64 + 1, np.uint64), np.zeros(inverse.size, np.float32)
    run, at = 0, 0
    for k in range(edges.size - 1):
        columns = members[edges[k] : edges[k + 1]]
        low, high = _add_up(column_run, run_row, run_entry, source, columns, group, total, bits)
        begin, end = 64 * low, min(64 * (high + 1), inverse.size)
        whole, left, first = np.float32(0.0), np.float32(0.0), at
        for g in range(begin, end):
            whole += total[g] * inverse[g]
        for r in range(run, ends[k]):
            shift = row[r] - at
            for i in range(at, last[r]):
                kept[i] = total[i + shift] * inverse[i + shift]
                left += kept[i]
            at = last[r]
        run = ends[k]
        total[begin:end] = 0.0
        bits[low : high + 1] = 0
        if left > 0.0:
            kept[first:at] *= whole / left


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _add_up(column_run, run_row, run_entry, source, columns, group, total, bits):  # type: ignore[no-untyped-def]
    """Add columns to the totals of groups of rows and set their bits; first and last word of bits."""
    low, high = bits.size, -1
    for column in columns:
        for r in range(column_run[column], column_run[column + 1]):
            shift = run_entry[r] - run_row[r]
            for i in range(run_row[r], run_row[r] + run_entry[r + 1] - run_entry[r]):
                g = group[i]
                total[g] += source[i + shift]
                word = g >> 6
                bits[word] |= np.uint64(1) << np.uint64(g & 63)
                low, high = min(low, word), max(high, word)
    return low, high


@njit(cache=True, nogil=True, error_model="numpy")
def _cut(total, inverse, begin, end, least):  # type: ignore[no-untyped-def]
    """Value below which entries are left out, and factor that gives what they hold to the others."""
    most, whole, left = np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for g in range(begin, end):
        value = total[g] * inverse[g]
        whole += value
        most = max(most, value)
    limit = least * most
    for g in range(begin, end):
        value = total[g] * inverse[g]
        left += value if value >= limit else np.float32(0.0)
    return whole / left if left > 0.0 else np.float32(1.0), limit
