"""Spot counts of an arc: how many spots of each energy meet the target and the organs, without any dose.

The representation of Yang et al., arXiv 2506.15803 (SPArc_dl): matrices of control points by energies. A spot
is a ray of the lattice that aims at the target together with an energy whose range ends in the target there.
It meets an organ if its protons reach it, which is where the range is at least the depth at which the ray
enters the organ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.arc.control_points import Arc, ControlPoint, control_points
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import spot_rays
from isodose.plan.depth_dose import range_mm
from isodose.plan.placement import layer_energies
from isodose.plan.plan import Beam
from isodose.plan.range_shifter import water_equivalent_mm
from isodose.plan.ray_casting import trace
from isodose.plan.target_view import TargetView, view_target


@dataclass(frozen=True, slots=True)
class SpotLattice:
    """How an arc's spots are laid.

    Parameters
    ----------
    spacing_mm
        Distance of spots on the isocentre plane.
    lateral_margin_mm
        How far spots reach beside the target.
    depth_margin_mm
        How far ranges reach before and behind the target, in water.
    layer_spacing_mm
        Distance of ranges in water, for machines without a list of energies.
    """

    spacing_mm: float = 5.0
    lateral_margin_mm: float = 3.0
    depth_margin_mm: float = 2.0
    layer_spacing_mm: float = 3.0

    def __post_init__(self) -> None:
        for name in ("spacing_mm", "layer_spacing_mm"):
            if not 0.5 <= getattr(self, name) <= 50.0:
                raise InputError(f"lattice.{name}", getattr(self, name), "0.5 to 50 mm")
        for name in ("lateral_margin_mm", "depth_margin_mm"):
            if not 0.0 <= getattr(self, name) <= 50.0:
                raise InputError(f"lattice.{name}", getattr(self, name), "0 to 50 mm")


@dataclass(frozen=True, slots=True, eq=False)
class SpotCounts:
    """What the control points of an arc see.

    Parameters
    ----------
    points
        Control points, in the order of delivery.
    isocentre_mm
        In the patient frame.
    energies_mev_u
        The machine's energies, ascending, ``(energies,)``.
    range_mm
        Their ranges in water behind each control point's range shifter, ``(points, energies)`` mm; negative
        where the shifter stops them.
    views
        The target as each control point sees it.
    lattice
        How the spots are laid.
    target
        Spots that end in the target, int32 ``(points, energies)``.
    organs
        Those of them that reach an organ, by its name.
    max_wet_mm
        Greatest water-equivalent depth of the target, ``(points,)`` mm.
    """

    points: tuple[ControlPoint, ...]
    isocentre_mm: tuple[float, float, float]
    energies_mev_u: NDArray[np.float64]
    range_mm: NDArray[np.float64]
    views: tuple[TargetView, ...]
    lattice: SpotLattice
    target: NDArray[np.int32]
    organs: Mapping[str, NDArray[np.int32]]
    max_wet_mm: NDArray[np.float64]

    def avoiding(self, organ: str) -> NDArray[np.int32]:
        """Spots that end in the target and do not reach an organ, int32 ``(points, energies)``.

        Raises
        ------
        InputError
            If the organ was not counted.
        """
        if organ not in self.organs:
            raise InputError("organ", repr(organ), f"one of {', '.join(self.organs) or '(none counted)'}")
        return self.target - self.organs[organ]

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Layers that have a spot, ``(points, energies)``."""
        return np.asarray(self.target > 0)

    def spots(self, point: int, energy: int) -> NDArray[np.bool_]:
        """Which rays of a control point's view carry a spot of an energy."""
        return _ends_in_target(self.views[point], self.range_mm[point, energy], self.lattice)


def arc_energies(machine: Machine, spacing_mm: float = 3.0) -> NDArray[np.float64]:
    """Energies of a machine, ascending: its list, or over its whole range at a distance of ranges."""
    if machine.energies_mev_u:
        return np.array(machine.energies_mev_u)
    low, high = range_mm(machine.ion, np.array(machine.energy_range_mev_u))
    return np.array(layer_energies(float(low), float(high), machine, spacing_mm))


