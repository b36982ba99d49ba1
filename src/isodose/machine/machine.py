"""The treatment machine: what it can deliver, and the beam that leaves its nozzle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.base_data import BaseData

_ENERGY_TOLERANCE_MEV_U = 1e-3
"""Energies this close to a bound or to a member of the energy list are taken as equal (rounding of files)."""


@dataclass(frozen=True, slots=True, eq=False)
class BeamOptics:
    """The pencil beam in air by nominal energy.

    Over the distance z downstream of the isocentre plane the spot's variance is
    ``sigma^2 + 2 correlation sigma divergence z + divergence^2 z^2`` (a Gaussian phase space, each axis by
    itself).

    Parameters
    ----------
    energy_mev_u
        Ascending nominal energies, ``(n,)`` MeV/u.
    sigma_mm
        Standard deviation of the position at the isocentre, x and y, ``(n, 2)`` mm.
    divergence_rad
        Standard deviation of the angle, x and y, ``(n, 2)`` rad.
    correlation
        Correlation of position and angle at the isocentre, x and y, ``(n, 2)``; negative where the beam
        still converges.
    energy_spread_percent
        Standard deviation of the energy in percent of nominal, ``(n,)``.
    particles_per_mu
        Calibration of the monitor chamber, ``(n,)`` particles per MU.
    """

    energy_mev_u: NDArray[np.float64]
    sigma_mm: NDArray[np.float64]
    divergence_rad: NDArray[np.float64]
    correlation: NDArray[np.float64]
    energy_spread_percent: NDArray[np.float64]
    particles_per_mu: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shifter:
    """A range shifter that the machine has.

    Parameters
    ----------
    name
        Identifier, as in DICOM's Range Shifter ID.
    thickness_mm
        Geometric thickness.
    material
        Name of a material of ``isodose.physics.materials``.
    distance_mm
        From the isocentre to the downstream face, where it usually sits.
    """

    name: str
    thickness_mm: float
    material: str
    distance_mm: float


@dataclass(frozen=True, slots=True)
class Machine:
    """A beam line for one ion.

    Parameters
    ----------
    name
        By which plans refer to it.
    ion
        ``"proton"``, ``"helium"``, ``"carbon"`` or ``"oxygen"``.
    description
        What it stands for.
    energy_range_mev_u
        Lowest and highest nominal energy, MeV/u.
    energies_mev_u
        The energies that it has, ascending; empty where every energy of the range can be had.
    optics
        Spot, energy spread and calibration by energy.
    source_distance_mm
        From the virtual sources of the x and of the y deflection to the isocentre.
    nozzle_distance_mm
        From the nozzle's exit to the isocentre.
    shifters
        Range shifters.
    snouts
        Identifiers of the snouts.
    base_data
        Pencil beams in water by energy, if the machine has been commissioned.
    """

    name: str
    ion: str
    description: str
    energy_range_mev_u: tuple[float, float]
    energies_mev_u: tuple[float, ...]
    optics: BeamOptics
    source_distance_mm: tuple[float, float]
    nozzle_distance_mm: float
    shifters: tuple[Shifter, ...] = ()
    snouts: tuple[str, ...] = ()
    base_data: BaseData | None = None

    def check_energy(self, energy_mev_u: float, field: str = "energy_mev_u") -> None:
        """Refuse an energy that the machine does not have.

        Raises
        ------
        InputError
            If the energy is outside the range or, for a machine with a list of energies, not on it.
        """
        nearest = self.nearest_energy_mev_u(energy_mev_u, field)
        if abs(nearest - energy_mev_u) > _ENERGY_TOLERANCE_MEV_U:
            raise InputError(
                field,
                f"{energy_mev_u:g} MeV/u",
                f"an energy on the list of machine {self.name!r} (nearest is {nearest:g})",
            )

    def nearest_energy_mev_u(self, energy_mev_u: float, field: str = "energy_mev_u") -> float:
        """Deliverable energy nearest to one inside the range.

        Raises
        ------
        InputError
            If the energy is outside the range.
        """
        low, high = self.energy_range_mev_u
        if not low - _ENERGY_TOLERANCE_MEV_U <= energy_mev_u <= high + _ENERGY_TOLERANCE_MEV_U:
            raise InputError(
                field, f"{energy_mev_u:g} MeV/u", f"{low:g} to {high:g} MeV/u of machine {self.name!r}"
            )
        if not self.energies_mev_u:
            return energy_mev_u
        return min(self.energies_mev_u, key=lambda e: abs(e - energy_mev_u))

    def spot_sigma_mm(self, energy_mev_u: float) -> tuple[float, float]:
        """Return the standard deviation of the spot at the isocentre in air, x and y, in mm."""
        return self._pair(self.optics.sigma_mm, energy_mev_u)

    def divergence_rad(self, energy_mev_u: float) -> tuple[float, float]:
        """Return the standard deviation of the angle, x and y, in rad."""
        return self._pair(self.optics.divergence_rad, energy_mev_u)

    def correlation(self, energy_mev_u: float) -> tuple[float, float]:
        """Correlation of position and angle at the isocentre, x and y."""
        return self._pair(self.optics.correlation, energy_mev_u)

    def energy_spread_percent(self, energy_mev_u: float) -> float:
        """Return the standard deviation of the energy in percent of nominal."""
        return self._at(self.optics.energy_spread_percent, energy_mev_u)

    def particles_per_mu(self, energy_mev_u: float) -> float:
        """Particles per monitor unit at a nominal energy."""
        return self._at(self.optics.particles_per_mu, energy_mev_u)

    def shifter(self, name: str) -> Shifter:
        """Range shifter by name.

        Raises
        ------
        InputError
            If the machine has none of that name.
        """
        for shifter in self.shifters:
            if shifter.name == name:
                return shifter
        have = ", ".join(s.name for s in self.shifters) or "(none)"
        raise InputError("range_shifter", repr(name), f"one of machine {self.name!r}: {have}")

    def _at(self, column: NDArray[np.float64], energy_mev_u: float) -> float:
        self.check_energy(energy_mev_u)
        return float(np.interp(energy_mev_u, self.optics.energy_mev_u, column))

    def _pair(self, columns: NDArray[np.float64], energy_mev_u: float) -> tuple[float, float]:
        return self._at(columns[:, 0], energy_mev_u), self._at(columns[:, 1], energy_mev_u)
