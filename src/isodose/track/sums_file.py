"""The file that keeps the sums of one database entry while the database is built."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from isodose.errors import InputError
from isodose.patient.files import atomic_path
from isodose.track.entry_sums import EntrySums
from isodose.track.physics_version import PHYSICS_VERSION

_FRESH = "entries of this version and seed; build in another folder"
_HEADER = ("physics", "seed")


def write_sums(path: Path, sums: EntrySums, seed: int) -> None:
    """Write sums to a file, beside it first.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("wb") as stream:
        np.savez(
            stream,
            header=np.array([PHYSICS_VERSION, seed]),
            products=sums.products,
            expected=sums.expected,
            counts=np.array([sums.batches, sums.tracks]),
        )


def read_sums(path: Path, seed: int) -> EntrySums:
    """Read the sums of a file.

    Raises
    ------
    InputError
        If the file is damaged, or of another physics or seed.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
        header, products, expected, counts = (
            columns[name] for name in ("header", "products", "expected", "counts")
        )
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError("file", str(error) or type(error).__name__, _FRESH, path) from error
    for name, found, wanted in zip(_HEADER, header, (PHYSICS_VERSION, seed), strict=True):
        if found != wanted:
            raise InputError(name, int(found), f"{wanted}, or another folder to build in", path)
    return EntrySums(products, expected, int(counts[0]), int(counts[1]))
