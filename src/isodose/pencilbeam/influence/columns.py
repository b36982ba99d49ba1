"""Columns of an influence matrix while it is built: filled in any order, then put in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.threads import over_chunks

_BLOCK = 1 << 24
"""Entries of a block, unless a column needs more. Memory that is not written takes no room, and that of
arrays so large goes back to the system when they are given up."""


@dataclass(slots=True, eq=False)
class _Block:
    """Columns one behind the other."""

    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    used: int = 0
    columns: list[NDArray[np.int64]] = field(default_factory=list)


Fill = Callable[
    [int, int, NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]],
    tuple[int, int, int],
]
"""``fill(begin, end, indices, values, length)`` writes as many of the tasks as fit and returns the first that
did not, the entries written, and how many entries that task may need; ``length`` is by column."""


class ColumnStore:
    """Takes columns and joins them.

    Parameters
    ----------
    columns
        Number of columns of the matrix.
    quantities
        Number of quantities that share the pattern.
    """

    def __init__(self, columns: int, quantities: int) -> None:
        self._length = np.zeros(columns, dtype=np.int64)
        self._quantities = quantities
        self._blocks: list[_Block] = []
        self._idle: list[_Block] = []
        self._lock = Lock()

    def run(
        self, fill: Fill, columns_of: Callable[[int, int], NDArray[np.int64]], count: int, threads: int
    ) -> None:
        """Have all tasks of ``range(count)`` done in threads.

        Parameters
        ----------
        fill
            Does tasks.
        columns_of
            Columns of tasks ``range(begin, end)``, in the order in which ``fill`` writes them.
        count
            Number of tasks.
        threads
            Number of threads.
        """

        def work(begin: int, end: int) -> None:
            block = self._block()
            while begin < end:
                free = slice(block.used, None)
                following, entries, needed = fill(
                    begin, end, block.indices[free], block.values[:, free], self._length
                )
                block.columns.append(columns_of(begin, following))
                block.used += entries
                begin = following
                if begin < end:
                    block = self._block(max(needed, _BLOCK))
            with self._lock:
                self._idle.append(block)

        over_chunks(work, count, threads)

    def join(self) -> tuple[NDArray[np.int64], NDArray[np.int32], list[NDArray[np.float32]]]:
        """Pointers, voxels and values of the matrix; what is held here is given up on the way."""
        indptr = np.concatenate([[0], np.cumsum(self._length)])
        indices = np.empty(indptr[-1], dtype=np.int32)
        values = [np.empty(indptr[-1], dtype=np.float32) for _ in range(self._quantities)]
        self._idle.clear()
        while self._blocks:
            block = self._blocks.pop()
            columns = np.concatenate([np.empty(0, dtype=np.int64), *block.columns])
            _put(indptr, columns, block.indices, indices)
            for q, array in enumerate(values):
                _put(indptr, columns, block.values[q], array)
        return indptr, indices, values

    def _block(self, entries: int = 0) -> _Block:
        """Block that no thread uses, or a new one that has room for so many entries."""
        with self._lock:
            if entries == 0 and self._idle:
                return self._idle.pop()
            size = max(entries, _BLOCK)
            values = np.empty((self._quantities, size), dtype=np.float32)
            self._blocks.append(_Block(np.empty(size, dtype=np.int32), values))
            return self._blocks[-1]


@njit(cache=True, nogil=True)
def _put(indptr, columns, source, out):  # type: ignore[no-untyped-def]
    at = 0
    for column in columns:
        begin, end = indptr[column], indptr[column + 1]
        out[begin:end] = source[at : at + end - begin]
        at += end - begin
