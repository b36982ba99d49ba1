"""Treatment records: round trips, deliveries in parts and out of order, and records that do not fit."""

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.dicom_ion_plan import read_ion_plan, write_ion_plan
from isodose.plan.dicom_treatment_record import RecordWarning, read_treatment_records
from isodose.plan.dicom_treatment_record_writer import write_treatment_record
from isodose.plan.meterset import MetersetUnit
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.treatment_log import LoggedFraction, LoggedLayer
from isodose.plan.treatment_log_delivered import as_delivered
from isodose.plan.treatment_log_load import load_treatment_log
from isodose.plan.treatment_log_simulated import simulated_log

BOX = Patient("box", Volume(Grid((0, 0, 0), (10, 10, 10), (4, 4, 4)), np.zeros((4, 4, 4))))
DAY = datetime.date(2026, 3, 27)
PLAN = Plan(
    "recorded",
    "carbon",
    "generic_carbon",
    (
        Beam(
            "left",
            90.0,
            0.0,
            (0.0, 0.0, 0.0),
            (
                Layer(250.0, Spots([-5.0, 0.0, 5.0], [0.0, 1.0, 2.0], [1e6, 2e6, 3e6])),
                Layer(240.0, Spots([0.0], [0.0], [4e6])),
                Layer(240.0, Spots([3.0], [0.0], [4e6])),
            ),
        ),
        Beam("top", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(120.0, Spots([1.0], [-1.0], [5e6])),)),
    ),
    fractions=5,
)


def measured(number: int = 3, sizes: bool = True) -> LoggedFraction:
    made = simulated_log(PLAN, fractions=number, seed=1).fractions[-1]
    first = made.beams[0].layers[0]
    sigma = np.array([[3.0, 3.5], [3.1, 3.6], [3.2, 3.7]]) if sizes else None
    layers = (LoggedLayer(first.energy_mev_u, first.spots, sigma), *made.beams[0].layers[1:])
    return replace(made, beams=(replace(made.beams[0], layers=layers), made.beams[1]), date=DAY)


def record(tmp_path: Path, name: str = "record.dcm", plan: Plan = PLAN, **options: object) -> Path:
    write_treatment_record(plan, measured(), tmp_path / name, BOX, **options)  # type: ignore[arg-type]
    return tmp_path / name


def changed(path: Path, change: object) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)  # type: ignore[operator]
    dataset.save_as(path)
    return path


def points(dataset: Dataset, beam: int = 0) -> list[Dataset]:
    return list(dataset.TreatmentSessionIonBeamSequence[beam].IonControlPointDeliverySequence)


def same(a: LoggedFraction, b: LoggedFraction) -> None:
    assert (a.number, a.date) == (b.number, b.date)
    for x, y in zip(a.beams, b.beams, strict=True):
        assert x.name == y.name
        for m, n in zip(x.layers, y.layers, strict=True):
            # 32-bit floats; a position is a quotient of two of them
            np.testing.assert_allclose(n.spots.x_mm, m.spots.x_mm, rtol=4e-7)
            np.testing.assert_allclose(n.spots.y_mm, m.spots.y_mm, rtol=4e-7)
            np.testing.assert_allclose(n.spots.particles, m.spots.particles, rtol=4e-7)
            assert (m.sigma_mm is None) == (n.sigma_mm is None)
            if m.sigma_mm is not None:
                np.testing.assert_allclose(n.sigma_mm, m.sigma_mm, rtol=4e-7)


@pytest.mark.parametrize("unit", list(MetersetUnit))
def test_round_trip(tmp_path: Path, unit: MetersetUnit) -> None:
    path = record(tmp_path, unit=unit)
    log = load_treatment_log(path, PLAN)
    same(measured(), log.fraction(3))
    first = points(pydicom.dcmread(path))[0]
    factor = 1.0 if unit is MetersetUnit.PARTICLES else machine("generic_carbon").particles_per_mu(250.0)
    particles = measured().beams[0].layers[0].spots.particles
    np.testing.assert_allclose(first.ScanSpotMetersetsDelivered, particles / factor, rtol=1e-6)
    np.testing.assert_allclose(first.ScanSpotSizesDelivered[:2], [2.354820 * 3.0, 2.354820 * 3.5], rtol=1e-6)
    assert as_delivered(PLAN, log.fraction(3)).beams[0].layers[0].sigma_mm is not None


