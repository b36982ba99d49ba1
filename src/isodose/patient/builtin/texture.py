"""Random grain of tissue and noise of a CT: fields that depend on the place, not on the voxel size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_B_SPLINE_STD = (151.0 / 315.0) ** 1.5
"""Standard deviation of white noise on a lattice weighted by cubic B-splines, averaged over a cell."""


class Texture:
    """A Gaussian random field of unit standard deviation: smoothed white noise on a lattice.

    Voxels see its average over their own extent, so that larger voxels see less of a fine grain.

    Parameters
    ----------
    seed
        Of the random numbers.
    pitch_mm
        Distance of lattice points; the field is correlated over about two of them.
    extent_mm
        Extent (x, y, z) that is covered, centred on the origin.
    """

    def __init__(self, seed: tuple[int, ...], pitch_mm: float, extent_mm: tuple[float, float, float]) -> None:
        self.pitch = pitch_mm
        self.counts = tuple(2 * (int(np.ceil(e / 2 / pitch_mm)) + 4) + 1 for e in extent_mm)
        nx, ny, nz = self.counts
        rng = np.random.Generator(np.random.SFC64(list(seed)))
        self.lattice = rng.standard_normal((nz, ny, nx), dtype=np.float32) * np.float32(1 / _B_SPLINE_STD)

    def values(
        self,
        axes: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
        spacing_mm: tuple[float, float, float],
    ) -> NDArray[np.float32]:
        """Averages over voxels centred on the axes (x, y, z), ``[z, y, x]``."""
        wx, wy, wz = (
            self._weights(axis, spacing, count)
            for axis, spacing, count in zip(axes, spacing_mm, self.counts, strict=True)
        )
        used = np.flatnonzero(wz.any(axis=0))
        rows = slice(int(used[0]), int(used[-1]) + 1)
        part = np.tensordot(wz[:, rows], self.lattice[rows], axes=1)
        return np.asarray(np.matmul(np.matmul(wy, part), wx.T))

    def _weights(self, axis: NDArray[np.float64], spacing: float, count: int) -> NDArray[np.float32]:
        parts = 1 + int(np.ceil(3 * spacing / self.pitch))
        inside = ((np.arange(parts) + 0.5) / parts - 0.5) * spacing
        place = (axis[:, None] + inside) / self.pitch + (count - 1) / 2
        cell = np.clip(np.floor(place).astype(int), 1, count - 3)
        t = np.clip(place - cell, 0.0, 1.0)
        weights = np.zeros((axis.size, count))
        splines = (
            (1 - t) ** 3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
            t**3 / 6,
        )
        rows = np.broadcast_to(np.arange(axis.size)[:, None], place.shape)
        for offset, spline in enumerate(splines, start=-1):
            np.add.at(weights, (rows, cell + offset), spline / parts)
        return weights.astype(np.float32)
