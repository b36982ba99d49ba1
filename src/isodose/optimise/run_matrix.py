"""The influence matrix as the solver wants it: only voxels with objectives, columns made of runs of rows.

A pencil beam fills voxels that lie next to each other. With the rows numbered along the axis that gives the
fewest runs, an index per run replaces one per entry, and both products become short loops over contiguous
memory that a compiler can vectorise: about half the memory and half the time of compressed columns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.optimise import run_kernels as kernels
from isodose.patient.grid import Grid

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

_FEW = 200_000
"""Fewer entries than this are not worth a second thread."""

_SAMPLE = 200
"""Columns that are looked at to choose the order of the rows."""


@dataclass(frozen=True, slots=True, eq=False)
class RunMatrix:
    """Matrices of rows by columns, one per quantity, with one pattern.

    Parameters
    ----------
    rows
        Number of rows.
    column_run
        First run of each column, and the end, int64 ``(columns + 1,)``.
    run_row
        Row at which each run begins, int32 ``(runs,)``.
    run_entry
        Entry at which each run begins, and the end, int64 ``(runs + 1,)``.
    values
        float32 ``(entries,)`` by quantity.
    """

    rows: int
    column_run: Numbers
    run_row: NDArray[np.int32]
    run_entry: Numbers
    values: Mapping[Quantity, Floats]

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.column_run.size - 1

    @property
    def memory_bytes(self) -> int:
        """Size of all arrays in bytes."""
        pattern = self.column_run.nbytes + self.run_row.nbytes + self.run_entry.nbytes
        return pattern + sum(v.nbytes for v in self.values.values())

    def product(
        self, weights: Floats, quantity: Quantity, columns: Numbers, threads: int | None = None
    ) -> Floats:
        """Sum of chosen columns times weights ``(chosen,)``: one number a row, float32 ``(rows,)``."""
        values = self.values[quantity]

        def part(begin: int, end: int) -> Floats:
            out = np.zeros(self.rows, dtype=np.float32)
            chosen = columns[begin:end]
            kernels.product(
                self.column_run, self.run_row, self.run_entry, values, chosen, weights[begin:end], out
            )
            return out

        first, *others = self._in_threads(part, columns, threads)
        for other in others:
            first += other
        return np.asarray(first)

    def adjoint(
        self, by_row: Floats, quantity: Quantity, columns: Numbers, threads: int | None = None
    ) -> NDArray[np.float64]:
        """Scalar product of chosen columns with one number a row, ``(chosen,)``."""
        return self._columnwise(kernels.adjoint, by_row, quantity, columns, threads)

    def squares(
        self, by_row: Floats, quantity: Quantity, columns: Numbers, threads: int | None = None
    ) -> NDArray[np.float64]:
        """Sum over the rows of squared entries times one number a row, ``(chosen,)``."""
        return self._columnwise(kernels.squares, by_row, quantity, columns, threads)

    def part(self, wanted: NDArray[np.bool_], columns: Numbers) -> RunMatrix:
        """Copy with only some rows ``(rows,)``, numbered anew, and entries only in chosen columns."""
        row_of = np.where(wanted, np.cumsum(wanted) - 1, -1).astype(np.int32)
        pattern = self.column_run, self.run_row, self.run_entry, columns, row_of
        runs, entries = np.zeros(self.columns, np.int64), np.zeros(self.columns, np.int64)
        kernels.count_part(*pattern, runs, entries)
        column_run, first = _ends(runs), _ends(entries)
        run_row = np.empty(int(column_run[-1]), np.int32)
        run_entry = np.empty(run_row.size + 1, np.int64)
        run_entry[-1] = first[-1]
        values = {}
        for quantity, source in self.values.items():
            values[quantity] = np.empty(int(first[-1]), np.float32)
            kernels.fill_part(*pattern, source, column_run, first, run_row, run_entry, values[quantity])
        return RunMatrix(int(wanted.sum()), column_run, run_row, run_entry, values)

    def _columnwise(
        self,
        kernel: Callable[..., None],
        by_row: Floats,
        quantity: Quantity,
        columns: Numbers,
        threads: int | None,
    ) -> NDArray[np.float64]:
        values, out = self.values[quantity], np.empty(columns.size)

        def part(begin: int, end: int) -> None:
            chosen = columns[begin:end]
            pattern = self.column_run, self.run_row, self.run_entry
            kernel(*pattern, values, chosen, by_row, out[begin:end])

        self._in_threads(part, columns, threads)
        return out

    def _in_threads(
        self, part: Callable[[int, int], Any], columns: Numbers, threads: int | None
    ) -> list[Any]:
        """Results of a function of ranges of chosen columns that hold about as many entries each."""
        count = os.cpu_count() or 1 if threads is None else threads
        if count == 1:
            return [part(0, columns.size)]
        entries = np.cumsum(self._entries(columns))
        total = int(entries[-1]) if entries.size else 0
        count = min(count, 1 + total // _FEW)
        if count == 1:
            return [part(0, columns.size)]
        edges = np.searchsorted(entries, np.arange(count + 1) * total // count)
        edges[0], edges[-1] = 0, columns.size
        with ThreadPoolExecutor(count) as pool:
            work = [pool.submit(part, int(a), int(b)) for a, b in pairwise(edges)]
            return [done.result() for done in work]

    def _entries(self, columns: Numbers) -> Numbers:
        first, beyond = self.column_run[columns], self.column_run[columns + 1]
        return np.asarray(self.run_entry[beyond] - self.run_entry[first])


def row_order(influence: Influence, voxels: Numbers) -> Numbers:
    """Voxels in the order of rows that gives an influence matrix the fewest runs.

    Parameters
    ----------
    influence
        The matrix.
    voxels
        Flat voxels that become rows, ascending and each once, int64 ``(rows,)``.
    """
    some = np.unique(np.linspace(0, influence.spots - 1, min(_SAMPLE, influence.spots)).astype(np.int64))
    pieces = [influence.indices[influence.indptr[j] : influence.indptr[j + 1]] for j in some]
    best, fewest = voxels, np.inf
    for axis in range(3):
        ordered = voxels[np.argsort(_key(influence.grid, voxels, axis), kind="stable")]
        row_of = _row_of(influence.grid, ordered)
        runs = 0
        for piece in pieces:
            rows = row_of[piece]
            runs += int(np.count_nonzero(np.diff(np.sort(rows[rows >= 0])) != 1))
        if runs < fewest:
            best, fewest = ordered, runs
    return best


def run_matrix(
    influence: Influence,
    ordered: Numbers,
    quantities: tuple[Quantity, ...],
    wanted: NDArray[np.bool_] | None = None,
) -> RunMatrix:
    """Rows of an influence matrix.

    Parameters
    ----------
    influence
        The matrix.
    ordered
        Flat voxels in the order of the rows, see `row_order`; the influence of others is left out.
    quantities
        What to keep.
    wanted
        Rows that get entries, ``(rows,)``; all by default.

    Raises
    ------
    InputError
        If the matrix does not hold a quantity.
    """
    row_of = _row_of(influence.grid, ordered)
    if wanted is not None:
        row_of[ordered[~wanted]] = -1
    pattern = influence.indptr, influence.indices, row_of
    runs, entries = np.zeros(influence.spots, np.int64), np.zeros(influence.spots, np.int64)
    kernels.count(*pattern, ordered.size, runs, entries)
    column_run, first = _ends(runs), _ends(entries)
    run_row = np.empty(int(column_run[-1]), np.int32)
    run_entry = np.empty(run_row.size + 1, np.int64)
    run_entry[-1] = first[-1]
    values = {}
    for quantity in quantities:
        kept = np.empty(int(first[-1]), np.float32)
        source = influence.matrix(quantity).data
        kernels.fill(*pattern, ordered.size, source, column_run, first, run_row, run_entry, kept)
        values[quantity] = kept
    return RunMatrix(ordered.size, column_run, run_row, run_entry, values)


def _ends(counts: Numbers) -> Numbers:
    return np.concatenate([[0], np.cumsum(counts)])


def _key(grid: Grid, voxels: Numbers, axis: int) -> Numbers:
    """Place of voxels in an order in which the given array axis runs fastest."""
    index = list(np.unravel_index(voxels, grid.shape))
    shape = list(grid.shape)
    index.append(index.pop(axis))
    shape.append(shape.pop(axis))
    return np.asarray(np.ravel_multi_index(tuple(index), tuple(shape)))


def _row_of(grid: Grid, ordered: Numbers) -> NDArray[np.int32]:
    row_of = np.full(grid.size, -1, dtype=np.int32)
    row_of[ordered] = np.arange(ordered.size, dtype=np.int32)
    return row_of
