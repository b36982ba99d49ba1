"""How smoothly base data change from one energy to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.commissioning.over_energy import smoothed
from isodose.machine.base_data import BaseData, PencilKernel

_PARTS = np.concatenate([[0.01], np.arange(0.05, 0.9, 0.05), np.arange(0.9, 1.011, 0.01)])
"""Parts of the range at which energies are compared."""
_FAINT = 0.01


@dataclass(frozen=True, slots=True)
class Smoothness:
    """Largest departure of a column from a local quadratic over energy, at equal parts of the range.

    Parameters
    ----------
    column
        What was looked at.
    largest_percent
        Percent of the peak for the dose, of the integral dose for weights, else of the value itself; widths
        count where their Gaussian holds 1 % of the dose.
    energy_mev_u, part
        Where.
    """

    column: str
    largest_percent: float
    energy_mev_u: float
    part: float


def smoothness(data: BaseData) -> tuple[Smoothness, ...]:
    """Smoothness of range, dose, widths, weights and LETd of base data."""
    energies, ranges = data.energies_mev_u, np.array([k.range_mm for k in data.kernels])
    rows = [_worst("range", ranges[:, None], energies, np.ones(1), relative=True)]
    dose = _columns(data.kernels, "dose")[..., 0]
    rows.append(_worst("dose", dose / dose.max(axis=1, keepdims=True), energies, _PARTS))
    sigma, weight = _columns(data.kernels, "sigma_mm"), _columns(data.kernels, "weight")
    for g in range(data.kernels[0].gaussians):
        # What a faint Gaussian's width does has no consequence.
        matters = weight[..., g] >= _FAINT
        rows.append(_worst(f"sigma {g + 1}", sigma[..., g], energies, _PARTS, True, matters))
        rows.append(_worst(f"weight {g + 1}", weight[..., g], energies, _PARTS))
    if all(k.letd is not None for k in data.kernels):
        letd = (_columns(data.kernels, "letd") * weight).sum(axis=2)
        rows.append(_worst("LETd", letd, energies, _PARTS, True))
    return tuple(rows)


def _columns(kernels: tuple[PencilKernel, ...], name: str) -> NDArray[np.float64]:
    """Values at `_PARTS` of each range, ``(energies, parts, gaussians)``."""
    table = []
    for kernel in kernels:
        values = getattr(kernel, name)
        columns = values if values.ndim == 2 else values[:, None]
        table.append([np.interp(_PARTS * kernel.range_mm, kernel.depth_mm, c) for c in columns.T])
    return np.array(table).transpose(0, 2, 1)


def _worst(
    name: str,
    values: NDArray[np.float64],
    energies: NDArray[np.float64],
    parts: NDArray[np.float64],
    relative: bool = False,
    matters: NDArray[np.bool_] | None = None,
) -> Smoothness:
    departure = np.abs(values - smoothed(values)) / (np.maximum(np.abs(values), 1e-9) if relative else 1.0)
    if matters is not None:
        departure = departure * matters
    i, j = np.unravel_index(int(np.argmax(departure)), departure.shape)
    return Smoothness(name, 100.0 * float(departure[i, j]), float(energies[i]), float(parts[j]))
