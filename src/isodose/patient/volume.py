"""Numbers on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array

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
        along = [_means(grid, self.grid, axis) for axis in "zyx"]
        values = self.values
        for weights, _ in along:  # each pass interpolates one axis, which then goes to the back
            rest = values.shape[1:]
            values = (weights @ values.reshape(values.shape[0], -1)).reshape(-1, *rest)
            values = np.moveaxis(values, 0, -1)
        if outside != 0.0:
            z, y, x = (inside for _, inside in along)
            values = values + outside * (1.0 - z[:, None, None] * y[:, None] * x)
        return Volume(grid, values)


def _means(grid: Grid, source: Grid, axis: str) -> tuple[csr_array, NDArray[np.float32]]:
    """Linear interpolation along an axis, averaged over each voxel, and the part of it inside the source."""
    i = "xyz".index(axis)
    points = _points(grid, source, axis)
    place = (points - source.lower_mm[i]) / source.spacing_mm[i]
    count = source.shape[2 - i]
    inside = (points >= source.lower_mm[i]) & (points <= source.upper_mm[i])
    index = np.clip(place - 0.5, 0.0, count - 1.0)
    low = np.minimum(index.astype(np.int64), max(count - 2, 0))
    part = index - low
    share = inside / points.shape[1]
    rows = np.broadcast_to(np.arange(points.shape[0])[:, None], points.shape)
    high = np.minimum(low + 1, count - 1)
    entries = np.concatenate([((1.0 - part) * share).ravel(), (part * share).ravel()])
    places = np.tile(rows.ravel(), 2), np.concatenate([low.ravel(), high.ravel()])
    weights = csr_array((entries.astype(np.float32), places), shape=(points.shape[0], count))
    return weights, inside.mean(axis=1).astype(np.float32)


def _points(grid: Grid, source: Grid, axis: str) -> NDArray[np.float64]:
    """Evenly spaced points ``(voxels, n)`` in every voxel along an axis, about one a voxel of the source."""
    i = "xyz".index(axis)
    step = grid.spacing_mm[i]
    n = max(1, round(step / source.spacing_mm[i]))
    return grid.axis_mm(axis)[:, None] + step * ((np.arange(n) + 0.5) / n - 0.5)
