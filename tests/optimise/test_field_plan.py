"""Plans of fixed fields: with an engine of Gaussian balls, which is quick, and once with the pencil beam."""

from dataclasses import replace

import numpy as np
import pytest

from isodose.cli import BAD_INPUT, main
from isodose.dose.dose import Dose
from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.config import PlanConfig
from isodose.optimise.field_plan import plan_fields
from isodose.optimise.scenarios import NOMINAL, Scenario
from isodose.patient.builtin import builtin_patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.beam_frame import beam_axes
from isodose.plan.depth_dose import range_mm
from isodose.plan.load import load_plan
from isodose.plan.plan import RangeShifter
from isodose.report.run_folder import read_record

SETTINGS = {
    "ion": "proton",
    "prescription_gy": 2.0,
    "target": "CTV",
    "beams": [{"gantry_deg": 90.0}, {"gantry_deg": 270.0}],
    "dose_spacing_mm": 6.0,
    "spots": {"spacing_mm": 10.0, "layer_spacing_mm": 8.0},
    "objectives": [
        {"structure": "CTV", "objective": "squared_deviation", "d_ref": 2.0, "priority": 100.0},
        {"structure": "Rectum", "objective": "mean_dose"},
    ],
}


@pytest.fixture(scope="module")
def pelvis():
    whole = builtin_patient("pelvis", spacing_mm=6.0)
    kept = {name: whole.structures[name] for name in ("External", "CTV", "Rectum")}
    return replace(whole, structures=kept)


def _balls(engine, patient, plan, quantities=(), mask=None):
    """Influence of spots that give a Gaussian ball of dose at the range in water from 150 mm upstream."""
    grid = engine.grid(patient)
    voxels = np.flatnonzero(np.ones(grid.size) if mask is None else mask)
    places = grid.position_mm(np.stack(np.unravel_index(voxels, grid.shape), axis=1))
    near = np.linalg.norm(places - plan.beams[0].isocentre_mm, axis=1) < 70.0
    voxels, places = voxels[near], places[near]
    indices, values = [], []
    for beam in plan.beams:
        ex, ey, along = beam_axes(beam, patient.position)
        for layer in beam.layers:
            depth = float(range_mm(plan.ion, layer.energy_mev_u)) - 150.0
            for x, y in zip(layer.spots.x_mm, layer.spots.y_mm, strict=True):
                square = np.sum((places - beam.isocentre_mm - x * ex - y * ey - depth * along) ** 2, axis=1)
                hit = square < 30.0**2
                indices.append(voxels[hit].astype(np.int32))
                values.append((1e-9 * np.exp(-square[hit] / (2.0 * 8.0**2))).astype(np.float32))
    indptr = np.cumsum([0, *(column.size for column in indices)])
    dose = np.concatenate(values)
    products = {Quantity.DOSE: dose} | {q: 3.0 * dose for q in quantities if q is not Quantity.DOSE}
    return Influence(grid, indptr, np.concatenate(indices), products)


def _target_doses(made, patient):
    """Dose per fraction of the target's voxels in each scenario."""
    inside = patient.structure("CTV").mask
    return [dose.volume().values[inside] for dose in made.doses(patient)]


@pytest.fixture
def balls(monkeypatch):
    def compute(engine, patient, plan, quantities):
        weights = [layer.spots.particles for beam in plan.beams for layer in beam.layers]
        found = _balls(engine, patient, plan, quantities).dose(np.concatenate(weights))
        return Dose(found.grid, found.values, provenance={"engine": "balls"})

    monkeypatch.setattr(PencilBeam, "influence", _balls)
    monkeypatch.setattr(PencilBeam, "compute", compute)


def _config(**changes):
    return PlanConfig.model_validate(SETTINGS | changes)


def test_the_target_gets_its_dose(pelvis, balls):
    lines, steps = [], []
    made = plan_fields(pelvis, _config(), threads=1, progress=steps.append, say=lines.append)
    (dose,) = _target_doses(made, pelvis)
    # Balls end where water would stop them, so that some of the target is out of reach.
    assert dose.mean() == pytest.approx(2.0, rel=0.05)
    assert all(layer.spots.particles.min() > 0.0 for beam in made.plan.beams for layer in beam.layers)
    assert made.plan.prescription_gy == 2.0
    assert len(steps) == len(made.result.history)
    assert lines[0] == "placing spots"
    assert made.goal_values.shape == (2, 1)
    assert made.goal_values.sum() == pytest.approx(made.result.value, rel=1e-4)


