"""Plans of photon fields from configurations, on a ball in a box of water."""

import numpy as np
import pytest
import yaml

from isodose.cli import BAD_INPUT, main
from isodose.errors import InputError
from isodose.optimise.config import PhotonConfig, PlanConfig, read_config
from isodose.optimise.photon_fields import plan_photons
from isodose.patient.dicom_dose import read_dose
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.photon.photon_plan_file import read_photon_plan, write_photon_plan
from isodose.report.run_folder import read_record

SETTINGS = {
    "modality": "photon",
    "prescription_gy": 2.0,
    "target": "PTV",
    "beams": [{"gantry_deg": angle} for angle in (0.0, 90.0, 180.0, 270.0)],
    "bixels": {"side_mm": 10.0},
    "dose_spacing_mm": 5.0,
    "objectives": [
        {"structure": "PTV", "objective": "squared_deviation", "d_ref": 2.0, "priority": 100.0},
        {"structure": "organ", "objective": "squared_overdosing", "d_max": 0.5, "priority": 10.0},
    ],
    "solver": {"iterations": 150},
}


@pytest.fixture(scope="module")
def ball():
    grid = Grid((-97.5, -97.5, -27.5), (5.0, 5.0, 5.0), (12, 40, 40))
    x, y, z = (grid.axis_mm(a) for a in "xyz")

    def sphere(name, role, centre_x, radius):
        square = (x - centre_x)[None, None, :] ** 2 + y[None, :, None] ** 2 + z[:, None, None] ** 2
        return Structure(name, role, grid, (square <= radius**2).astype(np.float32))

    structures = {
        "External": Structure("External", Role.EXTERNAL, grid, np.ones(grid.shape, dtype=np.float32)),
        "PTV": sphere("PTV", Role.PTV, 0.0, 22.0),
        "organ": sphere("organ", Role.ORGAN, 50.0, 15.0),
    }
    ct = Volume(grid, np.zeros(grid.shape, dtype=np.float32))
    return Patient("ball", ct, structures, calibration="phantom")


def _config(**changes):
    return PhotonConfig.model_validate(SETTINGS | changes)


def test_the_target_gets_its_dose_and_the_organ_less(ball):
    lines = []
    made = plan_photons(ball, _config(), threads=1, say=lines.append)
    dose = made.dose(ball).volume().values
    target, organ = (ball.structure(name).mask for name in ("PTV", "organ"))
    assert dose[target].mean() == pytest.approx(2.0, rel=0.02)
    assert np.quantile(dose[target], 0.05) > 1.85
    assert dose[organ].mean() < 0.7
    assert len(made.plan.beams) == 4
    assert made.goal_values.shape == (2, 1)
    assert lines[0] == "placing bixels"


def test_constraints_hold_for_photons(ball):
    rows = [{"structure": "organ", "constraint": "max_mean", "limit": 0.2}]
    made = plan_photons(ball, _config(constraints=rows, solver={"iterations": 300}), threads=1)
    (kept,) = made.kept
    assert kept.holds
    assert kept.value == pytest.approx(0.2, rel=5e-3)
    dose = made.dose(ball).volume().values
    # The dose adds scatter from beyond the influence's reach.
    assert dose[ball.structure("organ").mask].mean() == pytest.approx(0.2, rel=0.05)


def test_a_written_plan_gives_the_same_dose(ball, tmp_path):
    made = plan_photons(ball, _config(solver={"iterations": 5}), threads=1)
    write_photon_plan(made.plan, tmp_path / "plan.yaml")
    again = read_photon_plan(tmp_path / "plan.yaml")
    assert [beam.name for beam in again.beams] == [beam.name for beam in made.plan.beams]
    first, second = (made.engine.compute(ball, plan).volume().values for plan in (made.plan, again))
    np.testing.assert_allclose(first, second, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arc": {}}, r"arc: found unknown key 'arc'"),
        ({"ion": "proton"}, r"ion: found unknown key 'ion'"),
        ({"scenarios": {"count": 9}}, r"scenarios: found unknown key"),
        ({"beams": []}, r"beams: found \[\]"),
        ({"bixels": {"side_mm": 0.1}}, r"bixels\.side_mm: found 0\.1"),
        ({"modality": "neutron"}, r"modality: found 'neutron'"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(tmp_path, changes, message):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | changes))
    with pytest.raises(InputError, match=message):
        read_config(path)


def test_the_modality_tells_what_a_file_is(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    assert isinstance(read_config(path), PhotonConfig)
    ions = {k: v for k, v in SETTINGS.items() if k not in ("modality", "bixels")} | {"ion": "proton"}
    path.write_text(yaml.safe_dump(ions))
    assert isinstance(read_config(path), PlanConfig)


def test_quantities_that_photons_do_not_have_are_refused(ball):
    row = SETTINGS["objectives"][0] | {"quantity": "letd"}
    with pytest.raises(InputError, match=r"objectives\[0\]\.quantity: found letd, expected dose"):
        plan_photons(ball, _config(objectives=[row]), threads=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fractions", "fraction", r"plan\.yaml: fraction: .*'fractions'"),
        ("modality: photon", "modality: ion", r"plan\.yaml: modality"),
        ("machine: generic_6mv", "machine: generic_15mv", r"plan\.machine"),
    ],
)
def test_plan_files_are_refused(ball, tmp_path, old, new, message):
    made = plan_photons(ball, _config(solver={"iterations": 1}), threads=1)
    write_photon_plan(made.plan, tmp_path / "plan.yaml")
    text = (tmp_path / "plan.yaml").read_text()
    (tmp_path / "plan.yaml").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        made.engine.compute(ball, read_photon_plan(tmp_path / "plan.yaml"))


def test_the_command_plans_and_the_plan_can_be_computed_again(ball, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("isodose.patient.load.load_patient", lambda _: ball)
    monkeypatch.setattr("isodose.report.html.DOTS_PER_INCH", 20)
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(SETTINGS | {"solver": {"iterations": 10}}))

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in (*arguments, "--threads", 1)])
        return ended.value.code, capsys.readouterr()

    code, said = run("plan", "ball", config, "--out", tmp_path / "run")
    assert code == 0, said.err
    assert "4 beams" in said.out
    record = read_record(tmp_path / "run")
    assert record["provenance"]["optimisation"]["iterations"] <= 10
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Monitor units" in page or "/ MU" in page
    assert "Particles" not in page
    arguments = ("--engine", "photon", "--spacing", 5, "--out", tmp_path / "again")
    code, said = run("dose", "ball", tmp_path / "run" / "plan.yaml", *arguments)
    assert code == 0, said.err
    first, second = (read_dose(tmp_path / name / "dose.dcm").volume.values for name in ("run", "again"))
    np.testing.assert_allclose(first, second, atol=1e-6)
    code, said = run("dose", "ball", config, "--engine", "photon", "--out", tmp_path / "no")
    assert code == BAD_INPUT
    assert "config.yaml" in said.err
