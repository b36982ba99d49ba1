"""Read a DICOM RT Ion Plan (PS3.3 A.49) of scanned beams.

Tolerated, because systems write them: setup beams (left out), one control point per layer instead of a
pair, single values where a list is meant, empty cumulative weights, energies and range-shifter settings
that are only given when they change, layers repeated for painting (kept, in order). Refused, because any
reading would be a guess: weights that do not add up to their total, unknown units, gantries that turn while
they irradiate, tilted tables, scattered or line-scanned beams.

An arc whose gantry turns between layers only, as isodose writes them, becomes a beam per gantry angle.

Spot sizes are the machine's, whatever nominal size another system writes; only a size that isodose itself
wrote as not the machine's is read back. A Scan Spot Tune ID names the focus where the machine has several; it
says nothing to a machine that has one.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import RTIonPlanStorage

from isodose.errors import InputError, IsodoseError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_named
from isodose.machine.machine_file import machine_names
from isodose.patient.dicom_object import open_dicom
from isodose.plan.dicom_element import Element
from isodose.plan.dicom_spot_size import FWHM_PER_SIGMA, MACHINE_SIZE_TUNE, OWN_SIZE_TUNE
from isodose.plan.ion_plan_motion import gantry_angles
from isodose.plan.ion_plan_shifter import beam_shifter
from isodose.plan.meterset import MetersetUnit
from isodose.plan.plan import Beam, Layer, Plan, Spots

SUM_TOLERANCE = 1e-4
"""By how much, relatively, spot weights (32-bit floats) may miss the final cumulative weight."""

_ION_OF_NUCLIDE = {(1, 1): "proton", (4, 2): "helium", (12, 6): "carbon", (16, 8): "oxygen"}

_DELIVERED = ("", "TREATMENT", "CONTINUATION")


def read_ion_plan(path: str | Path, machine: Machine | str | None = None) -> Plan:
    """Read an RT Ion Plan.

    Parameters
    ----------
    path
        The file.
    machine
        Machine to use in place of the one that the plan names. Needed where isodose does not know that one
        and the weights are in MU.

    Returns
    -------
    Plan
        Weights are particles per fraction. Its metadata hold what DICOM says beside: UIDs, patient position.

    Raises
    ------
    InputError
        For anything that cannot be read without guessing; names file and element.

    Warns
    -----
    PlanWarning
        For a range shifter of which only the water-equivalent thickness is known.
    """
    path = Path(path)
    if isinstance(machine, str):
        machine = machine_named(machine)
    try:
        root = Element(open_dicom(path, RTIonPlanStorage), path)
        return _plan(root, machine)
    except IsodoseError:
        raise
    except Exception as error:  # pydicom raises many types for damaged bytes
        found = f"elements that cannot be read ({type(error).__name__}: {str(error)[:200]})"
        raise InputError("file", found, "a complete RT Ion Plan", path) from error


def _plan(root: Element, machine: Machine | None) -> Plan:
    items = [b for b in root.sequence("IonBeamSequence") if b.text("TreatmentDeliveryType", "") in _DELIVERED]
    if not items:
        raise root.error("IonBeamSequence", "no treatment beam", "at least one")
    name = _common([b.text("TreatmentMachineName", "") for b in items], items, "TreatmentMachineName")
    if machine is None and name in machine_names():
        machine = machine_named(name)
    if machine is None and not name:
        raise items[0].error("TreatmentMachineName", "nothing", "a machine; name one when reading")
    ion = _common([_ion(b) for b in items], items, "RadiationType")
    if machine is not None and machine.ion != ion:
        raise items[0].error("RadiationType", ion, f"{machine.ion}, the ion of machine {machine.name!r}")
    fractions, metersets = _fraction_group(root)
    beams = tuple(beam for b in items for beam in _beams(b, metersets, machine))
    prescription, target, metadata = _about(root, fractions, items)
    return Plan(
        name=root.text("RTPlanName", "") or root.text("RTPlanLabel", "") or root.path.stem,
        ion=ion,
        machine=name if machine is None else machine.name,
        beams=beams,
        fractions=fractions,
        prescription_gy=prescription,
        target=target,
        metadata=metadata,
    )


def _common(values: list[str], items: list[Element], keyword: str) -> str:
    """Return the value that all beams share."""
    for value, item in zip(values, items, strict=True):
        if value != values[0]:
            raise item.error(keyword, repr(value), f"{values[0]!r}, as of the other beams")
    return values[0]


def _ion(item: Element) -> str:
    kind = item.text("RadiationType")
    if kind == "PROTON":
        return "proton"
    if kind != "ION":
        raise item.error("RadiationType", kind, "PROTON or ION")
    nuclide = item.integer("RadiationMassNumber"), item.integer("RadiationAtomicNumber")
    if nuclide not in _ION_OF_NUCLIDE:
        found = f"an ion of A = {nuclide[0]} and Z = {nuclide[1]}"
        raise item.error("RadiationMassNumber", found, "a proton, helium-4, carbon-12 or oxygen-16")
    return _ION_OF_NUCLIDE[nuclide]


def _fraction_group(root: Element) -> tuple[int, dict[int, float]]:
    """Read the number of fractions, and the meterset of each beam by its number."""
    groups = root.sequence("FractionGroupSequence")
    if len(groups) != 1:
        raise root.error("FractionGroupSequence", f"{len(groups)} fraction groups", "one")
    fractions = groups[0].integer("NumberOfFractionsPlanned")
    if not 1 <= fractions <= 1000:
        raise groups[0].error("NumberOfFractionsPlanned", fractions, "1 to 1000")
    metersets: dict[int, float] = {}
    for item in groups[0].sequence("ReferencedBeamSequence"):
        number = item.integer("ReferencedBeamNumber")
        if number in metersets:
            raise item.error("ReferencedBeamNumber", f"{number} twice", "each beam once")
        if item.has("BeamMeterset"):
            metersets[number] = item.number("BeamMeterset")
    return fractions, metersets


def _beams(item: Element, metersets: dict[int, float], machine: Machine | None) -> list[Beam]:
    """Read a beam; an arc gives one per gantry angle."""
    scan, mode = item.text("ScanMode"), item.text("ModulatedScanModeType", "STATIONARY")
    if scan not in ("MODULATED", "MODULATED_SPEC"):
        raise item.error("ScanMode", scan, "MODULATED, a beam of scanned spots")
    if mode not in ("STATIONARY", "LEAPING"):
        raise item.error("ModulatedScanModeType", mode, "STATIONARY or LEAPING, spots that stand still")
    for keyword in ("NumberOfBlocks", "NumberOfCompensators", "NumberOfRangeModulators"):
        if item.has(keyword) and item.integer(keyword) != 0:
            raise item.error(keyword, item.integer(keyword), "0; isodose models none")
    number = item.integer("BeamNumber")
    if number not in metersets:
        expected = f"its BeamMeterset in the FractionGroupSequence (beam number {number})"
        raise item.error("BeamNumber", "a beam without a meterset", expected)
    points = item.sequence("IonControlPointSequence")
    if not points:
        raise item.error("IonControlPointSequence", "no control point", "at least one")
    angles = gantry_angles(points)
    layers = _layers(item, points, metersets[number], machine)
    first, name = points[0], item.text("BeamName", "") or f"beam {number}"
    still = Beam(
        name=name,
        gantry_angle_deg=angles[0],
        couch_angle_deg=first.number("PatientSupportAngle"),
        isocentre_mm=tuple(first.numbers("IsocenterPosition", 3)),
        layers=tuple(layers.values()),
        range_shifter=beam_shifter(item, points, machine),
        snout_position_mm=first.number("SnoutPosition") if first.has("SnoutPosition") else None,
    )
    if len(set(angles)) == 1:
        return [still]
    return [
        replace(
            still,
            name=f"{name}, gantry {angle:g}",
            gantry_angle_deg=angle,
            layers=tuple(layers[point] for point in group),
        )
        for angle, group in groupby(layers, key=angles.__getitem__)
    ]


def _layers(
    item: Element, points: list[Element], meterset: float, machine: Machine | None
) -> dict[int, Layer]:
    """Layers by the number of their control point."""
    unit = item.text("PrimaryDosimeterUnit")
    if unit not in set(MetersetUnit):
        raise item.error("PrimaryDosimeterUnit", unit, "NP or MU; other units give no absolute dose")
    final = item.number("FinalCumulativeMetersetWeight")
    if not (final > 0 and meterset > 0):
        raise item.error("FinalCumulativeMetersetWeight", f"{final:g} of {meterset:g}", "positive numbers")
    layers: dict[int, Layer] = {}
    energy, cumulative, total = float("nan"), 0.0, 0.0
    for number, point in enumerate(points):
        if point.has("CumulativeMetersetWeight"):
            now = point.number("CumulativeMetersetWeight")
            if now < cumulative - SUM_TOLERANCE * final:
                raise point.error("CumulativeMetersetWeight", now, f"at least {cumulative:g}, as before")
            cumulative = now
        if point.has("NominalBeamEnergy") or not layers:
            energy = point.number("NominalBeamEnergy")
        if not energy > 0:
            raise point.error("NominalBeamEnergy", energy, "a positive energy in MeV per nucleon")
        spots = _spots(point, meterset / final)
        if spots is None:
            continue
        total += float(spots.particles.sum()) * final / meterset
        if unit == MetersetUnit.MONITOR_UNITS:
            spots = Spots(spots.x_mm, spots.y_mm, spots.particles * _per_mu(point, energy, machine))
        layers[number] = Layer(energy, spots, _own_size(point), _focus(point, machine))
    if abs(total - final) > SUM_TOLERANCE * final:
        found = f"spot weights that sum to {total:g}"
        raise item.error("FinalCumulativeMetersetWeight", found, f"{final:g}")
    return layers


def _spots(point: Element, per_weight: float) -> Spots | None:
    """Spots of a control point, or None where it delivers nothing."""
    if not point.has("ScanSpotMetersetWeights"):
        return None
    weights: NDArray[np.float64] = point.numbers("ScanSpotMetersetWeights")
    if point.has("NumberOfScanSpotPositions"):
        count = point.integer("NumberOfScanSpotPositions")
        if count != weights.size:
            raise point.error("ScanSpotMetersetWeights", f"{weights.size} numbers", f"{count}")
    if weights.min() < 0:
        raise point.error("ScanSpotMetersetWeights", float(weights.min()), "no negative weight")
    if weights.sum() == 0:
        return None
    positions = point.numbers("ScanSpotPositionMap", 2 * weights.size)
    return Spots(positions[0::2], positions[1::2], weights * per_weight)


def _own_size(point: Element) -> tuple[float, float] | None:
    """Spot size of a layer, x and y in mm, where isodose wrote that it is not the machine's."""
    if point.text("ScanSpotTuneID", "") != OWN_SIZE_TUNE:
        return None
    x, y = point.numbers("ScanningSpotSize", 2) / FWHM_PER_SIGMA
    if not (x > 0 and y > 0):
        raise point.error("ScanningSpotSize", f"{x:g}, {y:g}", "two positive sizes")
    return float(x), float(y)


