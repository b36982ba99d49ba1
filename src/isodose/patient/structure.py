"""A delineated structure: its contours as drawn, and the part of each voxel that it fills."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.grid import Grid


class Role(StrEnum):
    """What a structure is for; the value is DICOM's RT ROI Interpreted Type."""

    EXTERNAL = "EXTERNAL"
    GTV = "GTV"
    CTV = "CTV"
    PTV = "PTV"
    ORGAN = "ORGAN"
    AVOIDANCE = "AVOIDANCE"
    SUPPORT = "SUPPORT"
    OTHER = ""

    @property
    def is_target(self) -> bool:
        """Whether dose is meant to go there."""
        return self in (Role.GTV, Role.CTV, Role.PTV)


@dataclass(frozen=True, slots=True)
class Contour:
    """One closed planar polygon in a plane of constant z.

    Parameters
    ----------
    z_mm
        Height of the plane.
    points_mm
        Vertices ``(n, 2)`` as (x, y) in mm, last not repeated.
    hole
        Whether the polygon is cut out of the others of its plane.
    """

    z_mm: float
    points_mm: NDArray[np.float64]
    hole: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure on a patient's grid.

    Parameters
    ----------
    name
        As the user knows it.
    role
        What it is for.
    grid
        Where the voxels are.
    occupancy
        Part of each voxel inside the structure, ``[z, y, x]`` float32 from 0 to 1.
    contours
        The polygons it was drawn with, where there are any; empty for a structure given by voxels.
    colour
        RGB from 0 to 255 for pictures.
    """

    name: str
    role: Role
    grid: Grid
    occupancy: NDArray[np.float32]
    contours: tuple[Contour, ...] = ()
    colour: tuple[int, int, int] = field(default=(220, 60, 60))

    def __post_init__(self) -> None:
        occupancy = np.ascontiguousarray(self.occupancy, dtype=np.float32)
        if occupancy.shape != self.grid.shape:
            raise InputError(
                f"structure {self.name!r}", f"shape {occupancy.shape}", f"the grid's shape {self.grid.shape}"
            )
        object.__setattr__(self, "occupancy", occupancy)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Voxels at least half inside, ``[z, y, x]``."""
        inside: NDArray[np.bool_] = self.occupancy >= 0.5
        return inside

    @property
    def volume_cm3(self) -> float:
        """Volume by fractional voxels, in cm3."""
        return float(self.occupancy.sum(dtype=np.float64)) * self.grid.voxel_volume_cm3

    @property
    def centre_mm(self) -> tuple[float, float, float]:
        """Centre of mass (x, y, z) in mm; not a number for an empty structure."""
        total = float(self.occupancy.sum(dtype=np.float64))
        planes = {"x": (0, 1), "y": (0, 2), "z": (1, 2)}
        x, y, z = (
            float(self.grid.axis_mm(axis) @ self.occupancy.sum(others, dtype=np.float64)) / total
            if total
            else float("nan")
            for axis, others in planes.items()
        )
        return x, y, z

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is touched."""
        return not bool(np.any(self.occupancy > 0))
