"""From a plan and a machine to the arrays that histories are drawn from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.nozzle import BeamComponent
from isodose.patient.patient import Patient
from isodose.physics.materials import Material, material
from isodose.physics.species import SPECIES, species
from isodose.plan.beam_frame import beam_axes
from isodose.plan.depth_dose import energy_for_range, range_mm
from isodose.plan.plan import IONS, Beam, Plan
from isodose.transport.source import (
    AXIS_X,
    AXIS_Y,
    BEAM_COLUMNS,
    DIRECTION,
    ISOCENTRE,
    SHIFTER_FACE,
    SHIFTER_THICKNESS,
    SOURCE_DISTANCE_X,
    SOURCE_DISTANCE_Y,
    UPSTREAM,
    Source,
)

PHYSICS_MEV_U = {"proton": (1.0, 300.0)}
"""Energies that the physics covers, MeV/u, where they differ from `ION_MEV_U`."""
ION_MEV_U = (1.0, 430.0)


def check_energies(plan: Plan) -> None:
    """Refuse energies that a machine may offer but the tables of the physics do not cover.

    Raises
    ------
    InputError
        Naming the layer, as ``beams[0].layers[2].energy_mev_u``.
    """
    low, high = PHYSICS_MEV_U.get(plan.ion, ION_MEV_U)
    for i, beam in enumerate(plan.beams):
        for j, layer in enumerate(beam.layers):
            if not low <= layer.energy_mev_u <= high:
                raise InputError(
                    f"beams[{i}].layers[{j}].energy_mev_u",
                    f"{layer.energy_mev_u:g} MeV/u",
                    f"{low:g} to {high:g} MeV/u, which the physics covers for {plan.ion} beams",
                )


def shifter_materials(plan: Plan) -> tuple[Material, ...]:
    """Materials of the plan's range shifters, each once."""
    names = dict.fromkeys(b.range_shifter.material for b in plan.beams if b.range_shifter)
    return tuple(material(name) for name in names)


def plan_source(
    plan: Plan,
    machine: Machine,
    patient: Patient,
    corner_mm: NDArray[np.float64],
    row_of: Callable[[str], int],
) -> Source:
    """Source of a plan.

    Parameters
    ----------
    plan, machine, patient
        What is delivered, by what, to whom.
    corner_mm
        Lower corner (x, y, z) of the transport's box in the patient frame.
    row_of
        Row of a material, by name, in the transport tables.

    The plan is one that :func:`isodose.plan.plan_check.check_plan` lets pass.
    """
    spots, beam_of_spot, particles = [], [], []
    for b, beam in enumerate(plan.beams):
        for layer in beam.layers:
            planned = zip(layer.spots.x_mm, layer.spots.y_mm, layer.spots.particles, strict=True)
            wanted = [(x, y, weight) for x, y, weight in planned if weight > 0.0]
            for component in layer.components(machine):
                optics = _optics_row(machine, layer.energy_mev_u, component)
                spots += [(x, y, *optics) for x, y, _ in wanted]
                beam_of_spot += [b] * len(wanted)
                particles += [component.part * weight for _, _, weight in wanted]
    cumulative = np.cumsum(particles) / np.sum(particles)
    shifters = [beam.range_shifter for beam in plan.beams]
    return Source(
        cumulative,
        np.array(spots, dtype=np.float64),
        np.array(beam_of_spot, dtype=np.int64),
        np.array([_beam_row(beam, machine, patient, corner_mm) for beam in plan.beams]),
        np.array([material(s.material).density_g_cm3 if s else 0.0 for s in shifters], dtype=np.float32),
        np.array([row_of(s.material) if s else 0 for s in shifters], dtype=np.uint8),
        SPECIES.index(species(IONS[plan.ion])),
    )


def _optics_row(machine: Machine, energy_mev_u: float, component: BeamComponent) -> tuple[float, ...]:
    left = energy_mev_u
    if component.water_mm > 0.0:
        left = float(energy_for_range(machine.ion, range_mm(machine.ion, energy_mev_u) - component.water_mm))
    space = component.phase_space
    return (
        left,
        machine.energy_spread_percent(energy_mev_u) / 100.0 * energy_mev_u,
        *space.sigma_mm,
        *space.divergence_rad,
        *space.correlation,
    )


def _beam_row(
    beam: Beam, machine: Machine, patient: Patient, corner_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    row = np.zeros(BEAM_COLUMNS)
    ex, ey, direction = beam_axes(beam, patient.position)
    row[AXIS_X : AXIS_X + 3], row[AXIS_Y : AXIS_Y + 3], row[DIRECTION : DIRECTION + 3] = ex, ey, direction
    row[ISOCENTRE : ISOCENTRE + 3] = np.asarray(beam.isocentre_mm) - corner_mm
    row[SOURCE_DISTANCE_X], row[SOURCE_DISTANCE_Y] = machine.source_distance_mm
    lower, upper = patient.grid.lower_mm, patient.grid.upper_mm
    corners = np.array(
        [(x, y, z) for x in (lower[0], upper[0]) for y in (lower[1], upper[1]) for z in (lower[2], upper[2])]
    )
    # Start just outside the box: between nozzle and patient there is nothing that the CT does not show.
    row[UPSTREAM] = 1.0 + max(0.0, float(np.max(-(corners - np.asarray(beam.isocentre_mm)) @ direction)))
    if beam.range_shifter is not None:
        row[SHIFTER_FACE] = beam.range_shifter.distance_mm
        row[SHIFTER_THICKNESS] = beam.range_shifter.thickness_mm
    return row
