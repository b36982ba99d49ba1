"""Plans of arcs from configurations, with a coarse pencil beam on the ball in water."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import yaml

from isodose.arc.plan_arc import plan_arc
from isodose.cli import BAD_INPUT, main
from isodose.errors import InputError
from isodose.optimise.config import PlanConfig, read_config
from isodose.optimise.scenarios import NOMINAL, Scenario
from isodose.patient.dicom_dose import read_dose
from isodose.patient.structure import Role, Structure
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.load import load_plan
from isodose.report.run_folder import read_record

SETTINGS = {
    "ion": "proton",
    "prescription_gy": 2.0,
    "target": "CTV",
    "arc": {"start_deg": -60.0, "stop_deg": 60.0, "spacing_deg": 30.0, "budget_s": 10.0, "organs": ["organ"]},
    "dose_spacing_mm": 8.0,
    "spots": {"spacing_mm": 10.0, "layer_spacing_mm": 8.0},
    "objectives": [
        {"structure": "CTV", "objective": "squared_deviation", "d_ref": 2.0, "priority": 100.0},
        {"structure": "organ", "objective": "mean_dose"},
    ],
    "solver": {"iterations": 60},
}


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    engine = partial(PencilBeam, gaussians=1, split=False, ray_spacing_mm=4.0)
    monkeypatch.setattr("isodose.optimise.field_plan.PencilBeam", engine)


def _config(arc=None, **changes):
    return PlanConfig.model_validate(SETTINGS | {"arc": SETTINGS["arc"] | (arc or {})} | changes)


@pytest.mark.parametrize("selector", ["joint", "exact", "coverage", "swarm", "unet"])
def test_every_selector_gives_a_plan(ball, selector):
    arc = {"selector": selector}
    if selector == "swarm":
        arc["budget_s"] = None
    made = plan_arc(ball, _config(arc), threads=1)
    layers = made.delivered.energies.size
    assert layers == sum(len(beam.layers) for beam in made.fields.plan.beams) <= 5
    assert made.selection.energies.size == 5
    assert selector == "swarm" or made.selection.switching_s <= 10.0
    assert (made.frontier is None) == (selector in ("coverage", "swarm", "unet"))
    dose = next(made.fields.doses(ball))
    # One layer at each of five angles on 8 mm voxels cannot be flat; its mean is what is asked for.
    in_target = dose.volume().on(ball.grid).values[ball.structure("CTV").mask]
    assert in_target.mean() == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(("quantity", "priority"), [("letd", 1.0), ("let_dose", 10.0)])
def test_layers_chosen_by_dose_and_let_are_better_than_those_by_counts(ball, quantity, priority):
    target, organ = SETTINGS["objectives"]
    let = {"structure": "organ", "objective": "mean_dose", "quantity": quantity, "priority": priority}
    for objectives in ([target, organ, let], [let, target, organ]):  # dose is the first quantity, or not
        by_dose, by_counts = (
            plan_arc(ball, _config({"selector": name}, objectives=objectives), threads=1)
            for name in ("joint", "exact")
        )
        assert by_dose.selection.switching_s <= 10.0
        assert by_dose.fields.result.value < by_counts.fields.result.value


def test_times_are_those_of_the_layers_with_weight(ball):
    made = plan_arc(ball, _config({"selector": "exact", "layers_per_point": 2}), threads=1)
    machine, time = made.fields.task.machine, made.time
    layers = [layer for beam in made.fields.plan.beams for layer in beam.layers]
    assert made.delivered.energies_mev_u.tolist() == [layer.energy_mev_u for layer in layers]
    seconds = sum(
        0.002 * (len(layer.spots) - 1)
        + 0.005 * layer.spots.particles.sum() / machine.particles_per_mu(layer.energy_mev_u)
        for layer in layers
    )
    assert time.spots_s == pytest.approx(seconds)
    steps = np.diff([layer.energy_mev_u for layer in layers])
    assert time.switching_s == pytest.approx(5.5 * (steps > 0).sum() + 0.6 * (steps < 0).sum())
    assert max(time.switching_s, time.spots_s) <= time.static_s


def test_the_second_arc_turns_back(ball):
    made = plan_arc(ball, _config({"arcs": 2, "selector": "exact", "budget_s": 20.0}), threads=1)
    angles = [point.gantry_angle_deg for point in made.counts.points]
    assert angles == [-60, -30, 0, 30, 60, 60, 30, 0, -30, -60]


def test_layers_are_those_of_a_measured_switch_table(ball, tmp_path):
    path = tmp_path / "table.csv"
    energies = (80.0, 95.0, 110.0, 125.0, 140.0)
    rows = [[e, *(0.0 if f == e else 3.0 if f > e else 0.02 * (e - f) for f in energies)] for e in energies]
    text = "\n".join(",".join(f"{v:g}" for v in row) for row in [[0.0, *energies], *rows])
    path.write_text(text)
    made = plan_arc(ball, _config({"selector": "exact", "switching": str(path)}), threads=1)
    assert made.counts.energies_mev_u.tolist() == list(energies)
    steps = np.diff(made.delivered.energies_mev_u)
    assert made.time.switching_s == pytest.approx(sum(3.0 if s > 0 else -0.02 * s for s in steps))
    assert made.time.switching_s <= 10.0
    assert made.frontier is None

    path.write_text(text.replace("140", "600"))
    with pytest.raises(InputError, match=r"table\.csv: energies_mev_u\[4\]"):
        plan_arc(ball, _config({"switching": str(path)}), threads=1)


def test_a_range_shifter_stays_in_the_beam_over_the_arc(ball):
    given = {"selector": "exact", "range_shifter": {"material": "pmma", "thickness_mm": 20.0}}
    made = plan_arc(ball, _config(given), threads=1)
    without = plan_arc(ball, _config({"selector": "exact"}), threads=1)
    for beam in made.fields.plan.beams:
        assert (beam.range_shifter.material, beam.range_shifter.thickness_mm) == ("pmma", 20.0)
        assert beam.range_shifter.distance_mm == 300.0
    assert made.counts.range_mm[0] == pytest.approx(without.counts.range_mm[0] - 23.2, abs=0.5)
    assert made.delivered.energies_mev_u.mean() > without.delivered.energies_mev_u.mean() + 8.0
    named = plan_arc(ball, _config({"selector": "exact", "range_shifter": "RS40"}), threads=1)
    assert {beam.range_shifter.thickness_mm for beam in named.fields.plan.beams} == {40.0}


def test_delivery_takes_as_long_as_the_machine_needs(ball):
    times = [
        plan_arc(ball, _config({"selector": "exact", "delivery": delivery}), threads=1).time
        for delivery in (
            {},
            {"gantry_speed_deg_s": 1.0, "spot_switch_s": 0.02},
            {"gantry_acceleration_deg_s2": 0.5},
        )
    ]
    assert times[0].gantry_s == pytest.approx(120.0 / 6.0)
    assert times[1].gantry_s == pytest.approx(120.0)
    assert times[2].gantry_s > times[0].gantry_s
    assert times[1].spots_s > times[0].spots_s
    assert times[0].switching_s == times[1].switching_s == times[2].switching_s


def test_constraints_hold_on_an_arc(ball):
    rows = [{"structure": "CTV", "constraint": "max_dose", "limit": 2.1}]
    limits = {"constraints": rows, "solver": {"iterations": 300}}
    made = plan_arc(ball, _config(**limits), threads=1)
    free = plan_arc(ball, _config(), threads=1)
    (kept,) = made.fields.kept
    assert kept.holds
    assert kept.value == pytest.approx(2.1, rel=2e-3)
    voxels = kept.constraint.voxels
    most, without = (next(p.fields.doses(ball)).volume().values.ravel()[voxels].max() for p in (made, free))
    # The matrix of this coarse beam averages over its voxels of 8 mm, the dose does not.
    assert most == pytest.approx(2.1, rel=0.1)
    assert without > most


def test_scenarios_count_for_the_weights(ball, monkeypatch):
    two = (NOMINAL, Scenario("x +6 mm", (6.0, 0.0, 0.0)))
    monkeypatch.setattr("isodose.optimise.field_plan.scenario_set", lambda *_: two)
    target, organ = SETTINGS["objectives"]
    worst = {}
    for robust in (True, False):
        changes = {"objectives": [target | {"robust": robust}, organ | {"robust": not robust}]}
        made = plan_arc(ball, _config(scenarios={"count": 9}, **changes), threads=1)
        dose = list(made.fields.doses(ball))[1].volume().on(ball.grid)
        worst[robust] = np.square(dose.values[ball.structure("CTV").mask] - 2.0).mean()
        assert made.fields.goal_values.shape == (2, 2)
    assert worst[True] < worst[False]


def test_a_budget_below_the_least_time_is_refused_with_that_time(ball):
    # Two layers at each of five angles fall five times; from one angle to the next the energy may stay.
    with pytest.raises(InputError, match="at least 3 s") as caught:
        plan_arc(ball, _config({"layers_per_point": 2, "budget_s": 2.5}), threads=1)
    assert caught.value.field == "arc.budget_s"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"arc": SETTINGS["arc"] | {"switching": "linac"}}, "arc.switching"),
        ({"arc": SETTINGS["arc"] | {"spacing_deg": 500.0}}, "arc.spacing_deg"),
        ({"arc": SETTINGS["arc"] | {"organs": ["spleen"]}}, "structure"),
        ({"arc": SETTINGS["arc"] | {"range_shifter": "RS99"}}, "arc.range_shifter"),
        ({"spots": {"proximal_margin_mm": 3.0}}, "spots.proximal_margin_mm"),
        ({"arc": None, "beams": [{"gantry_deg": 0.0}]}, "arc"),
    ],
)
def test_what_does_not_go_together_is_refused(ball, changes, field):
    with pytest.raises(InputError) as caught:
        plan_arc(ball, PlanConfig.model_validate(SETTINGS | changes), threads=1)
    assert caught.value.field == field


def test_a_target_outside_the_body_is_refused(ball):
    body = np.zeros(ball.grid.shape, dtype=np.float32)
    body[:, :, :20] = 1.0
    outline = Structure("External", Role.EXTERNAL, ball.grid, body)
    patient = replace(ball, structures={**ball.structures, "External": outline})
    with pytest.raises(InputError, match="lies outside 'External'"):
        plan_arc(patient, _config(), threads=1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"beams": [{"gantry_deg": 0.0}]}, "arc"),
        ({"arc": None}, "arc"),
        ({"arc": {"selector": "best"}}, "arc.selector"),
        ({"arc": {"selector": "swarm", "budget_s": 51.0}}, "arc.budget_s"),
        ({"arc": {"selector": "unet", "organs": []}}, "arc.organs"),
        ({"arc": {"budget_s": None}}, "arc.budget_s"),
        ({"arc": {"arcs": 3}}, "arc.arcs"),
        ({"arc": {"range_shifter": {"material": "pmma"}}}, "arc.range_shifter"),
        ({"arc": {"delivery": {"gantry_speed_deg_s": 0.0}}}, "arc.delivery.gantry_speed_deg_s"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(tmp_path, changes, field):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | changes))
    with pytest.raises(InputError) as caught:
        read_config(path)
    assert caught.value.field == field


def test_the_usual_budget_is_not_for_the_swarm():
    given = {key: value for key, value in SETTINGS["arc"].items() if key != "budget_s"}
    for selector, budget in (("joint", 51.0), ("swarm", None), ("unet", 51.0)):
        config = PlanConfig.model_validate(SETTINGS | {"arc": given | {"selector": selector}})
        assert config.arc.budget_s == budget


def test_the_command_writes_plan_dose_report_and_record(ball, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("isodose.patient.load.load_patient", lambda _: ball)
    monkeypatch.setattr("isodose.report.html.DOTS_PER_INCH", 20)
    monkeypatch.setattr("isodose.report.html.dose_pictures", lambda *_: [])
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(SETTINGS | {"solver": {"iterations": 10}}))
    arguments = ["plan", "ball", str(config), "--threads", "1", "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0, capsys.readouterr().err
    assert "control points" in capsys.readouterr().out
    read = load_plan(tmp_path / "run" / "plan.dcm")
    assert {beam.gantry_angle_deg for beam in read.beams} <= {300.0, 330.0, 0.0, 30.0, 60.0}
    again = PencilBeam(8.0, gaussians=1, split=False, ray_spacing_mm=4.0, threads=1).compute(ball, read)
    written = read_dose(tmp_path / "run" / "dose.dcm").volume
    # Spots are 32-bit floats in one file, and the dose 32-bit integers in the other.
    np.testing.assert_allclose(written.values, again.volume().values, atol=1e-5)
    assert written.values.max() > 1.5
    record = read_record(tmp_path / "run")
    assert record["provenance"]["arc"]["seconds"]["switching_s"] <= 10.0
    for name in ("arc", "delivery", "frontier", "optimisation"):
        assert (tmp_path / "run" / "figures" / f"{name}.png").exists()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Delivery, gantry turns all the time" in page

    config.write_text(yaml.safe_dump(SETTINGS | {"beams": [{"gantry_deg": 0.0}]}))
    with pytest.raises(SystemExit) as ended:
        main([*arguments[:-1], str(tmp_path / "other")])
    assert ended.value.code == BAD_INPUT
    assert "no arc beside beams" in capsys.readouterr().err


def test_the_joint_selector_sees_scenarios_where_there_are_some(ball, monkeypatch):
    two = (NOMINAL, Scenario("x +6 mm", (6.0, 0.0, 0.0)), Scenario("range", range_percent=5.0))
    monkeypatch.setattr("isodose.optimise.field_plan.scenario_set", lambda *_: two)
    target, organ = SETTINGS["objectives"]
    said = []
    config = _config(scenarios={"count": 9}, objectives=[target | {"robust": True}, organ])
    made = plan_arc(ball, config, threads=1, say=said.append)
    assert made.selection.selector == "robust joint pruner"
    assert made.selection.switching_s <= 10.0
    assert made.fields.goal_values.shape == (2, 3)
    assert any("to choose layers by in 3 scenarios" in line for line in said)
    chosen = [line for line in said if line.startswith("influence matrix")]
    assert len(chosen) == 6  # three to choose by, three for the weights


def test_shifts_that_take_the_target_off_the_ct_are_refused(ball):
    target, organ = SETTINGS["objectives"]
    objectives = [target | {"robust": True}, organ]
    far = _config(scenarios={"count": 9, "setup_mm": 12.0}, objectives=objectives)
    with pytest.raises(InputError, match="off the CT") as caught:
        plan_arc(ball, far, threads=1)
    assert caught.value.field == "scenarios.setup_mm"
