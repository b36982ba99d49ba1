"""RT Ion Plans: round trips, the standard's own example, and what other systems write."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from isodose.errors import InputError, IsodoseWarning
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.dicom_ion_plan import read_ion_plan, write_ion_plan
from isodose.plan.ion_plan_shifter import PlanWarning
from isodose.plan.load import load_plan
from isodose.plan.plan import Beam, Layer, Plan, RangeShifter, Spots

ECLIPSE_PHOTON = (
    Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "eclipse_breast" / "rtplan.dcm"
)


def patient(position: str = "HFS") -> Patient:
    grid = Grid((0, 0, 0), (10, 10, 10), (4, 4, 4))
    return Patient("box", Volume(grid, np.zeros(grid.shape)), position=position)


def example(ion: str = "proton") -> Plan:
    """The standard's example of C.8.8.25.7 (200 and 180 MeV; 10, 20, 25 and 15), plus a beam of one spot."""
    layers = (
        Layer(200.0, Spots([-5.0, 5.0], [0.0, 1.5], [10.0, 20.0])),
        Layer(180.0, Spots([-5.0, 5.0], [0.0, 1.5], [25.0, 15.0])),
    )
    shifter = RangeShifter("RS40", 40.0, "lexan", 210.0) if ion == "proton" else None
    return Plan(
        "a plan with a long name",
        ion,
        f"generic_{ion}",
        (
            Beam("first", 90.0, 350.0, (1.5, -20.25, 300.0), layers),
            Beam(
                "second",
                181.5,
                0.0,
                (1.5, -20.25, 300.0),
                (Layer(94.72426463811185, Spots([1], [2], [3e9])),),
                shifter,
                420.0,
            ),
        ),
        fractions=20,
        prescription_gy=2.0,
        target="PTV",
    )


def written(tmp_path: Path, plan: Plan | None = None, **options: object) -> Path:
    path = tmp_path / "plan.dcm"
    write_ion_plan(plan or example(), path, patient(), **options)  # type: ignore[arg-type]
    return path


def changed(path: Path, change: object) -> Path:
    """The same file after a change of its dataset."""
    dataset = pydicom.dcmread(path)
    change(dataset)  # type: ignore[operator]
    dataset.save_as(path)
    return path


def same(a: Plan, b: Plan) -> None:
    assert (a.name, a.ion, a.machine, a.fractions, a.target) == (
        b.name,
        b.ion,
        b.machine,
        b.fractions,
        b.target,
    )
    assert b.prescription_gy == pytest.approx(a.prescription_gy)
    for x, y in zip(a.beams, b.beams, strict=True):
        assert (x.name, x.range_shifter) == (y.name, y.range_shifter)
        assert (y.gantry_angle_deg, y.couch_angle_deg) == pytest.approx(
            (x.gantry_angle_deg, x.couch_angle_deg)
        )
        assert y.isocentre_mm == pytest.approx(x.isocentre_mm)
        assert y.snout_position_mm == x.snout_position_mm
        for k, m in zip(x.layers, y.layers, strict=True):
            # Energies are decimal strings of 16 characters, the others 32-bit floats.
            assert m.energy_mev_u == pytest.approx(k.energy_mev_u, rel=1e-13)
            np.testing.assert_allclose(m.spots.x_mm, k.spots.x_mm, rtol=2e-7)
            np.testing.assert_allclose(m.spots.y_mm, k.spots.y_mm, rtol=2e-7)
            np.testing.assert_allclose(m.spots.particles, k.spots.particles, rtol=2e-7)


@pytest.mark.parametrize("ion", ["proton", "helium", "carbon", "oxygen"])
@pytest.mark.parametrize("unit", ["NP", "MU"])
def test_round_trip(tmp_path: Path, ion: str, unit: str) -> None:
    plan = example("proton") if ion == "proton" else example(ion)
    if ion != "proton":
        second = Beam("second", 0, 0, (0, 0, 0), (Layer(200.0, Spots([1], [2], [3e7])),))
        plan = Plan(plan.name, ion, plan.machine, (plan.beams[0], second), 20, 2.0, "PTV")
    path = written(tmp_path, plan, unit=unit)
    assert pydicom.dcmread(path).IonBeamSequence[0].PrimaryDosimeterUnit == unit
    same(plan, read_ion_plan(path))


