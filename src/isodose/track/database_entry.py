"""One entry of the nanodosimetric database: the cluster frequencies of one ion at one energy."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.species import species
from isodose.track.entry_sums import EntrySums, sum_batches
from isodose.track.ion_tables import MAXIMUM_ENERGY_MEV_U, mean_control_rates
from isodose.track.ion_tracks import Segment, shell_batches

DATABASE_IONS = (
    *("p", "d", "t", "He3", "He4", "Li7", "Be9"),
    *("B10", "B11", "C10", "C11", "C12", "N14", "O16"),
)
"""Ions of the database: the ten classes of the cluster-dose paper, and Li, Be, N and O."""

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

LEADING = "F4"
"""Quantity whose uncertainty says when an entry is done."""

PLACEMENTS = 4
"""Placements of the targets in which each track is counted."""

LARGEST_TRACKS = 4_000_000
"""Tracks after which an entry ends in any case."""

_PILOT_TRACKS = 16
_BATCHES = 64  # of a round
_LARGEST_STEP = 5.0  # rare large clusters make the first guess of an uncertainty poor
_MARGIN = 1.1


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
        ``[12]`` in the order of :data:`isodose.track.entry_sums.QUANTITIES`, 1/nm.
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


def compute_sums(
    ion: str, energy_mev_u: float, uncertainty: float, seed: int = 1, known: EntrySums | None = None
) -> EntrySums:
    """Follow tracks until F4 is certain enough.

    Tracks are counted on from those that are known, so that the same seed and the same sequence of
    uncertainties give the same sums, wherever and whenever they are computed.

    Parameters
    ----------
    ion
        Name of the ion.
    energy_mev_u
        Energy at the beginning of its path of 1 um, MeV/u.
    uncertainty
        Relative standard uncertainty of F4 at which to end.
    seed
        Seed of the whole database; an entry's own is made from it, the ion and the energy.
    known
        Sums of earlier tracks of the entry.

    Raises
    ------
    InputError
        If the uncertainty is not between 0 and 1, or the ion or its energy has no tables.
    """
    if not 0.0 < uncertainty < 1.0:
        raise InputError("uncertainty", uncertainty, "between 0 and 1")
    sums = _follow(ion, energy_mev_u, seed, 0, 1, _PILOT_TRACKS) if known is None else known
    while sums.tracks < LARGEST_TRACKS:
        wanted = (sums.relative_uncertainty(LEADING) / uncertainty) ** 2
        if wanted <= 1.0:
            break
        total = min(sums.tracks * min(_MARGIN * wanted, _LARGEST_STEP), LARGEST_TRACKS)
        each = int(np.ceil((total - sums.tracks) / _BATCHES))
        sums = sums + _follow(ion, energy_mev_u, seed, sums.tracks, each, _BATCHES)
    return sums


def _follow(ion: str, energy_mev_u: float, seed: int, first: int, each: int, batches: int) -> EntrySums:
    found = shell_batches(
        Segment(ion, energy_mev_u),
        each,
        batches,
        seed=zlib.crc32(f"{seed} {ion} {energy_mev_u:.6g}".encode()),
        first_track=first,
        placements=PLACEMENTS,
    )
    return sum_batches(found, each * batches, mean_control_rates(ion, energy_mev_u))