def test_order_of_delivery_and_repainting(tmp_path: Path) -> None:
    """The standard's use cases: another order, and one planned spot delivered in two parts."""

    def reorder(dataset: Dataset) -> None:
        point = points(dataset)[0]
        point.ScanSpotReordered = "YES"
        point.NumberOfScanSpotPositions = 4
        point.ScanSpotPrescribedIndices = [2, 1, 0, 2]
        point.ScanSpotPositionMap = [5, 2, 0, 1, -5, 0, 5.4, 2]
        point.ScanSpotMetersetsDelivered = [1.5e6, 2e6, 1e6, 0.5e6]
        point.ScanSpotSizesDelivered = [7.0] * 4 + [8.0] * 4
        del dataset.TreatmentSessionIonBeamSequence[0].DeliveredPrimaryMeterset

    layer = read_treatment_records([changed(record(tmp_path), reorder)], PLAN).fraction(3).beams[0].layers[0]
    np.testing.assert_allclose(layer.spots.particles, [1e6, 2e6, 2e6])
    # three quarters at 5.0 mm and one at 5.4 mm
    np.testing.assert_allclose(layer.spots.x_mm, [-5, 0, 5.1], rtol=1e-6)
    np.testing.assert_allclose(layer.sigma_mm[2, 0] * 2.354820, np.sqrt(0.75 * 49 + 0.25 * 64), rtol=1e-6)


def test_resumed_fraction_is_the_sum_of_its_records(tmp_path: Path) -> None:
    """A record that broke off within the second layer of one energy, and one of the rest."""

    def first(dataset: Dataset) -> None:
        items = dataset.TreatmentSessionIonBeamSequence
        items[0].IonControlPointDeliverySequence = points(dataset)[:4]
        del items[0].DeliveredPrimaryMeterset
        del items[1]

    def rest(dataset: Dataset) -> None:
        items = dataset.TreatmentSessionIonBeamSequence
        items[0].TreatmentDeliveryType = "CONTINUATION"
        items[0].IonControlPointDeliverySequence = points(dataset)[4:]
        del items[0].DeliveredPrimaryMeterset

    parts = [changed(record(tmp_path, "2.dcm"), rest), changed(record(tmp_path, "1.dcm"), first)]
    same(measured(), read_treatment_records(parts, PLAN).fraction(3))
    same(measured(), load_treatment_log(tmp_path, PLAN).fraction(3))


def test_one_control_point_a_layer(tmp_path: Path) -> None:
    def single(dataset: Dataset) -> None:
        for beam in dataset.TreatmentSessionIonBeamSequence:
            kept = beam.IonControlPointDeliverySequence[::2]
            for index, point in enumerate(kept):
                point.ReferencedControlPointIndex = index
            beam.IonControlPointDeliverySequence = kept

    same(measured(), read_treatment_records([changed(record(tmp_path), single)], PLAN).fraction(3))


def test_beam_without_a_record_is_said(tmp_path: Path) -> None:
    def without(dataset: Dataset) -> None:
        del dataset.TreatmentSessionIonBeamSequence[1]

    path = changed(record(tmp_path), without)
    with pytest.warns(RecordWarning, match="fraction 3: no record of beam 'top'; counted as not delivered"):
        log = read_treatment_records([path], PLAN)
    assert [beam.name for beam in as_delivered(PLAN, log.fraction(3)).beams] == ["left"]


