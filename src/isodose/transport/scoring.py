"""What is scored while particles move: sums per voxel, and sparse spectra per voxel, class and energy.

Voxel sums are interleaved, ``sums[voxel, slot]``, so that a step touches one cache line; a slot of -1 is not
scored. Spectra live in an open-addressing hash table, since a patient holds few of the possible (voxel,
class, energy) triples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

EMPTY = -1

BLOCK_SHIFT = 9
"""Voxels are marked as scored in blocks of 512, so that a batch costs no more than what it reached."""

TRACK_LENGTH, CURRENT = 1, 2
"""What a spectrum table holds; 0 scores none."""


class Slots(NamedTuple):
    """Columns of the voxel sums.

    Parameters
    ----------
    dose
        Energy deposited, MeV.
    dose_to_water
        Energy deposited times the mass stopping power ratio of water to the medium, MeV.
    let_energy
        Energy lost by tracked particles, MeV: the denominator of LETd.
    let_weighted
        The same times LET in water, MeV keV/um: the numerator of LETd.
    track
        Track length, mm: fluence, and the denominator of LETt.
    track_let
        Track length times LET in water, mm keV/um: the numerator of LETt.
    columns
        Number of columns.
    response
        First column of the track lengths times responses, unit mm3; one column for each.
    responses
        Number of them.
    """

    dose: int
    dose_to_water: int
    let_energy: int
    let_weighted: int
    track: int
    track_let: int
    columns: int
    response: int = -1
    responses: int = 0


class SpectrumTable(NamedTuple):
    """A hash table of keys ``(voxel * classes + class) * bins + bin`` with a value each.

    Parameters
    ----------
    kind
        0 (off), ``TRACK_LENGTH`` or ``CURRENT``.
    key, value
        Slots, int64 and float64, a power of two of them; free ones hold ``EMPTY``.
    used
        Number of filled slots, int64 ``(1,)``.
    class_of_species
        Particle class by species index, int64.
    classes
        Number of classes.
    edges
        Energy edges in MeV of total kinetic energy, float64.
    first_bin
        Lowest bin that an energy in the lookup bin can fall into, int64.
    region
        1 where a voxel is scored, uint8 per voxel.
    """

    kind: int
    key: NDArray[np.int64]
    value: NDArray[np.float64]
    used: NDArray[np.int64]
    class_of_species: NDArray[np.int64]
    classes: int
    edges: NDArray[np.float64]
    first_bin: NDArray[np.int64]
    region: NDArray[np.uint8]


class Scorer(NamedTuple):
    """What one thread scores into.

    Parameters
    ----------
    slots
        Meaning of the columns of ``sums``.
    sums
        Sums per voxel, float64 ``(voxels, slots.columns)``.
    marks
        1 for each block of ``2**BLOCK_SHIFT`` voxels that was scored in, uint8.
    spectrum
        Sparse spectra.
    """

    slots: Slots
    sums: NDArray[np.float64]
    marks: NDArray[np.uint8]
    spectrum: SpectrumTable


def first_bins(edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin at the lower end of every MeV from 0 to the highest energy, from where a short search goes on."""
    lower = np.arange(0.0, max(float(edges[-1]), 1.0) + 1.0)
    return np.clip(np.searchsorted(edges, lower, side="right") - 1, 0, edges.size - 2).astype(np.int64)


@njit(cache=True)
def energy_class_bin(energy_mev, edges, first_bin):  # type: ignore[no-untyped-def]
    """Energy bin of a total kinetic energy; the outermost bins take what lies beyond them."""
    start = int(energy_mev)
    if start >= first_bin.size:
        return edges.size - 2
    index = first_bin[start]
    while index < edges.size - 2 and energy_mev >= edges[index + 1]:
        index += 1
    return index


@njit(cache=True)
def place_of(key, wanted):  # type: ignore[no-untyped-def]
    """Place of a key in an open-addressing hash table of a power of two places, or the free place for it."""
    mask = key.size - 1
    place = np.int64((np.uint64(wanted) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask
    while key[place] != wanted and key[place] != EMPTY:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def add(table, voxel, species, energy_mev, amount):  # type: ignore[no-untyped-def]
    """Add an amount to the spectrum of a voxel; the caller keeps the table from filling up."""
    bins = table.edges.size - 1
    energy_bin = energy_class_bin(energy_mev, table.edges, table.first_bin)
    wanted = (voxel * table.classes + table.class_of_species[species]) * bins + energy_bin
    place = place_of(table.key, wanted)
    if table.key[place] == EMPTY:
        table.key[place] = wanted
        table.used[0] += 1
    table.value[place] += amount
