"""From the simulated kernel and four numbers of a linear accelerator to the kernel of `generic_6mv`.

To repeat it: ``print(fit_kernel(simulate_kernel(1_000_000, seed=1)).amplitude_gy)``, a minute on one core.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ncx2

from isodose.photon.kernel import PhotonKernel
from isodose.photon.kernel_simulation import (
    DEPTH_STEP_MM,
    DEPTHS,
    ENERGY_EDGES_MEV,
    RADIUS_EDGES_MM,
    SimulatedKernel,
)

Doubles = NDArray[np.float64]

_SIGMA_MM = np.array([2.6, 4.5, 12.0, 35.0, 100.0])
_DECAY_PER_MM = np.array([0.0025, 0.0045, 0.008, 0.05, 0.2, 0.5])
_DISCS_MM = np.array(
    [1.0, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 125, 150, 200, 260]
)  # fmt: skip
_EXTRAFOCAL, _CONTAMINATION_DECAY = 3, 0.1
"""The Gaussian, behind those of the kernel's electrons, that takes the extrafocal radiation and the electrons
of the head, and the latter's decay per mm."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What the head does to the beam.

    Parameters
    ----------
    spectrum_power, spectrum_decay_per_mev
        Numbers of photons are ``E^power exp(-decay E)`` from 0.25 to 6 MeV, a form chosen for its shape. The
        decay is chosen for 67 % of the maximum at 100 mm depth; it makes the mean 1.85 MeV.
    source_sigma_mm
        Of the source at the isocentre plane: FWHM 5.6 mm.
    extrafocal
        Photons scattered in the head per photon of the source; 0.06 is a choice, without a source that was
        looked up, that gives output factors of accelerators (``tests/photon/test_kernel.py``). Taken to be
        spread as the fourth Gaussian, 35 mm, at the isocentre.
    contamination
        Dose of electrons from the head at the surface, over the largest dose of the photons; it falls by
        exp(-z / 10 mm).
    """

    spectrum_power: float = 0.5
    spectrum_decay_per_mev: float = 0.8
    source_sigma_mm: float = 2.4
    extrafocal: float = 0.06
    contamination: float = 0.08

    def photons(self) -> Doubles:
        """Relative numbers in the energy bins of the simulation."""
        energy = np.linspace(0.25, 6.0, 2301)
        number = energy**self.spectrum_power * np.exp(-self.spectrum_decay_per_mev * energy)
        return np.histogram(energy, ENERGY_EDGES_MEV, weights=number)[0].astype(np.float64)


def fit_kernel(simulated: SimulatedKernel, accelerator: Accelerator = Accelerator()) -> PhotonKernel:
    """Gaussians and exponentials for the energy in discs around the blurred pencil, by least squares."""
    rings = simulated.of_spectrum(accelerator.photons())
    discs = rings @ _blur(accelerator.source_sigma_mm)
    depth = (np.arange(DEPTHS) + 0.5) * DEPTH_STEP_MM
    half = 0.5 * DEPTH_STEP_MM * _DECAY_PER_MM
    by_depth = np.exp(-np.outer(depth, _DECAY_PER_MM)) * np.sinh(half) / half  # means over the slabs
    by_disc = 1.0 - np.exp(-0.5 * (_DISCS_MM[:, None] / _SIGMA_MM) ** 2)
    design = np.einsum("zi,rj->zrji", by_depth, by_disc).reshape(discs.size, -1) / discs.reshape(-1, 1)
    solution = np.linalg.lstsq(design, np.ones(discs.size))[0]
    amplitude = solution.reshape(_SIGMA_MM.size, _DECAY_PER_MM.size)
    return _with_head(amplitude, accelerator)


def _with_head(amplitude: Doubles, accelerator: Accelerator) -> PhotonKernel:
    """Add what else comes out of the head, and scale to monitor units."""
    narrow = amplitude[:_EXTRAFOCAL].sum(axis=0)
    amplitude = amplitude.copy()
    amplitude[_EXTRAFOCAL:] *= 1.0 + accelerator.extrafocal
    amplitude[_EXTRAFOCAL] += accelerator.extrafocal * narrow
    depths = np.arange(0.0, 60.0, 0.25)
    decay = np.append(_DECAY_PER_MM, _CONTAMINATION_DECAY)
    amplitude = np.pad(amplitude, ((0, 0), (0, 1)))
    largest = PhotonKernel("", _SIGMA_MM, decay, amplitude).on_axis_gy(depths, 100.0).max()
    amplitude[_EXTRAFOCAL, -1] = accelerator.contamination * largest
    kernel = PhotonKernel("generic_6mv", _SIGMA_MM, decay, amplitude)
    amplitude *= 0.01 / kernel.on_axis_gy(depths, 100.0).max()
    return replace(
        kernel,
        amplitude_gy=amplitude,
        source_sigma_mm=accelerator.source_sigma_mm,
        electron_gaussians=_EXTRAFOCAL,
        provenance=f"isodose.photon.kernel_fit, {accelerator}",
    )


def _blur(sigma_mm: float) -> Doubles:
    """Part of each ring's energy in each disc when the pencil becomes a Gaussian, ``(rings, discs)``."""
    radius = np.sqrt(0.5 * (RADIUS_EDGES_MM[1:] ** 2 + RADIUS_EDGES_MM[:-1] ** 2))
    return np.asarray(ncx2.cdf((_DISCS_MM / sigma_mm) ** 2, 2, (radius[:, None] / sigma_mm) ** 2))
