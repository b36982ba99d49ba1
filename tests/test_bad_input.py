"""What the functions that users call say to bad input: the place, what was found, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import yaml

from isodose.cli import BAD_INPUT, main
from isodose.dose.quantity import Quantity
from isodose.errors import InputError, IsodoseWarning
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.hounsfield_file import read_calibration
from isodose.patient.load import load_patient, write_patient_dicom
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.plan.load import load_plan
from isodose.plan.plan import Beam, Layer, Plan, RangeShifter, Spots
from isodose.plan.simple_plan import simple_plan
from isodose.plan.yaml_plan import write_plan
from isodose.transport.engine import MonteCarlo

GRID = Grid((-47.5, -47.5, -47.5), (5.0, 5.0, 5.0), (20, 20, 20))


def whole(name: str, role: Role, margin: int) -> Structure:
    occupancy = np.zeros(GRID.shape, np.float32)
    occupancy[(slice(margin, -margin),) * 3] = 1.0
    return Structure(name, role, GRID, occupancy)


@pytest.fixture(scope="module")
def block() -> Patient:
    """A block of water in air with a target in its middle."""
    body, target = whole("body", Role.EXTERNAL, 1), whole("PTV", Role.PTV, 8)
    ct = Volume(GRID, np.where(body.mask, np.float32(0.0), np.float32(-1000.0)))
    return Patient("block", ct, {s.name: s for s in (body, target)}, calibration="phantom")


@pytest.fixture(scope="module")
def written(block: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "study"
    write_patient_dicom(block, folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of the block's DICOM folder, to be spoilt."""
    return Path(shutil.copytree(written, tmp_path / "study"))


def edit(path: Path, **elements: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def slices(folder: Path) -> list[Path]:
    return sorted(folder.glob("CT*.dcm"))


def missing_slice(folder: Path) -> None:
    slices(folder)[7].unlink()


def slice_twice(folder: Path) -> None:
    place = pydicom.dcmread(slices(folder)[6]).ImagePositionPatient
    edit(slices(folder)[7], ImagePositionPatient=place)


def tilted(folder: Path) -> None:
    for path in slices(folder):
        edit(path, ImageOrientationPatient=[1, 0, 0, 0, 0.9848077530, 0.1736481777])


def sheared(folder: Path) -> None:
    for k, path in enumerate(slices(folder)):
        edit(path, ImagePositionPatient=[-47.5, -47.5 + 0.8 * k, -47.5 + 5.0 * k])


def two_series(folder: Path) -> None:
    for path in slices(folder)[:10]:
        edit(path, SeriesInstanceUID="1.2.3.4")


def other_frame(folder: Path) -> None:
    dataset = pydicom.dcmread(folder / "RTSTRUCT.dcm")
    for roi in dataset.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = "1.2.3.4"
    dataset.save_as(folder / "RTSTRUCT.dcm")


def unfinished_file(folder: Path) -> None:
    path = slices(folder)[3]
    path.write_bytes(path.read_bytes()[:-300])


def empty_slice(folder: Path) -> None:
    # the last one, whose absence would not leave a gap
    slices(folder)[-1].write_bytes(b"")


def beginning_of_structure_set(folder: Path) -> None:
    path = folder / "RTSTRUCT.dcm"
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing_slice, r"study: ImagePositionPatient: found 10 mm between .*1 missing"),
        (slice_twice, r"CT\.0008\.dcm: ImagePositionPatient: .*CT\.0007\.dcm again"),
        (tilted, r"CT\.0001\.dcm: ImageOrientationPatient: .*no tilt"),
        (sheared, r"CT\.0020\.dcm: ImagePositionPatient: .*tilted gantry"),
        (two_series, r"study: SeriesInstanceUID: found 2 CT series"),
        (other_frame, r"RTSTRUCT\.dcm: .*ReferencedFrameOfReferenceUID: found 1\.2\.3\.4"),
        (unfinished_file, r"CT\.0004\.dcm: PixelData"),
        (empty_slice, r"CT\.0020\.dcm: file: found no readable DICOM data"),
        (beginning_of_structure_set, r"RTSTRUCT\.dcm: file: found no readable DICOM data"),
    ],
)
def test_patient_is_refused(folder, spoil, message):
    spoil(folder)
    with pytest.raises(InputError, match=message):
        load_patient(folder)


