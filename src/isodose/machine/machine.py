"""The treatment machine: what it can deliver, and the beam that leaves its nozzle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.base_data import BaseData
from isodose.machine.nozzle import BeamComponent, Monitor, PhaseSpace, RippleFilter

_ENERGY_TOLERANCE_MEV_U = 1e-3
"""Energies this close to a bound or to a member of the energy list are taken as equal (rounding of files)."""

AIR_RSP = 0.0011
"""Stopping power of air relative to water in matRad and pyRadPlan, whose base data hold air."""


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
        Standard deviation of the energy in percent of nominal, ``(n,)``, before a ripple filter.
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
        Spot, energy spread and calibration by energy, of the usual focus.
    source_distance_mm
        From the virtual sources of the x and of the y deflection to the isocentre.
    nozzle_distance_mm
        From the nozzle's exit to the isocentre.
    shifters
        Range shifters.
    snouts
        Identifiers of the snouts.
    base_data
        Pencil beams in water by energy, if the machine has been commissioned; with the energy spread of beam
        and ripple filter, without spot size and monitor.
    foci
        Other foci by name, at the same energies as ``optics``.
    ripple_filter
        What blurs the range, if anything.
    monitor
        What scatters a part of the beam, if anything.
    fit_air_offset_mm
        Length of air between nozzle and water for which the base data stand; None where there was none, and
        air before the CT is not to be counted.
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
    foci: Mapping[str, BeamOptics] = field(default_factory=dict)
    ripple_filter: RippleFilter | None = None
    monitor: Monitor | None = None
    fit_air_offset_mm: float | None = None

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

    def at_focus(self, name: str | None, place: str = "focus") -> Machine:
        """Machine with the optics of one of its foci; None is the usual one.

        Raises
        ------
        InputError
            If the machine has no focus of that name.
        """
        if name is None:
            return self
        if name not in self.foci:
            have = ", ".join([*self.foci, "none for the usual one"])
            raise InputError(place, repr(name), f"a focus of machine {self.name!r}: {have}")
        return replace(self, optics=self.foci[name])

    def phase_space(self, energy_mev_u: float) -> PhaseSpace:
        """Phase space of the spot at the isocentre in air, before a monitor."""
        return PhaseSpace(
            self.spot_sigma_mm(energy_mev_u),
            self.divergence_rad(energy_mev_u),
            self.correlation(energy_mev_u),
        )

    def components(self, energy_mev_u: float, phase_space: PhaseSpace) -> tuple[BeamComponent, ...]:
        """Parts of a spot that reach the patient: what passes the monitor untouched, and what it scatters."""
        monitor = self.monitor
        if monitor is None:
            return (BeamComponent(1.0, phase_space, 0.0),)
        scattered = phase_space.scattered(self._at(monitor.angle_rad, energy_mev_u), monitor.distance_mm)
        return (
            BeamComponent(1.0 - monitor.part, phase_space, 0.0),
            BeamComponent(monitor.part, scattered, monitor.water_equivalent_mm),
        )

    def air_depth_mm(self, isocentre_to_surface_mm: float) -> float:
        """Water-equivalent depth of the air before a surface that the base data do not hold already, mm.

        Parameters
        ----------
        isocentre_to_surface_mm
            From the isocentre plane upstream to the surface, along the beam.
        """
        if self.fit_air_offset_mm is None:
            return 0.0
        return AIR_RSP * (self.nozzle_distance_mm - isocentre_to_surface_mm - self.fit_air_offset_mm)

    def energy_spread_percent(self, energy_mev_u: float) -> float:
        """Return the standard deviation of the energy in percent of nominal, behind a ripple filter."""
        spread = self.optics.energy_spread_percent
        if self.ripple_filter is not None:
            filtered = self.ripple_filter.energy_spread_percent(self.ion, self.optics.energy_mev_u)
            spread = np.hypot(spread, filtered)
        return self._at(spread, energy_mev_u)

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