def _focus(point: Element, machine: Machine | None) -> str | None:
    """Focus of a layer, where the machine has a choice."""
    tune = point.text("ScanSpotTuneID", "")
    if machine is None or not machine.foci or tune in ("", MACHINE_SIZE_TUNE, OWN_SIZE_TUNE):
        return None
    if tune not in machine.foci:
        expected = f"a focus of machine {machine.name!r}: {', '.join([*machine.foci, MACHINE_SIZE_TUNE])}"
        raise point.error("ScanSpotTuneID", repr(tune), expected)
    return tune


def _per_mu(point: Element, energy: float, machine: Machine | None) -> float:
    if machine is None:
        expected = "a machine that isodose knows, for its calibration; name one when reading"
        raise point.error("PrimaryDosimeterUnit", "MU of an unknown machine", expected)
    machine.check_energy(energy, f"{point.path}: {point.place}NominalBeamEnergy")
    return machine.particles_per_mu(energy)


def _about(
    root: Element, fractions: int, items: list[Element]
) -> tuple[float | None, str | None, dict[str, str]]:
    """Prescription and target as isodose wrote them, and whatever else may be of use, as texts."""
    metadata = {
        "sop_instance_uid": root.text("SOPInstanceUID", ""),
        "frame_of_reference_uid": root.text("FrameOfReferenceUID", ""),
        "patient_position": _patient_position(root, items),
    }
    for item in root.sequence("ReferencedStructureSetSequence", optional=True)[:1]:
        metadata["structure_set_uid"] = item.text("ReferencedSOPInstanceUID", "")
    prescription, target = None, None
    for item in root.sequence("DoseReferenceSequence", optional=True):
        if item.text("DoseReferenceType", "") != "TARGET":
            continue
        target = item.text("DoseReferenceDescription", "") or None
        if item.has("TargetPrescriptionDose"):
            dose = item.number("TargetPrescriptionDose")
            # DICOM does not say whether a prescription is weighted by RBE; isodose's own never is.
            if root.text("Manufacturer", "") == "isodose" and dose > 0:
                prescription = dose / fractions
            else:
                metadata["target_prescription_dose_gy"] = f"{dose:g}"
        break
    return prescription, target, {key: value for key, value in metadata.items() if value}


def _patient_position(root: Element, items: list[Element]) -> str:
    setups = {
        s.integer("PatientSetupNumber"): s.text("PatientPosition", "")
        for s in root.sequence("PatientSetupSequence", optional=True)
    }
    used = [
        setups.get(b.integer("ReferencedPatientSetupNumber"), "")
        for b in items
        if b.has("ReferencedPatientSetupNumber")
    ]
    return (
        _common(used, [b for b in items if b.has("ReferencedPatientSetupNumber")], "PatientPosition")
        if used
        else ""
    )