def test_open_contours_leave_an_empty_target_that_cannot_be_planned(folder):
    path = folder / "RTSTRUCT.dcm"
    dataset = pydicom.dcmread(path)
    for item in dataset.ROIContourSequence[1].ContourSequence:
        item.ContourGeometricType = "OPEN_PLANAR"
    dataset.save_as(path)
    with pytest.warns(IsodoseWarning, match=r"RTSTRUCT\.dcm: open contours passed over: 'PTV'"):
        patient = load_patient(folder)
    with pytest.raises(InputError, match="target 'PTV': found an empty structure"):
        simple_plan(patient, "PTV", "proton")


def test_region_without_contours_is_an_empty_target(folder):
    path = folder / "RTSTRUCT.dcm"
    dataset = pydicom.dcmread(path)
    del dataset.ROIContourSequence[1].ContourSequence
    dataset.save_as(path)
    with pytest.raises(InputError, match="target 'PTV': found an empty structure"):
        simple_plan(load_patient(folder), "PTV", "proton")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "GTV"}, r"structure: found 'GTV', expected one of body, PTV"),
        ({"ion": "neon"}, "generic_neon"),
        ({"machine": "generic_carbon"}, "ion: found 'proton'"),
        ({"gantry_angles": ()}, "gantry_angles"),
        ({"gantry_angles": (float("nan"),)}, "gantry_angle_deg: found nan"),
        ({"isocentre_mm": (0.0, float("inf"), 0.0)}, "isocentre_mm"),
        ({"prescription_gy": float("nan")}, "prescription_gy"),
        ({"fractions": 1.5}, "plan.fractions"),
    ],
)
def test_planning_is_refused(block, arguments, message):
    with pytest.raises(InputError, match=message):
        simple_plan(block, **{"target": "PTV", "ion": "proton"} | arguments)


OBJECTIVE = {"structure": "PTV", "objective": "squared_deviation", "d_ref": 2.0}
FIELDS = {
    "ion": "proton",
    "prescription_gy": 2.0,
    "target": "PTV",
    "beams": [{"gantry_deg": 0.0}],
    "dose_spacing_mm": 5.0,
    "objectives": [OBJECTIVE],
}
ARC = {k: v for k, v in FIELDS.items() if k != "beams"} | {
    "arc": {"start_deg": -20.0, "stop_deg": 20.0, "spacing_deg": 20.0, "selector": "exact"},
    "spots": {"spacing_mm": 10.0, "layer_spacing_mm": 10.0},
}
PHOTONS = {k: v for k, v in FIELDS.items() if k != "ion"} | {"modality": "photon"}
HOLES = "energy,70,100,130\n70,0,5,5\n100,0.6,0,\n130,0.6,0.6,0\n"


def objectives(*rows: dict[str, object]) -> dict[str, object]:
    return {"objectives": [{"structure": "PTV"} | row for row in rows]}


