"""Energy layers and spots of a beam over a target, weighted for a flat dose."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.plan.beam_width import beam_sigma_mm
from isodose.plan.depth_dose import DepthDose, depth_dose, energy_for_range, range_mm
from isodose.plan.plan import Beam, Layer, RangeShifter, Spots
from isodose.plan.range_shifter import in_beam, water_equivalent_mm
from isodose.plan.spread_out_peak import OVERSHOOT, Weighting, layer_fluence
from isodose.plan.target_view import SpotPattern, TargetView, view_target

_QUANTUM_MM = 1.0
"""Depths are rounded to this before weighting, so that rays alike share their weights."""

_SPOTS_PER_SIGMA = 1.2
_LAYERS_PER_SIGMA = 1.25


@dataclass(frozen=True, slots=True)
class Placement:
    """How spots and layers are laid.

    Parameters
    ----------
    spot_spacing_mm
        Distance of spots on the isocentre plane; by default 1.2 standard deviations of the spot of the
        deepest layer, and at least 2 mm.
    layer_spacing_mm
        Distance of ranges in water; by default 1.25 standard deviations of the range (straggling and energy
        spread).
    lateral_margin_mm
        How far spots reach beside the target; by default 1.5 standard deviations of the spot, and at least
        3 mm.
    proximal_margin_mm, distal_margin_mm
        How far the flat dose reaches before and behind the target, in water.
    pattern
        Lattice.
    weighting
        How layers are weighted.
    """

    spot_spacing_mm: float | None = None
    layer_spacing_mm: float | None = None
    lateral_margin_mm: float | None = None
    proximal_margin_mm: float = 2.0
    distal_margin_mm: float = 2.0
    pattern: SpotPattern = SpotPattern.SQUARE
    weighting: Weighting = Weighting.LEAST_SQUARES

    def __post_init__(self) -> None:
        for name in ("spot_spacing_mm", "layer_spacing_mm"):
            value = getattr(self, name)
            if value is not None and not 0.1 <= value <= 100.0:
                raise InputError(f"placement.{name}", value, "0.1 to 100 mm")
        for name in ("lateral_margin_mm", "proximal_margin_mm", "distal_margin_mm"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 100.0:
                raise InputError(f"placement.{name}", value, "0 to 100 mm")


def place_beam(
    beam: Beam,
    rsp: Volume,
    target: Structure,
    machine: Machine,
    dose_gy: float,
    placement: Placement = Placement(),  # immutable
    position: str = "HFS",
) -> Beam:
    """Fill a beam with layers and spots that give a target a flat dose.

    Parameters
    ----------
    beam
        Name, angles, isocentre and, if wanted, a range shifter; its layers are replaced. Without a shifter
        the machine's thinnest that lets its lowest energy reach the target's near side is taken, where one
        is needed.
    rsp
        Stopping power relative to water.
    target
        Structure on the same grid.
    machine
        What delivers it.
    dose_gy
        Dose of this beam in the target, per fraction.
    placement
        Margins and spacings.
    position
        DICOM patient position.

    Raises
    ------
    InputError
        If the target is empty, outside the body, too deep for the machine or too shallow for its shifters.
    """
    if not target.grid.matches(rsp.grid):
        raise InputError(f"target {target.name!r}", "another grid", "the grid of the stopping powers")
    shallow, deep = _span(beam, rsp, target, machine, placement, position)
    shifter = beam.range_shifter or _choose_shifter(beam.name, shallow, machine)
    behind = 0.0 if shifter is None else water_equivalent_mm(shifter)
    _check_reach(beam.name, target.name, deep, behind, machine)
    energies = layer_energies(shallow + behind, deep + behind, machine, placement.layer_spacing_mm)
    view = view_target(
        beam, rsp, target, machine.source_distance_mm, position, *_lateral(placement, machine, energies[-1]),
        placement.pattern,
    )  # fmt: skip
    curves = [depth_dose(machine.ion, e, machine.energy_spread_percent(e)) for e in energies]
    particles = _ray_fluences(view, curves, placement, behind, dose_gy) * view.area_mm2
    lever = 0.0 if shifter is None else shifter.distance_mm
    depth = 0.5 * (view.middle[2] + view.middle[3])
    sigma = np.array([beam_sigma_mm(machine, e, depth, behind, lever) for e in energies])
    particles *= dose_gy / _central_dose(view, particles, curves, sigma, behind)
    return replace(beam, layers=_layers(view, energies, particles), range_shifter=shifter)


def layer_energies(
    shallow_mm: float, deep_mm: float, machine: Machine, spacing_mm: float | None = None
) -> list[float]:
    """Energies whose ranges in water span two depths, ascending, in MeV/u.

    Parameters
    ----------
    shallow_mm, deep_mm
        Water-equivalent depths, a range shifter's thickness included.
    machine
        Gives energies and energy spread.
    spacing_mm
        Distance of ranges; by default as in `Placement`.
    """
    low, high = (float(r) for r in range_mm(machine.ion, np.array(machine.energy_range_mev_u)))

    def curve(depth: float) -> tuple[float, float]:
        """Deliverable energy that stops nearest to a depth, and its range straggling in mm."""
        wanted = float(np.clip(energy_for_range(machine.ion, depth), *machine.energy_range_mev_u))
        energy = round(machine.nearest_energy_mev_u(wanted), 6)
        return energy, depth_dose(machine.ion, energy, machine.energy_spread_percent(energy)).range_sigma_mm

    depth = min(deep_mm + OVERSHOOT * curve(min(max(deep_mm, low), high))[1], high)
    energies: set[float] = set()
    while True:
        depth = max(depth, low)
        energy, sigma = curve(depth)
        energies.add(energy)
        if depth <= shallow_mm or depth <= low:
            return sorted(energies)
        depth -= spacing_mm or _LAYERS_PER_SIGMA * sigma


def _span(
    beam: Beam, rsp: Volume, target: Structure, machine: Machine, placement: Placement, position: str
) -> tuple[float, float]:
    """Shallowest and deepest water-equivalent depth of the target with its margins."""
    view = view_target(beam, rsp, target, machine.source_distance_mm, position, 2.0, 2.0)
    shallow = float(view.proximal_mm.min()) - placement.proximal_margin_mm
    return max(shallow, 0.0), float(view.distal_mm.max()) + placement.distal_margin_mm


def _choose_shifter(name: str, shallow_mm: float, machine: Machine) -> RangeShifter | None:
    missing = float(range_mm(machine.ion, machine.energy_range_mev_u[0])) - shallow_mm
    if missing <= 0:
        return None
    enough = sorted((water_equivalent_mm(s), i) for i, s in enumerate(machine.shifters))
    for thickness, i in enough:
        if thickness >= missing:
            return in_beam(machine.shifters[i])
    thickest = f"{enough[-1][0]:.0f} mm at most" if enough else "none"
    expected = f"one of at least {missing:.0f} mm of water, for a target {shallow_mm:.0f} mm deep"
    raise InputError(f"beam {name!r}: range shifter of machine {machine.name!r}", thickest, expected)


def _check_reach(name: str, target: str, deep_mm: float, behind_mm: float, machine: Machine) -> None:
    reach = float(range_mm(machine.ion, machine.energy_range_mev_u[1])) - behind_mm
    if deep_mm > reach:
        raise InputError(
            f"beam {name!r}: target {target!r}",
            f"{deep_mm:.0f} mm of water deep, with its margin",
            f"at most the {reach:.0f} mm that machine {machine.name!r} reaches",
        )


def _lateral(placement: Placement, machine: Machine, energy_mev_u: float) -> tuple[float, float]:
    """Spacing and lateral margin."""
    sigma = float(np.mean(machine.spot_sigma_mm(energy_mev_u)))
    spacing, margin = placement.spot_spacing_mm, placement.lateral_margin_mm
    return (
        max(_SPOTS_PER_SIGMA * sigma, 2.0) if spacing is None else spacing,
        max(1.5 * sigma, 3.0) if margin is None else margin,
    )


def _ray_fluences(
    view: TargetView, curves: list[DepthDose], placement: Placement, behind_mm: float, dose_gy: float
) -> NDArray[np.float64]:
    """Fluence of each layer on each ray, ``(layers, rays)`` per mm2."""
    near = np.maximum(view.proximal_mm - placement.proximal_margin_mm, 0.0) + behind_mm
    far = view.distal_mm + placement.distal_margin_mm + behind_mm
    spans = np.stack([np.floor(near / _QUANTUM_MM), np.ceil(far / _QUANTUM_MM)], axis=1).astype(int)
    unique, which = np.unique(spans, axis=0, return_inverse=True)
    table = np.empty((len(curves), len(unique)))
    for k, (a, b) in enumerate(unique):
        table[:, k] = layer_fluence(curves, a * _QUANTUM_MM, b * _QUANTUM_MM, dose_gy, placement.weighting)
    return np.asarray(table[:, which.ravel()])


def _central_dose(
    view: TargetView,
    particles: NDArray[np.float64],
    curves: list[DepthDose],
    sigma_mm: NDArray[np.float64],
    behind_mm: float,
) -> float:
    """Dose in the middle of the target, where a small field lacks what its spots lose to the sides."""
    x, y, proximal, distal = view.middle
    depths = behind_mm + np.linspace(0.75 * proximal + 0.25 * distal, 0.25 * proximal + 0.75 * distal, 5)
    square = view.magnification**2 * ((view.x_mm - x) ** 2 + (view.y_mm - y) ** 2)
    variance = sigma_mm[:, None] ** 2
    fluence = particles * np.exp(-square[None, :] / (2.0 * variance)) / (2.0 * np.pi * variance)
    per_depth = fluence.sum(axis=1) @ np.stack([curve.at(depths) for curve in curves])
    return float(per_depth.mean())


def _layers(view: TargetView, energies: list[float], particles: NDArray[np.float64]) -> tuple[Layer, ...]:
    """Layers from the deepest to the shallowest, without the spots that deliver nothing."""
    layers = []
    for energy, row in sorted(zip(energies, particles, strict=True), key=lambda pair: -pair[0]):
        used = row > 1e-4 * particles.max()
        if used.any():
            layers.append(Layer(energy, Spots(view.x_mm[used], view.y_mm[used], row[used])))
    return tuple(layers)
