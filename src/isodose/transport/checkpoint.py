"""Saving the running sums of a Monte Carlo, so that an interrupted one can go on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from isodose.errors import InputError
from isodose.patient.files import atomic_path
from isodose.transport.spectrum_sums import SpectrumSums
from isodose.transport.statistics import BatchSums


def fingerprint(*parts: Any) -> str:
    """Digest of everything that a result depends on."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()


def save(
    path: Path, identity: str, sums: BatchSums, spectra: SpectrumSums | None, state: dict[str, Any]
) -> None:
    """Write the sums beside the old checkpoint and put them in its place."""
    arrays: dict[str, Any] = {"total": sums.total, "square": sums.square, "cross": sums.cross}
    if spectra is not None:
        arrays |= spectra.compact()
    with atomic_path(path) as beside, beside.open("wb") as stream:
        np.savez(stream, identity=identity, batches=sums.batches, state=json.dumps(state), **arrays)


def load(path: Path, identity: str, sums: BatchSums, spectra: SpectrumSums | None) -> dict[str, Any]:
    """Fill the sums from a checkpoint; returns the state that was saved with them.

    Raises
    ------
    InputError
        If the file is not a checkpoint, or one of another computation.
    """
    try:
        with np.load(path) as saved:
            if str(saved["identity"]) != identity:
                raise InputError(
                    "checkpoint",
                    "another computation's",
                    "the same patient, plan, machine, options and seed",
                    path,
                )
            sums.total, sums.square, sums.cross = saved["total"], saved["square"], saved["cross"]
            sums.batches = int(saved["batches"])
            if spectra is not None:
                spectra.restore(saved["key"], saved["key_total"], saved["key_square"], sums.batches)
            state: dict[str, Any] = json.loads(str(saved["state"]))
            return state
    except (BadZipFile, KeyError, EOFError, ValueError) as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(
            "checkpoint", "a file that cannot be read", "a checkpoint of isodose", path
        ) from problem