def constraints(*rows: tuple[str, str, float]) -> dict[str, object]:
    return {
        "constraints": [dict(zip(("structure", "constraint", "limit"), row, strict=True)) for row in rows]
    }


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (FIELDS, objectives({"objective": "squared"}), r"objectives\[0\]\.objective: found 'squared'"),
        (
            FIELDS,
            objectives(
                {"objective": "squared_underdosing", "d_min": 2.0}, {"objective": "max_dose", "d_max": 1.9}
            ),
            r"objectives\[0\] for 'PTV': found SquaredUnderdosing.*goes with MaxDose",
        ),
        (FIELDS, {"objectives": [OBJECTIVE | {"structure": "cord"}]}, r"structure: found 'cord'.*body, PTV"),
        (FIELDS, {"target": "GTV"}, r"structure: found 'GTV'.*body, PTV"),
        (FIELDS, {"target": "outside"}, r"target 'outside': found a structure of which 100 % lies outside"),
        (FIELDS, {"target": "empty"}, r"target 'empty': found an empty structure"),
        (
            FIELDS,
            {"beams": [{"gantry_deg": 0.0, "range_shifter": "RS1"}]},
            r"beams\[0\]\.range_shifter.*RS40",
        ),
        (
            FIELDS,
            constraints(("body", "max_dose", 1.9), ("PTV", "min_dose", 2.0)),
            r"constraints\[1\]: found min_dose 2 in 'PTV'.*voxels that 'PTV' and 'body' share",
        ),
        (FIELDS, constraints(("PTV", "max", 1.9)), r"constraints\[0\]\.constraint: found 'max'"),
        (FIELDS, constraints(("PTV", "max_dose", 0.0)), r"constraints\[0\]\.limit: found 0\.0"),
        (ARC, {"target": "outside"}, r"target 'outside': found a structure of which 100 % lies outside"),
        (ARC, {"target": "empty"}, r"target 'empty': found an empty structure"),
        (ARC, {"arc": ARC["arc"] | {"organs": ["cord"]}}, r"structure: found 'cord'"),
        (
            ARC,
            {"arc": ARC["arc"] | {"layers_per_point": 2, "budget_s": 1.0}},
            r"arc\.budget_s: found 1 s, expected at least [\d.]+ s, the least",
        ),
        (
            ARC,
            {"arc": ARC["arc"] | {"switching": "holes.csv"}},
            r"holes\.csv: seconds\[1\]\[2\], from 100 to 130 MeV/u: found nothing",
        ),
        (ARC, {"arc": ARC["arc"] | {"switching": "none.csv"}}, r"arc\.switching: found 'none\.csv'"),
        (PHOTONS, {"target": "outside"}, r"target 'outside': found a structure of which 100 % lies outside"),
        (PHOTONS, {"target": "empty"}, r"target 'empty': found an empty structure"),
        (PHOTONS, {"ion": "proton"}, r"ion: found unknown key 'ion'"),
    ],
)
def test_plans_that_cannot_be_are_refused_with_the_reason(
    block, tmp_path, monkeypatch, capsys, config, changes, message
):
    air = np.zeros(GRID.shape, np.float32)
    nothing = Structure("empty", Role.PTV, GRID, air.copy())
    air[:, :, 0] = 1.0
    structures = {**block.structures, "outside": Structure("outside", Role.PTV, GRID, air), "empty": nothing}
    monkeypatch.setattr("isodose.patient.load.load_patient", lambda _: replace(block, structures=structures))
    monkeypatch.chdir(tmp_path)
    Path("holes.csv").write_text(HOLES)
    Path("config.yaml").write_text(yaml.safe_dump(config | changes))
    with pytest.raises(SystemExit) as ended:
        main(["plan", "block", "config.yaml", "--threads", "1", "--out", "run"])
    assert ended.value.code == BAD_INPUT
    assert re.search(message, capsys.readouterr().err)
    assert not Path("run").exists()


def plan(energy: float = 100.0, x: float = 0.0, weight: float = 1e6, ion: str = "proton", **beam) -> Plan:
    layers = (Layer(energy, Spots([x], [0.0], [weight])),)
    return Plan("p", ion, f"generic_{ion}", (Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), layers, **beam),))


