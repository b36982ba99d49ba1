"""Ionisation clusters that an ion makes while it loses energy in liquid water, from the database.

The database holds clusters per path; divided by the stopping power they become clusters per energy lost. That
ratio is what the ends of tracks need (all energies down to rest are passed, each with the same energy lost),
and it changes little where the database ends: below its lowest and above its highest energy the value there
holds. Below 10 keV/u an ion has less than 1 % of its energy of 1 MeV/u left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isodose.biology.radiation_model import let_kev_um
from isodose.errors import InputError
from isodose.physics.species import Species, species
from isodose.track.database import ClusterDatabase

_NM_PER_UM = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class ClusterYield:
    """Clusters per energy lost, of one quantity.

    Parameters
    ----------
    database
        Of clusters per path.
    quantity
        A quantity that the database holds, such as ``"F4"``.

    """

    database: ClusterDatabase
    quantity: str

    def __call__(self, ion: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Clusters per keV of an ion at energies in MeV/u, in their shape.

        Isotopes that the database lacks make the clusters of the nearest one of their element at the same
        energy per nucleon, which has the same charge and velocity.

        Raises
        ------
        InputError
            If the database has no ion of that element.
        """
        nearest = nearest_ion(self.database.ions, ion)
        grid = self.database.energies_mev_u(nearest)
        energy = np.clip(energy_mev_u, grid[0], grid[-1])
        per_nm = self.database.per_nm(nearest, self.quantity, energy)
        return np.asarray(per_nm * _NM_PER_UM / let_kev_um(species(nearest), energy))


@cache
def nearest_ion(ions: tuple[str, ...], ion: Species) -> str:
    """Name of the ion of the same element that is nearest in mass, the lighter of two.

    Raises
    ------
    InputError
        If there is none of the element.
    """
    same = [s for s in map(species, ions) if s.charge == ion.charge]
    if not same:
        raise InputError("cluster database", f"ions {', '.join(ions)}", f"one of the element of {ion.name}")
    return min(same, key=lambda s: (abs(s.nucleons - ion.nucleons), s.nucleons)).name
