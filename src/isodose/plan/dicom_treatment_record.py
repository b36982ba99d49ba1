"""Read the delivered spots of DICOM RT Ion Beams Treatment Records (PS3.3 A.50, C.8.8.26).

Read are the spot positions, metersets and sizes of each control point, and what places them: fraction, date,
beam, energy. A fraction may be spread over several records (a beam each, or a treatment that was resumed):
what they delivered to one planned spot is added up. Recorded angles, couch positions and times are not read.

Where spots were delivered in another order or in several parts, Scan Spot Prescribed Indices must say which
planned spot each belongs to; without them, a layer must hold as many spots as planned, in the order of the
plan. Delivered sizes are full widths at half maximum, as DICOM's Scanning Spot Size.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import RTIonBeamsTreatmentRecordStorage

from isodose.errors import InputError, IsodoseWarning
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_named
from isodose.patient.dicom_object import naming, open_dicom
from isodose.plan.dicom_element import Element
from isodose.plan.dicom_spot_size import FWHM_PER_SIGMA
from isodose.plan.meterset import MetersetUnit
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer, TreatmentLog
from isodose.plan.treatment_log_delivered import ENERGY_TOLERANCE_MEV_U

TOTAL_TOLERANCE = 0.01
"""By how much, relatively, the spots' metersets may miss the delivered meterset of their beam."""


class RecordWarning(IsodoseWarning):
    """Something in a treatment record that could be used only after an assumption."""


@dataclass(slots=True)
class _Delivered:
    """Sums over what was delivered to the spots of a planned layer."""

    particles: NDArray[np.float64]
    moment: NDArray[np.float64]
    square: NDArray[np.float64]
    sized: NDArray[np.float64]

    @classmethod
    def none(cls, count: int) -> _Delivered:
        return cls(np.zeros(count), np.zeros((count, 2)), np.zeros((count, 2)), np.zeros(count))

    def add(
        self,
        index: NDArray[np.int64],
        positions: NDArray[np.float64],
        particles: NDArray[np.float64],
        sigma: NDArray[np.float64] | None,
    ) -> None:
        np.add.at(self.particles, index, particles)
        np.add.at(self.moment, index, particles[:, None] * positions)
        if sigma is not None:
            np.add.at(self.sized, index, particles)
            np.add.at(self.square, index, particles[:, None] * sigma**2)

    def layer(self, planned: Layer, place: str) -> LoggedLayer:
        given = self.particles > 0
        weight = np.where(given, self.particles, 1.0)
        mean = self.moment / weight[:, None]
        x, y = (
            np.where(given, m, p)
            for m, p in zip(mean.T, (planned.spots.x_mm, planned.spots.y_mm), strict=True)
        )
        sigma = None
        if self.sized.any():
            if np.any(self.sized < self.particles * (1 - 1e-9)):
                raise InputError(
                    place, "spot sizes of a part of the delivery", "sizes of all spots, or of none"
                )
            sigma = np.sqrt(self.square / weight[:, None])
            # Spots that were not delivered weigh nothing, but a size must be a size.
            sigma[~given] = np.sqrt(np.average(self.square[given] / weight[given, None], axis=0))
        return LoggedLayer(planned.energy_mev_u, Spots(x, y, self.particles), sigma)


def read_treatment_records(
    paths: Sequence[str | Path], plan: Plan, machine: Machine | None = None
) -> TreatmentLog:
    """Read the treatment log of a plan from its RT Ion Beams Treatment Records.

    Parameters
    ----------
    paths
        Files, of any fractions and in any order.
    plan
        What was delivered: tells the planned spots apart.
    machine
        Calibration of records in MU; by default the plan's machine.

    Raises
    ------
    InputError
        If a file is no record of this plan, or cannot be read without guessing; names file and element.

    Warns
    -----
    RecordWarning
        If no record of a fraction holds one of the plan's beams, which then counts as not delivered.
    """
    deliveries: dict[int, dict[str, list[_Delivered]]] = {}
    dates: dict[int, datetime.date | None] = {}
    files: dict[int, Path] = {}
    for path in map(Path, paths):
        with naming(path):
            root = Element(open_dicom(path, RTIonBeamsTreatmentRecordStorage), path)
            _check_plan(root, plan)
            for item in root.sequence("TreatmentSessionIonBeamSequence"):
                if item.text("TreatmentDeliveryType", "TREATMENT") not in ("TREATMENT", "CONTINUATION"):
                    continue
                number = _fraction_number(item)
                beam = _planned_beam(item, plan)
                beams = deliveries.setdefault(number, {})
                layers = beams.setdefault(beam.name, [_Delivered.none(len(la.spots)) for la in beam.layers])
                _add_beam(item, beam, layers, _calibration(root, plan, machine))
                dates[number] = dates.get(number) or _date(root)
                files.setdefault(number, path)
    fractions = [_fraction(n, deliveries[n], plan, dates[n], files[n]) for n in sorted(deliveries)]
    if not fractions:
        raise InputError("records", f"{len(paths)} files without a treatment beam", "at least one", None)
    return TreatmentLog(tuple(fractions), plan.name)


