"""Base data of a beam's layers on one lattice of depths, as the kernels stream through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.machine.base_data import DepthWeighting, PencilKernel
from isodose.pencilbeam import spreading

STEP_MM = 0.25
"""Distance of tabulated depths."""
AMPLITUDE, VARIANCE, GAIN, FIRST_CHANNEL = 0, 1, 2, 3
"""Columns: dose of a Gaussian (MeV cm2/g per particle), its variance in water (mm2), what excess variance is
multiplied by, and then one factor a channel, as LETd, which the dose is weighted with."""
_GAIN_AT = 0.75
_WIDEST_GAIN = 300.0
_NODE_MM = 8.0
_TAIL_PART = 0.2
"""The slope of a tail is taken over this part of the range."""
_FAINT_TAIL = 1e-3
"""Tails end at this part of the peak, or one range behind the base data."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerTables:
    """Layers, or components of them, by ascending range.

    Parameters
    ----------
    table
        float32 ``(depths, layers, gaussians, 3 + channels)``.
    first_layer
        First layer that still gives dose, by row of ``table``, int32 ``(depths,)``.
    nodes_mm
        Ranges for which excess variances are needed, ascending, ``(m,)``.
    node
        Which of them each layer takes, int32 ``(layers,)``.
    gain
        What variances of `isodose.pencilbeam.spreading` are multiplied by to be those of the base data's
        core, ``(layers,)``.
    """

    table: NDArray[np.float32]
    first_layer: NDArray[np.int32]
    nodes_mm: NDArray[np.float64]
    node: NDArray[np.int32]
    gain: NDArray[np.float64]


def layer_tables(
    kernels: Sequence[PencilKernel],
    power: NDArray[np.float64],
    channels: Sequence[NDArray[np.float64] | DepthWeighting | None] = (),
    passed_mm: NDArray[np.float64] | None = None,
) -> LayerTables:
    """Tables of kernels that are sorted by ascending range, less what each has passed.

    Parameters
    ----------
    kernels
        Of the layers, or of the components of their beams.
    power
        Scattering power of water, of `isodose.pencilbeam.spreading.scattering_power`.
    channels
        For each further quantity its averages along the beam; None stands for the kernels' own LETd.
    passed_mm
        Water that each has passed before depth 0; none by default.
    """
    passed = np.zeros(len(kernels)) if passed_mm is None else passed_mm
    ranges = np.array([k.range_mm for k in kernels]) - passed
    nodes = np.unique(np.append(np.arange(ranges[0], ranges[-1], _NODE_MM)[1:], ranges[-1]))
    node = np.searchsorted(nodes, ranges - 1e-9).astype(np.int32)
    curves = [_with_tail(k) for k in kernels]
    count = int(max(depth[-1] for depth, _ in curves) / STEP_MM) + 2
    lattice = np.asarray(STEP_MM * np.arange(count), dtype=np.float64)
    gaussians = kernels[0].gaussians
    table = np.zeros((count, len(kernels), gaussians, FIRST_CHANNEL + len(channels)), dtype=np.float32)
    ends = np.zeros(len(kernels), dtype=np.int64)
    gains = np.empty(len(kernels))
    for i, kernel in enumerate(kernels):
        depths = lattice + passed[i]
        dose = np.interp(depths, *curves[i], right=0.0)
        seen = np.flatnonzero(dose > 1e-4 * kernel.dose.max())
        ends[i] = int(seen[-1]) + 1
        water = spreading.water_variance(power, float(nodes[node[i]]))
        at = _GAIN_AT * kernel.range_mm
        core = float(np.interp(at, kernel.depth_mm, kernel.sigma_mm[:, 0])) ** 2
        gain = core / float(np.interp(at, spreading.STEP_MM * np.arange(water.size), water))
        gains[i] = gain
        first = np.interp(depths, kernel.depth_mm, kernel.sigma_mm[:, 0] ** 2)
        for g in range(gaussians):
            columns = table[:, i, g]
            variance = np.interp(depths, kernel.depth_mm, kernel.sigma_mm[:, g] ** 2)
            columns[:, AMPLITUDE] = dose * np.interp(depths, kernel.depth_mm, kernel.weight[:, g])
            columns[:, VARIANCE] = variance
            columns[:, GAIN] = gain * np.clip(variance / np.maximum(first, 1e-6), 1.0, _WIDEST_GAIN)
            for c, channel in enumerate(channels):
                columns[:, FIRST_CHANNEL + c] = _along(channel, kernel, depths, g)
    last = np.maximum.accumulate(ends)
    first_layer = np.searchsorted(last, np.arange(count), side="right").astype(np.int32)
    return LayerTables(table, first_layer, nodes, node, gains)


def _with_tail(kernel: PencilKernel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Depths and doses of a kernel, going on exponentially where fragments fly beyond its last depth."""
    depth, dose, last = kernel.depth_mm, kernel.dose, float(kernel.dose[-1])
    faint = _FAINT_TAIL * float(dose.max())
    before = float(np.interp(depth[-1] - _TAIL_PART * kernel.range_mm, depth, dose))
    if last <= faint or before <= last:
        return depth, dose
    length = _TAIL_PART * kernel.range_mm / np.log(before / last)
    further = np.arange(1.0, min(length * np.log(last / faint), kernel.range_mm))
    return np.append(depth, depth[-1] + further), np.append(dose, last * np.exp(-further / length))


def _along(
    channel: NDArray[np.float64] | DepthWeighting | None,
    kernel: PencilKernel,
    depths: NDArray[np.float64],
    g: int,
) -> NDArray[np.float64]:
    if isinstance(channel, DepthWeighting):
        part = depths / kernel.range_mm
        mean = channel.at(kernel.energy_mev_u, part)
        if channel.per_let is None or kernel.letd is None:
            return mean
        beyond = kernel.letd[:, g] - np.sum(kernel.weight * kernel.letd, axis=1)
        slope = channel.per_let_at(kernel.energy_mev_u, part)
        return np.asarray(np.maximum(mean + slope * np.interp(depths, kernel.depth_mm, beyond), 0.0))
    letd = kernel.letd if kernel.letd is not None else np.zeros_like(kernel.sigma_mm)
    return np.asarray(np.interp(depths, kernel.depth_mm, letd[:, g]))
