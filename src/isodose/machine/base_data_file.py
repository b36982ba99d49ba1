"""Base data in files: one compressed ``.npz``, small enough to ship with the package.

All kernels lie one behind the other, ``first`` tells where each begins. Numbers are rounded to 12 bits of
mantissa (`RELATIVE_ROUNDING`), those of spectra to 8 (`SPECTRA_ROUNDING`), and kept as planes of bytes, which
compress better than numbers; depths, energies and ranges stay exact. Of spectra only the bins that hold
anything are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.base_data import BaseData, DepthSpectra, PencilKernel
from isodose.patient.files import atomic_path

_FORMAT = "isodose base data 1"
_MANTISSA_BITS = 12
_SPECTRA_BITS = 8
RELATIVE_ROUNDING = 2.0 ** -(_MANTISSA_BITS + 1)
"""Largest relative change of a number of a kernel when it is written."""
SPECTRA_ROUNDING = 2.0 ** -(_SPECTRA_BITS + 1)
"""Largest relative change of a track length when it is written."""
_LATERAL = ("sigma_mm", "weight", "letd")
_COLUMNS = ("dose", *_LATERAL)

_Arrays = Mapping[str, NDArray[Any]]


def write_base_data(path: str | Path, data: BaseData) -> None:
    """Write base data, beside and then renamed.

    Parameters
    ----------
    path
        The file, ``.npz``.
    data
        What to write; its provenance must be JSON.

    Raises
    ------
    InputError
        If the provenance holds something that is no JSON.
    OutputError
        If the file cannot be written.
    """
    try:
        provenance = json.dumps(dict(data.provenance), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError("provenance", error, "what JSON can hold") from error
    has_letd = all(kernel.letd is not None for kernel in data.kernels)
    sizes = [kernel.depth_mm.size for kernel in data.kernels]
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(_FORMAT),
        "ion": np.array(data.ion),
        "provenance": np.array(provenance),
        "energy_mev_u": data.energies_mev_u,
        "first": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "depth_mm": np.concatenate([kernel.depth_mm for kernel in data.kernels]),
    }
    for name in _COLUMNS if has_letd else _COLUMNS[:-1]:
        joined = np.concatenate([getattr(kernel, name) for kernel in data.kernels])
        arrays[name] = _planes(_rounded(joined.T, _MANTISSA_BITS))
    for kernels in data.simpler:
        for name in _LATERAL if has_letd else _LATERAL[:-1]:
            joined = np.concatenate([getattr(kernel, name) for kernel in kernels])
            arrays[f"{name}_{kernels[0].gaussians}"] = _planes(_rounded(joined.T, _MANTISSA_BITS))
    if data.spectra is not None:
        arrays |= _spectra_arrays(data.spectra)
    with atomic_path(path) as beside, beside.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_base_data(path: str | Path) -> BaseData:
    """Base data of a file that `write_base_data` wrote.

    Raises
    ------
    InputError
        Naming the file, if it cannot be read, is damaged or is another one.
    """
    path = Path(path)
    arrays = _load(path)
    if str(arrays.get("format")) != _FORMAT:
        found = repr(str(arrays.get("format", "nothing")))[:60]
        raise InputError("format", found, repr(_FORMAT), path)
    try:
        return BaseData(
            str(arrays["ion"]),
            _kernels(arrays),
            _spectra(arrays) if "spectra_value" in arrays else None,
            json.loads(str(arrays["provenance"])),
            tuple(_kernels(arrays, f"_{k}") for k in _fewer(arrays)),
        )
    except InputError as error:
        raise InputError(error.field, error.found, error.expected, path) from error
    except KeyError as error:
        raise InputError(str(error.args[0]), "nothing", "an array", path) from error
    except (ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
        raise InputError("file", f"arrays that do not fit ({error})", "base data", path) from error


def _load(path: Path) -> _Arrays:
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise InputError("file", "a single array", "base data of isodose (.npz)", path)
        with file:
            return {name: file[name] for name in file.files}
    except InputError:
        raise
    except OSError as error:
        raise InputError("file", error.strerror or error, "a readable file", path) from error
    except Exception as error:  # damaged archives raise errors of any type, even about passwords
        found = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError("file", f"{found!r}", "an undamaged .npz", path) from error


def _fewer(arrays: _Arrays) -> list[int]:
    """Numbers of Gaussians of the simpler kernels, descending."""
    most = arrays["sigma_mm"].shape[1]
    return [k for k in range(most - 1, 0, -1) if f"sigma_mm_{k}" in arrays]


def _kernels(arrays: _Arrays, variant: str = "") -> tuple[PencilKernel, ...]:
    """Kernels of a file; a variant has lateral columns of its own."""
    first, depth = arrays["first"], arrays["depth_mm"]
    if first.ndim != 1 or first[0] != 0 or first[-1] != depth.size or np.any(np.diff(first) <= 0):
        raise InputError("first", "positions that do not fit the depths", "where each kernel begins")
    if first.size != arrays["energy_mev_u"].size + 1:
        raise InputError("energy_mev_u", f"{arrays['energy_mev_u'].size} energies", f"{first.size - 1}")
    keys = {name: name + variant if name in _LATERAL else name for name in _COLUMNS}
    if "letd" not in arrays:
        del keys["letd"]
    columns = {name: _numbers(arrays[key]).T for name, key in keys.items()}
    for name, column in columns.items():
        if column.shape[0] != depth.size:
            raise InputError(name, f"{column.shape[0]} depths", f"{depth.size}")
    weight = columns["weight"]
    columns["weight"] = weight / weight.sum(axis=1, keepdims=True)
    return tuple(
        PencilKernel(float(energy), depth[a:b], **{name: c[a:b].copy() for name, c in columns.items()})
        for energy, a, b in zip(arrays["energy_mev_u"], first[:-1], first[1:], strict=True)
    )


def _spectra_arrays(spectra: DepthSpectra) -> dict[str, NDArray[Any]]:
    flat = spectra.track_length.ravel()
    held = np.flatnonzero(flat > 0.0)
    return {
        "spectra_classes": np.array(spectra.classes),
        "spectra_energy_edges_mev": spectra.energy_edges_mev,
        "spectra_energy_mev_u": spectra.energy_mev_u,
        "spectra_range_mm": spectra.range_mm,
        "spectra_part": spectra.part,
        "spectra_step": _planes(np.diff(held, prepend=0).astype("<u4")),
        "spectra_value": _planes(_rounded(flat[held], _SPECTRA_BITS)),
    }


def _spectra(arrays: _Arrays) -> DepthSpectra:
    classes = tuple(str(c) for c in arrays["spectra_classes"])
    edges, energy = arrays["spectra_energy_edges_mev"], arrays["spectra_energy_mev_u"]
    part = arrays["spectra_part"]
    shape = (energy.size, part.size, len(classes), edges.size - 1)
    flat = np.zeros(int(np.prod(shape)), dtype=np.float32)
    held = np.cumsum(_joined(arrays["spectra_step"], "<u4"), dtype=np.int64)
    flat[held] = _joined(arrays["spectra_value"], "<f4")
    return DepthSpectra(classes, edges, energy, arrays["spectra_range_mm"], part, flat.reshape(shape))


def _rounded(values: NDArray[Any], bits: int) -> NDArray[np.float32]:
    """Nearest float32 with so many bits of mantissa."""
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    scale = 2.0 ** (bits + 1)
    nearest = np.ldexp(np.rint(mantissa * scale) / scale, exponent).astype("<f4")
    return np.ascontiguousarray(nearest)


def _planes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Bytes of numbers of four, the byte's place first: ``(4, *shape)``."""
    return np.ascontiguousarray(np.moveaxis(values.view(np.uint8).reshape(*values.shape, 4), -1, 0))


def _joined(planes: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
    if planes.dtype != np.uint8 or planes.ndim < 2 or planes.shape[0] != 4:
        raise ValueError(f"{planes.dtype} of shape {planes.shape} for bytes of numbers")
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view(dtype)[..., 0]


def _numbers(planes: NDArray[np.uint8]) -> NDArray[np.float64]:
    return _joined(planes, "<f4").astype(np.float64)
