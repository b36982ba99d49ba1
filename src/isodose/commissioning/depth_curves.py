"""Integral depth dose and mean LETd of a simulation, at parts of its range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from isodose.commissioning.simulation import Simulation
from isodose.evaluate.bragg import DepthProfile

_NEGLIGIBLE = 2e-3
"""From where less than this part of the highest dose is left, LETd is held."""
_FINE = 0.003
"""Parts of the range closer than this are read as points, others as means over their neighbourhood."""
_LETD_WINDOW, _LETD_WINDOW_NEAR = 0.02, 0.25
"""LETd is a mean over so much of the range to either side, near its end of this part of what is left:
rare recoils make it noisy where it changes little."""
_RANGE_POINTS = 8000


class DepthCurves:
    """Dose and LETd over the plane by depth, between the bins of a simulation.

    Parameters
    ----------
    simulation
        Of a narrow beam.
    """

    def __init__(self, simulation: Simulation) -> None:
        step, width = simulation.spacing_mm
        dose = simulation.dose.sum(axis=1, dtype=np.float64) * width
        weighted = (simulation.dose.astype(np.float64) * simulation.letd).sum(axis=1) * width
        self.end_mm = dose.size * step
        edges = np.arange(dose.size + 1) * step
        # Splines of the sums keep what lies in each bin, also where the peak is only a few bins wide.
        self._dose, self._weighted = (
            CubicSpline(edges, np.append(0.0, np.cumsum(values) * step)) for values in (dose, weighted)
        )
        peak = int(np.argmax(dose))
        near = np.linspace(max(edges[peak] - 5.0 * step, 0.0), self.end_mm, _RANGE_POINTS)
        self.range_mm = DepthProfile(near, self._dose(near, 1)).r80_mm
        """Depth behind the peak where the dose has fallen to 80 %, mm."""

    def at(self, parts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Dose in MeV cm2/g and LETd in keV/um at parts of the range.

        Parameters
        ----------
        parts
            Ascending, ``(n,)``.
        """
        gap = np.gradient(parts)
        dose = self._read(self._dose, parts, 0.5 * gap * (gap > _FINE))
        window = np.minimum(_LETD_WINDOW, _LETD_WINDOW_NEAR * np.abs(1.0 - parts))
        letd = self._read(self._weighted, parts, window) / np.maximum(
            self._read(self._dose, parts, window), _NEGLIGIBLE * dose.max()
        )
        behind = np.flatnonzero(dose[np.argmax(dose) :] < _NEGLIGIBLE * dose.max())
        end = int(np.argmax(dose) + behind[0]) if behind.size else dose.size
        letd[end:] = letd[end - 1]
        return dose, letd

    def _read(
        self, total: CubicSpline, parts: NDArray[np.float64], half: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Means over windows of a half width in parts of the range; points where that is 0."""
        centre = np.minimum(parts * self.range_mm, self.end_mm)
        # At the surface the window is as short as the depth, so that its middle stays where it is.
        half = np.minimum(half * self.range_mm, np.minimum(centre, self.end_mm - centre))
        wide = half > 1e-9 * self.range_mm
        mean = (total(centre + half) - total(centre - half)) / np.where(wide, 2.0 * half, 1.0)
        return np.asarray(np.maximum(np.where(wide, mean, total(centre, 1)), 0.0))
