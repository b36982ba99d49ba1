"""Dose of bixels in voxels: squares of fluence folded with the Gaussians of the kernel.

A Gaussian factorises, so the bixels of a lattice share the cumulated Gaussians at their edges: a voxel takes
a few dozen of these, and a bixel one product per Gaussian.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtr

from isodose.pencilbeam.threads import over_chunks
from isodose.photon.beam_voxels import BeamVoxels
from isodose.photon.bixel_lattice import BixelLattice
from isodose.photon.kernel import PhotonKernel

Floats = NDArray[np.float32]

_FAR, _PER_SIGMA = 5.0, 200
_CUMULATED = np.append(ndtr(np.arange(-_FAR * _PER_SIGMA, _FAR * _PER_SIGMA + 1) / _PER_SIGMA), 1.0).astype(
    np.float32
)
_DEPTH_STEP_MM, _DEPTHS = 0.5, 1400
_CHUNKS = 16
_LEAST_DENSITY = 0.2
"""Electrons in air do not come to rest near by; there is no kernel for them."""


@dataclass(frozen=True, slots=True, eq=False)
class DepthTables:
    """Weights of the Gaussians in steps of 0.5 mm of depth, float32 ``(depths, gaussians)``, and variances.

    Variances in mm2 have two parts: one that stays, and one that goes with the density to the power of -2.
    """

    weights: Floats
    stays: Floats
    scales: Floats


def depth_tables(kernel: PhotonKernel) -> DepthTables:
    """Tables of a kernel."""
    weights = kernel.weights_gy(_DEPTH_STEP_MM * np.arange(_DEPTHS))
    variance, of_source = kernel.sigma_mm**2, kernel.source_sigma_mm**2
    scales = np.where(np.arange(variance.size) < kernel.electron_gaussians, variance - of_source, 0.0)
    stays = (variance - scales).astype(np.float32)
    return DepthTables(np.ascontiguousarray(weights, dtype=np.float32), stays, scales.astype(np.float32))


def add_dose(
    voxels: BeamVoxels, lattice: BixelLattice, tables: DepthTables, dose: Floats, threads: int
) -> None:
    """Add the dose to water of all bixels of a beam, without a limit to their reach.

    Parameters
    ----------
    voxels, lattice, tables
        The beam.
    dose
        Flat dose grid, float32, Gy.
    threads
        Number of threads.
    """

    def work(begin: int, end: int) -> None:
        _add_dose(*_of(voxels), *_on(lattice), lattice.monitor_units, *_by(tables), dose, begin, end)

    over_chunks(work, voxels.index.size, threads)


def count_bixels(
    voxels: BeamVoxels, lattice: BixelLattice, cutoff_mm: float, threads: int
) -> NDArray[np.int64]:
    """Voxels within reach of each bixel, by piece of the voxels: ``(pieces, y, x)``."""
    counts = np.zeros((_CHUNKS, *lattice.column.shape), dtype=np.int64)
    edges = np.linspace(0, voxels.index.size, _CHUNKS + 1).astype(np.int64)

    def work(begin: int, end: int) -> None:
        for piece in range(begin, end):
            _count(
                voxels.x_mm, voxels.y_mm, *_on(lattice), lattice.column, cutoff_mm, counts[piece],
                edges[piece], edges[piece + 1],
            )  # fmt: skip

    over_chunks(work, _CHUNKS, threads)
    return counts


def fill_columns(
    voxels: BeamVoxels,
    lattice: BixelLattice,
    tables: DepthTables,
    cutoff_mm: float,
    factor: Floats,
    begins: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    threads: int,
) -> None:
    """Write the columns of a beam's bixels: voxels and dose per monitor unit.

    Parameters
    ----------
    voxels, lattice, tables, cutoff_mm
        As counted.
    factor
        Dose over dose to water by voxel, flat.
    begins
        Where each piece of the voxels begins in `indices`, ``(pieces, y, x)``; used up.
    indices, values
        Of the whole matrix.
    threads
        Number of threads.
    """
    edges = np.linspace(0, voxels.index.size, _CHUNKS + 1).astype(np.int64)

    def work(begin: int, end: int) -> None:
        for piece in range(begin, end):
            _fill(
                *_of(voxels), *_on(lattice), lattice.column, *_by(tables), cutoff_mm, factor,
                begins[piece], indices, values, edges[piece], edges[piece + 1],
            )  # fmt: skip

    over_chunks(work, _CHUNKS, threads)


def _of(voxels: BeamVoxels) -> tuple[NDArray[np.int32], Floats, Floats, Floats, Floats, Floats]:
    return voxels.index, voxels.x_mm, voxels.y_mm, voxels.growth, voxels.depth_mm, voxels.density


def _on(lattice: BixelLattice) -> tuple[float, float, float]:
    return (*lattice.first_mm, lattice.side_mm)


def _by(tables: DepthTables) -> tuple[Floats, Floats, Floats, Floats]:
    return tables.weights, tables.stays, tables.scales, _CUMULATED


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _depth_weights(table, depth, growth, out):  # type: ignore[no-untyped-def]
    """Weights of the Gaussians at a depth, with the divergence of the fluence."""
    place = min(max(depth / np.float32(_DEPTH_STEP_MM), np.float32(0.0)), np.float32(_DEPTHS - 1.001))
    i = int(place)
    part, spread = place - np.float32(i), np.float32(1.0) / (growth * growth)
    for j in range(out.size):
        out[j] = spread * (table[i, j] + part * (table[i + 1, j] - table[i, j]))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _width(stays, scales, density):  # type: ignore[no-untyped-def]
    """Standard deviation of a Gaussian where electrons reach further, or less far, than in water."""
    range_factor = np.float32(1.0) / max(density, np.float32(_LEAST_DENSITY))
    return math.sqrt(stays + scales * range_factor * range_factor)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _parts(first, side, at, low, high, scale, cumulated, out):  # type: ignore[no-untyped-def]
    """Parts of a Gaussian around a voxel in bixels of an axis; `scale` is 1 / sigma on its plane."""
    before = np.float32(0.0)
    for i in range(low, high + 1):
        t = (np.float32(first + (i - 0.5) * side) - at) * scale
        place = min(max((t + np.float32(_FAR)) * np.float32(_PER_SIGMA), np.float32(0.0)), np.float32(_LAST))
        cell = int(place)
        here = cumulated[cell] + (place - np.float32(cell)) * (cumulated[cell + 1] - cumulated[cell])
        if i > low:
            out[i - 1] = here - before
        before = here


_LAST = 2.0 * _FAR * _PER_SIGMA


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _add_dose(  # type: ignore[no-untyped-def]
    index,
    x,
    y,
    growth,
    depth,
    density,
    x0,
    y0,
    side,
    monitor_units,
    table,
    stays,
    scales,
    cumulated,
    dose,
    begin,
    end,
):
    ny, nx = monitor_units.shape
    weight = np.empty(stays.size, dtype=np.float32)
    in_x, in_y = np.empty(nx, dtype=np.float32), np.empty(ny, dtype=np.float32)
    for n in range(begin, end):
        _depth_weights(table, depth[n], growth[n], weight)
        total = np.float32(0.0)
        for j in range(stays.size):
            scale = growth[n] / _width(stays[j], scales[j], density[n])
            reach = _FAR / scale + 0.5 * side
            left = max(math.ceil((x[n] - reach - x0) / side), 0)
            right = min(math.floor((x[n] + reach - x0) / side) + 1, nx)
            low = max(math.ceil((y[n] - reach - y0) / side), 0)
            high = min(math.floor((y[n] + reach - y0) / side) + 1, ny)
            if left >= right or low >= high:
                continue
            _parts(x0, side, x[n], left, right, scale, cumulated, in_x)
            _parts(y0, side, y[n], low, high, scale, cumulated, in_y)
            of_gaussian = np.float32(0.0)
            for iy in range(low, high):
                row = np.float32(0.0)
                for ix in range(left, right):
                    row += monitor_units[iy, ix] * in_x[ix]
                of_gaussian += row * in_y[iy]
            total += weight[j] * of_gaussian
        dose[index[n]] += total


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _within(offset, first, side, at, reach, count):  # type: ignore[no-untyped-def]
    """Bixels of a row whose middles lie within reach of a voxel, `offset` beside the row."""
    half = reach * reach - offset * offset
    if half < 0.0:
        return 0, 0
    half = math.sqrt(half)
    low = max(math.ceil((at - half - first) / side), 0)
    return low, max(min(math.floor((at + half - first) / side) + 1, count), low)


@njit(cache=True, nogil=True, error_model="numpy")
def _count(x, y, x0, y0, side, column, cutoff, counts, begin, end):  # type: ignore[no-untyped-def]
    ny, nx = column.shape
    for n in range(begin, end):
        low, high = _within(0.0, y0, side, y[n], cutoff, ny)
        for iy in range(low, high):
            left, right = _within(y0 + iy * side - y[n], x0, side, x[n], cutoff, nx)
            for ix in range(left, right):
                counts[iy, ix] += column[iy, ix] >= 0


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(  # type: ignore[no-untyped-def]
    index, x, y, growth, depth, density, x0, y0, side, column, table, stays, scales, cumulated, cutoff,
    factor, to, indices, values, begin, end,
):  # fmt: skip
    ny, nx = column.shape
    weight = np.empty(stays.size, dtype=np.float32)
    in_x = np.empty((stays.size, nx), dtype=np.float32)
    in_y = np.empty((stays.size, ny), dtype=np.float32)
    row = np.empty(nx, dtype=np.float32)
    for n in range(begin, end):
        low, high = _within(0.0, y0, side, y[n], cutoff, ny)
        first, last = _within(0.0, x0, side, x[n], cutoff, nx)
        if low >= high or first >= last:
            continue
        _depth_weights(table, depth[n], growth[n], weight)
        weight *= factor[index[n]]
        for j in range(stays.size):
            scale = growth[n] / _width(stays[j], scales[j], density[n])
            _parts(x0, side, x[n], first, last, scale, cumulated, in_x[j])
            _parts(y0, side, y[n], low, high, scale, cumulated, in_y[j])
        for iy in range(low, high):
            left, right = _within(y0 + iy * side - y[n], x0, side, x[n], cutoff, nx)
            row[left:right] = np.float32(0.0)
            for j in range(stays.size):
                of_row = weight[j] * in_y[j, iy]
                for ix in range(left, right):
                    row[ix] += of_row * in_x[j, ix]
            for ix in range(left, right):
                if column[iy, ix] >= 0:
                    at = to[iy, ix]
                    indices[at], values[at] = index[n], row[ix]
                    to[iy, ix] = at + 1