def test_constraints_hold_in_the_plan(pelvis, balls):
    free = plan_fields(pelvis, _config(solver={"iterations": 200}), threads=1)
    dose = next(free.doses(pelvis)).volume().values
    organ, target = (
        Volume(s.grid, s.occupancy).on(free.task.engine.grid(pelvis)).values >= 0.5
        for s in (pelvis.structure("Rectum"), pelvis.structure("CTV"))
    )
    rows = [
        {"structure": "rectum", "constraint": "max_mean", "limit": 0.7 * float(dose[organ].mean())},
        {"structure": "CTV", "constraint": "max_dose", "limit": 0.99 * float(dose[target].max())},
    ]
    made = plan_fields(pelvis, _config(constraints=rows, solver={"iterations": 400}), threads=1)
    assert [r.constraint.structure for r in made.kept] == ["Rectum", "CTV"]
    assert all(result.holds for result in made.kept)
    assert made.kept[0].value == pytest.approx(rows[0]["limit"], rel=2e-3)
    dose = next(made.doses(pelvis)).volume().values
    assert dose[organ].mean() == pytest.approx(made.kept[0].value, rel=1e-3)
    assert dose[target].max() == pytest.approx(made.kept[1].value, rel=1e-3)
    assert made.result.value > free.result.value
    assert made.goal_values.shape == (2, 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("CTV", "max_dose", 1.9), ("CTV", "min_dose", 2.0)], r"constraints\[1\]: found min_dose 2 .*'CTV'"),
        ([("CTV", "min_mean", 2.0), ("CTV", "max_dose", 1.9)], r"constraints\[1\]: .*min_mean 2 of"),
        (
            [("CTV", "min_dose", 2.0), ("External", "max_dose", 1.9)],
            r"\d+ voxels that 'CTV' and 'External'",
        ),
        ([("CTV", "max_dose", 1.9), ("ctv", "max_dose", 2.0)], r"constraints\[1\]: found another one"),
        ([("spleen", "max_dose", 1.9)], r"structure: found 'spleen'"),
    ],
)
def test_constraints_that_contradict_are_refused(pelvis, balls, rows, message):
    constraints = [dict(zip(("structure", "constraint", "limit"), row, strict=True)) for row in rows]
    with pytest.raises(InputError, match=message):
        plan_fields(pelvis, _config(constraints=constraints), threads=1)


def test_robust_plans_are_better_in_the_worst_scenario(pelvis, balls):
    target = SETTINGS["objectives"][0] | {"robust": True}
    config = _config(
        objectives=[target],
        scenarios={"count": 9, "setup_mm": 6.0, "robustness": "composite_worst_case"},
        solver={"iterations": 200},
    )
    robust = plan_fields(pelvis, config, threads=1)
    simple = plan_fields(pelvis, _config(objectives=[SETTINGS["objectives"][0]]), threads=1)
    assert len(robust.task.scenarios) == 9
    assert robust.goal_values.shape == (1, 9)

    simple = replace(simple, task=robust.task)
    worst = [min(np.quantile(d, 0.05) for d in _target_doses(made, pelvis)) for made in (robust, simple)]
    assert worst[0] > worst[1]


def test_range_shifters_are_those_of_the_configuration(pelvis, balls):
    beams = [
        {"gantry_deg": 90.0, "range_shifter": "RS40"},
        {"gantry_deg": 270.0, "range_shifter": {"name": "mine", "thickness_mm": 30.0, "material": "pmma"}},
        {"gantry_deg": 0.0, "range_shifter": {"name": "RS40", "distance_mm": 100.0}},
        {"gantry_deg": 180.0},
    ]
    made = plan_fields(pelvis, _config(beams=beams, solver={"iterations": 2}), threads=1)
    shifters = [beam.range_shifter for beam in made.plan.beams]
    assert shifters[0] == RangeShifter("RS40", 40.0, "lexan", 250.0)
    assert shifters[1] == RangeShifter("mine", 30.0, "pmma", 300.0)
    assert shifters[2].distance_mm == 100.0
    assert shifters[3] is None


