"""Cluster dose as an objective: gradients, units, and plans that reach it."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.cluster_dose import compute_cluster_dose
from isodose.dose.quantity import Quantity
from isodose.optimise.cluster_quantity import UNIT_PER_KG, ClusterDose, cluster_dose
from isodose.optimise.config import PlanConfig
from isodose.optimise.config_goals import goals_of
from isodose.optimise.field_plan import clusters_of, plan_fields, planning_task
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.squared import SquaredDeviation
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

F4 = Quantity.CLUSTER_F4
_OBJECTIVE = {"structure": "PTV", "objective": "squared_deviation", "d_ref": 20.0, "quantity": "cluster_f4"}
_SETTINGS = {
    "ion": "carbon",
    "prescription_gy": 1.0,
    "target": "PTV",
    "beams": [{"gantry_deg": 0.0}],
    "dose_spacing_mm": 5.0,
    "spots": {"spacing_mm": 6.0, "layer_spacing_mm": 6.0},
    "objectives": [_OBJECTIVE],
    "solver": {"iterations": 60},
}


@pytest.fixture
def clusters(made_up_clusters, monkeypatch):
    """Plans are made with this database."""
    monkeypatch.setattr("isodose.optimise.field_plan.cluster_database", lambda: made_up_clusters)
    return made_up_clusters


@pytest.fixture(scope="module")
def box() -> Patient:
    grid = Grid((-37.5, 2.5, -37.5), (5.0, 5.0, 5.0), (16, 14, 16))
    hu, target = np.zeros(grid.shape), np.zeros(grid.shape, np.float32)
    hu[:, :3, :8] = 1525.0  # bone over half of the field
    target[5:11, 6:9, 5:11] = 1.0
    structures = {
        "PTV": Structure("PTV", Role.PTV, grid, target),
        "External": Structure("External", Role.EXTERNAL, grid, np.ones(grid.shape, np.float32)),
    }
    return Patient("box", Volume(grid, hu), structures, calibration="phantom")


def test_gradient_of_a_problem_agrees_with_finite_differences(make_influence):
    influence, full = make_influence(3, quantities=((F4, 2.5),))
    size = influence.grid.size
    factor = np.random.default_rng(1).uniform(5.0, 9.0, size).astype(np.float32)
    goal = Goal(SquaredDeviation(18.0), np.arange(0, size, 2), 3.0, "PTV", ClusterDose(F4, factor))
    problem = Problem(influence, [goal], threads=1)
    weights = np.linspace(0.5, 1.5, influence.spots)
    _, gradient = problem.value_and_gradient(weights)

    def cost(w: np.ndarray) -> float:
        found = (full[F4] @ w * factor)[::2]
        return float(3.0 * np.mean((found - 18.0) ** 2))

    for spot in range(influence.spots):
        step = np.zeros(influence.spots)
        step[spot] = 1e-4
        difference = (cost(weights + step) - cost(weights - step)) / 2e-4
        assert gradient[spot] == pytest.approx(difference, rel=2e-5)  # sums are float32


def test_sums_are_what_the_forward_computation_gives(box, clusters):
    task = planning_task(box, PlanConfig.model_validate(_SETTINGS), threads=1)
    made = plan_fields(box, PlanConfig.model_validate(_SETTINGS), threads=1)
    influence = task.engine.influence(box, made.plan, task.needs, kept=0.9999)
    sums = {F4: influence.weighted(_weights(made.plan), F4, 1).ravel()}
    from_sums = cluster_dose(F4, box, influence.grid).values(sums) * UNIT_PER_KG
    forward = compute_cluster_dose(
        box, made.plan, [F4], "pencilbeam", clusters, spacing_mm=5.0, threads=1
    ).values[F4]
    high = forward > 0.2 * forward.max()
    assert high.sum() > 100
    np.testing.assert_allclose(from_sums.reshape(forward.shape)[high], forward[high], rtol=0.02)
    # The target has what was asked for, the same in voxels behind bone and behind water.
    target = box.structure("PTV").occupancy > 0
    assert np.mean(forward[target]) / UNIT_PER_KG == pytest.approx(20.0, rel=0.05)
    assert np.std(forward[target]) / UNIT_PER_KG < 3.0


def test_configuration_names_the_quantity(box):
    config = PlanConfig.model_validate(_SETTINGS)
    assert clusters_of(config) == (F4,)
    (goal,) = goals_of(config, box, box.grid)
    assert goal.quantity.label == "cluster dose F4 / (1e15/kg)"
    assert goal.quantity.needs == (F4,)
    with pytest.raises(ValueError, match=r"one of dose, rbe_dose, .*cluster_f10"):
        PlanConfig.model_validate(_SETTINGS | {"objectives": [_OBJECTIVE | {"quantity": "cluster_f11"}]})


def _weights(plan) -> np.ndarray:
    return np.concatenate([layer.spots.particles for beam in plan.beams for layer in beam.layers])
