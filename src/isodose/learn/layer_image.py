"""An arc's spot counts as a network sees them: matrices of control points by energies, like images.

The representation of Yang et al., arXiv 2506.15803, in shares: every control point's counts are divided by
the most that one of its layers has, so that neither the size of the target nor the distance of spots matters.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.files import atomic_path

_FORMAT = "isodose layer image 1"


@dataclass(frozen=True, slots=True, eq=False)
class LayerImage:
    """Layers of an arc to choose among.

    Parameters
    ----------
    target
        Spots in the target as a share of the most at the control point, ``(points, energies)``; 0 where there
        is no layer.
    avoiding
        The same of spots that avoid the organs, their mean over organs by importance.
    worth
        What a layer is worth, 0 for a useless one: how much less it costs than that.
    max_wet_mm
        Greatest water-equivalent depth of the target, ``(points,)`` mm.
    energies_mev_u
        Ascending, ``(energies,)``.

    Raises
    ------
    InputError
        If shapes do not fit, a number is out of its range, or no control point has a layer.
    """

    target: NDArray[np.float32]
    avoiding: NDArray[np.float32]
    worth: NDArray[np.float32]
    max_wet_mm: NDArray[np.float32]
    energies_mev_u: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = np.shape(self.target)
        if len(shape) != 2:
            raise InputError("target", f"shape {shape}", "(points, energies)")
        expected = {"max_wet_mm": shape[:1], "energies_mev_u": shape[1:]}
        for field in fields(self):
            kind = np.float64 if field.name == "energies_mev_u" else np.float32
            values: NDArray[Any] = np.ascontiguousarray(getattr(self, field.name), dtype=kind)
            object.__setattr__(self, field.name, values)
            if values.shape != expected.get(field.name, shape):
                raise InputError(field.name, f"shape {values.shape}", f"{expected.get(field.name, shape)}")
            if not np.all(np.isfinite(values) & (values >= 0.0)):
                raise InputError(
                    field.name, "negative numbers, or not finite", "finite numbers of at least 0"
                )
        for name in ("target", "avoiding"):
            if np.any(getattr(self, name) > 1.0 + 1e-6):
                raise InputError(name, f"{getattr(self, name).max():g}", "shares of at most 1")
        if not self.allowed.any():
            raise InputError("target", "no layer at any control point", "at least one")

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Layers that there are, ``(points, energies)``."""
        return np.asarray(self.target > 0.0)

    @property
    def delivered(self) -> NDArray[np.int64]:
        """Control points that have a layer."""
        return np.flatnonzero(self.allowed.any(axis=1))

    @property
    def used(self) -> tuple[int, int]:
        """First energy that any control point uses, and the first beyond."""
        columns = np.flatnonzero(self.allowed.any(axis=0))
        return int(columns[0]), int(columns[-1]) + 1

    def turned(self, start: int, backwards: bool = False) -> LayerImage:
        """Same arc, begun at another control point and, if wanted, delivered in the other sense.

        That is a whole turn of its own, with the same switching times. A patient's mirror image looks like an
        arc in the other sense.
        """
        order = np.roll(np.arange(self.target.shape[0]), -start)
        if backwards:
            order = order[::-1]
        return replace(
            self,
            target=self.target[order],
            avoiding=self.avoiding[order],
            worth=self.worth[order],
            max_wet_mm=self.max_wet_mm[order],
        )


def write_layer_image(path: Path, image: LayerImage) -> None:
    """Write a layer image as a compressed ``.npz``, beside and then renamed.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    arrays = {field.name: getattr(image, field.name) for field in fields(image)}
    with atomic_path(path) as beside, beside.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, format=np.array(_FORMAT), **arrays)


def read_layer_image(path: Path) -> LayerImage:
    """Layer image of a file that `write_layer_image` wrote.

    Raises
    ------
    InputError
        Naming the file, if it cannot be read or is another one.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = str(file["format"]) if "format" in file.files else "nothing"
            if found != _FORMAT:
                raise InputError("format", repr(found[:60]), repr(_FORMAT), path)
            return LayerImage(*(file[field.name] for field in fields(LayerImage)))
    except InputError as error:
        raise InputError(error.field, error.found, error.expected, path) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError("file", " ".join(str(error).split())[:120], f"an {_FORMAT!r} file", path) from error


def read_layer_images(folder: Path) -> dict[str, LayerImage]:
    """Layer images of a folder, by the names of their files.

    Raises
    ------
    InputError
        If there is none, or one cannot be read.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise InputError("--data", f"{folder} without .npz files", "a folder of `isodose learn count`")
    return {file.stem: read_layer_image(file) for file in files}
