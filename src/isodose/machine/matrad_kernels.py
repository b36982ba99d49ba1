"""Depth doses and lateral profiles of a matRad machine file as pencil kernels."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.base_data import PencilKernel
from isodose.machine.matrad_fields import MatlabStruct

LateralModel = Literal["single", "double", "multi"]

MODEL_FIELDS: dict[LateralModel, tuple[str, ...]] = {
    "multi": ("sigmaMulti", "weightMulti"),
    "double": ("sigma1", "sigma2", "weight"),
    "single": ("sigma",),
}
"""Fields of each lateral model, the most accurate first."""

_WEIGHT_TOLERANCE = 1e-3
_END_MM = 0.01
"""Weights of fitted Gaussians may add up to so much more than 1."""


def choose_model(entries: list[MatlabStruct], wanted: LateralModel | None) -> LateralModel:
    """Lateral model that was asked for, or else the most accurate that all energies have.

    Raises
    ------
    InputError
        Naming the field that an energy lacks.
    """
    if wanted is not None:
        for entry in entries:
            for name in MODEL_FIELDS[wanted]:
                entry.array(name)
        return wanted
    for model, names in MODEL_FIELDS.items():
        if all(entry.has(name) for entry in entries for name in names):
            return model
    first = entries[0]
    alternatives = "; or ".join(", ".join(names) for names in MODEL_FIELDS.values())
    raise InputError(first.place, "no lateral model that all energies have", alternatives, first.file)


def depths_mm(entry: MatlabStruct) -> NDArray[np.float64]:
    """Depths in water of an energy with its offset, ``(n,)`` mm; they may begin above or below 0.

    Raises
    ------
    InputError
        If they do not ascend or are too few.
    """
    depths = entry.array("depths")
    if depths.ndim != 1 or depths.size < 10:
        raise entry.error("depths", f"shape {depths.shape}", "at least 10 depths")
    wrong = np.flatnonzero(np.diff(depths) <= 0.0)
    if wrong.size:
        at = int(wrong[0])
        found = f"{depths[at + 1]:g} after {depths[at]:g}"
        raise entry.error(f"depths({at + 2})", found, "ascending depths")
    offset = entry.number("offset") if entry.has("offset") else 0.0
    shifted = depths + offset
    if shifted[-1] <= 0.0:
        raise entry.error("offset", f"{offset:g}", f"more than the last depth of {depths[-1]:g} mm before 0")
    return shifted


def pencil_kernel(entry: MatlabStruct, model: LateralModel) -> PencilKernel:
    """Kernel of an entry of ``machine.data``.

    Where its depths begin behind 0 the first values hold back to 0; behind the last there is no dose.

    Raises
    ------
    InputError
        Naming the field that is missing or wrong.
    """
    depth = depths_mm(entry)
    n = depth.size
    dose = entry.column("Z", n)
    if not dose.max() > 0.0:
        raise entry.error("Z", "zero everywhere", "a depth dose")
    sigma, weight = _profile(entry, model, n)
    columns = [dose[:, None], sigma, weight]
    if entry.has("LET"):
        let = entry.column("LET", n)
        columns.append(np.repeat(let[:, None], sigma.shape[1], axis=1))
    # A last depth without dose: the tables are not meant to go on where they end.
    from_zero = np.concatenate([[0.0], depth[depth > 0.0], [depth[-1] + _END_MM]])
    dose_, sigma, weight, *letd = (_resampled(from_zero, depth, c) for c in columns)
    dose_[-1] = 0.0
    try:
        return PencilKernel(
            entry.number("energy"), from_zero, dose_[:, 0], sigma, weight, letd[0] if letd else None
        )
    except InputError as error:
        raise InputError(f"{entry.place}: {error.field}", error.found, error.expected, entry.file) from error


def _profile(
    entry: MatlabStruct, model: LateralModel, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if model == "single":
        return entry.column("sigma", n)[:, None], np.ones((n, 1))
    if model == "double":
        sigma = np.stack([entry.column("sigma1", n), entry.column("sigma2", n)], axis=1)
        name, wide = "weight", entry.column("weight", n)[:, None]
    else:
        sigma = entry.columns("sigmaMulti", n)
        name, wide = "weightMulti", entry.columns("weightMulti", n)
        if wide.shape[1] != sigma.shape[1] - 1:
            expected = f"{sigma.shape[1] - 1} columns, one less than sigmaMulti"
            raise entry.error(name, f"{wide.shape[1]} columns", expected)
    wide = wide[_determined(sigma)]
    total = wide.sum(axis=1)
    if total.max() > 1.0 + _WEIGHT_TOLERANCE:
        at = int(np.argmax(total))
        raise entry.error(f"{name}({at + 1})", f"{total[at]:g}", "weights of the wider Gaussians up to 1")
    wide = wide / np.maximum(total, 1.0)[:, None]
    narrow = np.maximum(1.0 - wide.sum(axis=1), 0.0)
    return sigma, np.column_stack([narrow, wide])


def _determined(sigma: NDArray[np.float64]) -> NDArray[np.intp]:
    """Row whose weights to take at each depth: weights mean nothing where all widths are 0."""
    differ = np.flatnonzero(np.ptp(sigma, axis=1) > 0.0)
    rows = np.arange(sigma.shape[0])
    if differ.size == 0:
        return rows
    nearest = np.clip(np.searchsorted(differ, rows), 0, differ.size - 1)
    return np.where(np.isin(rows, differ), rows, differ[nearest])


def _resampled(
    at: NDArray[np.float64], depth: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.stack([np.interp(at, depth, column) for column in columns.T], axis=1)
