"""A run of tracks of one particle: yields with uncertainties, cluster sizes, and a few tracks to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.files import atomic_path
from isodose.track.cluster_sizes import ClusterSizes, Estimate
from isodose.track.electron_tracks import electron_tally, electron_track
from isodose.track.entry_sums import QUANTITIES, sum_batches
from isodose.track.events import Sink
from isodose.track.ion_tables import mean_control_rates
from isodose.track.ion_tracks import Segment, ion_track, shell_batches
from isodose.track.physics_version import PHYSICS_VERSION

BATCHES = 64
"""Batches whose scatter gives uncertainties."""

SPHERE_NM = 4.0
"""Radius of the sphere in which the ionisations of electrons are counted, nm."""


@dataclass(frozen=True, slots=True)
class TrackRun:
    """What a run of tracks gave.

    Parameters
    ----------
    title
        Particle and energy, for figures.
    yields
        Values and standard uncertainties by name; the names carry the unit.
    size_shares
        ``[sizes]`` targets by their number of ionisations: per um of path for ions (from 1 on), per track for
        electrons (from 0 on).
    size_unit
        Unit of these.
    events
        All interactions of the first tracks.
    """

    title: str
    yields: dict[str, Estimate]
    size_shares: NDArray[np.float64]
    size_unit: str
    events: tuple[Sink, ...]

    @property
    def provenance(self) -> dict[str, object]:
        """Version of the physics, and the yields, for the record."""
        numbers = {name: list(estimate) for name, estimate in self.yields.items()}
        return {"physics": PHYSICS_VERSION, "yields": numbers}


def run_ions(segment: Segment, tracks: int, kept: int, *, seed: int = 1, threads: int = 1) -> TrackRun:
    """Follow ions through a segment.

    Parameters
    ----------
    segment
        Ion, energy and path.
    tracks
        Number of tracks; rounded up to full batches.
    kept
        Tracks of which all interactions are kept.
    seed
        Seed.
    threads
        Threads that share the tracks.

    Raises
    ------
    InputError
        If a number is not positive, or ion or energy have no tables.
    """
    _check(tracks, kept)
    batches = max(2, min(BATCHES, tracks))
    each = -(-tracks // batches)
    found = shell_batches(segment, each, batches, seed=seed, threads=threads)
    rates = mean_control_rates(segment.ion, segment.energy_mev_u)
    estimates = zip(*sum_batches(found, each * batches, rates).estimates(), strict=True)
    yields = {
        f"{name} / um": Estimate(1e3 * value, 1e3 * error)
        for name, (value, error) in zip(QUANTITIES, estimates, strict=True)
    }
    sizes = ClusterSizes(found.targets, found.path_nm)
    if sizes.targets[:, 1:].sum() > 0.0:
        yields["M1 of hit targets"] = sizes.conditional_moment(1)
    events = tuple(ion_track(segment, seed=seed, track=n) for n in range(min(kept, each * batches)))
    return TrackRun(
        f"{segment.ion}, {segment.energy_mev_u:g} MeV/u",
        yields,
        1e3 * found.targets.sum(axis=0) / found.path_nm.sum(),
        "targets / um",
        events,
    )


def run_electrons(energy_ev: float, tracks: int, kept: int, *, seed: int = 1, threads: int = 1) -> TrackRun:
    """Follow electrons to rest; parameters and errors are those of :func:`run_ions`, the energy is in eV."""
    _check(tracks, kept)
    tally = electron_tally(energy_ev, tracks, SPHERE_NM, seed=seed, threads=threads)
    number = _mean(tally.ionisations)
    yields = {"ionisations": number}
    if number.value > 0.0:
        w = energy_ev / number.value
        yields["W / eV"] = Estimate(w, w * number.uncertainty / number.value)
    yields[f"M1 within {SPHERE_NM:g} nm"] = _mean(tally.inside)
    for k in (1, 2, 4, 5, 7):
        yields[f"F{k} within {SPHERE_NM:g} nm"] = _mean(tally.inside >= k)
    sizes = np.bincount(tally.inside).astype(np.float64) / tracks
    events = tuple(electron_track(energy_ev, seed=seed, track=n) for n in range(min(kept, tracks)))
    return TrackRun(f"electrons, {energy_ev:g} eV", yields, sizes, "share of tracks", events)


def write_events(path: Path, events: Sequence[Sink]) -> None:
    """Write the interactions of tracks to a compressed NumPy archive, one row each.

    Columns are ``track``, ``position_nm`` ``[rows, 3]``, ``energy_ev`` and ``kind`` (0 ionisation, 1
    excitation, 2 energy left where a particle came to rest).

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(
            stream,
            track=np.repeat(np.arange(len(events)), [sink.kinds.size for sink in events]),
            position_nm=np.concatenate([sink.positions_nm for sink in events]),
            energy_ev=np.concatenate([sink.energies_ev for sink in events]),
            kind=np.concatenate([sink.kinds for sink in events]),
        )


def _check(tracks: int, kept: int) -> None:
    if tracks < 2:
        raise InputError("tracks", tracks, "2 or more")
    if kept < 1:
        raise InputError("keep", kept, "1 or more")


def _mean(values: NDArray[np.generic]) -> Estimate:
    numbers = values.astype(np.float64)
    return Estimate(float(numbers.mean()), float(numbers.std(ddof=1)) / math.sqrt(numbers.size))
