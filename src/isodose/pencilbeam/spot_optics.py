"""Size of a layer's spots along the beam before the body, split into fluence maps and what kernels add.

What makes a spot wide before the body - its optics, a range shifter far away - lets its particles reach the
body on different rays, so it belongs into the fluence map; what widens it inside belongs to the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.machine.nozzle import PhaseSpace

_POINTS = 33


@dataclass(frozen=True, slots=True, eq=False)
class SpotOptics:
    """Spots of a component of a layer.

    The fluence map takes the smallest size that the spot has, seen from the source, over a stretch of the
    beam; the kernels add the rest on each plane, so that a beam may converge or diverge.

    Parameters
    ----------
    sigma_mm, divergence_rad, correlation
        Gaussian phase space on the isocentre plane, x and y, as in `isodose.machine.nozzle.PhaseSpace`.
    source_distance_mm
        Virtual sources.
    scattered_mm2
        Variance that a range shifter adds, as a polynomial in the position along the beam; the kernels count
        it as well, so what the map has of it is taken from them.
    whole_spot_mm
        Size of the fluence map where a spot is not to be split: it all takes the way of its central ray.
    map_sigma_mm
        Standard deviation of the fluence map on the isocentre plane, x and y.
    inside_mm2
        Variance from scattering in the body that the map has, and that is taken from the kernels.
    """

    sigma_mm: tuple[float, float]
    divergence_rad: tuple[float, float]
    correlation: tuple[float, float]
    source_distance_mm: tuple[float, float]
    scattered_mm2: tuple[float, float, float] = (0.0, 0.0, 0.0)
    whole_spot_mm: float | None = None
    map_sigma_mm: tuple[float, float] = (0.0, 0.0)
    inside_mm2: float = 0.0

    def over(self, reach_mm: tuple[float, float]) -> SpotOptics:
        """Same spots with the fluence map of a stretch of the beam."""
        if self.whole_spot_mm is not None:
            return replace(self, map_sigma_mm=(self.whole_spot_mm, self.whole_spot_mm))
        planes = np.linspace(*reach_mm, _POINTS)
        before = self.scattered(planes) + self.inside_mm2
        seen = [self._variance(i, planes) + before for i in (0, 1)]
        smallest = [float(np.sqrt((seen[i] / self._scale(i, planes) ** 2).min())) for i in (0, 1)]
        return replace(self, map_sigma_mm=(smallest[0], smallest[1]))

    def growth(self, reach_mm: tuple[float, float]) -> float:
        """Largest ratio of the variance before the body between the two ends of a stretch."""
        ends = np.array(reach_mm)
        ratios = [self._variance(i, ends) + self.scattered(ends) for i in (0, 1)]
        return float(max(max(r[1] / r[0], r[0] / r[1]) for r in ratios))

    def coefficients(self) -> NDArray[np.float64]:
        """Variance in air as a polynomial in the position along the beam, for x and y ``(2, 3)``, mm2."""
        pairs = zip(self.sigma_mm, self.divergence_rad, self.correlation, strict=True)
        return np.array([[s**2, 2.0 * c * s * a, a**2] for s, a, c in pairs])

    def beyond_map(self, plane_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance in mm2 beyond the map's on planes along the beam, mean of x and y.

        Negative where the map has a part of the scattering.
        """
        least = -self.scattered(plane_mm) - self.inside_mm2
        parts = [
            np.maximum(
                self._variance(i, plane_mm) - (self.map_sigma_mm[i] * self._scale(i, plane_mm)) ** 2, least
            )
            for i in (0, 1)
        ]
        return np.asarray(0.5 * (parts[0] + parts[1]))

    def _variance(self, i: int, plane_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        sigma, angle = self.sigma_mm[i], self.divergence_rad[i]
        mixed = 2.0 * self.correlation[i] * sigma * angle
        return np.asarray(sigma**2 + mixed * plane_mm + (angle * plane_mm) ** 2)

    def scattered(self, plane_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance that a range shifter adds on planes along the beam, mm2."""
        constant, linear, square = self.scattered_mm2
        return np.asarray(constant + linear * plane_mm + square * plane_mm**2)

    def _scale(self, i: int, plane_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1.0 + plane_mm / self.source_distance_mm[i])


def spot_optics(
    space: PhaseSpace,
    source_distance_mm: tuple[float, float],
    scattered_mm2: tuple[float, float, float] = (0.0, 0.0, 0.0),
    whole_spot_mm: float | None = None,
) -> SpotOptics:
    """Optics of a component of a layer, without a map yet; parameters as of `SpotOptics`."""
    return SpotOptics(
        space.sigma_mm,
        space.divergence_rad,
        space.correlation,
        source_distance_mm,
        scattered_mm2,
        whole_spot_mm,
    )
