"""The bend that makes every anatomy a little crooked, as people are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.patient.builtin.shapes import Distances


@dataclass(frozen=True, slots=True)
class StandingWaves:
    """A smooth displacement: a few standing waves for each direction, longer than any organ's detail.

    Parameters
    ----------
    amplitude_mm
        Of each wave.
    scale
        Stretch along (x, y, z) about the origin.
    centre_mm
        Point of the undeformed anatomy that comes to lie at the origin, but for the waves.
    waves
        Wave numbers and phases, ``(3 directions, n waves, 3 axes, 2)``, in 1/mm and radian.
    """

    amplitude_mm: float
    waves: NDArray[np.float64]
    scale: NDArray[np.float64]
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        amplitude_mm: float,
        scale: tuple[float, float, float],
        shortest_mm: float = 110.0,
    ) -> StandingWaves:
        """Three waves of random length and phase in each direction."""
        waves = np.empty((3, 3, 3, 2))
        waves[..., 0] = 2 * np.pi / rng.uniform(shortest_mm, 2.5 * shortest_mm, (3, 3, 3))
        waves[..., 1] = rng.uniform(0, 2 * np.pi, (3, 3, 3))
        return cls(amplitude_mm, waves, np.asarray(scale, dtype=np.float64))

    def moved(self, centre_mm: tuple[float, float, float]) -> StandingWaves:
        """Return the same displacement with another point of the anatomy at the origin."""
        return replace(self, centre_mm=centre_mm)

    @property
    def slack_mm(self) -> float:
        """Largest displacement along an axis."""
        return float(self.waves.shape[1] * self.amplitude_mm)

    def __call__(self, x: Distances, y: Distances, z: Distances) -> tuple[Distances, Distances, Distances]:
        """Coordinates of the undeformed anatomy."""
        out = []
        for direction, straight in enumerate((x, y, z)):
            bend: NDArray[np.float64] | float = 0.0
            for wave in self.waves[direction]:
                bend = bend + (
                    np.sin(z * wave[2, 0] + wave[2, 1])
                    * np.sin(y * wave[1, 0] + wave[1, 1])
                    * np.sin(x * wave[0, 0] + wave[0, 1])
                ).astype(np.float32)
            bent = (
                straight / np.float32(self.scale[direction])
                + np.float32(self.centre_mm[direction])
                + np.float32(self.amplitude_mm) * bend
            )
            out.append(bent.astype(np.float32))
        return out[0], out[1], out[2]
