"""Averages over the energy bins of particle spectra, and the dose that a track length in them makes.

A bin can be wide: the first one reaches from 0 to 1.5 MeV, across the whole Bragg peak of a proton. Ions that
slow down pass all energies of a bin, with a track length per energy of 1/S, so that every energy interval
deposits the same dose. So inside a bin the dose is taken as evenly spread over energy: a property is averaged
over energy with equal weight, and the stopping power of a track length is the harmonic mean.

Spectra of isodose's Monte Carlo end where an ion has `isodose.transport.particle.LAST_STEP` of range left:
the rest is deposited on the spot and leaves no track length. For carbon that is the last 4 MeV/u and a tenth
of the dose in its peak. Who passes the lowest bin above that energy stops within a fraction of a millimetre,
so the dose of its end is counted to that bin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isodose.biology.radiation_model import let_kev_um
from isodose.errors import InputError
from isodose.physics.ranges import energy_of_range
from isodose.physics.species import Species, species
from isodose.physics.stopping import MAXIMUM_ENERGY_MEV_U, MINIMUM_ENERGY_MEV_U
from isodose.transport.particle import LAST_STEP, RANGE_FRACTION
from isodose.transport.particle_classes import CLASSES

_MAIN_ISOTOPE = {"Li": "Li7", "Be": "Be9", "N": "N14", "O": "O16"}
"""What stands for the classes that hold a whole element."""

_NODES = 24
_KEV_UM_PER_MEV_CM2_G = 0.1


def ion_of_class(name: str) -> Species:
    """Species that stands for a class of `isodose.transport.particle_classes`.

    Raises
    ------
    InputError
        If there is no such class.
    """
    if name not in CLASSES:
        raise InputError("particle class", repr(name), f"one of {', '.join(CLASSES)}")
    return species(_MAIN_ISOTOPE.get(name, name))


def unseen_energy_mev(ion: Species) -> float:
    """Total kinetic energy that an ion leaves without a track length when it stops, MeV.

    The last step seen ends evenly between `LAST_STEP` of range and the longest step less.
    """
    left = (1.0 - 0.5 * RANGE_FRACTION) * LAST_STEP
    return float(energy_of_range(ion, left)) * ion.nucleons


@dataclass(frozen=True, slots=True, eq=False)
class EnergyBins:
    """Particle classes and energy bins, with the dose that they make.

    Parameters
    ----------
    classes
        Names of the particle classes.
    ions
        The species that stands for each.
    energy_mev_u
        Energies per nucleon over which a bin is averaged, ``(classes, bins, nodes)`` MeV/u.
    part
        Part of the bin's dose at each, ``(classes, bins, nodes)``; they add up to 1.
    dose_per_track
        Dose per track length and volume, that is mass stopping power with the ends of tracks, ``(classes,
        bins)`` MeV cm2/g.
    """

    classes: tuple[str, ...]
    ions: tuple[Species, ...]
    energy_mev_u: NDArray[np.float64]
    part: NDArray[np.float64]
    dose_per_track: NDArray[np.float64]

    def average(
        self, of_ion: Callable[[Species, NDArray[np.float64]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Dose-averages in every bin, ``(classes, bins)``, of a function of ion and energy in MeV/u."""
        rows = zip(self.ions, self.energy_mev_u, self.part, strict=True)
        return np.stack([np.sum(of_ion(ion, energy) * part, axis=-1) for ion, energy, part in rows])


def energy_bins(classes: tuple[str, ...], energy_edges_mev: NDArray[np.float64]) -> EnergyBins:
    """Bins of spectra.

    Parameters
    ----------
    classes, energy_edges_mev
        As in `isodose.dose.spectra.Spectra`: total kinetic energy, MeV.

    Raises
    ------
    InputError
        For an unknown class or edges that do not ascend from at least 0.
    """
    edges = np.asarray(energy_edges_mev, dtype=np.float64)
    if edges.ndim != 1 or edges.size < 2 or edges[0] < 0.0 or not np.all(np.diff(edges) > 0.0):
        raise InputError("energy_edges_mev", edges.tolist()[:6], "ascending energies from at least 0 MeV")
    return _energy_bins(tuple(classes), tuple(edges.tolist()))


@lru_cache(maxsize=16)
def _energy_bins(classes: tuple[str, ...], edges: tuple[float, ...]) -> EnergyBins:
    ions = tuple(ion_of_class(name) for name in classes)
    rows = [_of_ion(ion, np.array(edges)) for ion in ions]
    energy, part, dose = (np.stack(column) for column in zip(*rows, strict=True))
    return EnergyBins(classes, ions, energy, part, dose)


def _of_ion(ion: Species, edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Energies, parts of the dose, and dose per track length of one ion's bins."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    unseen = unseen_energy_mev(ion)
    low, high = edges[:-1].copy(), edges[1:]
    split = (low < unseen) & (high > unseen)
    low[split] = unseen  # below, there are no tracks in this bin
    energy = low[:, None] + 0.5 * (high - low)[:, None] * (1.0 + x)
    stopping = _mass_stopping_power(ion, energy)
    path = (high - low) * np.sum(0.5 * w / stopping, axis=1)
    dose = high - low
    # Every bin has nodes for the end of a track, but only the first whole one above the end has weight there.
    end = 0.5 * unseen * (1.0 + x)
    last = np.zeros(low.size)
    above = np.flatnonzero(edges[:-1] >= unseen)
    if above.size:
        last[above[0]] = unseen
    nodes = np.concatenate([energy, np.broadcast_to(end, energy.shape)], axis=1) / ion.nucleons
    part = 0.5 * np.concatenate([dose[:, None] * w, last[:, None] * w], axis=1) / (dose + last)[:, None]
    return nodes, part, (dose + last) / path


def _mass_stopping_power(ion: Species, energy_mev: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(energy_mev / ion.nucleons, MINIMUM_ENERGY_MEV_U, MAXIMUM_ENERGY_MEV_U)
    return let_kev_um(ion, bounded) / _KEV_UM_PER_MEV_CM2_G
