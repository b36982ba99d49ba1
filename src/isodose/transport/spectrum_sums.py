"""Sums of sparse spectra over batches: the threads' hash tables are poured into one that grows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.dose.spectra import Spectra
from isodose.transport.particle_classes import CLASSES, class_of_species
from isodose.transport.scoring import EMPTY, SpectrumTable, first_bins, place_of

TABLE_SIZE = 1 << 22
"""Places in a thread's hash table: 64 MiB."""
FULL = 0.4
"""Part of a thread's table that may be filled before it is poured out."""
_SMALLEST = 1 << 16
_CROWDED = 0.6  # part of the growing table that may be filled before it doubles


def spectrum_table(kind: int, edges: NDArray[np.float64], region: NDArray[np.uint8]) -> SpectrumTable:
    """Empty table of one thread; kind 0 makes a token one that scores nothing."""
    size = TABLE_SIZE if kind else 1
    return SpectrumTable(
        kind,
        np.full(size, EMPTY, dtype=np.int64),
        np.zeros(size),
        np.zeros(1, dtype=np.int64),
        class_of_species(),
        len(CLASSES),
        edges,
        first_bins(edges),
        region,
    )


@njit(cache=True)
def _pour(table, key, batch):  # type: ignore[no-untyped-def]
    """Move a thread's table into the batch; returns the number of keys that are new."""
    new = 0
    for k in range(table.key.size):
        wanted = table.key[k]
        if wanted == EMPTY:
            continue
        place = place_of(key, wanted)
        if key[place] == EMPTY:
            key[place] = wanted
            new += 1
        batch[place] += table.value[k]
        table.key[k] = EMPTY
        table.value[k] = 0.0
    table.used[0] = 0
    return new


@njit(cache=True)
def _close(total, square, batch, per_history):  # type: ignore[no-untyped-def]
    """Add the batch's value per history and its square to the sums, and clear it."""
    for k in range(batch.size):
        value = batch[k] * per_history
        total[k] += value
        square[k] += value * value
        batch[k] = 0.0


@njit(cache=True)
def _move(key, total, square, batch, to_key, to_total, to_square, to_batch):  # type: ignore[no-untyped-def]
    """Take everything over into a larger table."""
    for k in range(key.size):
        if key[k] != EMPTY:
            place = place_of(to_key, key[k])
            to_key[place] = key[k]
            to_total[place], to_square[place], to_batch[place] = total[k], square[k], batch[k]


class SpectrumSums:
    """Running sums over batches of a sparse spectrum, in an open-addressing hash table.

    Parameters
    ----------
    edges
        Energy edges in MeV.
    """

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self.edges = edges
        self.batches = 0
        self._used = 0
        self._allocate(_SMALLEST)

    def _allocate(self, size: int) -> None:
        self._key = np.full(size, EMPTY, dtype=np.int64)
        self._total = np.zeros(size)
        self._square = np.zeros(size, dtype=np.float32)
        self._batch = np.zeros(size)

    def _reserve(self, count: int) -> None:
        size = self._key.size
        while count > _CROWDED * size:
            size *= 2
        if size > self._key.size:
            old = self._key, self._total, self._square, self._batch
            self._allocate(size)
            _move(*old, self._key, self._total, self._square, self._batch)

    def empty_tables(self, tables: Sequence[SpectrumTable]) -> None:
        """Move what the threads' tables hold into the current batch."""
        for table in tables:
            self._reserve(self._used + int(table.used[0]))
            self._used += _pour(table, self._key, self._batch)

    def drop_batch(self) -> None:
        """Forget the current batch."""
        self._batch[:] = 0.0

    def close_batch(self, histories: int) -> None:
        """End a batch of so many histories."""
        self.batches += 1
        _close(self._total, self._square, self._batch, 1.0 / histories)

    def compact(self) -> dict[str, NDArray[np.generic]]:
        """Sorted keys, sums over batches of the value per history, and of its square."""
        filled = np.flatnonzero(self._total > 0.0)
        filled = filled[np.argsort(self._key[filled])]
        return {
            "key": self._key[filled],
            "key_total": self._total[filled],
            "key_square": self._square[filled],
        }

    def restore(
        self, key: NDArray[np.int64], total: NDArray[np.float64], square: NDArray[np.float32], batches: int
    ) -> None:
        """Go on from what :meth:`compact` gave after so many batches."""
        self._reserve(key.size)
        _move(key, total, square, np.zeros(key.size), self._key, self._total, self._square, self._batch)
        self._used, self.batches = key.size, batches

    def result(self) -> Spectra:
        """Mean per history and its variance."""
        parts = self.compact()
        n = max(self.batches, 1)
        mean = np.asarray(parts["key_total"], dtype=np.float64) / n
        if n > 1:
            variance = np.maximum(np.asarray(parts["key_square"], np.float64) / n - mean**2, 0.0) / (n - 1)
        else:
            variance = np.full(mean.size, np.inf)
        return Spectra(CLASSES, self.edges, np.asarray(parts["key"], dtype=np.int64), mean, variance)
