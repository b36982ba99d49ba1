"""From sums per history to quantities per fraction."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from isodose.dose.quantity import Quantity
from isodose.patient.grid import Grid
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.transport.statistics import BatchSums

Arrays = dict[Quantity, NDArray[np.float32]]

_VOXEL_QUANTITIES = (
    Quantity.DOSE_TO_WATER,
    Quantity.LETD,
    Quantity.LETT,
    Quantity.FLUENCE,
)
_CHUNK = 1 << 20  # voxels converted at a time, to keep the float64 in between small


def dose_values(
    sums: BatchSums,
    quantities: Collection[Quantity],
    grid: Grid,
    density: NDArray[np.float32],
    body: NDArray[np.bool_],
    particles: float,
    responses: Sequence[Quantity] = (),
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
    body
        Voxels of the patient (flat). Outside, dose is given as 0, since the few histories that cross a voxel
        of air would make a dose of it that outshines the target and means nothing.
    particles
        Number of particles per fraction.
    responses
        Quantities of the columns of track lengths times responses, in their order.
    """
    slots, size = sums.slots, grid.size
    values: Arrays = {Quantity.DOSE: np.zeros(size, dtype=np.float32)}
    wanted = [*(q for q in quantities if q in _VOXEL_QUANTITIES), *responses]
    values |= {q: np.zeros(size, dtype=np.float32) for q in wanted}
    slot_of = {Quantity.DOSE: slots.dose, Quantity.DOSE_TO_WATER: slots.dose_to_water}
    slot_of |= {Quantity.FLUENCE: slots.track}
    slot_of |= {quantity: slots.response + i for i, quantity in enumerate(responses)}
    errors = {q: np.zeros(size, dtype=np.float32) for q in values}
    to_fluence = particles / (grid.voxel_volume_cm3 * 1000.0)
    for begin in range(0, size, _CHUNK):
        part = slice(begin, min(begin + _CHUNK, size))
        mass = density[part].astype(np.float64) * grid.voxel_volume_cm3
        to_dose = np.where(body[part], particles * GY_PER_MEV_PER_G / mass, 0.0)
        for quantity, value in values.items():
            if quantity is Quantity.LETD:
                mean, error = sums.ratio(slots.let_weighted, slots.let_energy, part)
            elif quantity is Quantity.LETT:
                mean, error = sums.ratio(slots.track_let, slots.track, part)
            else:
                slot, factor = slot_of[quantity], to_dose
                if quantity is Quantity.FLUENCE:
                    factor = np.asarray(to_fluence)
                elif quantity in responses:
                    factor = to_fluence * body[part]
                mean, error = sums.mean(slot, part) * factor, sums.error(slot, part) * factor
            value[part], errors[quantity][part] = mean, error
    return (
        {q: v.reshape(grid.shape) for q, v in values.items()},
        {q: e.reshape(grid.shape) for q, e in errors.items()},
    )
