"""Tracks of ions, many at a time: their clusters, or all that one of them leaves behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.random import start
from isodose.track.cluster_sizes import ClusterSizes
from isodose.track.electron_tables import IONISING_EV, electron_tables
from isodose.track.events import IONISATION, Sink, clear, new_sink, new_stack
from isodose.track.ion import FIRST_CONTROL, ION_COLUMNS, Z, follow_ion, start_ion
from isodose.track.ion_tables import MAXIMUM_ENERGY_MEV_U, MINIMUM_ENERGY_MEV_U, ion_tables
from isodose.track.shell_targets import close_track, count_in_shells, new_shell_counts
from isodose.track.transfer_controls import CONTROLS

CLUSTER_SIZES = 512
"""Cluster sizes that are told apart; the largest seen, of oxygen in the Bragg peak, is near 200."""

SLAB_NM = (-500.0, 149_500.0)
"""Heights between which ionisations are scored: 0.5 um behind the source to the far side of 150 um."""

PATH_NM = 1000.0
"""Path after which the primary is taken away (its electrons are followed to rest)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of an ion's path in water.

    Parameters
    ----------
    ion
        Name of the ion, one of :data:`isodose.track.ion_tables.ION_NAMES`.
    energy_mev_u
        Kinetic energy at its beginning, MeV/u.
    path_nm
        Its length, nm; ``inf`` follows the ion to rest.
    slowing
        Whether the ion loses energy on its way.

    Raises
    ------
    InputError
        If the energy is outside the tables or the length is not positive, or if an ion that does not slow
        down is to be followed to rest.
    """

    ion: str
    energy_mev_u: float
    path_nm: float = PATH_NM
    slowing: bool = True

    def __post_init__(self) -> None:
        if not MINIMUM_ENERGY_MEV_U < self.energy_mev_u <= MAXIMUM_ENERGY_MEV_U:
            expected = f"above {MINIMUM_ENERGY_MEV_U} and at most {MAXIMUM_ENERGY_MEV_U} MeV/u"
            raise InputError("energy_mev_u", self.energy_mev_u, expected)
        if not self.path_nm > 0.0 or (np.isinf(self.path_nm) and not self.slowing):
            raise InputError("path_nm", self.path_nm, "a positive length, finite unless the ion slows down")


class ShellBatches(NamedTuple):
    """What batches of tracks leave in cylindrical shell targets.

    Attributes
    ----------
    targets
        ``[batches, sizes]`` targets by cluster size, the mean of all placements, summed over the tracks.
    path_nm
        ``[batches]`` path of the ions, nm.
    controls
        ``[batches, controls]`` sums of the control variates (:mod:`isodose.track.transfer_controls`).
    """

    targets: NDArray[np.float64]
    path_nm: NDArray[np.float64]
    controls: NDArray[np.float64]


def shell_batches(
    segment: Segment,
    batch_tracks: int,
    batches: int,
    *,
    seed: int = 1,
    first_track: int = 0,
    threads: int = 1,
    slab_nm: tuple[float, float] = SLAB_NM,
    placements: int = 1,
) -> ShellBatches:
    """Follow batches of tracks and count their hits in cylindrical shell targets.

    Parameters
    ----------
    segment
        The ion's path.
    batch_tracks
        Tracks in each batch.
    batches
        Batches, the samples from which uncertainties are computed.
    seed, first_track
        Tracks are numbered from ``first_track``; the same seed and number give the same track, whatever the
        number of threads.
    threads
        Threads that share the batches.
    slab_nm
        Heights between which ionisations are scored.
    placements
        Placements of the targets over which the counts of a track are averaged.

    Raises
    ------
    InputError
        If a number is not positive, or the ion has no tables.
    """
    numbers = {"batch_tracks": batch_tracks, "batches": batches, "threads": threads}
    for name, value in numbers.items():
        if value < 1:
            raise InputError(name, value, "a positive number")
    tables = ion_tables(segment.ion), electron_tables()._replace(rest_ev=IONISING_EV)
    setting = np.array([segment.energy_mev_u * 1e6, segment.path_nm, *slab_nm])
    result = ShellBatches(
        np.zeros((batches, CLUSTER_SIZES)), np.zeros(batches), np.zeros((batches, CONTROLS))
    )

    def follow(part: int) -> None:
        work = np.empty(ION_COLUMNS), new_stack(), np.zeros(1, np.uint64), new_sink()
        counts = new_shell_counts(placements=placements)
        for batch in range(part, batches, threads):
            which = np.array([seed, first_track + batch * batch_tracks, batch_tracks], dtype=np.int64)
            result.path_nm[batch] = _follow_batch(
                setting,
                segment.slowing,
                which,
                tables,
                work,
                counts,
                result.targets[batch],
                result.controls[batch],
            )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(follow, range(threads)))
    return result


def shell_clusters(
    segment: Segment,
    batch_tracks: int,
    batches: int = 64,
    *,
    seed: int = 1,
    first_track: int = 0,
    threads: int = 1,
    slab_nm: tuple[float, float] = SLAB_NM,
) -> ClusterSizes:
    """Cluster sizes in cylindrical shell targets of a number of tracks, in one placement of the targets.

    Parameters and errors are those of :func:`shell_batches`.
    """
    found = shell_batches(
        segment,
        batch_tracks,
        batches,
        seed=seed,
        first_track=first_track,
        threads=threads,
        slab_nm=slab_nm,
    )
    return ClusterSizes(found.targets, found.path_nm)


def ion_track(segment: Segment, *, seed: int = 1, track: int = 0) -> Sink:
    """All interactions of one track, electrons included (``count[0]`` rows, exactly filled).

    Parameters
    ----------
    segment
        The ion's path.
    seed, track
        The same numbers give the same track; not that of :func:`shell_clusters`, which drops electrons that
        can no longer ionise.
    """
    tables, electrons = ion_tables(segment.ion), electron_tables()
    ion, stack, stream, sink = np.empty(ION_COLUMNS), new_stack(), np.zeros(1, np.uint64), new_sink()
    start(stream, seed, track)
    start_ion(ion, tables, segment.energy_mev_u * 1e6, segment.path_nm, stream)
    pieces = []
    finished = False
    while not finished:
        finished = follow_ion(ion, segment.slowing, tables, electrons, stack, stream, sink)
        n = sink.count[0]
        columns = sink.positions_nm, sink.energies_ev, sink.kinds
        pieces.append(tuple(column[:n].copy() for column in columns))
        clear(sink)
    positions, energies, kinds = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return Sink(positions, energies, kinds, np.array([kinds.size, sink.count[1]], dtype=np.int64))


def ionisation_points(segment: Segment, *, seed: int = 1, track: int = 0) -> NDArray[np.float64]:
    """Places ``[ionisations, 3]`` in nm of the ionisations of one track, see :func:`ion_track`."""
    interactions = ion_track(segment, seed=seed, track=track)
    return np.asarray(interactions.positions_nm[interactions.kinds == IONISATION])


@njit(cache=True, error_model="numpy", nogil=True)
def _follow_batch(setting, slowing, which, tables, work, counts, sizes, controls):  # type: ignore[no-untyped-def]
    """Follow the tracks of a batch; return the path of their ions, nm."""
    energy_ev_u, path_nm, z_from_nm, z_to_nm = setting
    ion, stack, stream, sink = work
    seed, first, tracks = which
    flown = 0.0
    for track in range(first, first + tracks):
        start(stream, seed, track)
        start_ion(ion, tables[0], energy_ev_u, path_nm, stream)
        finished = False
        while not finished:
            finished = follow_ion(ion, slowing, tables[0], tables[1], stack, stream, sink)
            count_in_shells(sink, counts, z_from_nm, z_to_nm)
            clear(sink)
        flown += ion[Z]
        controls += ion[FIRST_CONTROL:]
        close_track(counts, sizes)
    return flown
