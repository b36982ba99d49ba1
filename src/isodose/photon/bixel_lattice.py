"""The bixels of a beam as a rectangle of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.plan.plan import Beam

_TOLERANCE = 0.01
"""A bixel may miss its place on the lattice by this part of its side."""


@dataclass(frozen=True, slots=True, eq=False)
class BixelLattice:
    """Bixels on the isocentre plane.

    Parameters
    ----------
    first_mm
        Middle (x, y) of the first bixel.
    side_mm
        Of a bixel, and their distance.
    column
        Number of the bixel in the plan by its place, int32 ``(y, x)``; -1 where there is none.
    monitor_units
        Of each place, float32 ``(y, x)``.
    """

    first_mm: tuple[float, float]
    side_mm: float
    column: NDArray[np.int32]
    monitor_units: NDArray[np.float32]

    @property
    def reach_mm(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """First and last middle, x and y."""
        x, y = self.first_mm
        ny, nx = self.column.shape
        return (x, x + (nx - 1) * self.side_mm), (y, y + (ny - 1) * self.side_mm)


def lattice_of(beam: Beam, side_mm: float, first_column: int = 0, place: str = "beam") -> BixelLattice:
    """Lattice of a beam's bixels.

    Parameters
    ----------
    beam
        With one layer.
    side_mm
        Of its bixels.
    first_column
        Number of the first bixel in the plan.
    place
        What errors call the beam.

    Raises
    ------
    InputError
        If the beam has not one layer of bixels that lie side by side.
    """
    if len(beam.layers) != 1 or not len(beam.layers[0].spots):
        found = f"{len(beam.layers)} layers, {beam.spot_count} bixels"
        raise InputError(f"{place}.layers", found, "one layer, of at least one bixel")
    if beam.range_shifter is not None:
        raise InputError(f"{place}.range_shifter", beam.range_shifter.name, "none in a photon beam")
    spots = beam.layers[0].spots
    index = []
    for axis, at in (("x", spots.x_mm), ("y", spots.y_mm)):
        steps = (at - at.min()) / side_mm
        wrong = np.flatnonzero(np.abs(steps - np.rint(steps)) > _TOLERANCE)
        if wrong.size:
            field = f"{place}.layers[0].spots[{wrong[0]}].{axis}_mm"
            raise InputError(
                field, at[wrong[0]], f"{at.min():g} mm and a multiple of the bixels' {side_mm:g}"
            )
        index.append(np.rint(steps).astype(np.int64))
    ix, iy = index
    column = np.full((iy.max() + 1, ix.max() + 1), -1, dtype=np.int32)
    monitor_units = np.zeros(column.shape, dtype=np.float32)
    column[iy, ix] = first_column + np.arange(len(spots))
    monitor_units[iy, ix] = spots.particles
    if np.count_nonzero(column >= 0) != len(spots):
        raise InputError(f"{place}.layers[0].spots", "two bixels in one place", "one bixel in each")
    return BixelLattice((float(spots.x_mm.min()), float(spots.y_mm.min())), side_mm, column, monitor_units)
