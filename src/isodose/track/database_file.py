"""The file format of database entries: one npz file of columns, and its provenance as JSON."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isodose.errors import InputError
from isodose.patient.files import atomic_path
from isodose.track.database_entry import Entry
from isodose.track.entry_sums import QUANTITIES
from isodose.track.physics_version import PHYSICS_VERSION

FORMAT = "isodose cluster database 1"
"""Name of the format; the number changes with the columns."""

REBUILD = "a database of this version; build it anew with 'isodose track database'"
"""What is expected in place of a database that cannot be used."""


def write_entries(path: Path, entries: Sequence[Entry], provenance: dict[str, object]) -> None:
    """Write entries to a file, beside it first.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    header = {"format": FORMAT, "physics": PHYSICS_VERSION, "quantities": list(QUANTITIES), **provenance}
    with atomic_path(path) as partial:
        np.savez_compressed(
            partial,
            header=json.dumps(header, sort_keys=True),
            ion=np.array([entry.ion for entry in entries]),
            energy_mev_u=np.array([entry.energy_mev_u for entry in entries]),
            values_per_nm=np.array([entry.values for entry in entries]),
            uncertainties_per_nm=np.array([entry.uncertainties for entry in entries]),
            tracks=np.array([entry.tracks for entry in entries]),
        )


def read_entries(path: Path) -> tuple[tuple[Entry, ...], dict[str, object]]:
    """Entries of a file, and their provenance.

    Raises
    ------
    InputError
        If the file is no such file, is damaged, or was made by another format or physics.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
        header = json.loads(str(columns["header"]))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError("file", str(error) or type(error).__name__, REBUILD, path) from error
    for key, expected in (("format", FORMAT), ("physics", PHYSICS_VERSION), ("quantities", list(QUANTITIES))):
        if header.pop(key, None) != expected:
            raise InputError(key, "that of another version", REBUILD, path)
    names = ("ion", "energy_mev_u", "values_per_nm", "uncertainties_per_nm", "tracks")
    if any(name not in columns for name in names):
        raise InputError("columns", ", ".join(columns), ", ".join(names), path)
    rows = zip(*(columns[name] for name in names), strict=True)
    entries = tuple(
        Entry(str(ion), float(energy), values, uncertainties, int(tracks))
        for ion, energy, values, uncertainties, tracks in rows
    )
    return entries, header
