"""One entry of the nanodosimetric database: the cluster frequencies of one ion at one energy."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.species import species
from isodose.track.cluster_sizes import ClusterSizes
from isodose.track.ion_tables import MAXIMUM_ENERGY_MEV_U
from isodose.track.ion_tracks import Segment, shell_clusters

DATABASE_IONS = (
    *("p", "d", "t", "He3", "He4", "Li7", "Be9"),
    *("B10", "B11", "C10", "C11", "C12", "N14", "O16"),
)
"""Ions of the database: the ten classes of the cluster-dose paper, and Li, Be, N and O."""

_LARGEST_CLUSTER = 10
QUANTITIES = (*(f"F{k}" for k in range(1, _LARGEST_CLUSTER + 1)), "M1", "M2")
"""Quantities of an entry, all per nm of the ion's path: F_k, targets with k ionisations or more; moments."""

PAPER_ENERGIES_MEV = np.concatenate(
    [
        np.arange(1.0, 5.5, 1.0),
        np.arange(10.0, 41.0, 5.0),
        np.arange(50.0, 101.0, 10.0),
        np.arange(125.0, 1001.0, 25.0),
        np.arange(1050.0, 2001.0, 50.0),
        np.arange(2100.0, 3001.0, 100.0),
    ]
)
"""The 84 energies of the cluster-dose paper, MeV of the whole ion."""

_GRID_MEV_U = (0.01, MAXIMUM_ENERGY_MEV_U)
_GRID_PER_DECADE = 8


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many tracks an entry gets.

    Parameters
    ----------
    uncertainty
        Relative standard uncertainty of F4 at which it ends.
    pilot_tracks
        Tracks of the first round, from which the others are planned.
    largest_tracks
        Tracks after which it ends in any case.
    batches
        Batches of each round.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    uncertainty: float = 0.01
    pilot_tracks: int = 32
    largest_tracks: int = 2_000_000
    batches: int = 32

    def __post_init__(self) -> None:
        if not 0.0 < self.uncertainty < 1.0:
            raise InputError("uncertainty", self.uncertainty, "between 0 and 1")
        if not 2 <= self.batches <= self.pilot_tracks <= self.largest_tracks:
            numbers = self.batches, self.pilot_tracks, self.largest_tracks
            raise InputError("batches, pilot_tracks, largest_tracks", numbers, "2 or more, ascending")


@dataclass(frozen=True, slots=True)
class Entry:
    """Result of one ion at one energy.

    Parameters
    ----------
    ion
        Name of the ion.
    energy_mev_u
        Its energy at the beginning of the path, MeV/u.
    values, uncertainties
        ``[12]`` in the order of :data:`QUANTITIES`, 1/nm.
    tracks
        Tracks that were followed.
    """

    ion: str
    energy_mev_u: float
    values: NDArray[np.float64]
    uncertainties: NDArray[np.float64]
    tracks: int


def database_energies(ion: str) -> NDArray[np.float64]:
    """Energies of an ion's entries, MeV/u: those of the paper that have tables, and an even grid in ln E."""
    low, high = _GRID_MEV_U
    count = round(np.log10(high / low) * _GRID_PER_DECADE) + 1
    paper = PAPER_ENERGIES_MEV / species(ion).nucleons
    both = np.concatenate([paper[paper <= high], np.geomspace(low, high, count)])
    return np.unique(both.round(6))


def compute_entry(ion: str, energy_mev_u: float, statistics: Statistics, seed: int = 1) -> Entry:
    """Follow tracks until the uncertainty of F4 is reached.

    The same arguments give the same entry, wherever and in whatever order entries are computed.

    Parameters
    ----------
    ion
        Name of the ion.
    energy_mev_u
        Energy at the beginning of its path of 1 um, MeV/u.
    statistics
        When to end.
    seed
        Seed of the whole database; an entry's own is made from it, the ion and the energy.
    """
    own_seed = zlib.crc32(f"{seed} {ion} {energy_mev_u:.6g}".encode())
    segment = Segment(ion, energy_mev_u)
    size = -(-statistics.pilot_tracks // statistics.batches)
    sizes = shell_clusters(segment, size, statistics.batches, seed=own_seed)
    tracks = size * statistics.batches
    while tracks < statistics.largest_tracks:
        f4 = sizes.cluster_frequency(4)
        # Rare large clusters make the first guess of an uncertainty poor: never more than five times further.
        wanted = (f4.uncertainty / (statistics.uncertainty * f4.value)) ** 2 if f4.value > 0.0 else np.inf
        if wanted <= 1.0:
            break
        total = min(tracks * min(1.1 * wanted, 5.0), statistics.largest_tracks)
        size = int(np.ceil((total - tracks) / statistics.batches))
        sizes = sizes + shell_clusters(segment, size, statistics.batches, seed=own_seed, first_track=tracks)
        tracks += size * statistics.batches
    estimates = [_quantity(sizes, name) for name in QUANTITIES]
    values, uncertainties = np.array(estimates).T
    return Entry(ion, energy_mev_u, values, uncertainties, tracks)


def _quantity(sizes: ClusterSizes, name: str) -> tuple[float, float]:
    order = int(name[1:])
    return sizes.cluster_frequency(order) if name[0] == "F" else sizes.moment(order)
