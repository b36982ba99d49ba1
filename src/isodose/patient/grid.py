"""The regular grid on which volumes live, and the only place where index and position are converted.

Conventions of the whole package: the patient frame is DICOM LPS in mm (x to the patient's left, y posterior,
z to the head); arrays are indexed ``[z, y, x]`` in C order; triples of numbers are ``(x, y, z)`` unless they
are an array shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular grid aligned with the axes of the patient.

    Parameters
    ----------
    origin_mm
        Centre of voxel ``[0, 0, 0]`` as ``(x, y, z)`` in mm.
    spacing_mm
        Distance of neighbouring voxel centres along ``(x, y, z)`` in mm, positive.
    shape
        Number of voxels as an array shape ``(nz, ny, nx)``.
    """

    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin_mm", tuple(float(v) for v in self.origin_mm))
        object.__setattr__(self, "spacing_mm", tuple(float(v) for v in self.spacing_mm))
        object.__setattr__(self, "shape", tuple(int(v) for v in self.shape))
        if len(self.origin_mm) != 3 or not np.all(np.isfinite(self.origin_mm)):
            raise InputError("grid.origin_mm", self.origin_mm, "three finite numbers (x, y, z) in mm")
        if len(self.spacing_mm) != 3 or not all(np.isfinite(v) and v > 0 for v in self.spacing_mm):
            raise InputError("grid.spacing_mm", self.spacing_mm, "three positive numbers (x, y, z) in mm")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError("grid.shape", self.shape, "three counts (nz, ny, nx) of at least 1")

    @property
    def size(self) -> int:
        """Number of voxels."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def voxel_volume_cm3(self) -> float:
        """Volume of one voxel in cm3."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def lower_mm(self) -> tuple[float, float, float]:
        """Outer corner with the smallest coordinates, half a voxel beyond the first centre."""
        o, s = self.origin_mm, self.spacing_mm
        return (o[0] - s[0] / 2, o[1] - s[1] / 2, o[2] - s[2] / 2)

    @property
    def upper_mm(self) -> tuple[float, float, float]:
        """Outer corner with the largest coordinates."""
        lower, s, (nz, ny, nx) = self.lower_mm, self.spacing_mm, self.shape
        return (lower[0] + nx * s[0], lower[1] + ny * s[1], lower[2] + nz * s[2])

    @property
    def centre_mm(self) -> tuple[float, float, float]:
        """Middle of the grid."""
        a, b = self.lower_mm, self.upper_mm
        return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2)

    def axis_mm(self, axis: str) -> NDArray[np.float64]:
        """Voxel centres along ``"x"``, ``"y"`` or ``"z"`` in mm."""
        i = "xyz".index(axis)
        return self.origin_mm[i] + self.spacing_mm[i] * np.arange(self.shape[2 - i], dtype=np.float64)

    def position_mm(self, index: ArrayLike) -> NDArray[np.float64]:
        """Positions ``(..., 3)`` as (x, y, z) in mm of (fractional) indices ``(..., 3)`` as (z, y, x)."""
        index = np.asarray(index, dtype=np.float64)
        position: NDArray[np.float64] = np.asarray(self.origin_mm) + index[..., ::-1] * np.asarray(
            self.spacing_mm
        )
        return position

    def index(self, position_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional indices ``(..., 3)`` as (z, y, x) of positions ``(..., 3)`` as (x, y, z) in mm."""
        position = np.asarray(position_mm, dtype=np.float64)
        index: NDArray[np.float64] = (position - np.asarray(self.origin_mm)) / np.asarray(self.spacing_mm)
        return index[..., ::-1]

    def contains(self, position_mm: ArrayLike) -> NDArray[np.bool_]:
        """Whether positions ``(..., 3)`` lie inside the outer faces."""
        p = np.asarray(position_mm, dtype=np.float64)
        inside: NDArray[np.bool_] = np.all((p >= self.lower_mm) & (p <= self.upper_mm), axis=-1)
        return inside

    def resampled(self, spacing_mm: float | tuple[float, float, float]) -> Grid:
        """Grid over the same extent (rounded up to whole voxels, same centre) at another spacing.

        Raises
        ------
        InputError
            If the spacing is not one or three positive numbers.
        """
        s = checked_spacing(spacing_mm)
        extent = np.asarray(self.upper_mm) - np.asarray(self.lower_mm)
        n = np.maximum(1, np.ceil(extent / s - 1e-6).astype(int))
        origin = np.asarray(self.centre_mm) - (n - 1) * s / 2
        return Grid(tuple(origin), tuple(s), (n[2], n[1], n[0]))

    def cropped(self, lower_mm: ArrayLike, upper_mm: ArrayLike) -> tuple[Grid, tuple[slice, slice, slice]]:
        """Smallest sub-grid of whole voxels covering a box, with the slices ``[z, y, x]`` that cut it out."""
        corner, spacing = np.asarray(self.lower_mm), np.asarray(self.spacing_mm)
        n = np.asarray(self.shape[::-1])
        first = np.clip(np.floor((np.asarray(lower_mm) - corner) / spacing + 1e-6).astype(int), 0, n - 1)
        last = np.clip(np.ceil((np.asarray(upper_mm) - corner) / spacing - 1e-6).astype(int), first + 1, n)
        origin = np.asarray(self.origin_mm) + first * spacing
        (x0, y0, z0), (x1, y1, z1) = first, last
        grid = Grid(tuple(origin), self.spacing_mm, (z1 - z0, y1 - y0, x1 - x0))
        return grid, (slice(z0, z1), slice(y0, y1), slice(x0, x1))

    def matches(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether another grid has the same shape and the same voxel centres within a tolerance."""
        return self.shape == other.shape and bool(
            np.allclose(self.origin_mm, other.origin_mm, rtol=0, atol=tolerance_mm)
            and np.allclose(self.spacing_mm, other.spacing_mm, rtol=0, atol=tolerance_mm / max(self.shape))
        )


def checked_spacing(spacing_mm: float | tuple[float, float, float]) -> NDArray[np.float64]:
    """Spacing along x, y and z, mm.

    Raises
    ------
    InputError
        If it is not one or three positive numbers.
    """
    given = np.atleast_1d(np.asarray(spacing_mm, dtype=np.float64))
    if given.shape not in ((1,), (3,)) or not np.all(np.isfinite(given) & (given > 0.0)):
        raise InputError("spacing_mm", spacing_mm, "one or three (x, y, z) positive numbers in mm")
    return np.broadcast_to(given, (3,))
