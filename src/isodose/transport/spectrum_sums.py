"""Sums of sparse spectra: hash tables of the threads are emptied into sorted arrays, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isodose.dose.spectra import Spectra
from isodose.transport.particle_classes import CLASSES, class_of_species
from isodose.transport.scoring import EMPTY, SpectrumTable, first_bins

TABLE_SIZE = 1 << 22
"""Places in a thread's hash table: 64 MiB."""
FULL = 0.4
"""Part of a table that may be filled before it is emptied."""


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


@dataclass
class SpectrumSums:
    """Running sums over batches of a sparse spectrum.

    Parameters
    ----------
    edges
        Energy edges in MeV.
    key, total, square
        Sorted keys, and sums over batches of the value per history and of its square.
    batches
        Number of batches taken.
    """

    edges: NDArray[np.float64]
    key: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    square: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    batches: int = 0
    _batch: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=list)

    def empty_tables(self, tables: Sequence[SpectrumTable]) -> None:
        """Move what the threads' tables hold into the current batch."""
        for table in tables:
            filled = table.key != EMPTY
            if filled.any():
                self._batch.append((table.key[filled], table.value[filled]))
            table.key[:] = EMPTY
            table.value[:] = 0.0
            table.used[0] = 0
        if len(self._batch) > 8:
            self._batch = [_merged(self._batch)]

    def drop_batch(self) -> None:
        """Forget the current batch."""
        self._batch = []

    def close_batch(self, histories: int) -> None:
        """End a batch of so many histories."""
        self.batches += 1
        if not self._batch:
            return
        key, value = _merged(self._batch)
        value = value / histories
        self._batch = []
        union = np.union1d(self.key, key)
        total, square = np.zeros(union.size), np.zeros(union.size)
        old, new = np.searchsorted(union, self.key), np.searchsorted(union, key)
        total[old], square[old] = self.total, self.square
        total[new] += value
        square[new] += value**2
        self.key, self.total, self.square = union, total, square

    def result(self) -> Spectra:
        """Mean per history and its variance."""
        n = max(self.batches, 1)
        mean = self.total / n
        variance = (
            np.maximum(self.square / n - mean**2, 0.0) / (n - 1) if n > 1 else np.full(mean.size, np.inf)
        )
        return Spectra(CLASSES, self.edges, self.key, mean, variance)


def _merged(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    key = np.concatenate([k for k, _ in parts])
    value = np.concatenate([v for _, v in parts])
    unique, inverse = np.unique(key, return_inverse=True)
    return unique, np.bincount(inverse, weights=value, minlength=unique.size).astype(np.float64)
