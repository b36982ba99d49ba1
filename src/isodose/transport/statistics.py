"""Batch statistics: sums over independent batches give means and standard uncertainties per voxel."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isodose.transport.scoring import BLOCK_SHIFT, Slots

BLOCK = 1 << BLOCK_SHIFT
"""Voxels that share a mark of having been scored in; what no particle reached is never touched."""


@njit(cache=True, parallel=True)
def _take_batch(parts, marks, total, square, cross, pairs, per_history):  # type: ignore[no-untyped-def]
    """Add one batch's sums per history to the running sums, and clear the threads' sums and marks."""
    threads, voxels, slots = parts.shape
    for block in prange(marks.shape[1]):
        touched = False
        for thread in range(threads):
            touched = touched or marks[thread, block] > 0
            marks[thread, block] = 0
        if not touched:
            continue
        for voxel in range(block * BLOCK, min((block + 1) * BLOCK, voxels)):
            scored = False
            for thread in range(threads):
                for slot in range(slots):
                    scored = scored or parts[thread, voxel, slot] != 0.0
            if not scored:
                continue
            for slot in range(slots):
                value = 0.0
                for thread in range(threads):
                    value += parts[thread, voxel, slot]
                value *= per_history
                parts[0, voxel, slot] = value
                total[voxel, slot] += value
                square[voxel, slot] += value * value
            for pair in range(pairs.shape[0]):
                cross[voxel, pair] += parts[0, voxel, pairs[pair, 0]] * parts[0, voxel, pairs[pair, 1]]
            for thread in range(threads):
                for slot in range(slots):
                    parts[thread, voxel, slot] = 0.0


@njit(cache=True)
def _high_dose_error(total, square, slot, batches):  # type: ignore[no-untyped-def]
    """Mean relative uncertainty in voxels above half of the largest sum; nan if there is none."""
    largest = 0.0
    for voxel in range(total.shape[0]):
        largest = max(largest, total[voxel, slot])
    count, added = 0, 0.0
    for voxel in range(total.shape[0]):
        if total[voxel, slot] > 0.5 * largest:
            mean = total[voxel, slot] / batches
            spread = square[voxel, slot] / batches - mean * mean
            added += math.sqrt(max(spread, 0.0) / (batches - 1)) / mean
            count += 1
    return added / count if count else math.nan


@dataclass
class BatchSums:
    """Running sums over batches of the value per history in every voxel and slot.

    Parameters
    ----------
    slots
        Meaning of the columns.
    total
        Sum over batches, float64 ``(voxels, slots)``.
    square
        Sum of squares, float32 (an uncertainty needs no more).
    cross
        Sum of products of numerator and denominator of each ratio, float32 ``(voxels, pairs)``.
    batches
        Number of batches taken.
    """

    slots: Slots
    total: NDArray[np.float64]
    square: NDArray[np.float32]
    cross: NDArray[np.float32]
    batches: int = 0
    pairs: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.pairs = ratio_pairs(self.slots)

    @classmethod
    def empty(cls, voxels: int, slots: Slots) -> BatchSums:
        """Sums before the first batch."""
        return cls(
            slots,
            np.zeros((voxels, slots.columns)),
            np.zeros((voxels, slots.columns), dtype=np.float32),
            np.zeros((voxels, len(ratio_pairs(slots))), dtype=np.float32),
        )

    def take(self, parts: NDArray[np.float64], marks: NDArray[np.uint8], histories: int) -> None:
        """Add a batch from the threads' sums ``(threads, voxels, slots)`` and their marks, and clear both."""
        _take_batch(parts, marks, self.total, self.square, self.cross, self.pairs, 1.0 / histories)
        self.batches += 1

    def mean(self, slot: int, voxels: slice = slice(None)) -> NDArray[np.float64]:
        """Mean per history."""
        return self.total[voxels, slot] / max(self.batches, 1)

    def error(self, slot: int, voxels: slice = slice(None)) -> NDArray[np.float64]:
        """Standard uncertainty of the mean; infinite before the second batch."""
        mean = self.mean(slot, voxels)
        if self.batches < 2:
            return np.full(mean.size, np.inf)
        spread = self.square[voxels, slot] / self.batches - mean**2
        return np.sqrt(np.maximum(spread, 0.0) / (self.batches - 1))

    def ratio(
        self, above: int, below: int, voxels: slice = slice(None)
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ratio of two slots and its standard uncertainty (first order, with covariance); 0 where empty."""
        top, bottom = self.mean(above, voxels), self.mean(below, voxels)
        filled = bottom > 0.0
        value = np.divide(top, bottom, out=np.zeros_like(top), where=filled)
        if self.batches < 2:
            return value, np.full(top.size, np.inf)
        pair = next(k for k, row in enumerate(self.pairs) if tuple(row) == (above, below))
        n = self.batches
        variance = (
            self.square[voxels, above].astype(np.float64)
            - 2.0 * value * self.cross[voxels, pair]
            + value**2 * self.square[voxels, below]
        ) / (n * (n - 1))
        error = np.sqrt(np.maximum(variance, 0.0))
        return value, np.divide(error, bottom, out=np.zeros_like(error), where=filled)

    def relative_uncertainty(self) -> float:
        """Mean relative uncertainty of the dose in voxels above half of its maximum; nan before two batches.

        The maximum is that of the energy in a voxel, so that voxels of air, whose dose means little, do not
        set it.
        """
        if self.batches < 2:
            return float("nan")
        return float(_high_dose_error(self.total, self.square, self.slots.dose, self.batches))


def ratio_pairs(slots: Slots) -> NDArray[np.int64]:
    """Numerator and denominator slots of the ratios that are scored, ``(pairs, 2)``."""
    pairs = []
    if slots.let_weighted >= 0:
        pairs.append((slots.let_weighted, slots.let_energy))
    if slots.track_let >= 0:
        pairs.append((slots.track_let, slots.track))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
