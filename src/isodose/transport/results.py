"""From sums per history to quantities per fraction."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from isodose.dose.quantity import Quantity
from isodose.patient.grid import Grid
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.transport.statistics import BatchSums

Arrays = dict[Quantity, NDArray[np.float32]]


def dose_values(
    sums: BatchSums,
    quantities: Collection[Quantity],
    grid: Grid,
    density: NDArray[np.float32],
    particles: float,
) -> tuple[Arrays, Arrays]:
    """Values and standard uncertainties of voxel quantities.

    Parameters
    ----------
    sums
        Batch sums per history.
    quantities
        Which to give; spectra are not among them. The dose always is.
    grid, density
        Voxels, and their density in g/cm3 (flat).
    particles
        Number of particles per fraction.
    """
    slots = sums.slots
    mass = density.astype(np.float64) * grid.voxel_volume_cm3
    to_dose = particles * GY_PER_MEV_PER_G / mass
    to_fluence = particles / (grid.voxel_volume_cm3 * 1000.0)
    values: Arrays = {}
    errors: Arrays = {}

    def put(quantity: Quantity, value: NDArray[np.float64], error: NDArray[np.float64]) -> None:
        values[quantity] = value.astype(np.float32).reshape(grid.shape)
        errors[quantity] = error.astype(np.float32).reshape(grid.shape)

    put(Quantity.DOSE, sums.mean(slots.dose) * to_dose, sums.error(slots.dose) * to_dose)
    if Quantity.DOSE_TO_WATER in quantities:
        slot = slots.dose_to_water
        put(Quantity.DOSE_TO_WATER, sums.mean(slot) * to_dose, sums.error(slot) * to_dose)
    if Quantity.LETD in quantities:
        put(Quantity.LETD, *sums.ratio(slots.let_weighted, slots.let_energy))
    if Quantity.LETT in quantities:
        put(Quantity.LETT, *sums.ratio(slots.track_let, slots.track))
    if Quantity.FLUENCE in quantities:
        put(Quantity.FLUENCE, sums.mean(slots.track) * to_fluence, sums.error(slots.track) * to_fluence)
    return values, errors
