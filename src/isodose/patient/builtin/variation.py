"""How one seed's anatomy differs from another's."""

from __future__ import annotations

import numpy as np

SIDES = (1.0, -1.0)
"""Left and right of the patient: the sign of x."""


class Variation:
    """Seeded draws around the mean of a population, cut at two standard deviations."""

    def __init__(self, seed: tuple[int, ...]) -> None:
        self.rng = np.random.Generator(np.random.PCG64(list(seed)))

    def shift(self, sigma_mm: float) -> float:
        """Displacement of mean zero."""
        return float(sigma_mm * np.clip(self.rng.normal(), -2, 2))

    def factor(self, sigma: float) -> float:
        """Factor around one."""
        return 1.0 + self.shift(sigma)

    def between(self, low: float, high: float) -> float:
        """Uniform draw from an interval."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Whether something happens."""
        return bool(self.rng.uniform() < probability)
