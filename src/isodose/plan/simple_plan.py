"""A useful forward plan in one call: a few beams, each with a flat spread-out peak over the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_named
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.plan.beam_angles import beam_angles
from isodose.plan.placement import Placement, place_beam
from isodose.plan.plan import Beam, Plan, RangeShifter


def simple_plan(
    patient: Patient,
    target: str,
    ion: str,
    machine: Machine | str | None = None,
    gantry_angles: Sequence[float] = (0.0,),
    prescription_gy: float = 2.0,
    *,
    couch_angles: Sequence[float] | None = None,
    range_shifters: Sequence[RangeShifter | None] | None = None,
    isocentre_mm: tuple[float, float, float] | None = None,
    fractions: int = 1,
    placement: Placement = Placement(),  # noqa: B008  # immutable
    calibration: HounsfieldCalibration | None = None,
    name: str | None = None,
) -> Plan:
    """Plan beams that share the dose of a target equally.

    Parameters
    ----------
    patient
        CT and structures.
    target
        Name of the structure to irradiate.
    ion
        ``"proton"``, ``"helium"``, ``"carbon"`` or ``"oxygen"``.
    machine
        Machine or its name; by default the generic one of the ion.
    gantry_angles
        IEC 61217, one beam each.
    prescription_gy
        Physical dose in the middle of the target per fraction.
    couch_angles
        As many as gantry angles; all zero by default.
    range_shifters
        As many as gantry angles; by default, and for None, the machine's thinnest where one is needed.
    isocentre_mm
        Patient frame; the target's centre of mass by default.
    fractions
        Number of fractions.
    placement
        Spacings and margins.
    calibration
        Hounsfield calibration, the one that the patient names by default. What lies outside the body's
        outline is air.
    name
        Label of the plan.

    Returns
    -------
    Plan
        Analytic weights: the dose in the middle of the target is meant to be within 10 % of the prescription
        where the target is several spots wide.

    Raises
    ------
    InputError
        If the target is not found, empty, outside the body or beyond the machine's reach, or an argument is
        wrong.
    """
    machine = machine_named(machine or f"generic_{ion}") if not isinstance(machine, Machine) else machine
    if machine.ion != ion:
        raise InputError("ion", repr(ion), f"{machine.ion!r}, the ion of machine {machine.name!r}")
    angles = beam_angles(gantry_angles, couch_angles)
    shifters = [None] * len(angles) if range_shifters is None else list(range_shifters)
    if len(shifters) != len(angles):
        raise InputError("range_shifters", f"{len(shifters)}", f"{len(angles)}, as gantry angles")
    if not (np.isfinite(prescription_gy) and prescription_gy > 0):
        raise InputError("prescription_gy", prescription_gy, "a positive dose in Gy")
    structure = patient.structure(target)
    check_inside(patient, structure)
    rsp = (calibration or calibration_of(patient.calibration)).rsp(patient.ct, patient.external)
    centre = structure.centre_mm if isocentre_mm is None else isocentre_mm
    beams = tuple(
        place_beam(
            Beam(f"{i}: gantry {gantry:g}", gantry, couch, centre, (), shifter),
            rsp,
            structure,
            machine,
            prescription_gy / len(angles),
            placement,
            patient.position,
        )
        for i, ((gantry, couch), shifter) in enumerate(zip(angles, shifters, strict=True), start=1)
    )
    return Plan(
        name=name or f"{patient.name} {ion}",
        ion=ion,
        machine=machine.name,
        beams=beams,
        fractions=fractions,
        prescription_gy=prescription_gy,
        target=structure.name,
    )


def check_inside(patient: Patient, structure: Structure) -> None:
    """Refuse a target that is empty, or of which more than half lies outside the body.

    Raises
    ------
    InputError
        Saying how much.
    """
    if structure.is_empty:
        raise InputError(f"target {structure.name!r}", "an empty structure", "one with voxels")
    external = patient.external
    if external is None or structure.name == external.name:
        return
    outside = float(np.mean(external.occupancy[structure.mask] < 0.5)) if structure.mask.any() else 0.0
    if outside > 0.5:
        found = f"a structure of which {100 * outside:.0f} % lies outside {external.name!r}"
        raise InputError(f"target {structure.name!r}", found, "one inside the body")