def _fraction(
    number: int,
    beams: dict[str, list[_Delivered]],
    plan: Plan,
    date: datetime.date | None,
    file: Path,
) -> LoggedFraction:
    made = []
    for beam in plan.beams:
        if beam.name not in beams:
            text = f"fraction {number}: no record of beam {beam.name!r}; counted as not delivered"
            warnings.warn(text, RecordWarning, stacklevel=3)
        layers = beams.get(beam.name) or [_Delivered.none(len(la.spots)) for la in beam.layers]
        place = f"fraction {number}, beam {beam.name!r}, ScanSpotSizesDelivered"
        logged = tuple(d.layer(la, place) for d, la in zip(layers, beam.layers, strict=True))
        made.append(LoggedBeam(beam.name, logged))
    return LoggedFraction(number, tuple(made), date, file)


def _check_plan(root: Element, plan: Plan) -> None:
    """Refuse a record that refers to another plan, where both have a UID."""
    mine = plan.metadata.get("sop_instance_uid", "")
    for item in root.sequence("ReferencedRTPlanSequence", optional=True):
        theirs = item.text("ReferencedSOPInstanceUID", "")
        if mine and theirs and theirs != mine:
            raise item.error("ReferencedSOPInstanceUID", theirs, f"{mine}, the plan given")


def _fraction_number(item: Element) -> int:
    number = item.integer("CurrentFractionNumber")
    if number < 1:
        raise item.error("CurrentFractionNumber", number, "at least 1")
    return number


def _planned_beam(item: Element, plan: Plan) -> Beam:
    name = item.text("BeamName", "") or f"beam {item.integer('ReferencedBeamNumber')}"
    matches = [beam for beam in plan.beams if beam.name == name]
    if len(matches) != 1:
        have = ", ".join(repr(beam.name) for beam in plan.beams)
        raise item.error("BeamName", repr(name), f"one of the plan's beams ({have}), each of another name")
    if item.text("ScanMode") not in ("MODULATED", "MODULATED_SPEC"):
        raise item.error("ScanMode", item.text("ScanMode"), "MODULATED, a beam of scanned spots")
    return matches[0]


def _date(root: Element) -> datetime.date | None:
    text = root.text("TreatmentDate", "")
    if not text:
        return None
    try:
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        raise root.error("TreatmentDate", repr(text), "a date as YYYYMMDD") from None


def _calibration(root: Element, plan: Plan, machine: Machine | None) -> Machine | None:
    """Machine whose calibration turns the metersets into particles; None where they are particles."""
    unit = root.text("PrimaryDosimeterUnit")
    if unit not in set(MetersetUnit):
        raise root.error("PrimaryDosimeterUnit", unit, "NP or MU; other units give no absolute dose")
    if unit == MetersetUnit.PARTICLES:
        return None
    return machine_named(plan.machine) if machine is None else machine


