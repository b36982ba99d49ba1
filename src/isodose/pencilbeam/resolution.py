"""How finely the pencil beam follows a beam."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resolution:
    """How finely a beam is followed.

    Parameters
    ----------
    ray_mm
        Distance of rays on the isocentre plane.
    plane_mm
        Distance of planes.
    voxel_mm
        Size of the voxels of the dose.
    ratio
        Of neighbouring total variances on the ladder of widths.
    split
        Whether a spot is split over the rays that it covers; if not, all of it takes its central ray's way.
    gaussians
        Gaussians of the lateral profile; None takes the most that the base data have.
    """

    ray_mm: float
    plane_mm: float
    voxel_mm: float = 0.0
    ratio: float = 1.2
    split: bool = True
    gaussians: int | None = None
