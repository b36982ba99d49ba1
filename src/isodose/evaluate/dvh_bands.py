"""Dose-volume histograms of several doses to one structure: bands, and how far their figures spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError
from isodose.evaluate.dvh import Dvh

DOSES = (95.0, 50.0, 5.0)
"""Percentages of the volume whose doses are compared, as of Mein et al, Sci Rep 8 (2018) 14829."""


@dataclass(frozen=True, slots=True)
class DvhBand:
    """Cumulative histograms of one structure on one dose axis.

    Parameters
    ----------
    structure
        Name of the structure.
    dose_gy
        Dose axis from 0 to just above the highest maximum, ``(n,)``.
    volume_percent
        Percent of the volume that receives at least each dose, one row a histogram, ``(m, n)``.
    """

    structure: str
    dose_gy: NDArray[np.float64]
    volume_percent: NDArray[np.float64]

    @property
    def lowest(self) -> NDArray[np.float64]:
        """Smallest volume at each dose, ``(n,)`` percent."""
        return np.asarray(self.volume_percent.min(axis=0))

    @property
    def highest(self) -> NDArray[np.float64]:
        """Largest volume at each dose, ``(n,)`` percent."""
        return np.asarray(self.volume_percent.max(axis=0))

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean volume at each dose, ``(n,)`` percent."""
        return np.asarray(self.volume_percent.mean(axis=0))

    def quantile(self, q: ArrayLike) -> NDArray[np.float64]:
        """Quantiles (parts from 0 to 1) of the volume at each dose, ``(len(q), n)`` percent."""
        return np.asarray(np.quantile(self.volume_percent, np.atleast_1d(q), axis=0))


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over several doses.

    Parameters
    ----------
    name
        Of the figure, such as ``D95``.
    values
        One a dose, ``(m,)`` Gy.
    """

    name: str
    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean."""
        return float(self.values.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation of the sample; 0 of a single value."""
        return float(self.values.std(ddof=1)) if self.values.size > 1 else 0.0

    @property
    def min(self) -> float:
        """Smallest value."""
        return float(self.values.min())

    @property
    def max(self) -> float:
        """Largest value."""
        return float(self.values.max())


def dvh_band(histograms: Sequence[Dvh], points: int = 500) -> DvhBand:
    """Band of the histograms of one structure.

    Parameters
    ----------
    histograms
        One a dose, at least one.
    points
        On the dose axis.

    Raises
    ------
    InputError
        If there is none, or they are of several structures.
    """
    name = _structure(histograms)
    dose = np.linspace(0.0, 1.02 * max(h.max for h in histograms), points)
    return DvhBand(name, dose, np.stack([h.v(dose) for h in histograms]))


def dvh_spread(histograms: Sequence[Dvh], percents: Sequence[float] = DOSES) -> tuple[Spread, ...]:
    """Doses that parts of the volume receive at least (D_x), over several doses to one structure.

    Raises
    ------
    InputError
        If there is no histogram, or they are of several structures.
    """
    _structure(histograms)
    return tuple(Spread(f"D{p:g}", np.array([h.d(p) for h in histograms])) for p in percents)


def _structure(histograms: Sequence[Dvh]) -> str:
    names = list(dict.fromkeys(h.structure for h in histograms))
    if len(names) != 1:
        raise InputError("histograms", ", ".join(names) or "none", "at least one, all of one structure")
    return names[0]
