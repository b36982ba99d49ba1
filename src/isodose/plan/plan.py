"""The plan: what the machine is asked to deliver."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.nozzle import BeamComponent, PhaseSpace
from isodose.physics.species import IONS as IONS  # a plan's ions, for those who read plans


@dataclass(frozen=True, slots=True)
class Spots:
    """Spots of one energy layer.

    Parameters
    ----------
    x_mm, y_mm
        Positions on the isocentre plane in the beam's eye view (IEC gantry X and Y), ``(n,)`` mm.
    particles
        Number of particles of each spot and fraction, ``(n,)``.
    """

    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]
    particles: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("x_mm", "y_mm", "particles"):
            value = np.ascontiguousarray(np.atleast_1d(getattr(self, name)), dtype=np.float64)
            if value.ndim != 1 or not np.all(np.isfinite(value)):
                raise InputError(f"spots.{name}", "non-finite or nested values", "a list of finite numbers")
            object.__setattr__(self, name, value)
        if not self.x_mm.size == self.y_mm.size == self.particles.size:
            raise InputError(
                "spots",
                f"{self.x_mm.size} x, {self.y_mm.size} y and {self.particles.size} weights",
                "as many of each",
            )
        if np.any(self.particles < 0):
            raise InputError("spots.particles", float(self.particles.min()), "no negative weight")

    def __len__(self) -> int:
        return self.x_mm.size


@dataclass(frozen=True, slots=True)
class Layer:
    """Spots of one energy.

    Parameters
    ----------
    energy_mev_u
        Nominal energy at the nozzle's entrance, before a range shifter, in MeV/u.
    spots
        Where, and how many particles.
    sigma_mm
        Standard deviation of the spots at the isocentre in air, x and y, where it is not the machine's:
        measured, or changed on purpose.
    focus
        One of the machine's foci by name; None is its usual one.
    """

    energy_mev_u: float
    spots: Spots
    sigma_mm: tuple[float, float] | None = None
    focus: str | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.energy_mev_u) and self.energy_mev_u > 0):
            raise InputError("layer.energy_mev_u", self.energy_mev_u, "a positive energy in MeV/u")
        if self.sigma_mm is not None:
            size = tuple(float(s) for s in self.sigma_mm)
            if len(size) != 2 or not all(0.0 < s < np.inf for s in size):
                raise InputError("layer.sigma_mm", self.sigma_mm, "two positive numbers (x, y) in mm")
            object.__setattr__(self, "sigma_mm", size)

    def spot_sigma_mm(self, machine: Machine) -> tuple[float, float]:
        """Spot size at the isocentre in air, x and y: the layer's own if it has one, else its focus's.

        Raises
        ------
        InputError
            If the machine does not have the energy or the focus.
        """
        return self.phase_space(machine).sigma_mm

    def phase_space(self, machine: Machine) -> PhaseSpace:
        """Phase space of the spots as they leave the machine's magnets; errors as of `spot_sigma_mm`."""
        found = machine.at_focus(self.focus).phase_space(self.energy_mev_u)
        return found if self.sigma_mm is None else replace(found, sigma_mm=self.sigma_mm)

    def components(self, machine: Machine) -> tuple[BeamComponent, ...]:
        """Parts of the beam, such as pristine and scattered; errors as of `spot_sigma_mm`."""
        return machine.components(self.energy_mev_u, self.phase_space(machine))


@dataclass(frozen=True, slots=True)
class RangeShifter:
    """A slab that shortens the range.

    Parameters
    ----------
    name
        Identifier of the machine's shifter.
    thickness_mm
        Geometric thickness.
    material
        Name of a material of ``isodose.physics.materials``.
    distance_mm
        From the isocentre to the downstream face.
    """

    name: str
    thickness_mm: float
    material: str = "lexan"
    distance_mm: float = 300.0


@dataclass(frozen=True, slots=True)
class Beam:
    """One field.

    Parameters
    ----------
    name
        As in the report.
    gantry_angle_deg, couch_angle_deg
        IEC 61217 angles.
    isocentre_mm
        Isocentre (x, y, z) in the patient frame.
    layers
        In the order of delivery.
    range_shifter
        Slab in the beam, if any.
    snout_position_mm
        From the isocentre to the downstream face of the snout, if known.
    """

    name: str
    gantry_angle_deg: float
    couch_angle_deg: float
    isocentre_mm: tuple[float, float, float]
    layers: tuple[Layer, ...]
    range_shifter: RangeShifter | None = None
    snout_position_mm: float | None = None

    def __post_init__(self) -> None:
        place = f"beam {self.name!r}: "
        for name in ("gantry_angle_deg", "couch_angle_deg"):
            if not np.isfinite(getattr(self, name)):
                raise InputError(place + name, getattr(self, name), "a finite angle")
        if len(self.isocentre_mm) != 3 or not np.all(np.isfinite(self.isocentre_mm)):
            raise InputError(
                place + "isocentre_mm", self.isocentre_mm, "three finite numbers (x, y, z) in mm"
            )

    @property
    def spot_count(self) -> int:
        """Number of spots over all layers."""
        return sum(len(layer.spots) for layer in self.layers)

    @property
    def particles(self) -> float:
        """Number of particles per fraction."""
        return float(sum(layer.spots.particles.sum() for layer in self.layers))


@dataclass(frozen=True)
class Plan:
    """Beams of one ion on one machine.

    Parameters
    ----------
    name
        Label of the plan.
    ion
        ``"proton"``, ``"helium"``, ``"carbon"`` or ``"oxygen"``.
    machine
        Name of a machine that ``isodose.machine`` knows.
    beams
        The fields.
    fractions
        Number of fractions; spot weights are per fraction.
    prescription_gy
        Prescribed physical dose per fraction, if known.
    target
        Name of the structure the dose is meant for, if known.
    """

    name: str
    ion: str
    machine: str
    beams: tuple[Beam, ...]
    fractions: int = 1
    prescription_gy: float | None = None
    target: str | None = None
    metadata: dict[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.ion not in IONS:
            raise InputError("plan.ion", self.ion, f"one of {', '.join(IONS)}")
        if not self.beams:
            raise InputError("plan.beams", "none", "at least one beam")
        if not self.fractions >= 1 or self.fractions % 1:
            raise InputError("plan.fractions", self.fractions, "a whole number of at least 1")
        if self.prescription_gy is not None and not 0.0 < self.prescription_gy < np.inf:
            raise InputError("plan.prescription_gy", self.prescription_gy, "a positive dose in Gy")

    def scaled(self, factor: float) -> Plan:
        """Plan with every spot's number of particles times a positive factor."""
        if not (np.isfinite(factor) and factor > 0):
            raise InputError("factor", factor, "a positive number")

        def times(spots: Spots) -> Spots:
            return replace(spots, particles=spots.particles * factor)

        def heavier(beam: Beam) -> Beam:
            return replace(beam, layers=tuple(replace(la, spots=times(la.spots)) for la in beam.layers))

        return replace(self, beams=tuple(heavier(beam) for beam in self.beams))

    @cached_property
    def particles(self) -> float:
        """Number of particles per fraction over all beams."""
        return sum(beam.particles for beam in self.beams)