def _add_beam(item: Element, beam: Beam, layers: list[_Delivered], machine: Machine | None) -> None:
    """Add what a recorded beam delivered to the sums of its planned layers; MU where there is a machine."""
    points = [
        (point.integer("ReferencedControlPointIndex"), energy, point)
        for energy, point in _with_energies(item.sequence("IonControlPointDeliverySequence"))
        if point.has("ScanSpotMetersetsDelivered")
    ]
    points = [p for p in points if p[2].numbers("ScanSpotMetersetsDelivered").any()]
    in_pairs = all(index % 2 == 0 for index, _, _ in points)
    total = 0.0
    for index, energy, point in points:
        j = _planned_layer(point, beam, energy, index // 2 if in_pairs else index)
        metersets, positions, sigma = _spots(point)
        total += float(metersets.sum())
        if machine is not None:
            metersets = metersets * machine.particles_per_mu(beam.layers[j].energy_mev_u)
        places = _planned_spots(point, metersets.size, len(beam.layers[j].spots))
        layers[j].add(places, positions, metersets, sigma)
    if item.has("DeliveredPrimaryMeterset"):
        stated = item.number("DeliveredPrimaryMeterset")
        if abs(total - stated) > TOTAL_TOLERANCE * max(stated, total):
            expected = f"{total:g}, the sum of the spots' metersets"
            raise item.error("DeliveredPrimaryMeterset", f"{stated:g}", expected)


def _with_energies(points: list[Element]) -> list[tuple[float, Element]]:
    """Control points with their energies, which hold until the next that is given."""
    energy = float("nan")
    out: list[tuple[float, Element]] = []
    for point in points:
        if point.has("NominalBeamEnergy") or not out:
            energy = point.number("NominalBeamEnergy")
        out.append((energy, point))
    return out


def _planned_layer(point: Element, beam: Beam, energy: float, place: int) -> int:
    """Place of the layer of an energy; among layers of one energy, the control point's number decides."""
    near = [j for j, la in enumerate(beam.layers) if abs(la.energy_mev_u - energy) <= ENERGY_TOLERANCE_MEV_U]
    if not near:
        energies = ", ".join(f"{la.energy_mev_u:g}" for la in beam.layers[:8])
        more = " ..." if len(beam.layers) > 8 else ""
        expected = f"an energy of the plan's beam {beam.name!r} ({energies}{more})"
        raise point.error("NominalBeamEnergy", f"{energy:g} MeV/u", expected)
    if len(near) == 1:
        return near[0]
    if place not in near:
        expected = f"a control point of one of the plan's layers {near} of {energy:g} MeV/u"
        raise point.error("ReferencedControlPointIndex", f"a control point of layer {place}", expected)
    return place


def _spots(
    point: Element,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Metersets ``(n,)``, positions ``(n, 2)`` and, where recorded, standard deviations ``(n, 2)``."""
    metersets = point.numbers("ScanSpotMetersetsDelivered")
    if metersets.min() < 0:
        raise point.error("ScanSpotMetersetsDelivered", float(metersets.min()), "no negative meterset")
    if (
        point.has("NumberOfScanSpotPositions")
        and point.integer("NumberOfScanSpotPositions") != metersets.size
    ):
        expected = f"{metersets.size}, as there are metersets"
        raise point.error("NumberOfScanSpotPositions", point.integer("NumberOfScanSpotPositions"), expected)
    positions = point.numbers("ScanSpotPositionMap", 2 * metersets.size).reshape(-1, 2)
    if not point.has("ScanSpotSizesDelivered"):
        return metersets, positions, None
    sizes = point.numbers("ScanSpotSizesDelivered", 2 * metersets.size).reshape(-1, 2)
    if np.any(sizes[metersets > 0] <= 0):
        raise point.error("ScanSpotSizesDelivered", "a size that is not positive", "sizes in mm")
    return metersets, positions, sizes / FWHM_PER_SIGMA


def _planned_spots(point: Element, count: int, planned: int) -> NDArray[np.int64]:
    """Places, in the planned layer, of recorded spots."""
    if point.has("ScanSpotPrescribedIndices"):
        indices = point.numbers("ScanSpotPrescribedIndices", count)
        if np.any(indices % 1) or indices.min() < 0 or indices.max() >= planned:
            found = f"{indices.min():g} to {indices.max():g}"
            raise point.error("ScanSpotPrescribedIndices", found, f"whole numbers from 0 to {planned - 1}")
        return indices.astype(np.int64)
    if point.text("ScanSpotReordered", "NO") == "YES":
        raise point.error("ScanSpotPrescribedIndices", "nothing", "indices, as the spots are reordered")
    if count != planned:
        expected = f"{planned} as in the plan's layer, or ScanSpotPrescribedIndices"
        raise point.error("ScanSpotMetersetsDelivered", f"{count} spots", expected)
    return np.arange(count)
