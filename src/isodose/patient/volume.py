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
        index = self.grid.index(position)
        coordinates = np.moveaxis(index, -1, 0)
        out = map_coordinates(self.values, coordinates, order=1, mode="nearest", output=np.float32)
        return np.where(self.grid.contains(position), out, np.float32(outside)).astype(np.float32)

    def on(self, grid: Grid, outside: float = 0.0) -> Volume:
        """Same field on another grid, by trilinear interpolation."""
        if grid.matches(self.grid):
            return Volume(grid, self.values)
        z, y, x = grid.axis_mm("z"), grid.axis_mm("y"), grid.axis_mm("x")
        values = np.empty(grid.shape, dtype=np.float32)
        plane = np.empty((y.size, x.size, 3))
        plane[..., 0], plane[..., 1] = x[None, :], y[:, None]
        for k, height in enumerate(z):
            plane[..., 2] = height
            values[k] = self.sample(plane, outside)
        return Volume(grid, values)
