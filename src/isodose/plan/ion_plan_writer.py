"""Write a plan as a DICOM RT Ion Plan (PS3.3 A.49).

Every layer is a pair of control points of the same energy and spot map: the first carries the weights, the
second zeros (PS3.3 C.8.8.25.7). Energies are per nucleon. Spot positions and weights are 32-bit floats in
DICOM, so a plan read back agrees to 1e-7.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RTIonPlanStorage, RTStructureSetStorage

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_named
from isodose.patient.dicom_object import (
    complete_identity,
    ds_text,
    new_object,
    new_uid,
    save_dicom,
    sequence_item,
    stamp_date,
)
from isodose.patient.patient import Patient
from isodose.physics.species import species
from isodose.plan.dicom_spot_size import FWHM_PER_SIGMA, MACHINE_SIZE_TUNE, OWN_SIZE_TUNE
from isodose.plan.meterset import MetersetUnit
from isodose.plan.plan import IONS, Beam, Layer, Plan
from isodose.plan.range_shifter import water_equivalent_mm


def write_ion_plan(
    plan: Plan,
    path: str | Path,
    patient: Patient,
    *,
    unit: MetersetUnit | str = MetersetUnit.PARTICLES,
    machine: Machine | None = None,
) -> str:
    """Write a plan as an RT Ion Plan.

    Parameters
    ----------
    plan
        What to write.
    path
        File to write, in an existing folder.
    patient
        Gives patient position, identity and the structure set that the plan refers to.
    unit
        Unit of the weights: number of particles (``NP``), or ``MU`` by the machine's calibration.
    machine
        The plan's machine, by default the one of that name.

    Returns
    -------
    str
        SOP Instance UID of the plan.

    Raises
    ------
    InputError
        If the plan cannot be expressed: photons, an unknown machine, energies off its tables, foci that it
        has not, layers with a focus and a spot size of their own, beams or layers without particles, names
        too long for DICOM.
    OutputError
        If the file cannot be written.
    """
    if plan.ion not in IONS:
        raise InputError("plan.ion", repr(plan.ion), f"one of {', '.join(IONS)} for an RT Ion Plan")
    unit = _unit(unit)
    machine = machine_named(plan.machine) if machine is None else machine
    if len(machine.name) > 16:
        raise InputError("plan.machine", repr(machine.name), "a name of at most 16 characters for DICOM")
    who = complete_identity(patient.identity)
    metersets = _metersets(plan, machine, unit)
    uid = new_uid("RTPLAN", who.study_uid, plan.name, unit, str(_fingerprint(plan)))
    dataset = new_object(RTIonPlanStorage, who, uid, uid, plan.name)
    stamp_date(dataset, "InstanceCreation", "RTPlan")
    dataset.RTPlanLabel = plan.name[:16]
    dataset.RTPlanName = plan.name[:64]
    dataset.PlanIntent = "RESEARCH"
    dataset.RTPlanGeometry = "PATIENT"
    dataset.ReferencedStructureSetSequence = [
        sequence_item(
            ReferencedSOPClassUID=RTStructureSetStorage, ReferencedSOPInstanceUID=who.structure_set_uid
        )
    ]
    dataset.ApprovalStatus = "UNAPPROVED"
    _add_prescription(dataset, plan)
    dataset.PatientSetupSequence = [
        sequence_item(PatientSetupNumber=1, PatientPosition=patient.position, SetupTechnique="ISOCENTRIC")
    ]
    dataset.FractionGroupSequence = [_fraction_group(plan, metersets)]
    dataset.IonBeamSequence = [_beam(plan, i, layers, machine, unit) for i, layers in enumerate(metersets)]
    save_dicom(dataset, path)
    return uid


def _unit(unit: MetersetUnit | str) -> MetersetUnit:
    try:
        return MetersetUnit(unit)
    except ValueError:
        raise InputError("unit", repr(unit), "NP or MU") from None


def _fingerprint(plan: Plan) -> list[object]:
    parts: list[object] = [plan.ion, plan.machine, plan.fractions]
    for beam in plan.beams:
        parts += [beam.gantry_angle_deg, beam.couch_angle_deg, beam.isocentre_mm, beam.range_shifter]
        for layer in beam.layers:
            sums = [float(a @ np.arange(1, a.size + 1)) for a in (layer.spots.x_mm, layer.spots.y_mm)]
            parts += [layer.energy_mev_u, *sums, layer.spots.particles.tolist(), layer.sigma_mm, layer.focus]
    return parts


def _metersets(plan: Plan, machine: Machine, unit: MetersetUnit) -> list[list[NDArray[np.float32]]]:
    """Weights of the spots of each beam's layers in a unit; a beam or layer without any is refused."""
    metersets = [
        [
            _layer_metersets(layer, machine, unit, f"beams[{i}].layers[{j}]")
            for j, layer in enumerate(beam.layers)
        ]
        for i, beam in enumerate(plan.beams)
    ]
    for i, layers in enumerate(metersets):
        if not layers:
            raise InputError(f"beams[{i}].layers", "none", "at least one layer")
    return metersets


