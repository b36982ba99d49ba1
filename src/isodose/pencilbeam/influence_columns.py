"""Columns of an influence matrix while it is built: filled chunk by chunk in any order, then put in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.threads import over_chunks

CHUNK = 1 << 22
"""Entries of a chunk, unless a column needs more."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some whole columns one behind the other.

    Parameters
    ----------
    columns
        Their numbers, int64 ``(n,)``.
    length
        Entries of each, int64 ``(n,)``.
    indices
        Voxels, int32 ``(entries,)``.
    values
        float32 ``(quantities, entries)``.
    """

    columns: NDArray[np.int64]
    length: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]


Fill = Callable[[int, int, NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]], tuple[int, int, int]]
"""``fill(begin, end, indices, values, length)`` writes as many of the tasks as fit and returns the first that did
not, the entries written, and how many entries that task may need; ``length`` is by column."""


class ColumnStore:
    """Takes chunks of columns and joins them.

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
        self._chunks: list[Chunk] = []
        self._lock = Lock()

    def run(self, fill: Fill, columns_of: Callable[[int, int], NDArray[np.int64]], count: int, threads: int) -> None:
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
            size = CHUNK
            while begin < end:
                # Pages that are not written cost nothing; what is left of them goes when the chunk is joined.
                indices = np.empty(size, dtype=np.int32)
                values = np.empty((self._quantities, size), dtype=np.float32)
                following, entries, needed = fill(begin, end, indices, values, self._length)
                columns = columns_of(begin, following)
                with self._lock:
                    chunk = Chunk(columns, self._length[columns], indices[:entries], values[:, :entries])
                    self._chunks.append(chunk)
                begin, size = following, max(CHUNK, needed)

        over_chunks(work, count, threads)

    def join(self) -> tuple[NDArray[np.int64], NDArray[np.int32], list[NDArray[np.float32]]]:
        """Pointers, voxels and values of the matrix; chunks are given up on the way."""
        indptr = np.concatenate([[0], np.cumsum(self._length)])
        indices = np.empty(indptr[-1], dtype=np.int32)
        values = [np.empty(indptr[-1], dtype=np.float32) for _ in range(self._quantities)]
        while self._chunks:
            chunk = self._chunks.pop()
            _put(indptr, chunk.columns, chunk.length, chunk.indices, indices)
            for q, array in enumerate(values):
                _put(indptr, chunk.columns, chunk.length, chunk.values[q], array)
        return indptr, indices, values


@njit(cache=True, nogil=True)
def _put(indptr, columns, length, source, out):  # type: ignore[no-untyped-def]
    at = 0
    for n in range(columns.size):
        begin = indptr[columns[n]]
        out[begin : begin + length[n]] = source[at : at + length[n]]
        at += length[n]
