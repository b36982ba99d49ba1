"""What the beam passes on its way out of the nozzle, and the phase space in which it arrives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.physics.materials import WATER
from isodose.physics.species import IONS, species
from isodose.physics.stopping import mass_stopping_power

_CM_PER_MM = 0.1

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PhaseSpace:
    """Gaussian phase space of a spot on the isocentre plane in air, each axis by itself.

    Parameters
    ----------
    sigma_mm
        Standard deviation of the position, x and y.
    divergence_rad
        Standard deviation of the angle.
    correlation
        Correlation of position and angle; negative where the beam still converges.
    """

    sigma_mm: Pair
    divergence_rad: Pair
    correlation: Pair

    def scattered(self, angle_rad: float, distance_mm: float) -> PhaseSpace:
        """Phase space after a Gaussian deflection a distance upstream of the isocentre.

        Parameters
        ----------
        angle_rad
            Standard deviation of the deflection in a plane.
        distance_mm
            From the isocentre upstream to where it happens.

        Returns
        -------
        PhaseSpace
            Moments add: ``angle^2`` to the variance of the angle, ``angle^2 distance`` to the covariance and
            ``angle^2 distance^2`` to the variance of the position.
        """
        sigma, divergence = np.array(self.sigma_mm), np.array(self.divergence_rad)
        growth = angle_rad**2
        wider = np.sqrt(sigma**2 + growth * distance_mm**2)
        steeper = np.sqrt(divergence**2 + growth)
        mixed = np.array(self.correlation) * sigma * divergence + growth * distance_mm
        together = wider * steeper
        # A beam without any angular spread has no correlation.
        correlation = np.clip(np.divide(mixed, together, out=np.zeros(2), where=together > 0.0), -1.0, 1.0)
        return PhaseSpace(_pair(wider), _pair(steeper), _pair(correlation))


@dataclass(frozen=True, slots=True)
class BeamComponent:
    """A part of the particles of a spot.

    Parameters
    ----------
    part
        Of the particles; those of all components add up to 1.
    phase_space
        In which they reach the isocentre plane in air.
    water_mm
        Water-equivalent thickness that they have passed before the patient, which the others have not.
    """

    part: float
    phase_space: PhaseSpace
    water_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """Wires in the beam: some particles pass them, are scattered and lose energy; the others do not.

    With the pristine beam these make a dual pencil beam (Mein et al., Sci Rep 8 (2018) 14829).

    Parameters
    ----------
    part
        Of the particles that pass wires, 0 to 1.
    distance_mm
        From the isocentre upstream to the wires.
    water_equivalent_mm
        Mean thickness of the wires.
    angle_rad
        Standard deviation of the deflection in a plane, for each row of the machine's optics, ``(n,)``.
    """

    part: float
    distance_mm: float
    water_equivalent_mm: float
    angle_rad: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RippleFilter:
    """A sheet of fine grooves that blurs the range of ions, so that fewer layers make a flat dose.

    Parameters
    ----------
    name
        Identifier.
    range_sigma_mm
        Standard deviation of its water-equivalent thickness, for each row of the machine's optics, ``(n,)``.
    """

    name: str
    range_sigma_mm: NDArray[np.float64]

    def energy_spread_percent(self, ion: str, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energy spread that blurs the range as much, at the energies of the optics, ``(n,)`` percent.

        The range changes with the energy by ``A / S``, the reciprocal of the stopping power per nucleon.
        """
        particle = species(IONS[ion])
        stopping_mev_cm = mass_stopping_power(particle, energy_mev_u, WATER) * WATER.density_g_cm3
        spread_mev_u = self.range_sigma_mm * _CM_PER_MM * stopping_mev_cm / particle.nucleons
        return np.asarray(100.0 * spread_mev_u / energy_mev_u)


def _pair(values: NDArray[np.float64]) -> Pair:
    return float(values[0]), float(values[1])