def shifter(material: str = "water", distance_mm: float = 300.0) -> RangeShifter:
    return RangeShifter("s", 20.0, material, distance_mm)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (plan(energy=300.0), r"beams\[0\]\.layers\[0\]\.energy_mev_u"),
        (plan(x=200.0), r"beams\[0\]\.layers\[0\]\.spots\[0\].*miss the patient"),
        (plan(weight=0.0), r"beams\[0\]\.layers: found spots without any particle"),
        (plan(range_shifter=shifter("wood")), r"beams\[0\]\.range_shifter\.material"),
        (plan(range_shifter=shifter(distance_mm=float("nan"))), r"beams\[0\]\.range_shifter\.distance_mm"),
        (plan(range_shifter=shifter(distance_mm=-50.0)), r"beams\[0\]\.range_shifter\.distance_mm"),
        (replace(plan(), machine="nowhere"), "machine: found 'nowhere'"),
    ],
)
def test_plan_is_refused_before_anything_is_computed(block, tmp_path, made, field):
    engine = MonteCarlo(100, checkpoint=tmp_path / "checkpoint.npz")
    with pytest.raises(InputError, match=field):
        engine.compute(block, made)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("ion", "energy"), [("proton", 0.5), ("proton", 320.0), ("carbon", 0.9), ("carbon", 450.0)]
)
def test_energies_that_only_the_machine_covers_are_refused(block, ion, energy):
    known = machine(f"generic_{ion}")
    span = np.linspace(0.1, 1000.0, known.optics.energy_mev_u.size)
    wide = replace(
        known,
        energy_range_mev_u=(0.1, 1000.0),
        energies_mev_u=(),
        optics=replace(known.optics, energy_mev_u=span),
    )
    with pytest.raises(InputError, match=r"beams\[0\]\.layers\[0\]\.energy_mev_u.*the physics covers"):
        MonteCarlo(10, machine=wide).compute(block, plan(energy, ion=ion))


@pytest.mark.parametrize(
    ("hu", "message"), [(4000.0, "up to 4000 HU"), (np.nan, "not finite"), (np.inf, "not finite")]
)
def test_numbers_outside_the_calibration_are_refused(block, hu, message):
    values = block.ct.values.copy()
    values[10, 9, 8] = hu
    spoilt = replace(block, ct=Volume(GRID, values))
    place = r"ct voxel \[z, y, x\] = \[10, 9, 8\]"
    with pytest.raises(InputError, match=f"{place}.*{message}"):
        MonteCarlo(10).compute(spoilt, plan())
    with pytest.raises(InputError, match=f"{place}.*{message}"):
        simple_plan(spoilt, "PTV", "proton")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"histories": 0}, "histories: found 0"),
        ({"histories": float("nan")}, "histories: found nan"),
        ({"histories": 10.5}, "histories: found 10.5"),
        ({"histories": 2**40 + 1}, "histories"),
        ({"histories": "many"}, "histories: found 'many'"),
        ({"threads": 0}, "threads: found 0"),
        ({"seed": 2**64}, "seed"),
        ({"uncertainty": float("nan")}, "uncertainty"),
        ({"spectrum_margin_mm": -1.0}, "spectrum_margin_mm"),
        ({"checkpoint": Path("no_such_folder") / "checkpoint.npz"}, "checkpoint: found no_such_folder"),
        ({"energy_edges_mev": [1.0]}, "energy_edges_mev"),
        ({"energy_edges_mev": [2.0, 1.0]}, "energy_edges_mev"),
    ],
)
def test_options_are_refused(options, field):
    with pytest.raises(InputError, match=field):
        MonteCarlo(**options)


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan"), (1.0, 2.0), (1.0, 2.0, 0.0), 0.1])
def test_dose_grids_that_cannot_be_are_refused(block, spacing):
    # 0.1 mm would be a billion voxels
    with pytest.raises(InputError, match="spacing_mm"):
        MonteCarlo(10, spacing_mm=spacing).compute(block, plan())


def test_memory_of_a_grid_too_fine_is_estimated(block):
    with pytest.raises(InputError, match=r"1000 million voxels, at least \d\d GiB"):
        MonteCarlo(10, threads=2, spacing_mm=0.1).compute(block, plan())


def test_extreme_grids_that_can_be_are_computed(block):
    coarse = MonteCarlo(200, spacing_mm=500.0).compute(block, plan())
    assert coarse.grid.shape == (1, 1, 1)
    one = Patient(
        "one voxel",
        Volume(Grid((0, 0, 0), (90, 90, 90), (1, 1, 1)), np.zeros((1, 1, 1))),
        calibration="phantom",
    )
    dose = MonteCarlo(200).compute(one, plan(), (Quantity.DOSE, Quantity.LETD))
    # all of the 100 MeV, whose range is 77 mm, but for a few percent that nuclear reactions carry off
    energy = dose.provenance["mean_energy_mev_per_primary"]
    assert 90.0 < energy["deposited"] <= energy["source"] < 101.0


