"""The fan of a beam: rays through a lattice on the isocentre plane, cut by planes across the beam.

Every ray keeps its lattice coordinates (u, v) on all planes, so a beam that diverges from two virtual sources
becomes a rectangular array ``[plane, v, u]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """Rays and planes of a beam.

    Parameters
    ----------
    frame
        Rows: BEV x, BEV y, direction of flight (unit vectors), and the isocentre in mm; all in the patient
        frame, ``(4, 3)``.
    source_distance_mm
        Virtual sources of the x and y deflection.
    first_mm
        Coordinates (u, v) of the first ray on the isocentre plane.
    spacing_mm
        Distance of rays on the isocentre plane.
    shape
        Rays along v and u.
    first_plane_mm
        Position of the first plane along the direction of flight, from the isocentre.
    plane_spacing_mm
        Distance of planes.
    planes
        Their number.
    """

    frame: NDArray[np.float64]
    source_distance_mm: tuple[float, float]
    first_mm: tuple[float, float]
    spacing_mm: float
    shape: tuple[int, int]
    first_plane_mm: float
    plane_spacing_mm: float
    planes: int

    @property
    def plane_mm(self) -> NDArray[np.float64]:
        """Positions of the planes, ``(planes,)`` mm."""
        steps = np.arange(self.planes, dtype=np.float64)
        return np.asarray(self.first_plane_mm + self.plane_spacing_mm * steps)

    def magnification(self, plane_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distance of rays on a plane over that on the isocentre plane, along u and v."""
        x, y = self.source_distance_mm
        return np.asarray(1.0 + plane_mm / x), np.asarray(1.0 + plane_mm / y)

    def rays_mm(self, rays: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates (u, v) of rays, given by their flat index."""
        v, u = np.divmod(rays, self.shape[1])
        return self.first_mm[0] + self.spacing_mm * u, self.first_mm[1] + self.spacing_mm * v


def beam_frame(beam: Beam, position: str) -> NDArray[np.float64]:
    """Frame of a beam as `Fan` holds it."""
    return np.array([*beam_axes(beam, position), beam.isocentre_mm], dtype=np.float64)


def fan_over(
    frame: NDArray[np.float64],
    source_distance_mm: tuple[float, float],
    low_mm: tuple[float, float],
    high_mm: tuple[float, float],
    spacing_mm: float,
    reach_mm: tuple[float, float],
    plane_spacing_mm: float,
    edge_mm: tuple[float, float] | None = None,
) -> Fan:
    """Fan that covers a field on the isocentre plane and a stretch along the beam.

    Parameters
    ----------
    frame, source_distance_mm
        As in `Fan`.
    low_mm, high_mm
        Corners of the field, (u, v).
    spacing_mm
        Distance of rays.
    reach_mm
        First and last position along the beam, from the isocentre.
    plane_spacing_mm
        Distance of planes.
    edge_mm
        A place at which a ray's cell is to begin, (u, v); by default the field is in the middle.
    """
    counts = [int(np.ceil((b - a) / spacing_mm)) + 1 for a, b in zip(low_mm, high_mm, strict=True)]
    counts = [8 * -(-n // 8) for n in counts]  # whole cells on the coarser lattices too
    first = [0.5 * (a + b - (n - 1) * spacing_mm) for a, b, n in zip(low_mm, high_mm, counts, strict=True)]
    if edge_mm is not None:
        beyond = [(a - edge) / spacing_mm - 0.5 for a, edge in zip(first, edge_mm, strict=True)]
        first = [a - (b - round(b)) * spacing_mm for a, b in zip(first, beyond, strict=True)]
    planes = max(1, int(np.ceil((reach_mm[1] - reach_mm[0]) / plane_spacing_mm)))
    return Fan(
        frame,
        source_distance_mm,
        (first[0], first[1]),
        spacing_mm,
        (counts[1], counts[0]),
        reach_mm[0] + 0.5 * plane_spacing_mm,
        plane_spacing_mm,
        planes,
    )


def reach_along(frame: NDArray[np.float64], grid: Grid) -> tuple[float, float]:
    """Positions along the beam between which the CT lies."""
    lower, upper = grid.lower_mm, grid.upper_mm
    corners = np.array(
        [(x, y, z) for x in (lower[0], upper[0]) for y in (lower[1], upper[1]) for z in (lower[2], upper[2])]
    )
    along = (corners - frame[3]) @ frame[2]
    return float(along.min()), float(along.max())
