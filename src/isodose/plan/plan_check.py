"""Check that a plan can be delivered by a machine to a patient, before an engine spends time on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.physics.materials import MATERIALS
from isodose.plan.beam_frame import spot_rays
from isodose.plan.plan import Beam, Plan
from isodose.plan.range_shifter import water_equivalent_mm
from isodose.plan.ray_casting import trace

BODY_ABOVE_HU = -300.0
"""Where there is no outline of the body, it is what is denser than this."""

_ALLOWED_SIGMAS = 3.0
"""A spot may aim past the skin by so many standard deviations of its width, as it does over a breast."""


def check_plan(plan: Plan, machine: Machine, patient: Patient | None = None) -> None:
    """Refuse a plan that the machine cannot deliver or that does not meet the patient.

    Parameters
    ----------
    plan
        What to check.
    machine
        What is to deliver it.
    patient
        Whom it is for; without one only the machine's limits are checked.

    Raises
    ------
    InputError
        Naming the first field that is wrong, as ``beams[0].layers[2].energy_mev_u``: another ion, an energy,
        a focus or a range shifter that the machine has not, no layers, spots or particles, a spot that misses
        the patient.
    """
    if plan.ion != machine.ion:
        raise InputError("ion", plan.ion, f"{machine.ion}, the ion of machine {machine.name!r}")
    for i, beam in enumerate(plan.beams):
        _check_beam(beam, machine, f"beams[{i}]")
    if patient is None:
        return
    external = patient.external
    body = patient.ct.values > BODY_ABOVE_HU if external is None else external.mask
    for i, beam in enumerate(plan.beams):
        _check_aim(beam, machine, patient, body, f"beams[{i}]")


def _check_beam(beam: Beam, machine: Machine, field: str) -> None:
    if not beam.layers:
        raise InputError(f"{field}.layers", "none", "at least one layer")
    for j, layer in enumerate(beam.layers):
        machine.check_energy(layer.energy_mev_u, f"{field}.layers[{j}].energy_mev_u")
        machine.at_focus(layer.focus, f"{field}.layers[{j}].focus")
        if len(layer.spots) == 0:
            raise InputError(f"{field}.layers[{j}].spots", "none", "at least one spot")
    if not beam.particles > 0:
        raise InputError(f"{field}.layers", "spots without any particle", "a weight above zero")
    shifter = beam.range_shifter
    if shifter is not None:
        if shifter.material not in MATERIALS:
            raise InputError(
                f"{field}.range_shifter.material", repr(shifter.material), f"one of {', '.join(MATERIALS)}"
            )
        if not water_equivalent_mm(shifter) > 0:
            raise InputError(f"{field}.range_shifter.thickness_mm", shifter.thickness_mm, "above zero")
        if not 0 <= shifter.distance_mm <= min(machine.source_distance_mm) - shifter.thickness_mm:
            raise InputError(
                f"{field}.range_shifter.distance_mm",
                shifter.distance_mm,
                f"0 or more, and with the thickness less than the {min(machine.source_distance_mm):g} mm of "
                "the virtual source",
            )


def _check_aim(beam: Beam, machine: Machine, patient: Patient, body: NDArray[np.bool_], field: str) -> None:
    """Refuse spots whose ray passes the body by more than the spot is wide."""
    x = np.concatenate([layer.spots.x_mm for layer in beam.layers])
    y = np.concatenate([layer.spots.y_mm for layer in beam.layers])
    solid = Volume(patient.grid, np.ones(patient.grid.shape, dtype=np.float32))

    def hits(at_x: NDArray[np.float64], at_y: NDArray[np.float64]) -> NDArray[np.bool_]:
        rays = spot_rays(beam, at_x, at_y, machine.source_distance_mm, patient.position)
        return trace(solid, body, *rays).hit

    missed = ~hits(x, y)
    if not missed.any():
        return
    sigma = [max(layer.spot_sigma_mm(machine)) for layer in beam.layers]
    allowed = _ALLOWED_SIGMAS * np.repeat(sigma, [len(layer.spots) for layer in beam.layers])
    steps = np.arange(-allowed.max(), allowed.max() + 1.0, 2.0)
    dx, dy = (g.ravel() for g in np.meshgrid(steps, steps))
    places = np.unique(np.round(np.stack([x[missed], y[missed]], axis=1), 3), axis=0)
    around = np.unique(
        np.round((places[:, None, :] + np.stack([dx, dy], axis=1)[None]).reshape(-1, 2) / 2.0) * 2.0, axis=0
    )
    solid_places = around[hits(around[:, 0], around[:, 1])]
    away = np.full(x.size, np.inf)
    if len(solid_places):
        away = cKDTree(solid_places).query(np.stack([x, y], axis=1))[0]
    lost = np.flatnonzero(missed & (away > allowed))
    if lost.size == 0:
        return
    first = int(lost[0])
    ends = np.cumsum([len(layer.spots) for layer in beam.layers])
    j = int(np.searchsorted(ends, first, side="right"))
    k = first - (int(ends[j - 1]) if j else 0)
    raise InputError(
        f"{field}.layers[{j}].spots[{k}]",
        f"({x[first]:g}, {y[first]:g}) mm, one of {lost.size} spots that miss the patient",
        "spots that meet the body",
    )
