"""Size of a layer's spots in air along the beam, split into a fluence map and what is added behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.machine.nozzle import PhaseSpace

_POINTS = 33


@dataclass(frozen=True, slots=True, eq=False)
class SpotOptics:
    """Spots of a layer in air.

    The fluence map takes the smallest size that the spot has, seen from the source, in the patient; the
    kernels add the rest on each plane, so that a beam may converge or diverge.

    Parameters
    ----------
    sigma_mm, divergence_rad, correlation
        Gaussian phase space on the isocentre plane, x and y, as in `isodose.machine.nozzle.PhaseSpace`.
    source_distance_mm
        Virtual sources.
    map_sigma_mm
        Standard deviation of the fluence map on the isocentre plane, x and y.
    """

    sigma_mm: tuple[float, float]
    divergence_rad: tuple[float, float]
    correlation: tuple[float, float]
    source_distance_mm: tuple[float, float]
    map_sigma_mm: tuple[float, float]

    def coefficients(self) -> NDArray[np.float64]:
        """Variance as a polynomial in the position along the beam, for x and y ``(2, 3)``, mm2."""
        pairs = zip(self.sigma_mm, self.divergence_rad, self.correlation, strict=True)
        return np.array([[s**2, 2.0 * c * s * a, a**2] for s, a, c in pairs])

    def beyond_map(self, plane_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance in mm2 beyond the map's on planes along the beam, mean of x and y."""
        parts = [
            np.maximum(
                _variance(self, i, plane_mm) - (self.map_sigma_mm[i] * _scale(self, i, plane_mm)) ** 2, 0.0
            )
            for i in (0, 1)
        ]
        return np.asarray(0.5 * (parts[0] + parts[1]))


def spot_optics(
    space: PhaseSpace,
    source_distance_mm: tuple[float, float],
    reach_mm: tuple[float, float],
    whole_spot_mm: float | None = None,
) -> SpotOptics:
    """Optics of a component of a layer over a stretch along the beam, from the isocentre.

    Parameters
    ----------
    space
        Phase space of its spots.
    source_distance_mm
        Virtual sources.
    reach_mm
        First and last position along the beam.
    whole_spot_mm
        Size of the fluence map where a spot is not to be split: it all takes the way of its central ray.
    """
    raw = SpotOptics(space.sigma_mm, space.divergence_rad, space.correlation, source_distance_mm, (0.0, 0.0))
    if whole_spot_mm is not None:
        return replace(raw, map_sigma_mm=(whole_spot_mm, whole_spot_mm))
    planes = np.linspace(*reach_mm, _POINTS)
    smallest = [
        float(np.sqrt((_variance(raw, i, planes) / _scale(raw, i, planes) ** 2).min())) for i in (0, 1)
    ]
    return replace(raw, map_sigma_mm=(smallest[0], smallest[1]))


def _variance(optics: SpotOptics, i: int, plane_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    sigma, angle = optics.sigma_mm[i], optics.divergence_rad[i]
    return np.asarray(
        sigma**2 + 2.0 * optics.correlation[i] * sigma * angle * plane_mm + (angle * plane_mm) ** 2
    )


def _scale(optics: SpotOptics, i: int, plane_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 + plane_mm / optics.source_distance_mm[i])
