"""What a CT number means to a pencil beam: stopping, scattering and density relative to water."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.patient.body import AIR_HU
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration
from isodose.patient.volume import Volume
from isodose.physics.materials import material

_LOWEST_HU = -1024


@dataclass(frozen=True, slots=True, eq=False)
class Media:
    """Properties of matter by CT number, one row per HU.

    Parameters
    ----------
    lowest_hu
        CT number of the first row.
    stopping
        Stopping power relative to water, float32 ``(n,)``.
    scattering
        Scattering power relative to water (inverse scattering length times density), float32 ``(n,)``.
    dose_factor
        Dose in the medium over dose to water at equal fluence, float32 ``(n,)``: relative stopping power over
        density.
    """

    lowest_hu: int
    stopping: NDArray[np.float32]
    scattering: NDArray[np.float32]
    dose_factor: NDArray[np.float32]

    def row(self, hu: NDArray[np.float32]) -> NDArray[np.int16]:
        """Rows of CT numbers of any shape, rounded to whole HU."""
        nearest = np.clip(np.rint(hu) - self.lowest_hu, 0, self.stopping.size - 1)
        return np.asarray(nearest, dtype=np.int16)

    def dose_factor_of(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        """Dose in the medium over dose to water, by CT number."""
        return np.asarray(self.dose_factor[self.row(hu)])

    def dose_factor_on(self, grid: Grid, body: Volume) -> NDArray[np.float32]:
        """Dose in the medium over dose to water, by voxel of a grid, for the CT numbers of a body."""
        return self.dose_factor_of(body.on(grid, outside=AIR_HU).values)


def media_of(calibration: HounsfieldCalibration, ct: Volume) -> Media:
    """Properties of the CT numbers of a volume.

    Raises
    ------
    InputError
        If a CT number is not finite or beyond the calibration; it names the voxel.
    """
    highest = float(ct.values.max())
    if not (np.isfinite(highest) and np.isfinite(float(ct.values.min())) and highest <= calibration.end_hu):
        calibration.rsp(ct)  # names the voxel
    hu = np.arange(_LOWEST_HU, int(np.floor(calibration.end_hu)) + 1, dtype=np.float64)
    stopping = calibration.rsp_of_hu(hu)
    if calibration.composition:
        density = calibration.density_of_hu(hu)
        water = material("water").scattering_length_g_cm2
        per_density = np.array([water / m.scattering_length_g_cm2 for m in calibration.materials])
        scattering = per_density[calibration.material_of_hu(hu)] * density
        factor = stopping / density
    else:
        scattering, factor = stopping, np.ones_like(stopping)
    return Media(
        _LOWEST_HU, stopping.astype(np.float32), scattering.astype(np.float32), factor.astype(np.float32)
    )
