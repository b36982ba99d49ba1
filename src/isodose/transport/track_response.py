"""Further voxel quantities as sums over track length times a response, as cluster dose is one.

The sums are taken while particles move, at the energy of each piece of track, so that there is no binning of
energies and the batches tell the uncertainty with all correlations. What a particle adds behind the last step
(`isodose.transport.particle.LAST_STEP` of range, where its track is no longer followed) is scored where it
stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.physics.materials import WATER
from isodose.physics.species import SPECIES, Species
from isodose.physics.stopping import mass_stopping_power
from isodose.transport.lookup import ENERGY_OCTAVES, nodes

_CM_PER_MM = 0.1
_MM2_PER_CM2 = 100.0
_POINTS = 2048  # of the integral to rest


@dataclass(frozen=True, slots=True, eq=False)
class TrackResponse:
    """What tracks add to a quantity, by species and energy node of `isodose.transport.lookup`.

    Parameters
    ----------
    per_length
        Quantity per fluence, in its unit times mm2, float32 ``(species, energies)``.
    to_rest
        Integral of it over the way of a particle to rest in water of 1 g/cm3, in the unit times mm3, float32
        ``(species, energies)``.
    """

    per_length: NDArray[np.float32]
    to_rest: NDArray[np.float32]


def response_per_dose(
    of_ion: Callable[[Species, NDArray[np.float64]], NDArray[np.float64]],
) -> TrackResponse:
    """Response of a quantity that each ion and energy makes in proportion to its dose to water.

    Parameters
    ----------
    of_ion
        Quantity per dose to water, in its unit per Gy, of a species at energies in MeV/u.
    """
    energy = nodes(ENERGY_OCTAVES)
    per_length, to_rest = [], []
    # As squares, since what ions add per energy changes most at low ones.
    finest = energy[-1] * np.linspace(0.0, 1.0, _POINTS) ** 4
    for ion in SPECIES:
        stopping = mass_stopping_power(ion, energy, WATER)  # MeV cm2/g
        per_length.append(GY_PER_MEV_PER_G * _MM2_PER_CM2 * stopping * of_ion(ion, energy))
        middle, width = 0.5 * (finest[1:] + finest[:-1]), np.diff(finest) * ion.nucleons
        running = np.concatenate([[0.0], np.cumsum(of_ion(ion, middle) * width)])
        # MeV per cm3 of water, which is MeV per g
        summed = GY_PER_MEV_PER_G * _MM2_PER_CM2 / _CM_PER_MM * np.interp(energy, finest, running)
        to_rest.append(summed)
    return TrackResponse(
        np.ascontiguousarray(per_length, dtype=np.float32), np.ascontiguousarray(to_rest, dtype=np.float32)
    )