def test_spots_have_the_least_weight_that_can_be_delivered(pelvis, balls):
    spots = SETTINGS["spots"] | {"minimum_mu": 0.3}
    made = plan_fields(pelvis, _config(spots=spots), threads=1)
    for beam in made.plan.beams:
        for layer in beam.layers:
            least = 0.3 * made.task.machine.particles_per_mu(layer.energy_mev_u)
            assert layer.spots.particles.min() >= least * (1.0 - 1e-9)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": "spleen"}, "structure"),
        ({"scenarios": {"count": 9}}, "scenarios.count"),
        ({"objectives": [SETTINGS["objectives"][0] | {"robust": True}]}, "objectives, constraints: robust"),
        ({"machine": "nothing"}, "machine"),
        ({"beams": [{"gantry_deg": 0.0, "range_shifter": "RS99"}]}, "beams[0].range_shifter"),
        (
            {"beams": [{"gantry_deg": 0.0, "range_shifter": {"thickness_mm": 9.0, "material": "wood"}}]},
            "beams[0].range_shifter.material",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(pelvis, balls, changes, field):
    with pytest.raises(InputError) as caught:
        plan_fields(pelvis, _config(**changes), threads=1)
    assert caught.value.field == field


def test_scenarios_that_do_not_fit_in_memory_are_refused_early(pelvis, balls):
    lines = []
    objectives = [SETTINGS["objectives"][0] | {"robust": True}]
    config = _config(objectives=objectives, scenarios={"count": 21, "memory_gib": 1e-3})
    with pytest.raises(InputError, match=r"scenarios\.memory_gib"):
        plan_fields(pelvis, config, threads=1, say=lines.append)
    assert len(lines) <= 3


def test_the_command_writes_plan_dose_and_report(tmp_path, balls, monkeypatch, pelvis, capsys):
    import yaml

    monkeypatch.setattr("isodose.patient.load.load_patient", lambda _: pelvis)
    monkeypatch.setattr("isodose.report.html.DOTS_PER_INCH", 20)
    two = (NOMINAL, Scenario("x +3 mm", (3.0, 0.0, 0.0)))
    monkeypatch.setattr("isodose.optimise.field_plan.scenario_set", lambda *_: two)
    objectives = [SETTINGS["objectives"][0] | {"robust": True}, SETTINGS["objectives"][1]]
    config = SETTINGS | {"objectives": objectives, "scenarios": {"count": 9}, "solver": {"iterations": 20}}
    config["constraints"] = [{"structure": "CTV", "constraint": "min_dose", "limit": 9.0}]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    arguments = ["plan", "pelvis", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed, errors = capsys.readouterr()
    assert ended.value.code == 0, errors
    made = load_plan(tmp_path / "run" / "plan.dcm")
    assert [beam.gantry_angle_deg for beam in made.beams] == [90.0, 270.0]
    record = read_record(tmp_path / "run")
    notes = record["provenance"]["optimisation"]
    assert notes["iterations"] <= 20
    assert notes["constraints"][0]["holds"] is False
    assert "CTV: min_dose 9: reached" in printed
    assert "DOES NOT HOLD" in printed
    assert (tmp_path / "run" / "figures" / "constraints.png").exists()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "squared_deviation" in page.casefold() or "SquaredDeviation" in page
    for name in ("scenarios", "rvh"):
        assert (tmp_path / "run" / "figures" / f"{name}.png").exists()
    assert "Area under RVH" in page
    assert (tmp_path / "run" / "dose.dcm").exists()
    with pytest.raises(SystemExit) as ended:
        main([*arguments[:3], "--ion", "carbon", "--out", str(tmp_path / "other")])
    assert ended.value.code == BAD_INPUT
    assert "--ion" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.physics
def test_a_plan_of_the_pencil_beam(pelvis):
    made = plan_fields(pelvis, _config(beams=[{"gantry_deg": 90.0}]), threads=1)
    (dose,) = _target_doses(made, pelvis)
    # Spots 10 mm apart and one field are coarse; the mean is what the objective asks for.
    assert dose.mean() == pytest.approx(2.0, rel=0.03)
    assert np.quantile(dose, 0.05) > 1.6
