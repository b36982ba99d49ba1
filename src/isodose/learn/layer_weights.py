"""Weights of networks that choose energy layers, as files: the shipped ones and those of a training."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.learn.switch_times import SwitchTimes
from isodose.patient.files import atomic_path

_FORMAT = "isodose layer network 1"
SHIPPED = ("aligned", "spread")
"""Losses whose networks come with the package."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """A trained network.

    Parameters
    ----------
    loss
        What it was trained for, one of `isodose.learn.layer_losses.LOSSES`.
    times
        Switching times that it was trained for.
    chain
        Whether its control points form a chain (see `isodose.learn.layer_beliefs`).
    arrays
        Its parameters by name.
    provenance
        How it came about.
    """

    loss: str
    times: SwitchTimes
    chain: bool
    arrays: Mapping[str, NDArray[np.float32]]
    provenance: Mapping[str, Any]


def write_layer_weights(path: Path, weights: LayerWeights) -> None:
    """Write weights as a compressed ``.npz`` of half precision, beside and then renamed.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    about = {
        "loss": weights.loss,
        "times": asdict(weights.times),
        "chain": weights.chain,
        "provenance": dict(weights.provenance),
    }
    arrays = {f"network.{name}": values.astype(np.float16) for name, values in weights.arrays.items()}
    with atomic_path(path) as beside, beside.open("wb") as stream:
        np.savez_compressed(
            stream, allow_pickle=False, format=np.array(_FORMAT), about=np.array(json.dumps(about)), **arrays
        )


def read_layer_weights(path: Path) -> LayerWeights:
    """Weights of a file that `write_layer_weights` wrote.

    Raises
    ------
    InputError
        Naming the file, if it cannot be read, or is of another kind or version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = str(file["format"]) if "format" in file.files else "nothing"
            if found != _FORMAT:
                raise InputError("format", repr(found[:60]), repr(_FORMAT), path)
            about = json.loads(str(file["about"]))
            arrays = {
                name.removeprefix("network."): file[name].astype(np.float32)
                for name in file.files
                if name.startswith("network.")
            }
        times = SwitchTimes(**about["times"])
        return LayerWeights(about["loss"], times, about["chain"], arrays, about["provenance"])
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError("file", " ".join(str(error).split())[:120], f"an {_FORMAT!r} file", path) from error


@cache
def shipped_weights(loss: str) -> LayerWeights:
    """Weights that come with the package.

    Raises
    ------
    InputError
        If there are none for that loss.
    """
    if loss not in SHIPPED:
        raise InputError("weights", repr(loss), f"one of {', '.join(SHIPPED)}")
    return read_layer_weights(Path(str(files("isodose.learn") / "data" / f"layers_{loss}.npz")))
