"""The nanodosimetric database: cluster frequencies per path length of every ion, by energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from isodose.errors import InputError
from isodose.track.database_entry import Entry
from isodose.track.database_file import read_entries, write_entries
from isodose.track.entry_sums import QUANTITIES

_DATA = Path(str(files("isodose.track") / "data"))

SHIPPED_FILE = _DATA / "cluster_database.npz"
"""The database that comes with isodose."""

RAW_FILE = _DATA / "cluster_database_raw.npz"
"""The same before smoothing."""

_NEAR = 0.03
"""Step of ln(energy) below which energies are nearly the same."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterDatabase:
    """Cluster quantities by ion and energy.

    Parameters
    ----------
    entries
        All entries; ions in any order, energies of an ion in any order.
    provenance
        How it was made: versions, seed, statistics.
    """

    entries: tuple[Entry, ...]
    provenance: dict[str, object]

    @property
    def ions(self) -> tuple[str, ...]:
        """Ions that have entries."""
        return tuple(dict.fromkeys(entry.ion for entry in self.entries))

    def energies_mev_u(self, ion: str) -> NDArray[np.float64]:
        """Energies of an ion's entries, ascending.

        Raises
        ------
        InputError
            If the ion has no entries.
        """
        return np.array([entry.energy_mev_u for entry in self._of(ion)])

    def table(self, ion: str, quantity: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and standard uncertainties of a quantity at the energies of the entries, 1/nm.

        Raises
        ------
        InputError
            If the ion has no entries or the quantity is unknown.
        """
        if quantity not in QUANTITIES:
            raise InputError("quantity", repr(quantity), f"one of {', '.join(QUANTITIES)}")
        column = QUANTITIES.index(quantity)
        entries = self._of(ion)
        values = np.array([entry.values[column] for entry in entries])
        return values, np.array([entry.uncertainties[column] for entry in entries])

    def per_nm(self, ion: str, quantity: str, energy_mev_u: ArrayLike) -> NDArray[np.float64]:
        """Quantity per nm of path at any energy, by monotone cubic interpolation in ln E.

        Energies that are nearly the same count as one: their noise would make a slope.

        Parameters
        ----------
        ion
            Name of the ion.
        quantity
            One of :data:`isodose.track.entry_sums.QUANTITIES`.
        energy_mev_u
            Energies in MeV/u.

        Raises
        ------
        InputError
            If the ion or the quantity has no entries, or an energy lies outside of them.
        """
        energy = np.asarray(energy_mev_u, dtype=np.float64)
        grid = self.energies_mev_u(ion)
        bad = ~((energy >= grid[0]) & (energy <= grid[-1]))
        if np.any(bad):
            raise InputError("energy_mev_u", float(energy[bad].flat[0]), f"{grid[0]:g} to {grid[-1]:g} MeV/u")
        values, _ = self.table(ion, quantity)
        return np.asarray(PchipInterpolator(*_knots(np.log(grid), values))(np.log(energy)))

    def with_provenance(self, more: Mapping[str, object]) -> ClusterDatabase:
        """Return the same database with more to say about how it was made."""
        return ClusterDatabase(self.entries, {**self.provenance, **more})

    def save(self, path: Path) -> None:
        """Write the database to one file (``.npz``).

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        write_entries(path, self.entries, self.provenance)

    def _of(self, ion: str) -> list[Entry]:
        entries = sorted((e for e in self.entries if e.ion == ion), key=lambda e: e.energy_mev_u)
        if not entries:
            raise InputError("ion", repr(ion), f"one of {', '.join(self.ions)}")
        return entries


def _knots(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a curve, those that are near to each other drawn together into their mean."""
    knot = np.cumsum(np.diff(x, prepend=x[0]) > _NEAR)
    count = np.bincount(knot)
    return np.bincount(knot, x) / count, np.bincount(knot, y) / count


def load_database(path: Path) -> ClusterDatabase:
    """Read a database.

    Raises
    ------
    InputError
        If the file is no database, or was built by another format or physics.
    """
    return ClusterDatabase(*read_entries(path))


@cache
def cluster_database() -> ClusterDatabase:
    """The database that comes with isodose, made by ``isodose track database`` and smoothed over energy.

    Raises
    ------
    InputError
        If it was built by another format or physics.
    """
    return load_database(SHIPPED_FILE)
