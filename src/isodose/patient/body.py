"""What belongs to the patient: couch and clothes outside the external contour do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume

AIR_HU = -1000.0


def body_ct(patient: Patient) -> Volume:
    """CT with air outside the external contour, where there is one."""
    if patient.external is None:
        return patient.ct
    outside = patient.external.occupancy <= 0.0
    return Volume(patient.grid, np.where(outside, np.float32(AIR_HU), patient.ct.values))


def body_hu(patient: Patient, grid: Grid, voxels: NDArray[np.int64]) -> NDArray[np.float32]:
    """CT numbers in some voxels of a grid, air outside the external contour and the CT.

    Parameters
    ----------
    patient, grid
        Whose, and the grid, which need not be the CT's.
    voxels
        Flat indices, ``(n,)``.

    Returns
    -------
    NDArray
        float32 ``(n,)`` HU.
    """
    if not grid.matches(patient.grid):
        return np.asarray(body_ct(patient).on(grid, outside=AIR_HU).values.ravel()[voxels])
    hu = patient.ct.values.ravel()[voxels]
    if patient.external is not None:
        hu[patient.external.occupancy.ravel()[voxels] <= 0.0] = AIR_HU
    return np.asarray(hu)


def inside_body(patient: Patient, grid: Grid) -> NDArray[np.bool_]:
    """Voxels ``[z, y, x]`` of a grid that the external contour touches; all of them where there is none."""
    if patient.external is None:
        return np.ones(grid.shape, dtype=np.bool_)
    touched: NDArray[np.bool_] = Volume(patient.grid, patient.external.occupancy).on(grid).values > 0.0
    return touched
