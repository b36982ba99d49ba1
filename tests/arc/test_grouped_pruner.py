import numpy as np
import pytest

from isodose.arc.arc_influence import arc_influence, voxels_that_matter
from isodose.arc.control_points import arc
from isodose.arc.grouped_pruner import GroupedPruner
from isodose.arc.selection import SelectionTask, count_cost
from isodose.arc.spot_counts import SpotLattice, count_spots
from isodose.arc.switch_table import SwitchTable
from isodose.arc.wide_spots import spot_groups
from isodose.machine.machine_file import machine
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.solver import SolverSettings, optimise
from isodose.optimise.squared import SquaredDeviation

PROTON = machine("generic_proton")


@pytest.fixture(scope="module")
def whole(ball):
    counts = count_spots(
        ball,
        "CTV",
        PROTON,
        [arc("a", 0.0, 315.0, 45.0)],
        (),
        SpotLattice(spacing_mm=8.0),
        energies_mev_u=[90.0, 100.0, 110.0, 120.0, 130.0],
    )
    return arc_influence(ball, PROTON, counts, voxels_that_matter(ball, ball.grid, "CTV"), threads=1)


def test_groups_are_two_by_two_spots_of_a_layer(whole):
    groups = spot_groups(whole)
    x, y = (
        np.concatenate([getattr(la.spots, n) for b in whole.plan.beams for la in b.layers])
        for n in ("x_mm", "y_mm")
    )
    assert np.array_equal(np.unique(groups), np.arange(groups.max() + 1))
    assert np.bincount(groups).max() == 4
    for group in range(0, groups.max() + 1, 11):
        mine = groups == group
        assert np.unique(whole.point[mine]).size == np.unique(whole.energy[mine]).size == 1
        assert np.ptp(x[mine]) <= 8.0 + 1e-9
        assert np.ptp(y[mine]) <= 8.0 + 1e-9


def test_layers_are_better_than_those_of_chance_within_the_budget(whole, ball):
    target = np.flatnonzero(ball.structure("CTV").mask)
    problem = Problem(whole.influence, [Goal(SquaredDeviation(2.0), target)], threads=1)
    table = SwitchTable.preset("cyclotron", whole.counts.energies_mev_u)
    task = SelectionTask(count_cost(whole.counts), table, budget_s=15.0)
    steps = []
    found = GroupedPruner.of_arc(whole, problem, steps.append).select(task)
    assert found.switching_s <= 15.0
    assert steps[0].layers == np.isfinite(task.cost).sum()

    def reached(selection):
        part = problem.restricted_to(whole.columns(selection.chosen()))
        return optimise(part, settings=SolverSettings(30)).value

    rng = np.random.default_rng(0)
    others = []
    while len(others) < 5:
        energies = [int(rng.choice(np.flatnonzero(np.isfinite(row)))) for row in task.slot_cost]
        one = task.selection(np.array(energies), "")
        if one.switching_s <= 15.0:
            others.append(reached(one))
    assert reached(found) < min(others)


def test_what_remains_is_enough_for_a_sequence(whole, ball):
    target = np.flatnonzero(ball.structure("CTV").mask)
    problem = Problem(whole.influence, [Goal(SquaredDeviation(2.0), target)], threads=1)
    table = SwitchTable.preset("cyclotron", whole.counts.energies_mev_u)
    task = SelectionTask(count_cost(whole.counts), table, budget_s=15.0)
    pruner = GroupedPruner.of_arc(whole, problem)
    left = pruner.remaining(task, 1.5)
    assert task.slots.size < left.sum() <= 1.5 * task.slots.size + 1
    assert np.all(np.isfinite(task.cost[left]))
    assert np.all(left[pruner.select(task).chosen()])  # the same way, only further
