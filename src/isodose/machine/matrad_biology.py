"""Tables of alpha and beta along the beams of a matRad machine file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import IsodoseWarning
from isodose.machine.base_data import DepthWeighting, PencilKernel
from isodose.machine.matrad_fields import MatlabStruct
from isodose.machine.matrad_kernels import depths_mm

_PART = np.unique(
    np.concatenate([np.linspace(0.0, 0.9, 91), np.linspace(0.9, 1.1, 201), np.linspace(1.1, 2.0, 46)])
)
"""Parts of the range at which tables are kept: finest around the peak, where alpha changes most."""


class GapsInTablesWarning(IsodoseWarning):
    """Biological tables of a machine hold NaN at some depths; neighbouring depths stand in."""


@dataclass(frozen=True, slots=True, eq=False)
class TissueTable:
    """Linear-quadratic parameters of one tissue along the beams.

    Parameters
    ----------
    alpha_x
        Of photons, 1/Gy.
    beta_x
        Of photons, 1/Gy2.
    alpha
        Of the ions, dose-averaged over the plane, 1/Gy.
    beta
        Of the ions, 1/Gy2.
    """

    alpha_x: float
    beta_x: float
    alpha: DepthWeighting
    beta: DepthWeighting


def tissue_tables(entries: list[MatlabStruct], kernels: tuple[PencilKernel, ...]) -> tuple[TissueTable, ...]:
    """Tables of all tissues, or none where an energy lacks them.

    Raises
    ------
    InputError
        Naming the field that is wrong.

    Warns
    -----
    GapsInTablesWarning
        If there are NaN among the numbers.
    """
    names = ("alpha", "beta", "alphaX", "betaX")
    if not all(entry.has(name) for entry in entries for name in names):
        return ()
    photon = np.stack([entries[0].array(name).ravel() for name in names[2:]])
    for entry in entries:
        for name, expected in zip(names[2:], photon, strict=True):
            if not np.array_equal(entry.array(name).ravel(), expected):
                raise entry.error(
                    name, entry.array(name).tolist(), f"{expected.tolist()}, as the first energy"
                )
    rows = {
        name: [_at_parts(e, k, name, photon.shape[1]) for e, k in zip(entries, kernels, strict=True)]
        for name in names[:2]
    }
    energies = np.array([kernel.energy_mev_u for kernel in kernels])
    tables = {name: np.stack(value) for name, value in rows.items()}
    _warn_of_gaps(entries)
    return tuple(
        TissueTable(
            float(photon[0, t]),
            float(photon[1, t]),
            *(DepthWeighting(energies, _PART, tables[name][:, t]) for name in names[:2]),
        )
        for t in range(photon.shape[1])
    )


def _at_parts(entry: MatlabStruct, kernel: PencilKernel, name: str, tissues: int) -> NDArray[np.float64]:
    depth = depths_mm(entry)
    table = entry.columns(name, depth.size, finite=False)
    if table.shape[1] != tissues:
        raise entry.error(name, f"{table.shape[1]} columns", f"one for each of {tissues} tissues")
    out = np.empty((tissues, _PART.size))
    for row, column in zip(out, table.T, strict=True):
        known = np.isfinite(column)
        if not known.any():
            raise entry.error(name, "no finite number", f"{name} for each depth")
        row[:] = np.interp(_PART * kernel.range_mm, depth[known], column[known])
    return out


def _warn_of_gaps(entries: list[MatlabStruct]) -> None:
    with_gaps = [
        entry.path(name)
        for entry in entries
        for name in ("alpha", "beta")
        if not np.all(np.isfinite(entry.array(name, finite=False)))
    ]
    if with_gaps:
        warnings.warn(
            f"{entries[0].file}: NaN in {len(with_gaps)} tables, the first {with_gaps[0]}; "
            "the nearest depths with numbers stand in",
            GapsInTablesWarning,
            stacklevel=4,
        )
