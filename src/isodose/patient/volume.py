"""Numbers on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from isodose.errors import InputError
from isodose.patient.grid import Grid


@dataclass(frozen=True, slots=True)
class Volume:
    """A scalar field on a grid.

    Parameters
    ----------
    grid
        Where the voxels are.
    values
        Array ``[z, y, x]``; kept as C-contiguous float32. The unit is the owner's to say (HU, Gy, g/cm3).
    """

    grid: Grid
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, dtype=np.float32)
        if values.shape != self.grid.shape:
            raise InputError("volume.values", f"shape {values.shape}", f"the grid's shape {self.grid.shape}")
        object.__setattr__(self, "values", values)

    def sample(self, position_mm: ArrayLike, outside: float = 0.0) -> NDArray[np.float32]:
        """Trilinear interpolation at positions ``(..., 3)`` in mm; ``outside`` beyond the outer faces.

        Within half a voxel of the outer faces the value of the nearest voxel holds.
        """
        position = np.asarray(position_mm, dtype=np.float64)
        index = self.grid.index(position).reshape(-1, 3).T
        out = map_coordinates(self.values, index, order=1, mode="nearest", output=np.float32)
        out = out.reshape(position.shape[:-1])
        return np.where(self.grid.contains(position), out, np.float32(outside)).astype(np.float32)

    def on(self, grid: Grid, outside: float = 0.0) -> Volume:
        """Same field on another grid, by trilinear interpolation.

        Voxels larger than this grid's take the mean over as many points as fit, so that thin parts count.
        """
        if grid.matches(self.grid):
            return Volume(grid, self.values)
        z, y, x = (_points(grid, self.grid, axis) for axis in "zyx")
        values = np.empty(grid.shape, dtype=np.float32)
        plane = np.empty((y.size, x.size, 3))
        plane[..., 0], plane[..., 1] = x.ravel()[None, :], y.ravel()[:, None]
        for k, heights in enumerate(z):
            total = np.zeros((y.size, x.size))
            for height in heights:
                plane[..., 2] = height
                total += self.sample(plane, outside)
            points = total.reshape(*y.shape, *x.shape)
            values[k] = points.mean(axis=(1, 3)) / heights.size
        return Volume(grid, values)


def _points(grid: Grid, source: Grid, axis: str) -> NDArray[np.float64]:
    """Evenly spaced points ``(voxels, n)`` in every voxel along an axis, about one a voxel of the source."""
    i = "xyz".index(axis)
    step = grid.spacing_mm[i]
    n = max(1, round(step / source.spacing_mm[i]))
    return grid.axis_mm(axis)[:, None] + step * ((np.arange(n) + 0.5) / n - 0.5)
