"""Write a plan of arcs as a DICOM RT Ion Plan: one dynamic beam an arc (PS3.3 C.8.8.25).

A control point's layers are delivered while the gantry stands; it turns in the segment that follows them,
which carries no weight. Gantry angle and sense of rotation are therefore in every control point of the beam.
A machine that turns while it irradiates spreads a layer over its window of the arc by itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from isodose.machine.machine import Machine
from isodose.patient.dicom_object import ds_text, save_dicom
from isodose.patient.patient import Patient
from isodose.plan.ion_plan_writer import write_ion_plan
from isodose.plan.meterset import MetersetUnit
from isodose.plan.plan import Plan

CLOCKWISE, COUNTER_CLOCKWISE, STANDING = "CW", "CC", "NONE"


def write_ion_arc(
    plan: Plan,
    path: str | Path,
    patient: Patient,
    *,
    unit: MetersetUnit | str = MetersetUnit.PARTICLES,
    machine: Machine | None = None,
) -> str:
    """Write a plan of `isodose.arc.arc_plan.arc_plan`, whose beams are control points, with a beam per arc.

    Layers without particles are left out; an optimiser may want none of a layer.

    Parameters
    ----------
    plan
        What to write; beams that follow one another in one sense of rotation and agree in couch, isocentre
        and range shifter become one arc.
    path, patient, unit, machine
        As of `isodose.plan.ion_plan_writer.write_ion_plan`.

    Returns
    -------
    str
        SOP Instance UID of the plan.

    Raises
    ------
    InputError
        As of `write_ion_plan`.
    OutputError
        If the file cannot be written.
    """
    plan = _delivered(plan)
    arcs = arcs_of(plan)
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "plan.dcm"
        uid = write_ion_plan(plan, single, patient, unit=unit, machine=machine)
        dataset = dcmread(single)
    dataset.IonBeamSequence = [
        _joined([dataset.IonBeamSequence[i] for i in arc], number) for number, arc in enumerate(arcs, start=1)
    ]
    group = dataset.FractionGroupSequence[0]
    metersets = [float(item.BeamMeterset) for item in group.ReferencedBeamSequence]
    group.ReferencedBeamSequence = list(group.ReferencedBeamSequence)[: len(arcs)]
    for number, (item, arc) in enumerate(zip(group.ReferencedBeamSequence, arcs, strict=True), start=1):
        item.ReferencedBeamNumber = number
        item.BeamMeterset = ds_text(sum(metersets[i] for i in arc))[0]
    group.NumberOfBeams = len(arcs)
    save_dicom(dataset, path)
    return uid


def arcs_of(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Beams of a plan, by number, that make up each arc.

    Steps of less than half a turn tell the sense of rotation; two beams of one angle belong to two arcs.
    """
    arcs: list[list[int]] = [[0]]
    sense = 0
    for i in range(1, len(plan.beams)):
        before, here = plan.beams[i - 1], plan.beams[i]
        step = _step_deg(before.gantry_angle_deg, here.gantry_angle_deg)
        turned = (step > 0.0) - (step < 0.0)
        same = (before.couch_angle_deg, before.isocentre_mm, before.range_shifter) == (
            here.couch_angle_deg,
            here.isocentre_mm,
            here.range_shifter,
        )
        if not same or turned == 0 or (sense and turned != sense):
            arcs.append([i])
            sense = 0
        else:
            arcs[-1].append(i)
            sense = turned
    return tuple(tuple(arc) for arc in arcs)


def _delivered(plan: Plan) -> Plan:
    """Plan without the layers and control points that have no particles."""
    beams = []
    for beam in plan.beams:
        layers = tuple(layer for layer in beam.layers if layer.spots.particles.sum() > 0.0)
        if layers:
            beams.append(replace(beam, layers=layers))
    return replace(plan, beams=tuple(beams))


def _step_deg(before: float, after: float) -> float:
    """Turn from one angle to another by the shorter way, from -180 to 180 degrees."""
    return (after - before + 180.0) % 360.0 - 180.0


def _joined(beams: Sequence[Dataset], number: int) -> Dataset:
    """One item with the control points of several."""
    joined = beams[0]
    angles = [float(beam.IonControlPointSequence[0].GantryAngle) for beam in beams]
    points: list[Dataset] = []
    delivered = 0.0
    for i, beam in enumerate(beams):
        own = list(beam.IonControlPointSequence)
        step = _step_deg(angles[i], angles[i + 1]) if i + 1 < len(beams) else 0.0
        for k, point in enumerate(own):
            turns = k + 1 == len(own) and step != 0.0
            if points:
                _without_what_the_first_says(point)
            point.ControlPointIndex = len(points)
            point.GantryAngle = ds_text(angles[i])[0]
            point.GantryRotationDirection = (
                (CLOCKWISE if step > 0.0 else COUNTER_CLOCKWISE) if turns else STANDING
            )
            point.CumulativeMetersetWeight = ds_text(delivered + float(point.CumulativeMetersetWeight))[0]
            points.append(point)
        delivered += float(beam.FinalCumulativeMetersetWeight)
    joined.BeamNumber = number
    joined.BeamName = f"arc {number}" if len(beams) > 1 else joined.BeamName
    joined.BeamType = "DYNAMIC"
    joined.IonControlPointSequence = points
    joined.NumberOfControlPoints = len(points)
    joined.FinalCumulativeMetersetWeight = ds_text(delivered)[0]
    return joined


_FIRST_ONLY = (
    "BeamLimitingDeviceAngle",
    "BeamLimitingDeviceRotationDirection",
    "PatientSupportAngle",
    "PatientSupportRotationDirection",
    "TableTopPitchAngle",
    "TableTopPitchRotationDirection",
    "TableTopRollAngle",
    "TableTopRollRotationDirection",
    "GantryPitchAngle",
    "GantryPitchRotationDirection",
    "TableTopVerticalPosition",
    "TableTopLongitudinalPosition",
    "TableTopLateralPosition",
    "IsocenterPosition",
    "SnoutPosition",
    "RangeShifterSettingsSequence",
)


def _without_what_the_first_says(point: Dataset) -> None:
    for keyword in _FIRST_ONLY:
        if keyword in point:
            delattr(point, keyword)