def _layer_metersets(layer: Layer, machine: Machine, unit: MetersetUnit, field: str) -> NDArray[np.float32]:
    machine.check_energy(layer.energy_mev_u, f"{field}.energy_mev_u")
    weights = layer.spots.particles
    if not weights.sum() > 0:
        raise InputError(f"{field}.spots", "no particles", "at least one spot with particles")
    if unit is MetersetUnit.MONITOR_UNITS:
        weights = weights / machine.particles_per_mu(layer.energy_mev_u)
    return weights.astype(np.float32)


def _total(weights: list[NDArray[np.float32]]) -> float:
    return float(sum(w.sum(dtype=np.float64) for w in weights))


def _ds(value: float) -> str:
    return ds_text(value)[0]


def _add_prescription(dataset: Dataset, plan: Plan) -> None:
    if plan.prescription_gy is None and plan.target is None:
        return
    item = sequence_item(
        DoseReferenceNumber=1,
        DoseReferenceStructureType="SITE",
        DoseReferenceDescription=(plan.target or "")[:64],
        DoseReferenceType="TARGET",
    )
    if plan.prescription_gy is not None:
        item.TargetPrescriptionDose = _ds(plan.prescription_gy * plan.fractions)
    dataset.DoseReferenceSequence = [item]


def _fraction_group(plan: Plan, metersets: list[list[NDArray[np.float32]]]) -> Dataset:
    return sequence_item(
        FractionGroupNumber=1,
        NumberOfFractionsPlanned=plan.fractions,
        NumberOfBeams=len(plan.beams),
        NumberOfBrachyApplicationSetups=0,
        ReferencedBeamSequence=[
            sequence_item(ReferencedBeamNumber=i, BeamMeterset=_ds(_total(layers)))
            for i, layers in enumerate(metersets, start=1)
        ],
    )


def _beam(
    plan: Plan, index: int, metersets: list[NDArray[np.float32]], machine: Machine, unit: MetersetUnit
) -> Dataset:
    beam, ion = plan.beams[index], species(IONS[plan.ion])
    item = sequence_item(
        BeamNumber=index + 1,
        BeamName=beam.name[:64],
        BeamType="DYNAMIC" if len(beam.layers) > 1 else "STATIC",
        TreatmentDeliveryType="TREATMENT",
        TreatmentMachineName=machine.name,
        RadiationType="PROTON" if plan.ion == "proton" else "ION",
        ScanMode="MODULATED",
        PrimaryDosimeterUnit=str(unit),
        VirtualSourceAxisDistances=list(machine.source_distance_mm),
        PatientSupportType="TABLE",
        ReferencedPatientSetupNumber=1,
    )
    if plan.ion != "proton":
        item.RadiationMassNumber = ion.nucleons
        item.RadiationAtomicNumber = ion.charge
        item.RadiationChargeState = ion.charge
    for device in ["Wedges", "Compensators", "Boli", "Blocks", "LateralSpreadingDevices", "RangeModulators"]:
        setattr(item, f"NumberOf{device}", 0)
    item.NumberOfRangeShifters = 0 if beam.range_shifter is None else 1
    if beam.range_shifter is not None:
        name = beam.range_shifter.name
        if len(name) > 16:
            raise InputError(f"beams[{index}].range_shifter.name", repr(name), "at most 16 characters")
        item.RangeShifterSequence = [
            sequence_item(
                RangeShifterNumber=1, RangeShifterID=name, RangeShifterType="BINARY", AccessoryCode=name
            )
        ]
    if machine.snouts:
        item.SnoutSequence = [sequence_item(SnoutID=machine.snouts[0])]
    item.IonControlPointSequence = _control_points(beam, metersets, machine, f"beams[{index}]")
    item.NumberOfControlPoints = len(item.IonControlPointSequence)
    item.FinalCumulativeMetersetWeight = _ds(_total(metersets))
    return item