def count_spots(
    patient: Patient,
    target: str,
    machine: Machine,
    arcs: Sequence[Arc],
    organs: Sequence[str] = (),
    lattice: SpotLattice = SpotLattice(),  # immutable
    *,
    energies_mev_u: Sequence[float] | None = None,
    isocentre_mm: tuple[float, float, float] | None = None,
    calibration: HounsfieldCalibration | None = None,
) -> SpotCounts:
    """Count the spots of every layer of an arc by ray casting.

    Parameters
    ----------
    patient
        CT and structures.
    target
        Name of the structure to irradiate.
    machine
        Gives energies and virtual sources.
    arcs
        One after the other.
    organs
        Names of the structures to avoid.
    lattice
        Spacings and margins.
    energies_mev_u
        Energies to choose among, of those that the machine has; by default `arc_energies`.
    isocentre_mm
        Patient frame; the target's centre of mass by default.
    calibration
        Hounsfield calibration; the one that the patient names by default.

    Raises
    ------
    InputError
        If a structure is unknown or empty, the target lies outside the body or beyond all of the energies, or
        the machine does not have an energy.
    """
    structure = _filled(patient, target)
    avoided = {name: _filled(patient, name) for name in organs}
    rsp = (calibration or calibration_of(patient.calibration)).rsp(patient.ct, patient.external)
    centre = structure.centre_mm if isocentre_mm is None else isocentre_mm
    points = control_points(tuple(arcs))
    energies = _energies(machine, energies_mev_u, lattice)
    in_water = range_mm(machine.ion, energies)
    ranges = np.stack([in_water - _shifter_mm(point) for point in points])
    counted = np.zeros(ranges.shape, dtype=np.int32)
    by_organ = {name: np.zeros(ranges.shape, dtype=np.int32) for name in organs}
    views: list[TargetView] = []
    for g, point in enumerate(points):
        beam = Beam("", point.gantry_angle_deg, point.couch_angle_deg, centre, (), point.range_shifter)
        view = view_target(
            beam, rsp, structure, machine.source_distance_mm, patient.position,
            lattice.spacing_mm, lattice.lateral_margin_mm,
        )  # fmt: skip
        views.append(view)
        ends = np.stack([_ends_in_target(view, r, lattice) for r in ranges[g]])
        counted[g] = ends.sum(axis=1)
        for name, organ in avoided.items():
            entry = _entry_mm(beam, view, rsp, organ, machine, patient.position)
            by_organ[name][g] = (ends & (ranges[g][:, None] >= entry)).sum(axis=1)
    depth = np.array([view.distal_mm.max() for view in views])
    counts = SpotCounts(points, centre, energies, ranges, tuple(views), lattice, counted, by_organ, depth)
    _check_reach(counts, structure)
    return counts


def _filled(patient: Patient, name: str) -> Structure:
    structure = patient.structure(name)
    if structure.is_empty:
        raise InputError(f"structure {structure.name!r}", "an empty structure", "one with voxels")
    return structure


def _energies(machine: Machine, given: Sequence[float] | None, lattice: SpotLattice) -> NDArray[np.float64]:
    if given is None:
        return arc_energies(machine, lattice.layer_spacing_mm)
    energies = np.unique(np.asarray(given, dtype=np.float64))
    if not energies.size:
        raise InputError("energies_mev_u", "none", "at least one energy")
    for energy in energies:
        machine.check_energy(float(energy), "energies_mev_u")
    return energies


def _shifter_mm(point: ControlPoint) -> float:
    """Water-equivalent thickness of a control point's range shifter, 0 without one."""
    return 0.0 if point.range_shifter is None else water_equivalent_mm(point.range_shifter)


def _ends_in_target(view: TargetView, range_in_water_mm: float, lattice: SpotLattice) -> NDArray[np.bool_]:
    margin = lattice.depth_margin_mm
    return np.asarray(
        (range_in_water_mm > 0.0)
        & (range_in_water_mm >= view.proximal_mm - margin)
        & (range_in_water_mm <= view.distal_mm + margin)
    )


def _entry_mm(
    beam: Beam, view: TargetView, rsp: Volume, organ: Structure, machine: Machine, position: str
) -> NDArray[np.float64]:
    """Water-equivalent depth at which each ray enters an organ, infinite where it misses it."""
    rays = spot_rays(beam, view.x_mm, view.y_mm, machine.source_distance_mm, position)
    return np.nan_to_num(trace(rsp, organ.mask, *rays).proximal_mm, nan=np.inf)


def _check_reach(counts: SpotCounts, target: Structure) -> None:
    """Refuse a target in which no energy ends."""
    if not counts.target.any():
        found = f"a structure {counts.max_wet_mm.max():.0f} mm of water deep that no energy ends in"
        expected = f"one that ranges of {counts.range_mm.min():.0f} to {counts.range_mm.max():.0f} mm reach"
        raise InputError(f"target {target.name!r}", found, expected)
