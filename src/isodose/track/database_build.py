"""Building the nanodosimetric database: entry by entry, on threads, processes or a cluster.

A folder keeps the sums of each entry in a file of its own. All entries are first computed roughly, then
refined in stages, each of half the uncertainty of the one before: what is there at any time is a database.
Smoothing over energy makes most entries twice as certain, but not those at the ends and between wide gaps:
these are refined once more. A build that was interrupted goes on where it stood, and gives what it would have
given at once.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from pathlib import Path

import isodose
from isodose.errors import InputError, OutputError
from isodose.patient.files import atomic_path
from isodose.track.database import ClusterDatabase
from isodose.track.database_entry import (
    DATABASE_IONS,
    LARGEST_TRACKS,
    LEADING,
    PLACEMENTS,
    Entry,
    compute_sums,
    database_energies,
)
from isodose.track.entry_sums import QUANTITIES, EntrySums
from isodose.track.sums_file import read_sums, write_sums

FIRST_UNCERTAINTY = 0.08
"""Relative uncertainty of F4 in the first stage."""

SMOOTHED_PART = 0.5
"""Part of the uncertainty of entries that the smoothed database is to have."""

_LEADING_ROW = QUANTITIES.index(LEADING)

Key = tuple[str, float]


def all_entries() -> list[Key]:
    """Ions and energies (MeV/u) of the whole database, well mixed, so that progress is even."""
    wanted = [(ion, float(energy)) for ion in DATABASE_IONS for energy in database_energies(ion)]
    return sorted(wanted, key=lambda key: zlib.crc32(f"{key}".encode()))


def stages(uncertainty: float) -> list[float]:
    """Uncertainties of the stages: halved from the first until the wanted one is reached.

    Raises
    ------
    InputError
        If the uncertainty is not between 0 and 1.
    """
    if not 0.0 < uncertainty < 1.0:
        raise InputError("uncertainty", uncertainty, "between 0 and 1")
    found = [FIRST_UNCERTAINTY]
    while found[-1] > uncertainty * (1.0 + 1e-9):
        found.append(0.5 * found[-1])
    return found


def rough_entries(folder: Path, smooth: ClusterDatabase, uncertainty: float) -> list[Key]:
    """Ions and energies (MeV/u) whose smoothed F4 is less certain than that.

    The folder of entries keeps the list: a build that is cut off while it refines them goes on with the same.

    Raises
    ------
    InputError
        If the list that it keeps is damaged.
    """
    path = folder / f"rough_{uncertainty:g}.json"
    if not path.exists():
        rough = [
            (entry.ion, entry.energy_mev_u)
            for entry in smooth.entries
            if entry.uncertainties[_LEADING_ROW] > uncertainty * entry.values[_LEADING_ROW]
        ]
        with atomic_path(path) as beside:
            beside.write_text(json.dumps(rough))
    try:
        return [(str(ion), float(energy)) for ion, energy in json.loads(path.read_text())]
    except (TypeError, ValueError) as error:
        raise InputError("file", "damaged", "a list of ions and energies; delete it", path) from error


def build_database(
    folder: Path,
    wanted: Iterable[Key],
    executor: Executor,
    uncertainty: float = 0.01,
    *,
    seed: int = 1,
    progress: Callable[[float, int, int], None] | None = None,
) -> ClusterDatabase:
    """Compute what a folder lacks, and put all entries together.

    Parameters
    ----------
    folder
        Where the sums of the entries are kept, one file each.
    wanted
        Ions and energies (MeV/u) of the database.
    executor
        Runs the entries: threads, processes or a cluster.
    uncertainty
        Relative standard uncertainty of F4 that every entry must reach.
    seed
        Seed of the database.
    progress
        Called with the uncertainty of the stage, the number of entries that have reached it, and their
        number.

    Raises
    ------
    InputError
        If the folder holds entries of another physics or seed.
    OutputError
        If an entry cannot be written.
    """
    keys = list(wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: no folder for entries ({error.strerror})") from error
    known = {key: read_sums(path, seed) for key in keys if (path := _path(folder, key)).exists()}
    for stage in stages(uncertainty):
        open_keys = [key for key in keys if key not in known or not _reached(known[key], stage)]
        if not open_keys:
            continue
        if progress is not None:
            progress(stage, len(keys) - len(open_keys), len(keys))
        pending = {executor.submit(compute_sums, *key, stage, seed, known.get(key)): key for key in open_keys}
        done = len(keys) - len(pending)
        try:
            for future in as_completed(pending):
                known[pending[future]] = future.result()
                write_sums(_path(folder, pending[future]), future.result(), seed)
                done += 1
                if progress is not None:
                    progress(stage, done, len(keys))
        finally:
            for future in pending:
                future.cancel()
    return _database({key: known[key] for key in keys}, seed)


def database_of_folder(folder: Path, wanted: Iterable[Key], seed: int = 1) -> ClusterDatabase:
    """Database of all entries that a folder holds so far.

    Raises
    ------
    InputError
        If it holds none, or such of another physics or seed.
    """
    paths = {key: _path(folder, key) for key in wanted}
    known = {key: read_sums(path, seed) for key, path in paths.items() if path.exists()}
    if not known:
        raise InputError("folder", f"no entry in {folder}", "the folder of 'isodose track database'")
    return _database(known, seed)


def _database(known: dict[Key, EntrySums], seed: int) -> ClusterDatabase:
    entries = tuple(Entry(*key, *sums.estimates(), sums.tracks) for key, sums in sorted(known.items()))
    largest = max(sums.relative_uncertainty(LEADING) for sums in known.values())
    provenance = {
        "version": isodose.__version__,
        "seed": seed,
        "placements": PLACEMENTS,
        "tracks": sum(sums.tracks for sums in known.values()),
        f"largest_relative_uncertainty_{LEADING}": largest,
    }
    return ClusterDatabase(entries, provenance)


def _reached(sums: EntrySums, uncertainty: float) -> bool:
    return sums.relative_uncertainty(LEADING) <= uncertainty or sums.tracks >= LARGEST_TRACKS


def _path(folder: Path, key: Key) -> Path:
    ion, energy = key
    return folder / f"{ion}_{energy:.6g}.npz"
