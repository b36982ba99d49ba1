"""Distance and place of a beam's rays, in step with the columns of voxels that they look along.

A beam along an axis of the CT sees columns of voxels, each with a range of its own. Two rays in one column
and one in the next would count the first twice, however fine the map of particles: with 1.6 mm rays in the
2 mm voxels of the built-in head, the depth dose of single spots was up to 20 % of its maximum off. So cells
of rays begin and end with columns there. An oblique beam passes from column to column, which evens this out
by itself, as long as its rays do not all pass through the same part of a voxel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.grid import Grid

_OBLIQUE = 0.01
"""Sine of the angle from which a beam passes through many columns: 2 mm in 200 mm."""
_FINER, _COARSER = 0.6, 1.25
"""Rays may lie closer or farther than asked for by these factors, to fit into columns in whole numbers."""
_IN_STEP = 0.05


@dataclass(frozen=True, slots=True)
class RayLattice:
    """Where the rays of a beam lie on its isocentre plane.

    Parameters
    ----------
    spacing_mm
        Distance of rays, and size of their cells.
    edge_mm
        A place, along u and v, at which a cell begins; None where it does not matter.
    """

    spacing_mm: float
    edge_mm: tuple[float, float] | None = None


def ray_lattice(frame: NDArray[np.float64], grid: Grid, ray_mm: float, split: bool = True) -> RayLattice:
    """Lattice of rays through a CT.

    Parameters
    ----------
    frame
        Of the beam, as `isodose.pencilbeam.fan.Fan` holds it.
    grid
        Of the CT.
    ray_mm
        Distance of rays that is wanted, more or less.
    split
        Whether spots are split over rays; one that takes its central ray's way sees one column anyway.
    """
    axes = np.abs(frame[:3]).argmax(axis=1)
    off_axis = np.abs(frame[:3]).copy()
    off_axis[np.arange(3), axes] = 0.0
    if off_axis.max() > _OBLIQUE or not split:
        return RayLattice(_out_of_step(ray_mm, grid))
    lower, width = np.array(grid.lower_mm), np.array(grid.spacing_mm)
    faces = [float((lower[axes[i]] - frame[3, axes[i]]) / frame[i, axes[i]]) for i in (0, 1)]
    columns = (float(width[axes[0]]), float(width[axes[1]]))
    return RayLattice(_in_step(ray_mm, columns), (faces[0], faces[1]))


def _in_step(ray_mm: float, columns_mm: tuple[float, float]) -> float:
    """Distance of rays of which whole numbers fit best into columns of both widths."""
    choices = [ray_mm]
    for column in columns_mm:
        fewest = math.ceil(column / (_COARSER * ray_mm) - 1e-9)
        most = math.floor(column / (_FINER * ray_mm) + 1e-9)
        choices += [column / n for n in range(max(fewest, 1), most + 1)]

    def misfit(spacing: float) -> float:
        """Scatter of the number of rays among columns, over their mean: of the worse of both axes."""
        fitting = np.array(columns_mm) / spacing
        beyond = fitting - np.floor(fitting + 1e-9)
        return float(np.max(np.sqrt(np.maximum(beyond * (1.0 - beyond), 0.0)) / fitting))

    return min(choices, key=lambda choice: (round(misfit(choice), 6), -choice))


def _out_of_step(ray_mm: float, grid: Grid) -> float:
    """Distance of rays that do not all pass through the same part of a voxel of the CT."""
    voxels = ray_mm / np.array(grid.spacing_mm)
    in_step = (voxels > 0.5) & (np.abs(voxels - np.rint(voxels)) < _IN_STEP)
    return ray_mm * (1.0 - 2.0 * _IN_STEP) if in_step.any() else ray_mm