def _tune(layer: Layer, machine: Machine, field: str) -> str:
    """Scan Spot Tune ID: the focus, or a mark that says whose the spot size is."""
    machine.at_focus(layer.focus, field)
    if layer.focus is None:
        return MACHINE_SIZE_TUNE if layer.sigma_mm is None else OWN_SIZE_TUNE
    if layer.sigma_mm is not None:
        expected = "none, as DICOM has no room for both a focus and a spot size of the layer's own"
        raise InputError(field, repr(layer.focus), expected)
    return layer.focus


def _control_points(
    beam: Beam, metersets: list[NDArray[np.float32]], machine: Machine, field: str
) -> list[Dataset]:
    points: list[Dataset] = []
    delivered = 0.0
    for j, (layer, weights) in enumerate(zip(beam.layers, metersets, strict=True)):
        tune = _tune(layer, machine, f"{field}.layers[{j}].focus")
        positions = np.stack([layer.spots.x_mm, layer.spots.y_mm], axis=1).astype(np.float32).ravel()
        size = [FWHM_PER_SIGMA * s for s in layer.spot_sigma_mm(machine)]
        for shown in (weights, np.zeros_like(weights)):
            points.append(
                sequence_item(
                    ControlPointIndex=len(points),
                    NominalBeamEnergy=_ds(layer.energy_mev_u),
                    CumulativeMetersetWeight=_ds(delivered),
                    ScanSpotTuneID=tune,
                    NumberOfScanSpotPositions=weights.size,
                    ScanSpotPositionMap=positions.tolist(),
                    ScanSpotMetersetWeights=shown.tolist(),
                    ScanningSpotSize=size,
                    NumberOfPaintings=1,
                )
            )
            delivered += float(shown.sum(dtype=np.float64))
    _place_beam(points[0], beam)
    return points


def _place_beam(point: Dataset, beam: Beam) -> None:
    """Set what the first control point alone says, for the whole beam."""
    turning = {
        "Gantry": beam.gantry_angle_deg,
        "BeamLimitingDevice": 0.0,
        "PatientSupport": beam.couch_angle_deg,
    }
    for part, angle in turning.items():
        setattr(point, f"{part}Angle", _ds(angle % 360.0))
        setattr(point, f"{part}RotationDirection", "NONE")
    for part in ("TableTopPitch", "TableTopRoll", "GantryPitch"):
        setattr(point, f"{part}Angle", 0.0)
        setattr(point, f"{part}RotationDirection", "NONE")
    for axis in ("Vertical", "Longitudinal", "Lateral"):
        setattr(point, f"TableTop{axis}Position", None)
    point.IsocenterPosition = ds_text(beam.isocentre_mm)
    point.SnoutPosition = beam.snout_position_mm
    if beam.range_shifter is not None:
        point.RangeShifterSettingsSequence = [
            sequence_item(
                ReferencedRangeShifterNumber=1,
                RangeShifterSetting="IN",
                IsocenterToRangeShifterDistance=beam.range_shifter.distance_mm,
                RangeShifterWaterEquivalentThickness=water_equivalent_mm(beam.range_shifter),
            )
        ]
