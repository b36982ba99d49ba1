"""Lateral profiles of a simulation at some depths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.commissioning.simulation import Simulation

_WORST_ERROR = 0.05
"""Relative uncertainty of the dose of a whole profile beyond which its shape says nothing."""
_LARGEST_SLICE = 0.01
"""Half of the depth over which a profile is averaged, at most, as a part of the range."""


@dataclass(frozen=True, slots=True, eq=False)
class LateralProfile:
    """Profile across the beam, summed over the other direction, both sides together.

    Parameters
    ----------
    edges_mm
        Edges of the bins, ascending from 0, ``(n + 1,)``.
    part
        Part of the dose in each bin, ``(n,)``.
    error
        Standard uncertainty of it.
    letd_part
        Part of the dose times LETd in each bin.
    certain
        Whether there is dose enough to fit.
    """

    edges_mm: NDArray[np.float64]
    part: NDArray[np.float64]
    error: NDArray[np.float64]
    letd_part: NDArray[np.float64]
    certain: bool

    @property
    def bin_mm(self) -> float:
        """Width of the bins but for the first, which is half as wide."""
        return float(self.edges_mm[2] - self.edges_mm[1])


def lateral_profiles(simulation: Simulation, depths_mm: NDArray[np.float64]) -> tuple[LateralProfile, ...]:
    """Profiles around some depths.

    Parameters
    ----------
    simulation
        Of a narrow beam.
    depths_mm
        Ascending; each profile is the mean over a slice that takes no more than half of the way to the next.
    """
    step, width = simulation.spacing_mm
    rows, columns = simulation.dose.shape
    side = columns // 2
    edges = np.concatenate([[0.0], (np.arange(side + 1) + 0.5) * width])
    reach = float(simulation.dose.sum(axis=1).argmax()) * step
    profiles = []
    for depth, gap in zip(depths_mm, np.gradient(depths_mm), strict=True):
        half = max(min(0.25 * gap, _LARGEST_SLICE * reach), step)
        begin = min(max(int((depth - half) / step), 0), rows - 1)
        part = slice(begin, max(min(int((depth + half) / step) + 1, rows), begin + 1))
        dose = simulation.dose[part].astype(np.float64)
        weighted = dose * simulation.letd[part]
        variance = np.square(simulation.error[part], dtype=np.float64).sum(axis=0)
        total, letd = dose.sum(), weighted.sum()
        certain = bool(total > 0.0 and letd > 0.0 and np.sqrt(variance.sum()) <= _WORST_ERROR * total)
        scale = 1.0 / total if total > 0.0 else 0.0
        profiles.append(
            LateralProfile(
                edges,
                _folded(dose.sum(axis=0), side) * scale,
                np.sqrt(_folded(variance, side)) * scale,
                _folded(weighted.sum(axis=0), side) * (1.0 / letd if letd > 0.0 else 0.0),
                certain,
            )
        )
    return tuple(profiles)


def _folded(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Both sides of a profile together; its middle bin is the first."""
    folded = values[side:].copy()
    folded[1:] += values[:side][::-1]
    return folded
