"""Spectra per voxel, stored sparsely: a patient holds few of the possible (voxel, class, energy) triples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Spectra:
    """A quantity per voxel, particle class and energy bin.

    Parameters
    ----------
    classes
        Names of the particle classes (species, or ``"other"``).
    energy_edges_mev
        Edges of the energy bins in MeV of **total** kinetic energy, ``(nbins + 1,)``.
    key
        Sorted unique keys ``(voxel * len(classes) + class) * nbins + bin``, int64 ``(n,)``, voxel being the
        flat C-order index of the dose grid.
    value
        Value per primary particle (mm for a track length), float64 ``(n,)``.
    variance
        Variance of the value, float64 ``(n,)``.
    """

    classes: tuple[str, ...]
    energy_edges_mev: NDArray[np.float64]
    key: NDArray[np.int64]
    value: NDArray[np.float64]
    variance: NDArray[np.float64]

    @property
    def bins(self) -> int:
        """Number of energy bins."""
        return self.energy_edges_mev.size - 1

    def dense(self, voxels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values ``(len(voxels), classes, bins)`` of chosen voxels (flat C-order indices)."""
        per_voxel = len(self.classes) * self.bins
        offsets = np.arange(per_voxel, dtype=np.int64)
        keys = (np.asarray(voxels, dtype=np.int64)[:, None] * per_voxel + offsets).ravel()
        out = np.zeros(keys.size)
        if self.key.size:
            at = np.minimum(np.searchsorted(self.key, keys), self.key.size - 1)
            hit = self.key[at] == keys
            out[hit] = self.value[at[hit]]
        return out.reshape(len(voxels), len(self.classes), self.bins)

    def per_class(self, voxel_count: int) -> NDArray[np.float64]:
        """Sum over energy for every voxel of a (small) grid: ``(voxel_count, classes)``."""
        rows = self.key // self.bins
        flat = np.bincount(rows, weights=self.value, minlength=voxel_count * len(self.classes))
        return flat.astype(np.float64).reshape(voxel_count, len(self.classes))
