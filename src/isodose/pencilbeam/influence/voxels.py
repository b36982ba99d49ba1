"""The voxels for which an influence matrix is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.grid import Grid


@dataclass(frozen=True, slots=True, eq=False)
class InfluenceVoxels:
    """Rows of an influence matrix.

    Parameters
    ----------
    grid
        The dose grid.
    inside
        Voxels that are wanted, ``[z, y, x]``.
    dose_factor
        Dose in the medium over dose to water, float32 ``[z, y, x]``.
    """

    grid: Grid
    inside: NDArray[np.bool_]
    dose_factor: NDArray[np.float32]
