"""Two doses side by side: gamma and differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.evaluate.gamma import Gamma, GammaCriteria, gamma
from isodose.patient.volume import Volume

HIGH_DOSE = 0.5
"""Differences are summed up where the reference exceeds this part of its maximum."""


@dataclass(frozen=True)
class Comparison:
    """A reference, an evaluated dose, and how they differ.

    Parameters
    ----------
    reference
        The dose that is trusted, Gy.
    evaluation
        The dose that is tested, Gy, on its own grid.
    gammas
        Gamma by criteria, in the order that was asked for.
    """

    reference: Volume
    evaluation: Volume
    gammas: tuple[Gamma, ...]

    @cached_property
    def difference(self) -> Volume:
        """Evaluation minus reference on the grid of the reference, Gy."""
        grid = self.reference.grid
        return Volume(grid, self.evaluation.on(grid).values - self.reference.values)

    @property
    def _high(self) -> NDArray[np.bool_]:
        high: NDArray[np.bool_] = self.reference.values > HIGH_DOSE * self.reference.values.max()
        return high

    @property
    def mean_difference_percent(self) -> float:
        """Mean difference above half of the maximum, in percent of the reference's mean there."""
        high = self._high
        mean = float(self.reference.values[high].mean(dtype=np.float64))
        return 100.0 * float(self.difference.values[high].mean(dtype=np.float64)) / mean

    @property
    def rms_difference_percent(self) -> float:
        """Root mean square of the difference above half of the maximum, in percent of the maximum."""
        square = self.difference.values[self._high].astype(np.float64) ** 2
        return 100.0 * float(np.sqrt(square.mean())) / float(self.reference.values.max())

    @property
    def largest_difference_gy(self) -> float:
        """Difference of the largest magnitude, with its sign, Gy."""
        flat = self.difference.values.ravel()
        return float(flat[np.argmax(np.abs(flat))])


def compare(
    reference: Volume, evaluation: Volume, criteria: tuple[GammaCriteria, ...] = (GammaCriteria(),)
) -> Comparison:
    """Compare a dose with a reference.

    Parameters
    ----------
    reference, evaluation
        Doses in Gy; their grids may differ.
    criteria
        One gamma is computed for each; 2 %/2 mm, global, above 10 % where not given.

    Raises
    ------
    InputError
        If the grids do not overlap or the reference has no dose.
    """
    a, b = reference.grid, evaluation.grid
    if np.any(np.minimum(a.upper_mm, b.upper_mm) <= np.maximum(a.lower_mm, b.lower_mm)):
        raise InputError(
            "evaluation",
            f"a dose from {b.lower_mm} to {b.upper_mm} mm",
            f"one that overlaps the reference ({a.lower_mm} to {a.upper_mm} mm)",
        )
    return Comparison(reference, evaluation, tuple(gamma(reference, evaluation, c) for c in criteria))