PLAN_YAML = """\
name: p
ion: proton
machine: generic_proton
beams:
  - name: b
    gantry_angle_deg: 0
    isocentre_mm: [0, 0, 0]
    layers:
      - energy_mev_u: 100
        spots: [[0, 0, 1e6]]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("energy_mev_u", "energy_mev", r"plan\.yaml: beams\[0\]\.layers\[0\]\.energy_mev.*'energy_mev_u'"),
        ("1e6", ".nan", r"plan\.yaml: beams\[0\]\.layers\[0\]\.spots\[0\]\[2\]"),
        ("1e6", ".inf", r"plan\.yaml: beams\[0\]\.layers\[0\]\.spots\[0\]\[2\]"),
        ("1e6", "-1", r"plan\.yaml: beams\[0\]\.layers\[0\]\.spots\[0\]\[2\]"),
        ("ion: proton", "ion: neon", r"plan\.yaml: ion: found 'neon'"),
        ("gantry_angle_deg: 0", "gantry_angle_deg: .nan", r"plan\.yaml: beams\[0\]\.gantry_angle_deg"),
        ("name: p", "name: p\nname: q", r"plan\.yaml: file: .*'name' given twice"),
    ],
)
def test_plan_files_are_refused(tmp_path, old, new, message):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN_YAML)
    load_plan(path)
    path.write_text(PLAN_YAML.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_plan(path)


def test_wrong_keys_of_machines_and_calibrations_are_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nions: proton\n")
    with pytest.raises(InputError, match=r"mine\.yaml: ions: .*did you mean 'ion'"):
        machine(path)
    with pytest.raises(InputError, match=r"mine\.yaml: ions"):
        read_calibration(path)


@pytest.mark.parametrize(
    ("name", "message"), [("no/such/folder", "no such folder"), ("brain", "brain"), ("", "patient|folder")]
)
def test_patients_that_do_not_exist(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        load_patient(name)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from isodose.errors import OutputError
from isodose.patient.builtin import builtin_patient
from isodose.patient.dicom_dose import write_dose
from isodose.patient.images import write_image
from isodose.patient.load import write_patient_dicom
from isodose.plan.dicom_ion_plan import write_ion_plan
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.yaml_plan import write_plan
patient = builtin_patient("water", 5.0, size_mm=(200.0, 200.0, 20.0))
spots = Spots(np.arange(3000.0), np.zeros(3000), np.ones(3000))
plan = Plan("p", "proton", "generic_proton", (Beam("b", 0, 0, (0, 0, 0), (Layer(100.0, spots),)),))
writers = {
    "plan.yaml": lambda path: write_plan(plan, path),
    "plan.dcm": lambda path: write_ion_plan(plan, path, patient),
    "dose.dcm": lambda path: write_dose(path, patient.ct, patient.identity, dose_type="ERROR"),
    "dose.nii": lambda path: write_image(path, patient.ct),
    "study": lambda path: write_patient_dicom(patient, path),
}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
# fails in the system call itself, as a full disk does
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for name, write in writers.items():
    try:
        write(Path(name))
    except OutputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the size of files")
def test_full_disk_leaves_nothing_behind(tmp_path):
    run = [sys.executable, "-W", "ignore", "-c", FULL_DISK]
    result = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert result.returncode == 0, result.stderr
    for name in ("plan.yaml", "plan.dcm", "dose.dcm", "dose.nii"):
        assert f"{name}: could not be written" in result.stdout
    assert result.stdout.count("could not be written") == 5
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_cannot_be_written_keeps_the_old_file(tmp_path):
    write_plan(plan(), tmp_path / "plan.yaml")
    before = (tmp_path / "plan.yaml").read_bytes()
    with pytest.raises(InputError):
        write_plan(plan(energy=float("nan")), tmp_path / "plan.yaml")
    assert (tmp_path / "plan.yaml").read_bytes() == before