def test_standard_example_of_control_point_pairs(tmp_path: Path) -> None:
    beam = pydicom.dcmread(written(tmp_path)).IonBeamSequence[0]
    points = beam.IonControlPointSequence
    assert [float(p.NominalBeamEnergy) for p in points] == [200, 200, 180, 180]
    assert [float(p.CumulativeMetersetWeight) for p in points] == [0, 30, 30, 70]
    assert [list(p.ScanSpotMetersetWeights) for p in points] == [[10, 20], [0, 0], [25, 15], [0, 0]]
    assert all(list(p.ScanSpotPositionMap) == [-5, 0, 5, 1.5] for p in points)
    assert float(beam.FinalCumulativeMetersetWeight) == 70
    assert beam.BeamType == "DYNAMIC"
    assert beam.NumberOfControlPoints == 4


def test_every_element_of_the_checklist_is_there(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(written(tmp_path))
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ImplicitVRLittleEndian
    assert (dataset.Modality, dataset.ApprovalStatus, dataset.RTPlanGeometry) == (
        "RTPLAN",
        "UNAPPROVED",
        "PATIENT",
    )
    assert len(dataset.RTPlanLabel) <= 16
    assert dataset.PatientSetupSequence[0].PatientPosition == "HFS"
    group = dataset.FractionGroupSequence[0]
    assert (group.NumberOfFractionsPlanned, group.NumberOfBeams) == (20, 2)
    assert [b.ReferencedBeamNumber for b in group.ReferencedBeamSequence] == [1, 2]
    assert float(group.ReferencedBeamSequence[0].BeamMeterset) == 70
    beam = dataset.IonBeamSequence[1]
    wanted = (
        "BeamNumber BeamName BeamType RadiationType ScanMode PrimaryDosimeterUnit TreatmentDeliveryType "
        "VirtualSourceAxisDistances PatientSupportType NumberOfControlPoints NumberOfWedges "
        "NumberOfCompensators NumberOfBoli NumberOfBlocks NumberOfRangeShifters "
        "NumberOfLateralSpreadingDevices NumberOfRangeModulators TreatmentMachineName "
        "ReferencedPatientSetupNumber"
    )
    assert [k for k in wanted.split() if k not in beam] == []
    assert list(beam.VirtualSourceAxisDistances) == [1900, 2300]
    first = beam.IonControlPointSequence[0]
    wanted = (
        "GantryAngle GantryRotationDirection BeamLimitingDeviceAngle BeamLimitingDeviceRotationDirection "
        "PatientSupportAngle PatientSupportRotationDirection TableTopVerticalPosition "
        "TableTopLateralPosition TableTopLongitudinalPosition IsocenterPosition TableTopPitchAngle "
        "TableTopRollAngle GantryPitchAngle SnoutPosition RangeShifterSettingsSequence ScanSpotTuneID "
        "NumberOfPaintings ScanningSpotSize"
    )
    assert [k for k in wanted.split() if k not in first] == []
    setting = first.RangeShifterSettingsSequence[0]
    assert setting.RangeShifterSetting == "IN"
    # Lexan's stopping power relative to water is 1.14 to 1.15.
    assert setting.RangeShifterWaterEquivalentThickness == pytest.approx(45.8, abs=0.3)
    assert all(len(v) <= 16 for v in [first["NominalBeamEnergy"].value.original_string])


def test_ions_carry_mass_and_charge(tmp_path: Path) -> None:
    plan = Plan("c", "carbon", "generic_carbon", (example().beams[0],))
    beam = pydicom.dcmread(written(tmp_path, plan)).IonBeamSequence[0]
    assert (beam.RadiationType, beam.RadiationMassNumber, beam.RadiationAtomicNumber) == ("ION", 12, 6)
    assert beam.RadiationChargeState == 6


def test_more_spots_than_an_explicit_list_could_hold(tmp_path: Path) -> None:
    n = 20_000
    spots = Spots(np.linspace(-50, 50, n), np.zeros(n), np.full(n, 1e5))
    plan = Plan("big", "proton", "generic_proton", (Beam("b", 0, 0, (0, 0, 0), (Layer(150.0, spots),)),))
    same(plan, read_ion_plan(written(tmp_path, plan)))


def test_monitor_units_follow_the_calibration(tmp_path: Path) -> None:
    beam = pydicom.dcmread(written(tmp_path, unit="MU")).IonBeamSequence[0]
    expected = np.array([10.0, 20.0]) / machine("generic_proton").particles_per_mu(200.0)
    np.testing.assert_allclose(beam.IonControlPointSequence[0].ScanSpotMetersetWeights, expected, rtol=1e-6)


def test_meterset_scales_weights(tmp_path: Path) -> None:
    def double(dataset: Dataset) -> None:
        dataset.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset = "140"

    plan = read_ion_plan(changed(written(tmp_path), double))
    assert plan.beams[0].layers[0].spots.particles.tolist() == [20, 40]
    assert plan.beams[1].particles == pytest.approx(3e9)


def test_setup_beams_are_left_out_and_beams_matched_by_number(tmp_path: Path) -> None:
    def add_setup(dataset: Dataset) -> None:
        dataset.IonBeamSequence[0].TreatmentDeliveryType = "SETUP"
        dataset.FractionGroupSequence[0].ReferencedBeamSequence = dataset.FractionGroupSequence[
            0
        ].ReferencedBeamSequence[::-1]

    plan = read_ion_plan(changed(written(tmp_path), add_setup))
    assert [b.name for b in plan.beams] == ["second"]
    assert plan.particles == pytest.approx(3e9)


def test_one_control_point_per_layer_without_cumulative_weights(tmp_path: Path) -> None:
    def thin(dataset: Dataset) -> None:
        for beam in dataset.IonBeamSequence:
            beam.IonControlPointSequence = beam.IonControlPointSequence[::2]
            for point in beam.IonControlPointSequence:
                point.CumulativeMetersetWeight = None

    same(example(), read_ion_plan(changed(written(tmp_path), thin)))


def test_energy_and_shifter_are_inherited(tmp_path: Path) -> None:
    def sparse(dataset: Dataset) -> None:
        for beam in dataset.IonBeamSequence:
            for point in beam.IonControlPointSequence[1::2]:
                del point.NominalBeamEnergy

    same(example(), read_ion_plan(changed(written(tmp_path), sparse)))


def test_repeated_layers_keep_their_order(tmp_path: Path) -> None:
    layers = tuple(Layer(e, Spots([i], [0], [10.0 + i])) for i, e in enumerate((150.0, 150.0, 160.0, 150.0)))
    plan = Plan("paint", "proton", "generic_proton", (Beam("b", 0, 0, (0, 0, 0), layers),))
    same(plan, read_ion_plan(written(tmp_path, plan)))


def test_thickness_of_an_unknown_shifter_becomes_water_with_a_warning(tmp_path: Path) -> None:
    def rename(dataset: Dataset) -> None:
        dataset.IonBeamSequence[1].RangeShifterSequence[0].RangeShifterID = "other"

    path = changed(written(tmp_path), rename)
    with pytest.warns(PlanWarning, match="'other'"):
        shifter = read_ion_plan(path).beams[1].range_shifter
    assert shifter is not None
    assert (shifter.material, shifter.thickness_mm) == ("water", pytest.approx(45.8, abs=0.3))


def test_thickness_missing_is_taken_from_the_machine(tmp_path: Path) -> None:
    def forget(dataset: Dataset) -> None:
        setting = dataset.IonBeamSequence[1].IonControlPointSequence[0].RangeShifterSettingsSequence[0]
        del setting.RangeShifterWaterEquivalentThickness
        del setting.IsocenterToRangeShifterDistance

    shifter = read_ion_plan(changed(written(tmp_path), forget)).beams[1].range_shifter
    assert shifter == RangeShifter("RS40", 40.0, "lexan", 250.0)


def _set(place: str, value: object) -> object:
    """Change of one element, by a path of keywords and indices."""

    def change(dataset: Dataset) -> None:
        *parts, last = place.split(".")
        for part in parts:
            keyword, _, index = part.partition("[")
            dataset = getattr(dataset, keyword)[int(index.rstrip("]"))]
        if value is None:
            delattr(dataset, last)
        else:
            setattr(dataset, last, value)

    return change


BEAM = "IonBeamSequence[0]"
POINT = f"{BEAM}.IonControlPointSequence[0]"


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        ("SOPClassUID", pydicom.uid.RTPlanStorage, "SOPClassUID"),
        (f"{BEAM}.PrimaryDosimeterUnit", "MINUTE", "PrimaryDosimeterUnit"),
        (f"{BEAM}.RadiationType", "PHOTON", "RadiationType"),
        (f"{BEAM}.ScanMode", "UNIFORM", "ScanMode"),
        (f"{BEAM}.ModulatedScanModeType", "LINEAR", "ModulatedScanModeType"),
        (f"{BEAM}.FinalCumulativeMetersetWeight", "75", "FinalCumulativeMetersetWeight"),
        (f"{BEAM}.FinalCumulativeMetersetWeight", "0", "FinalCumulativeMetersetWeight"),
        (f"{BEAM}.BeamNumber", 9, "BeamNumber"),
        (f"{BEAM}.NumberOfBlocks", 1, "NumberOfBlocks"),
        (f"{BEAM}.TreatmentMachineName", "other", "TreatmentMachineName"),
        (f"{BEAM}.IonControlPointSequence", [], "IonControlPointSequence"),
        (f"{POINT}.GantryAngle", None, "GantryAngle"),
        (f"{POINT}.IsocenterPosition", ["1", "2"], "IsocenterPosition"),
        (f"{POINT}.NominalBeamEnergy", None, "NominalBeamEnergy"),
        (f"{POINT}.NominalBeamEnergy", "-3", "NominalBeamEnergy"),
        (f"{POINT}.ScanSpotPositionMap", [1.0, 2.0, 3.0], "ScanSpotPositionMap"),
        (f"{POINT}.ScanSpotMetersetWeights", [-1.0, 31.0], "ScanSpotMetersetWeights"),
        (f"{POINT}.NumberOfScanSpotPositions", 3, "ScanSpotMetersetWeights"),
        (f"{POINT}.TableTopPitchAngle", 2.0, "TableTopPitchAngle"),
        (f"{BEAM}.IonControlPointSequence[2].GantryAngle", "100", "GantryAngle"),
        (f"{BEAM}.IonControlPointSequence[2].CumulativeMetersetWeight", "3", "CumulativeMetersetWeight"),
        ("FractionGroupSequence[0].NumberOfFractionsPlanned", 0, "NumberOfFractionsPlanned"),
        ("FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset", None, "BeamNumber"),
        (
            "IonBeamSequence[1].IonControlPointSequence[0].RangeShifterSettingsSequence[0]."
            "RangeShifterWaterEquivalentThickness",
            10.0,
            "RangeShifterWaterEquivalentThickness",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, place: str, value: object, field: str) -> None:
    path = changed(written(tmp_path), _set(place, value))
    with pytest.raises(InputError) as caught:
        read_ion_plan(path)
    assert caught.value.file == path
    assert caught.value.field.endswith(field)


def test_monitor_units_of_an_unknown_machine_are_refused(tmp_path: Path) -> None:
    def rename(dataset: Dataset) -> None:
        for beam in dataset.IonBeamSequence:
            beam.TreatmentMachineName = "elsewhere"

    plan = Plan("p", "proton", "generic_proton", (example().beams[0],))
    path = changed(written(tmp_path, plan, unit="MU"), rename)
    with pytest.raises(InputError, match="MU of an unknown machine"):
        read_ion_plan(path)
    same(plan, read_ion_plan(path, machine="generic_proton"))


def test_prescription_of_other_systems_is_not_taken_for_physical(tmp_path: Path) -> None:
    plan = read_ion_plan(changed(written(tmp_path), _set("Manufacturer", "somebody")))
    assert plan.prescription_gy is None
    assert plan.metadata["target_prescription_dose_gy"] == "40"


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (Plan("p", "proton", "generic_proton", (Beam("b", 0, 0, (0, 0, 0), ()),)), "beams[0].layers"),
        (
            Plan(
                "p",
                "proton",
                "generic_proton",
                (Beam("b", 0, 0, (0, 0, 0), (Layer(99, Spots([], [], [])),)),),
            ),
            "beams[0].layers[0].spots",
        ),
        (
            Plan(
                "p",
                "proton",
                "generic_proton",
                (Beam("b", 0, 0, (0, 0, 0), (Layer(9, Spots([0], [0], [1])),)),),
            ),
            "beams[0].layers[0].energy_mev_u",
        ),
        (Plan("p", "proton", "elsewhere", example().beams), "machine"),
    ],
)
def test_plans_that_cannot_be_written(tmp_path: Path, plan: Plan, field: str) -> None:
    with pytest.raises(InputError) as caught:
        written(tmp_path, plan)
    assert caught.value.field == field
    assert list(tmp_path.iterdir()) == []


def test_load_plan_tells_files_apart(tmp_path: Path) -> None:
    same(example(), load_plan(written(tmp_path)))
    same(example(), load_plan(tmp_path))
    with pytest.raises(InputError, match="readable file"):
        load_plan(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="unit"):
        written(tmp_path, unit="J")


def test_a_photon_plan_is_refused() -> None:
    if not ECLIPSE_PHOTON.exists():
        pytest.skip("the clinical example files are not here")
    with pytest.raises(InputError, match="SOPClassUID"):
        load_plan(ECLIPSE_PHOTON)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_give_a_plan_or_an_input_error(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "damaged.dcm"
    good = (
        (tmp_path / "good.dcm")
        if (tmp_path / "good.dcm").exists()
        else written(tmp_path).rename(tmp_path / "good.dcm")
    )
    raw = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert isinstance(read_ion_plan(path), Plan)
        except InputError:
            pass
        except IsodoseWarning:
            pass
