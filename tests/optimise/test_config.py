"""Configurations: templates, and what is refused and why."""

import pytest
import yaml

from isodose.errors import InputError
from isodose.optimise.config import TEMPLATES, PlanConfig, read_config
from isodose.optimise.config_goals import check_contradictions, constraints_of, goals_of
from isodose.optimise.goal import voxels_of
from isodose.patient.builtin import builtin_patient

SMALL = {
    "ion": "proton",
    "prescription_gy": 2.0,
    "target": "PTV",
    "beams": [{"gantry_deg": 90.0}],
    "objectives": [
        {"structure": "PTV", "objective": "squared_deviation", "d_ref": 2.0, "priority": 10.0},
        {"structure": "rectum", "objective": "eud", "eud_ref": 0.5, "k": 0.2},
    ],
}


@pytest.fixture(scope="module")
def pelvis():
    return builtin_patient("pelvis", spacing_mm=6.0)


def _config(**changes):
    return PlanConfig.model_validate(SMALL | changes)


def _with_objectives(*rows):
    return _config(objectives=list(rows))


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_go_with_their_patients(name):
    patient = builtin_patient(name.rpartition("_")[2], spacing_mm=4.0)
    config = read_config(name)
    goals = goals_of(config, patient, patient.grid)
    assert len(goals) == len(config.objectives)
    assert patient.structure(config.target).role.is_target
    robust = isinstance(config, PlanConfig) and config.scenarios.count > 1
    assert robust == any(goal.robust for goal in goals)


def test_a_file_gives_goals(tmp_path, pelvis):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    goals = goals_of(read_config(path), pelvis, pelvis.grid)
    assert [g.structure for g in goals] == ["PTV", "Rectum"]
    assert goals[0].priority == 10.0
    assert goals[1].objective.k == 0.2
    assert not set(goals[0].voxels) & set(goals[1].voxels)


def test_ranks_can_be_given(pelvis):
    config = _config(ranks={"PTV": 2, "Rectum": 1})
    first, second = goals_of(config, pelvis, pelvis.grid)
    usual = goals_of(_config(), pelvis, pelvis.grid)
    assert first.voxels.size < usual[0].voxels.size
    assert second.voxels.size > usual[1].voxels.size


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"objective": "squared_deviatoin"}, "objectives[0].objective"),
        ({"d_ref": None}, "objectives[0].d_ref"),
        ({"v_min": 95.0}, "objectives[0].v_min"),
        ({"structure": "spleen"}, "structure"),
        ({"quantity": "rbe_dose"}, "objectives[0].quantity"),
    ],
)
def test_objectives_that_cannot_be_are_refused(pelvis, change, field):
    row = SMALL["objectives"][0] | change
    with pytest.raises(InputError) as caught:
        goals_of(_with_objectives({k: v for k, v in row.items() if v is not None}), pelvis, pelvis.grid)
    assert caught.value.field == field


def test_an_rbe_model_for_another_beam_is_refused(pelvis):
    with pytest.raises(InputError, match="mairani"):
        goals_of(_config(rbe={"model": "mairani"}), pelvis, pelvis.grid)


def test_ranks_are_of_structures_with_objectives(pelvis):
    with pytest.raises(InputError, match=r"ranks\.Bladder"):
        goals_of(_config(ranks={"Bladder": 1}), pelvis, pelvis.grid)


def _row(objective, **more):
    return {"structure": "PTV", "objective": objective, **more}


@pytest.mark.parametrize(
    "rows",
    [
        (_row("squared_deviation", d_ref=2.0), _row("squared_overdosing", d_max=1.8)),
        (_row("squared_underdosing", d_min=2.0), _row("max_dose", d_max=1.9)),
        (_row("min_dvh", d=2.0, v_min=95.0), _row("squared_overdosing", d_max=1.9)),
        (_row("min_dvh", d=2.0, v_min=95.0), _row("max_dvh", d=1.9, v_max=50.0)),
        (_row("squared_deviation", d_ref=2.0), _row("squared_deviation", d_ref=1.9)),
        (_row("min_dose", d_min=2.0), _row("max_dvh", d=1.9, v_max=50.0)),
        (_row("mean_dose"), _row("mean_dose", priority=2.0)),
    ],
)
def test_contradictions_are_refused(pelvis, rows):
    for order in (rows, rows[::-1]):
        with pytest.raises(InputError, match=r"objectives\[\d\]"):
            goals_of(_with_objectives(*order), pelvis, pelvis.grid)


def test_limits_that_one_dose_can_keep_are_no_contradiction(pelvis):
    rows = [("PTV", "max_dose", 2.2), ("PTV", "min_dose", 1.8), ("External", "max_mean", 0.1)]
    limits = [dict(zip(("structure", "constraint", "limit"), row, strict=True)) for row in rows]
    found = constraints_of(_config(constraints=limits), pelvis, pelvis.grid)
    assert [(c.structure, str(c.kind), c.limit) for c in found] == rows
    # A constraint is of the whole structure, whatever belongs to others of a higher rank.
    assert found[2].voxels.size == voxels_of(pelvis.structure("External"), pelvis.grid).size


def test_what_goes_together_is_accepted(pelvis):
    rows = [
        _row("squared_underdosing", d_min=2.0),
        _row("squared_overdosing", d_max=2.1),
        _row("min_dvh", d=2.0, v_min=95.0),
        _row("max_dvh", d=2.1, v_max=5.0),
        _row("squared_overdosing", d_max=1.0, quantity="letd"),
    ]
    assert len(goals_of(_with_objectives(*rows), pelvis, pelvis.grid)) == 5
    check_contradictions([], [])


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match="head, thorax, pelvis"):
        read_config(tmp_path / "nothing.yaml")
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SMALL | {"beam": []}))
    with pytest.raises(InputError, match="did you mean 'beams'"):
        read_config(path)
    path.write_text(yaml.safe_dump(SMALL | {"scenarios": {"count": 5}}))
    with pytest.raises(InputError, match=r"scenarios\.count"):
        read_config(path)
