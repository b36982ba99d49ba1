"""The arrays of a beam that the kernels of superposition and its adjoint read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.machine.base_data import PencilKernel
from isodose.pencilbeam.fan import Fan
from isodose.pencilbeam.layer_tables import GAIN, STEP_MM, LayerTables
from isodose.pencilbeam.resolution import Resolution
from isodose.pencilbeam.stations import Station
from isodose.pencilbeam.superposition import Superposition
from isodose.pencilbeam.widths import Ladder, ladder, plane_offsets, smoothing
from isodose.physics.constants import GY_PER_MEV_PER_G

_WIDEST_MM2 = 150.0**2
"""Variance at which the ladder of widths ends at the latest."""
_SIZES = 5
"""Smoothing kernels are made for so many magnifications and interpolated."""


def superposition_of(
    fan: Fan,
    rays: NDArray[np.int64],
    depth: NDArray[np.float32],
    excess: NDArray[np.float32],
    stations: tuple[Station, ...],
    tables: LayerTables,
    kernels: list[PencilKernel],
    resolution: Resolution,
) -> Superposition:
    """Put together what the kernels of a beam read.

    Parameters
    ----------
    fan, rays
        Fan of the beam, and its rays that count.
    depth, excess
        Of `isodose.pencilbeam.spreading.excess_variance`.
    stations
        Stretches with their fluence maps.
    tables, kernels
        Layers by ascending range.
    resolution
        How finely.
    """
    wide_u, wide_v = fan.magnification(fan.plane_mm)
    air = _air_variance(fan, stations, resolution)
    cell_mm = fan.spacing_mm * float(min(wide_u.min(), wide_v.min()))
    widest = _widest_mm2(depth, excess, air, tables, kernels)
    rungs = ladder(_narrowest_mm2(stations, cell_mm), widest, cell_mm, resolution.ratio)
    kernel_u, taps_u = _smoothing_on(rungs, fan.spacing_mm * wide_u)
    kernel_v, taps_v = _smoothing_on(rungs, fan.spacing_mm * wide_v)
    most = max(kernel_u.shape[2], kernel_v.shape[2])
    pad = [np.pad(k, ((0, 0), (0, 0), (0, most - k.shape[2]))) for k in (kernel_u, kernel_v)]
    v, u = np.divmod(rays, fan.shape[1])
    area_mm2 = fan.spacing_mm**2 * wide_u * wide_v
    return Superposition(
        np.stack([v, u], axis=1).astype(np.int32),
        depth,
        excess,
        air,
        tables.table,
        tables.first_layer,
        tables.node,
        np.ascontiguousarray(tables.table.transpose(0, 3, 2, 1)),
        rungs.variance_mm2,
        rungs.level,
        rungs.lookup,
        rungs.scale,
        plane_offsets(rungs, fan.shape),
        pad[0],
        pad[1],
        np.maximum(taps_u, taps_v),
        (100.0 * GY_PER_MEV_PER_G / area_mm2).astype(np.float32),
        fan.shape,
    )


def _air_variance(fan: Fan, stations: tuple[Station, ...], resolution: Resolution) -> NDArray[np.float32]:
    """Variance of spots beyond that of the fluence map by plane and column, as a voxel shows them, mm2."""
    planes = fan.plane_mm
    # A voxel shows the mean over itself, of which the cells of the fluence map bring a part already.
    in_voxel = max(resolution.voxel_mm**2 - fan.spacing_mm**2, 0.0) / 12.0
    air = np.empty((fan.planes, len(stations[0].optics)), dtype=np.float32)
    for station in stations:
        stretch = slice(station.begin, station.end)
        for column, one in enumerate(station.optics):
            air[stretch, column] = one.beyond_map(planes[stretch]) + in_voxel
    return air


def _widest_mm2(
    depth: NDArray[np.float32],
    excess: NDArray[np.float32],
    air: NDArray[np.float32],
    tables: LayerTables,
    kernels: list[PencilKernel],
) -> float:
    """Variance up to which the ladder goes."""
    core = max(float(k.sigma_mm[k.dose > 1e-3 * k.dose.max()].max()) for k in kernels) ** 2
    shallowest = min(int(depth.min() / STEP_MM), tables.table.shape[0] - 1)
    gain = float(tables.table[shallowest:, :, :, GAIN].max())
    in_patient = min(1.2 * core + gain * max(float(excess.max()), 0.0), _WIDEST_MM2)
    return in_patient + max(float(air.max()), 0.0)


def _narrowest_mm2(stations: tuple[Station, ...], cell_mm: float) -> float:
    """Variance over which the first rungs of the ladder reach.

    Rays beside each other may differ in what they give: however wide spots are, widths tell over a cell.
    """
    narrowest = min(min(one.map_sigma_mm) for station in stations for one in station.optics)
    return min(narrowest, cell_mm) ** 2


def _smoothing_on(
    rungs: Ladder, cell_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Kernels for every plane's cell size, interpolated between a few: their variance follows linearly."""
    inverse = 1.0 / cell_mm**2
    nodes = np.linspace(inverse.min(), inverse.max(), _SIZES)
    kernels, taps = smoothing(rungs, 1.0 / np.sqrt(nodes))
    if nodes[-1] <= nodes[0] * (1.0 + 1e-9):
        return np.repeat(kernels[:1], cell_mm.size, axis=0), taps
    at = (inverse - nodes[0]) / (nodes[-1] - nodes[0]) * (_SIZES - 1)
    low = np.minimum(at.astype(int), _SIZES - 2)
    part = (at - low).astype(np.float32)[:, None, None]
    return (1.0 - part) * kernels[low] + part * kernels[low + 1], taps
