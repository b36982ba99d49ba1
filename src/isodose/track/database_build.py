"""Building the nanodosimetric database: entry by entry, on threads, processes or a cluster.

Each finished entry is a file of its own in a folder. A build that was interrupted goes on where it stood, and
gives what it would have given at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from dataclasses import asdict
from pathlib import Path

import isodose
from isodose.errors import InputError
from isodose.track.database import ClusterDatabase
from isodose.track.database_entry import DATABASE_IONS, Entry, Statistics, compute_entry, database_energies
from isodose.track.database_file import read_entries, write_entries


def all_entries() -> list[tuple[str, float]]:
    """Ions and energies (MeV/u) of the whole database, those that take longest first."""
    wanted = [(ion, float(energy)) for ion in DATABASE_IONS for energy in database_energies(ion)]
    return sorted(wanted, key=lambda key: -key[1])


def build_database(
    folder: Path,
    wanted: Iterable[tuple[str, float]],
    executor: Executor,
    statistics: Statistics,
    *,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ClusterDatabase:
    """Compute the entries that a folder lacks, and put all of them together.

    Parameters
    ----------
    folder
        Where finished entries are kept, one file each.
    wanted
        Ions and energies (MeV/u) of the database.
    executor
        Runs the entries: threads, processes or a cluster.
    statistics
        When an entry ends.
    seed
        Seed of the database.
    progress
        Called with the number of finished and of all entries.

    Raises
    ------
    InputError
        If the folder holds entries of another physics, seed or statistics.
    OutputError
        If an entry cannot be written.
    """
    provenance: dict[str, object] = {"seed": seed, "statistics": asdict(statistics)}
    folder.mkdir(parents=True, exist_ok=True)
    paths = {(ion, energy): folder / f"{ion}_{energy:.6g}.npz" for ion, energy in wanted}
    finished = {key: _finished(path, provenance) for key, path in paths.items() if path.exists()}
    pending = {
        executor.submit(compute_entry, *key, statistics, seed): key for key in paths if key not in finished
    }
    try:
        for future in as_completed(pending):
            key = pending[future]
            finished[key] = future.result()
            write_entries(paths[key], [finished[key]], {**provenance, "version": isodose.__version__})
            if progress is not None:
                progress(len(finished), len(paths))
    finally:
        for future in pending:
            future.cancel()
    entries = tuple(finished[key] for key in paths)
    return ClusterDatabase(entries, {**provenance, "version": isodose.__version__})


def _finished(path: Path, provenance: dict[str, object]) -> Entry:
    entries, found = read_entries(path)
    for key, expected in provenance.items():
        if found.get(key) != expected:
            raise InputError(key, found.get(key), f"{expected}, or another folder to build in", path)
    return entries[0]
