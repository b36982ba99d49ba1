"""Write a fraction of a treatment log as a DICOM RT Ion Beams Treatment Record (PS3.3 A.50).

Control points are pairs, as in the plans that isodose writes: the first of a layer carries what was
delivered, the second zeros. Positions, metersets and sizes are 32-bit floats in DICOM. Logs hold no times, so
that every control point is at midnight.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RTIonBeamsTreatmentRecordStorage, RTIonPlanStorage

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
from isodose.plan.dicom_spot_size import FWHM_PER_SIGMA, MACHINE_SIZE_TUNE
from isodose.plan.meterset import MetersetUnit
from isodose.plan.plan import IONS, Beam, Plan
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer
from isodose.plan.treatment_log_delivered import as_delivered


def write_treatment_record(
    plan: Plan,
    fraction: LoggedFraction,
    path: str | Path,
    patient: Patient,
    *,
    unit: MetersetUnit = MetersetUnit.PARTICLES,
    machine: Machine | None = None,
) -> str:
    """Write one fraction as a treatment record.

    Parameters
    ----------
    plan
        What was planned; must fit the fraction.
    fraction
        What was delivered.
    path
        File to write, in an existing folder.
    patient
        Gives the identity.
    unit
        Of the metersets: number of particles (``NP``), or ``MU`` by the machine's calibration.
    machine
        The plan's machine, by default the one of that name.

    Returns
    -------
    str
        SOP Instance UID of the record.

    Raises
    ------
    InputError
        If the fraction does not fit the plan, or the machine is unknown.
    OutputError
        If the file cannot be written.
    """
    as_delivered(plan, fraction)
    if fraction.date is None:
        found = f"fraction {fraction.number} without a date"
        raise InputError("date", found, "a date, which a DICOM record must have")
    machine = machine_named(plan.machine) if machine is None else machine
    who = complete_identity(patient.identity)
    plan_uid = plan.metadata.get("sop_instance_uid") or new_uid("plan", who.study_uid, plan.name)
    uid = new_uid("RTRECORD", who.study_uid, plan_uid, unit, str(_content(fraction)))
    title = f"{plan.name}, fraction {fraction.number}"
    dataset = new_object(RTIonBeamsTreatmentRecordStorage, who, uid, uid, title)
    stamp_date(dataset, "InstanceCreation")
    date = fraction.date.strftime("%Y%m%d")
    dataset.TreatmentDate, dataset.TreatmentTime = date, ""
    dataset.ReferencedRTPlanSequence = [
        sequence_item(ReferencedSOPClassUID=RTIonPlanStorage, ReferencedSOPInstanceUID=plan_uid)
    ]
    dataset.TreatmentMachineSequence = [
        sequence_item(
            TreatmentMachineName=machine.name[:16],
            Manufacturer="",
            InstitutionName="",
            ManufacturerModelName="",
            DeviceSerialNumber="",
        )
    ]
    dataset.NumberOfFractionsPlanned = plan.fractions
    dataset.PrimaryDosimeterUnit = str(unit)
    logged = {beam.name: beam for beam in fraction.beams}
    dataset.TreatmentSessionIonBeamSequence = [
        _beam(plan, i, logged[beam.name], (fraction.number, date), machine, unit)
        for i, beam in enumerate(plan.beams)
    ]
    save_dicom(dataset, path)
    return uid


def _content(fraction: LoggedFraction) -> list[object]:
    """What makes a fraction another one, for its UID."""
    parts: list[object] = [fraction.number, fraction.date]
    for beam in fraction.beams:
        parts.append(beam.name)
        for layer in beam.layers:
            spots = layer.spots
            sizes = None if layer.sigma_mm is None else layer.sigma_mm.tolist()
            parts += [spots.x_mm.tolist(), spots.y_mm.tolist(), spots.particles.tolist(), sizes]
    return parts


def _metersets(
    layer: LoggedLayer, energy: float, machine: Machine, unit: MetersetUnit
) -> NDArray[np.float32]:
    particles = layer.spots.particles
    if unit is MetersetUnit.MONITOR_UNITS:
        particles = particles / machine.particles_per_mu(energy)
    return particles.astype(np.float32)


def _beam(
    plan: Plan,
    index: int,
    logged: LoggedBeam,
    fraction: tuple[int, str],
    machine: Machine,
    unit: MetersetUnit,
) -> Dataset:
    """Make the item of a beam; the fraction is its number and date."""
    beam, ion = plan.beams[index], species(IONS[plan.ion])
    item = sequence_item(
        ReferencedBeamNumber=index + 1,
        BeamName=beam.name[:64],
        BeamType="DYNAMIC" if len(beam.layers) > 1 else "STATIC",
        RadiationType="PROTON" if plan.ion == "proton" else "ION",
        TreatmentDeliveryType="TREATMENT",
        ScanMode="MODULATED",
        PatientSupportType="TABLE",
        CurrentFractionNumber=fraction[0],
        TreatmentTerminationStatus="UNKNOWN",
        TreatmentVerificationStatus="",
    )
    if plan.ion != "proton":
        item.RadiationMassNumber = ion.nucleons
        item.RadiationAtomicNumber = ion.charge
        item.RadiationChargeState = ion.charge
    for device in ["Wedges", "Compensators", "Boli", "Blocks", "LateralSpreadingDevices", "RangeModulators"]:
        setattr(item, f"NumberOf{device}", 0)
    item.NumberOfRangeShifters = 0 if beam.range_shifter is None else 1
    if beam.range_shifter is not None:
        item.RecordedRangeShifterSequence = [
            sequence_item(ReferencedRangeShifterNumber=1, RangeShifterID=beam.range_shifter.name[:16])
        ]
    points, total = _control_points(beam, logged, fraction[1], machine, unit)
    item.IonControlPointDeliverySequence = points
    item.NumberOfControlPoints = len(points)
    item.DeliveredPrimaryMeterset = ds_text(total)[0]
    return item


def _control_points(
    beam: Beam, logged: LoggedBeam, date: str, machine: Machine, unit: MetersetUnit
) -> tuple[list[Dataset], float]:
    """Control points, and the meterset of all."""
    points: list[Dataset] = []
    delivered = 0.0
    for layer, measured in zip(beam.layers, logged.layers, strict=True):
        metersets = _metersets(measured, layer.energy_mev_u, machine, unit)
        positions = np.stack([measured.spots.x_mm, measured.spots.y_mm], axis=1).astype(np.float32)
        for shown in (metersets, np.zeros_like(metersets)):
            point = sequence_item(
                ReferencedControlPointIndex=len(points),
                TreatmentControlPointDate=date,
                TreatmentControlPointTime="000000",
                SpecifiedMeterset=None,
                DeliveredMeterset=ds_text(delivered)[0],
                NominalBeamEnergy=ds_text(layer.energy_mev_u)[0],
                ScanSpotTuneID=MACHINE_SIZE_TUNE,
                NumberOfScanSpotPositions=shown.size,
                ScanSpotPositionMap=positions.ravel().tolist(),
                ScanSpotMetersetsDelivered=shown.tolist(),
                ScanSpotReordered="NO",
                ScanSpotPrescribedIndices=list(range(shown.size)),
                NumberOfPaintings=1,
            )
            if measured.sigma_mm is not None:
                point.ScanSpotSizesDelivered = (FWHM_PER_SIGMA * measured.sigma_mm).ravel().tolist()
            points.append(point)
            delivered += float(shown.sum(dtype=np.float64))
    return points, delivered
