"""Tracks of electrons from a point in liquid water: one with all it leaves behind, or figures of many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.random import start
from isodose.track.electron import follow_electrons
from isodose.track.electron_tables import MAXIMUM_ENERGY_EV, electron_tables
from isodose.track.events import IONISATION, Sink, clear, new_sink, new_stack, push
from isodose.track.liquid_water import BAND_GAP_EV


class ElectronTally(NamedTuple):
    """Figures of electrons that start at the origin.

    Attributes
    ----------
    ionisations
        ``[tracks]`` ionisations of each electron with all its secondaries.
    inside
        ``[tracks]`` those among them that lie inside a sphere about the start.
    radial_energy_ev
        ``[shells]`` energy left in spherical shells about the start, mean of a track; the last holds all
        energy beyond.
    interactions
        All interactions of all tracks, elastic ones included.
    """

    ionisations: NDArray[np.int64]
    inside: NDArray[np.int64]
    radial_energy_ev: NDArray[np.float64]
    interactions: int

    def mean_energy_per_ionisation_ev(self, energy_ev: float) -> float:
        """W value, eV."""
        return energy_ev / float(self.ionisations.mean())

    def mean_cluster_size(self) -> float:
        """M1: mean number of ionisations inside the sphere."""
        return float(self.inside.mean())

    def cluster_frequency(self, k: int) -> float:
        """F_k: share of tracks with ``k`` ionisations or more inside the sphere."""
        return float((self.inside >= k).mean())


def _check_energy(energy_ev: float) -> None:
    if not BAND_GAP_EV <= energy_ev <= MAXIMUM_ENERGY_EV:
        expected = f"{BAND_GAP_EV:.0f} to {MAXIMUM_ENERGY_EV:.0f} eV"
        raise InputError("energy_ev", energy_ev, expected)


def electron_track(energy_ev: float, *, seed: int = 1, track: int = 0) -> Sink:
    """All interactions of one electron along +z and its secondaries (``count[0]`` rows, exactly filled).

    Parameters
    ----------
    energy_ev
        Kinetic energy in eV.
    seed, track
        The same numbers give the same track, the one that :func:`electron_tally` follows.

    Raises
    ------
    InputError
        If the energy is outside the tables.
    """
    _check_energy(energy_ev)
    tables, stack, stream, sink = electron_tables(), new_stack(), np.zeros(1, np.uint64), new_sink()
    start(stream, seed, track)
    push(stack, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, energy_ev)
    pieces = []
    finished = False
    while not finished:
        finished = follow_electrons(stack, tables, stream, sink)
        rows = slice(sink.count[0])
        pieces.append(
            (sink.positions_nm[rows].copy(), sink.energies_ev[rows].copy(), sink.kinds[rows].copy())
        )
        clear(sink)
    positions, energies, kinds = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return Sink(positions, energies, kinds, np.array([kinds.size, sink.count[1]], dtype=np.int64))


def electron_tally(
    energy_ev: float,
    tracks: int,
    radius_nm: float,
    *,
    shell_nm: float = 1.0,
    shells: int = 200,
    seed: int = 1,
    threads: int = 1,
) -> ElectronTally:
    """Follow electrons from the origin and count.

    Parameters
    ----------
    energy_ev
        Kinetic energy in eV.
    tracks
        Number of electrons.
    radius_nm
        Radius of the sphere in which ionisations are counted, nm.
    shell_nm, shells
        Thickness in nm and number of the shells of the radial energy.
    seed
        Seed; the result does not depend on the threads.
    threads
        Threads that share the tracks.

    Raises
    ------
    InputError
        If the energy is outside the tables or a number is not positive.
    """
    _check_energy(energy_ev)
    numbers = {
        "tracks": tracks,
        "radius_nm": radius_nm,
        "shell_nm": shell_nm,
        "shells": shells,
        "threads": threads,
    }
    for name, value in numbers.items():
        if not value > 0:
            raise InputError(name, value, "a positive number")
    tables = electron_tables()
    ionisations, inside = np.zeros(tracks, np.int64), np.zeros(tracks, np.int64)
    edges = np.linspace(0, tracks, threads + 1).astype(np.int64)
    radial, elastic = np.zeros((threads, shells)), np.zeros(threads, np.int64)
    rows = np.zeros(threads, np.int64)

    def follow(part: int) -> None:
        work = new_stack(), np.zeros(1, np.uint64), new_sink()
        which = slice(edges[part], edges[part + 1])
        setting = energy_ev, radius_nm, 1.0 / shell_nm
        rows[part] = _follow_batch(
            setting, (seed, int(edges[part])), tables, work, ionisations[which], inside[which], radial[part]
        )
        elastic[part] = work[2].count[1]

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(follow, range(threads)))
    return ElectronTally(ionisations, inside, radial.sum(axis=0) / tracks, int(rows.sum() + elastic.sum()))


@njit(cache=True, error_model="numpy", nogil=True)
def _follow_batch(setting, which, tables, work, ionisations, inside, radial):  # type: ignore[no-untyped-def]
    """Follow a range of tracks; return the number of interactions but elastic ones."""
    energy_ev, radius_nm, shells_per_nm = setting
    stack, stream, sink = work
    seed, first = which
    rows = 0
    for track in range(ionisations.size):
        start(stream, seed, first + track)
        push(stack, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, energy_ev)
        finished = False
        while not finished:
            finished = follow_electrons(stack, tables, stream, sink)
            rows += sink.count[0]
            for i in range(sink.count[0]):
                x, y, z = sink.positions_nm[i, 0], sink.positions_nm[i, 1], sink.positions_nm[i, 2]
                r = np.sqrt(x * x + y * y + z * z)
                radial[min(int(r * shells_per_nm), radial.size - 1)] += sink.energies_ev[i]
                if sink.kinds[i] == IONISATION:
                    ionisations[track] += 1
                    inside[track] += r <= radius_nm
            clear(sink)
    return rows
