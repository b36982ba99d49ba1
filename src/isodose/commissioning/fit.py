"""From simulations of narrow beams to base data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from isodose.commissioning.lateral_fit import LateralFit, fit_profile, property_of_gaussians
from isodose.commissioning.simulation import Simulation
from isodose.machine.base_data import PencilKernel

_DEPTHS = np.concatenate(
    [
        np.arange(0.0, 0.9, 0.01),
        np.arange(0.9, 1.08, 0.00125),
        np.arange(1.08, 1.2, 0.01),
        np.arange(1.2, 1.7, 0.02),
    ]
)
"""Depths of kernels, as parts of the range."""
_NODES = np.concatenate(
    [
        [0.01, 0.03, 0.06],
        np.arange(0.1, 0.9, 0.05),
        np.arange(0.9, 1.03, 0.01),
        [1.04, 1.06, 1.1, 1.2, 1.35, 1.5, 1.65],
    ]
)
"""Depths at which lateral profiles are fitted."""
_WORST_ERROR = 0.05
_SEARCH = {3: ([1.0, 3.0, 10.0], [0.9, 0.08, 0.02]), 2: ([1.0, 6.0], [0.92, 0.08]), 1: ([1.0], [1.0])}


def fit_kernel(simulation: Simulation, gaussians: int = 3) -> PencilKernel:
    """Kernel of one energy.

    Parameters
    ----------
    simulation
        Of a narrow beam.
    gaussians
        1, 2 or 3 Gaussians for the lateral profile.
    """
    step, width = simulation.spacing_mm
    profile = simulation.dose.sum(axis=1, dtype=np.float64) * width
    middle = (np.arange(profile.size) + 0.5) * step
    range_mm = _range(middle, profile)
    depths = _DEPTHS[range_mm * _DEPTHS <= middle[-1]] * range_mm
    nodes = _NODES[range_mm * _NODES <= middle[-1]] * range_mm
    fits, letd = _fits(simulation, nodes, range_mm, gaussians)
    sigma = np.exp(_along(depths, nodes, np.log(np.stack([f.sigma_mm for f in fits]))))
    weight = _along(depths, nodes, np.stack([f.weight for f in fits]))
    return PencilKernel(
        simulation.energy_mev_u,
        depths,
        np.interp(depths, middle, profile),
        sigma,
        weight / weight.sum(axis=1, keepdims=True),
        _along(depths, nodes, letd),
    )


def smoothed(kernels: Sequence[PencilKernel]) -> tuple[PencilKernel, ...]:
    """Kernels whose lateral columns are averaged with those of the neighbouring energies, 1 : 2 : 1.

    At equal parts of the range they change little from one energy to the next, and the scatter of single fits
    does.
    """
    result = []
    for i, kernel in enumerate(kernels):
        near = [kernels[max(i - 1, 0)], kernel, kernels[min(i + 1, len(kernels) - 1)]]
        if i in (0, len(kernels) - 1):
            near = [kernel]
        share = kernel.depth_mm / kernel.range_mm
        parts = np.array([1.0, 2.0, 1.0]) if len(near) == 3 else np.ones(1)
        parts /= parts.sum()

        def mean(
            name: str, logarithm: bool, near: list[PencilKernel] = near, at: NDArray[np.float64] = share,
            parts: NDArray[np.float64] = parts,
        ) -> NDArray[np.float64]:  # fmt: skip
            total = np.zeros((at.size, near[0].gaussians))
            for part, other in zip(parts, near, strict=True):
                columns = np.maximum(getattr(other, name), 1e-9)
                columns = np.log(columns) if logarithm else columns
                for g in range(columns.shape[1]):
                    total[:, g] += part * np.interp(at * other.range_mm, other.depth_mm, columns[:, g])
            return np.exp(total) if logarithm else total

        weight = mean("weight", True)
        result.append(
            PencilKernel(
                kernel.energy_mev_u,
                kernel.depth_mm,
                kernel.dose,
                mean("sigma_mm", True),
                weight / weight.sum(axis=1, keepdims=True),
                None if kernel.letd is None else mean("letd", True),
            )
        )
    return tuple(result)


def _fits(
    simulation: Simulation, nodes: NDArray[np.float64], range_mm: float, gaussians: int
) -> tuple[list[LateralFit], NDArray[np.float64]]:
    step, width = simulation.spacing_mm
    side = simulation.dose.shape[1] // 2
    edges = np.concatenate([[0.0], (np.arange(side + 1) + 0.5) * width])
    gaps = np.gradient(nodes)
    fits: list[LateralFit] = []
    letd = np.empty((nodes.size, gaussians))
    sigma, weight = _SEARCH[gaussians]
    start = LateralFit(np.array(sigma) * (0.2 + 0.003 * range_mm), np.array(weight))
    for i, node in enumerate(nodes):
        half = max(min(0.25 * gaps[i], 0.01 * range_mm), step)
        rows = slice(
            max(int((node - half) / step), 0), min(int((node + half) / step) + 1, simulation.dose.shape[0])
        )
        dose = simulation.dose[rows].astype(np.float64)
        total = dose.sum()
        error = np.sqrt(np.square(simulation.error[rows], dtype=np.float64).sum(axis=0))
        if total <= 0.0 or np.sqrt(np.square(error).sum()) > _WORST_ERROR * total:
            fits.append(start)  # too little is left there to fit: what held before holds
            letd[i] = letd[max(i - 1, 0)]
            continue
        weighted = (dose * simulation.letd[rows]).sum(axis=0)
        folded = [_fold(a, side) / total for a in (dose.sum(axis=0), weighted)]
        folded_error = np.sqrt(_fold(np.square(error), side)) / total
        fit = fit_profile(edges, folded[0], folded_error, start)
        mean = float(weighted.sum() / total)
        letd[i] = property_of_gaussians(edges, folded[1], folded_error, fit, mean)
        fits.append(fit)
        start = fit
    return fits, letd


def _fold(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Both sides of a profile together; its middle bin is the first."""
    folded = values[side:].copy()
    folded[1:] += values[:side][::-1]
    return folded


def _along(
    depths: NDArray[np.float64], nodes: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values at depths between nodes, without overshoot, held beyond the ends."""
    return np.asarray(PchipInterpolator(nodes, values, axis=0)(np.clip(depths, nodes[0], nodes[-1])))


def _range(depth: NDArray[np.float64], dose: NDArray[np.float64]) -> float:
    ones = np.ones((depth.size, 1))
    return PencilKernel(1.0, depth, dose, ones, ones).range_mm
