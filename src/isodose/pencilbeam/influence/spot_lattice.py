"""Where a spot is followed: the rays around it, and a lattice coarser by two that reaches further."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.influence.spot_source import AMOUNT, MOMENT, LayerSource

COARSE_CELLS = 1.5
"""A Gaussian whose standard deviation, without the spot's, is so many coarse cells or more goes on the coarse
lattice: the dose of its rays may end abruptly within the spot."""
FAINT = 1e-4
"""A spot ends where its dose falls below this part of its largest."""
_SPARE_CELLS = 2
"""Room around what is kept, for interpolation and for shapes that are not round."""
_FINE_RADII = 3.3
"""Radius of the fine lattice in standard deviations of its widest Gaussian, spot included."""


class Lattice(NamedTuple):
    """Where a spot is followed.

    Parameters
    ----------
    first_mm, spacing_mm
        Of the fan.
    cell_mm
        Size of fine cells along u and v by plane, ``(planes, 2)`` mm.
    half_fine, half_coarse
        Coarse cells to each side of the spot's that the fine and the coarse lattice cover; no coarse lattice
        if the latter is 0.
    """

    first_mm: tuple[float, float]
    spacing_mm: float
    cell_mm: NDArray[np.float64]
    half_fine: int
    half_coarse: int


class Patch(NamedTuple):
    """A spot on its planes.

    Parameters
    ----------
    fine
        Dose, and products, per fine cell, float32 ``(1 + channels, planes, rows, columns)``.
    coarse
        The same on the coarse lattice, with the fine one's content, still per fine cell.
    values
        Memory of both, fine first, float32 ``(n,)``.
    threshold
        What is below is cut off, by plane.
    factor
        What the rest is multiplied by, by plane.
    radius
        How far from the axis anything is kept, by plane, mm.
    """

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    values: NDArray[np.float32]
    threshold: NDArray[np.float32]
    factor: NDArray[np.float32]
    radius: NDArray[np.float32]


def empty_patch(lattice: Lattice, planes: int, quantities: int) -> Patch:
    """Room for a spot."""
    fine, coarse = 4 * lattice.half_fine + 2, 2 * lattice.half_coarse + 1
    layers, split = quantities * planes, quantities * planes * fine**2
    values = np.empty(split + layers * coarse**2, dtype=np.float32)
    return Patch(
        values[:split].reshape(quantities, planes, fine, fine),
        values[split:].reshape(quantities, planes, coarse, coarse),
        values,
        np.empty(planes, dtype=np.float32),
        np.empty(planes, dtype=np.float32),
        np.empty(planes, dtype=np.float32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def middle_cell(lattice, x, y):  # type: ignore[no-untyped-def]
    """Coarse cell (v, u) in which a spot lies."""
    u = math.floor((x - lattice.first_mm[0]) / lattice.spacing_mm + 0.5)
    v = math.floor((y - lattice.first_mm[1]) / lattice.spacing_mm + 0.5)
    return v >> 1, u >> 1


def spot_lattice(view: BeamView, source: LayerSource, sigma: NDArray[np.float64], kept: float) -> Lattice:
    """Lattices that hold the spots of a layer, by the mean of its rays."""
    fan = view.fan
    scale = np.stack(fan.magnification(fan.plane_mm), axis=1)
    cell = fan.spacing_mm * scale
    amount = source.given[:, :, AMOUNT].sum(axis=(2, 3), dtype=np.float64)
    moment = source.given[:, :, MOMENT].sum(axis=(2, 3), dtype=np.float64)
    width = np.divide(moment, amount, out=np.zeros_like(amount), where=amount > 0.0)
    variance = width[:, :, None] + (np.repeat(sigma, source.gaussians, axis=1) * scale[:, None]) ** 2
    total = amount.sum(axis=1)
    counts = amount > 1e-3 * total[:, None]
    counts &= (total > FAINT * total.max())[:, None]
    is_fine = (width[:, :, None] / cell[:, None] ** 2).min(axis=2) < (2.0 * COARSE_CELLS) ** 2
    term = np.stack([amount, np.maximum(np.sqrt(variance.prod(axis=2)), 1e-3)], axis=2)
    reach = max(
        np.sqrt(2.0 * edge_of(term[p], kept)[0]) / cell[p].min() for p in np.flatnonzero(counts.any(axis=1))
    )
    half_reach = int(np.ceil(0.5 * reach)) + _SPARE_CELLS
    narrow = np.sqrt((variance / cell[:, None] ** 2).max(axis=2))[counts & is_fine]
    half_fine = int(np.ceil(0.5 * _FINE_RADII * float(narrow.max(initial=0.0)))) + _SPARE_CELLS
    if half_reach <= half_fine + 2 or not np.any(counts & ~is_fine):
        return Lattice(fan.first_mm, fan.spacing_mm, cell, half_reach, 0)
    return Lattice(fan.first_mm, fan.spacing_mm, cell, half_fine, half_reach)


@njit(cache=True, nogil=True, error_model="numpy")
def edge_of(term, kept):  # type: ignore[no-untyped-def]
    """Circle around concentric Gaussians that holds a part of their dose.

    Parameters
    ----------
    term
        Dose and variance of each, ``(terms, 2)``.
    kept
        The part.

    Returns
    -------
    tuple
        Half the square of the radius, and the dose per area there.
    """
    total = 0.0
    for t in range(term.shape[0]):
        total += term[t, 0]
    wanted = math.log((1.0 - kept) * total)
    x = 0.0  # the logarithm of what lies outside is convex in it, so that steps never go too far
    for _ in range(30):
        outside, slope = 0.0, 0.0
        for t in range(term.shape[0]):
            part = term[t, 0] * math.exp(-x / term[t, 1])
            outside += part
            slope += part / term[t, 1]
        step = (math.log(outside) - wanted) * outside / slope
        x += step
        if step < 1e-3 * x:
            break
    density = 0.0
    for t in range(term.shape[0]):
        density += term[t, 0] / (2.0 * math.pi * term[t, 1]) * math.exp(-x / term[t, 1])
    return x, density