def test_setup_beams_and_tuning_zeros_are_passed_over(tmp_path: Path) -> None:
    def add(dataset: Dataset) -> None:
        setup = Dataset()
        setup.TreatmentDeliveryType = "SETUP"
        dataset.TreatmentSessionIonBeamSequence.append(setup)

    same(measured(), read_treatment_records([changed(record(tmp_path), add)], PLAN).fraction(3))


def set_in(beam: int, keyword: str, value: object) -> object:
    return lambda d: setattr(d.TreatmentSessionIonBeamSequence[beam], keyword, value)


def set_at(keyword: str, value: object) -> object:
    return lambda d: setattr(points(d)[0], keyword, value)


@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: setattr(d, "PrimaryDosimeterUnit", "MINUTE"), "PrimaryDosimeterUnit: found MINUTE"),
        (lambda d: setattr(d, "TreatmentDate", "20261345"), "TreatmentDate"),
        (set_in(0, "BeamName", "right"), "BeamName: found 'right', expected one of the plan's beams"),
        (
            set_in(0, "CurrentFractionNumber", None),
            r"TreatmentSessionIonBeamSequence\[0\].CurrentFractionNumber",
        ),
        (set_in(0, "ScanMode", "UNIFORM"), "ScanMode: found UNIFORM"),
        (set_in(0, "DeliveredPrimaryMeterset", "100"), "DeliveredPrimaryMeterset: found 100, expected"),
        (
            set_at("NominalBeamEnergy", "133"),
            "NominalBeamEnergy: found 133 MeV/u, expected an energy of the plan",
        ),
        (set_at("ScanSpotPositionMap", [1.0, 2.0]), "ScanSpotPositionMap"),
        (set_at("ScanSpotMetersetsDelivered", [1.0, -2.0, 3.0]), "no negative meterset"),
        (set_at("ScanSpotPrescribedIndices", [1, 2, 3]), "ScanSpotPrescribedIndices: found 1 to 3, .*0 to 2"),
        (set_at("ScanSpotSizesDelivered", [0.0] * 6), "ScanSpotSizesDelivered"),
        (set_at("NumberOfScanSpotPositions", 4), "NumberOfScanSpotPositions: found 4"),
        (lambda d: delattr(d, "TreatmentSessionIonBeamSequence"), "TreatmentSessionIonBeamSequence"),
        (lambda d: setattr(d, "SOPClassUID", pydicom.uid.RTIonPlanStorage), "SOPClassUID"),
    ],
)
def test_records_that_do_not_fit_are_refused(tmp_path: Path, change: object, message: str) -> None:
    path = changed(record(tmp_path), change)
    with pytest.raises(InputError, match=message) as error:
        read_treatment_records([path], PLAN)
    assert "record.dcm" in str(error.value)


def test_unknown_order_is_refused(tmp_path: Path) -> None:
    def reordered(dataset: Dataset) -> None:
        points(dataset)[0].ScanSpotReordered = "YES"
        del points(dataset)[0].ScanSpotPrescribedIndices

    with pytest.raises(InputError, match="ScanSpotPrescribedIndices: found nothing"):
        read_treatment_records([changed(record(tmp_path), reordered)], PLAN)


def test_record_of_another_plan_is_refused(tmp_path: Path) -> None:
    write_ion_plan(PLAN, tmp_path / "plan.dcm", BOX)
    plan = read_ion_plan(tmp_path / "plan.dcm")
    record(tmp_path, plan=plan)
    path = tmp_path / "record.dcm"
    same(measured(), read_treatment_records([path], plan).fraction(3))
    other = replace(plan, metadata={"sop_instance_uid": "1.2.3"})
    with pytest.raises(
        InputError, match=r"ReferencedSOPInstanceUID: found .* expected 1\.2\.3, the plan given"
    ):
        read_treatment_records([path], other)


def test_record_needs_a_date(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="date"):
        write_treatment_record(PLAN, replace(measured(), date=None), tmp_path / "r.dcm", BOX)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_damaged_files_are_refused(tmp_path: Path, part: float) -> None:
    path = record(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(InputError, match=r"record\.dcm"):
        read_treatment_records([path], PLAN)
