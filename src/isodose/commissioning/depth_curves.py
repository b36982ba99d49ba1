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
        half = 0.5 * self.range_mm * np.gradient(parts) * (np.gradient(parts) > _FINE)
        depths = parts * self.range_mm
        low, high = np.maximum(depths - half, 0.0), np.minimum(depths + half, self.end_mm)
        wide = high > low
        length = np.where(wide, high - low, 1.0)

        def value(total: CubicSpline) -> NDArray[np.float64]:
            mean = (total(high) - total(low)) / length
            point = total(np.minimum(depths, self.end_mm), 1)
            return np.asarray(np.maximum(np.where(wide, mean, point), 0.0))

        dose = value(self._dose)
        behind = np.flatnonzero(dose[np.argmax(dose) :] < _NEGLIGIBLE * dose.max())
        end = int(np.argmax(dose) + behind[0]) if behind.size else dose.size
        letd = value(self._weighted)
        letd[:end] /= dose[:end]
        letd[end:] = letd[end - 1]
        return dose, letd
