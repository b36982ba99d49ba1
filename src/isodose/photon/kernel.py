"""The pencil kernel of a 6 MV beam: Gaussians whose weights are sums of exponentials of depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from isodose.errors import InputError

Doubles = NDArray[np.float64]

SOURCE_DISTANCE_MM = 1000.0
"""From the source to the isocentre."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotonKernel:
    """Dose of a beam of photons in water per monitor unit.

    A pencil gives ``sum_j A_j(z) exp(-r^2 / 2 s_j^2) / (2 pi s_j^2)``, ``A_j(z) = sum_i a_ji exp(-k_i z)``:
    the decomposition of Bortfeld, Schlegel and Rhein (Med Phys 20 (1993) 311) with Gaussians in place of
    tables. The source's size is part of the Gaussians. One monitor unit gives 0.01 Gy at the depth of the
    maximum of a field of 100 mm x 100 mm at the surface, 1000 mm from the source.

    Parameters
    ----------
    name
        What a plan calls the machine.
    sigma_mm
        Standard deviations s_j of the Gaussians across the beam, ascending, ``(gaussians,)``.
    decay_per_mm
        k_i, ``(exponentials,)``.
    amplitude_gy
        a_ji, Gy per monitor unit of a broad beam, ``(gaussians, exponentials)``.
    source_sigma_mm
        Part of every standard deviation that comes from the source, not from transport in the patient.
    electron_gaussians
        The first Gaussians, which electrons make: their range goes with the inverse of the local density.
    provenance
        How it was made.

    Raises
    ------
    InputError
        If the shapes do not fit, or widths or decays are not positive.
    """

    name: str
    sigma_mm: Doubles
    decay_per_mm: Doubles
    amplitude_gy: Doubles
    source_sigma_mm: float = 0.0
    electron_gaussians: int = 0
    provenance: str = ""

    def __post_init__(self) -> None:
        for field in ("sigma_mm", "decay_per_mm", "amplitude_gy"):
            object.__setattr__(self, field, np.array(getattr(self, field), dtype=np.float64))
        for field in ("sigma_mm", "decay_per_mm"):
            value = getattr(self, field)
            if value.ndim != 1 or not np.all(np.isfinite(value) & (value > 0.0)):
                raise InputError(f"kernel.{field}", value.tolist(), "a list of positive numbers")
        if not 0.0 <= self.source_sigma_mm <= self.sigma_mm.min():
            found = self.source_sigma_mm
            raise InputError("kernel.source_sigma_mm", found, "not negative, nor above a Gaussian's")
        shape = (self.sigma_mm.size, self.decay_per_mm.size)
        if self.amplitude_gy.shape != shape or not np.all(np.isfinite(self.amplitude_gy)):
            raise InputError(
                "kernel.amplitude_gy", f"shape {self.amplitude_gy.shape}", f"{shape}, all finite"
            )

    def weights_gy(self, depth_mm: ArrayLike) -> Doubles:
        """A_j at depths ``(n,)`` in mm of water: ``(n, gaussians)`` Gy per monitor unit, none below 0."""
        depth = np.maximum(np.asarray(depth_mm, dtype=np.float64), 0.0)
        return np.maximum(np.exp(-np.multiply.outer(depth, self.decay_per_mm)) @ self.amplitude_gy.T, 0.0)

    def on_axis_gy(
        self, depth_mm: ArrayLike, side_mm: float, surface_mm: float = SOURCE_DISTANCE_MM
    ) -> Doubles:
        """Dose per monitor unit on the axis of a square field in water.

        Parameters
        ----------
        depth_mm
            Depths ``(n,)``.
        side_mm
            Side of the field at the surface.
        surface_mm
            Distance of the surface from the source.
        """
        depth = np.asarray(depth_mm, dtype=np.float64)
        growth = 1.0 + depth / surface_mm
        part = erf(0.5 * side_mm * growth[:, None] / (np.sqrt(2.0) * self.sigma_mm))
        spread = (SOURCE_DISTANCE_MM / (surface_mm + depth)) ** 2
        return np.asarray(spread * (self.weights_gy(depth) * part**2).sum(axis=1))
