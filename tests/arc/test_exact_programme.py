"""Shortest path, frontier, marginals and budget against all sequences of small tasks, one by one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from isodose.arc.exact_programme import ExactProgramme, best_start
from isodose.arc.marginals import marginal_costs
from isodose.arc.pareto import pareto_frontier
from isodose.arc.selection import SelectionTask
from isodose.arc.shortest_path import path_within
from isodose.arc.switch_table import SwitchTable
from isodose.errors import InputError


def sequences(task):
    """(energies, cost, time) of every possible sequence."""
    for energies in itertools.product(range(task.cost.shape[1]), repeat=task.slots.size):
        cost = sum(task.cost[g, e] for g, e in zip(task.slots, energies, strict=True))
        time, possible = 0.0, bool(np.isfinite(cost))
        for s in range(1, len(energies)):
            a, b = energies[s - 1], energies[s]
            possible &= bool(task.slots[s] != task.slots[s - 1] or b < a)
            time += task.table.seconds[a, b]
        if possible:
            yield energies, float(cost), float(time)


@st.composite
def tasks(draw, constant=False):
    points, energies = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cost = rng.integers(0, 8, (points, energies)).astype(float)
    cost[rng.random(cost.shape) < 0.2] = np.inf
    cost[0, 0] = 1.0
    scale = 70.0 + 10.0 * np.arange(energies)
    if constant:
        up, down = draw(st.sampled_from([5.5, 1.0])), draw(st.sampled_from([0.6, 1.0]))
        table = SwitchTable.up_down(scale, up, down)
    else:
        table = SwitchTable(scale, rng.integers(0, 6, (energies, energies)).astype(float))
    layers = draw(st.integers(1, 2)) if points <= 2 else 1
    return SelectionTask(cost, table, layers, time_weight=float(rng.integers(0, 4)))


@settings(deadline=None)
@given(tasks())
def test_no_sequence_is_cheaper(task):
    found = ExactProgramme().select(task)
    best = min(cost + task.time_weight * time for _, cost, time in sequences(task))
    assert found.total_cost == pytest.approx(best, abs=1e-9)
    assert found.bound == pytest.approx(best, abs=1e-9)
    assert any(tuple(found.energies) == energies for energies, _, _ in sequences(task))


@settings(deadline=None)
@given(tasks(constant=True))
def test_frontier_is_that_of_all_sequences(task):
    found = pareto_frontier(task)
    points = {(round(time, 6), cost) for _, cost, time in sequences(task)}
    expected = sorted(p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points))
    assert list(zip(np.round(found.switching_s, 6), found.cost, strict=True)) == expected
    for energies, time, cost in zip(found.energies, found.switching_s, found.cost, strict=True):
        answer = task.selection(energies, "frontier")
        assert (answer.switching_s, answer.cost) == (pytest.approx(time), pytest.approx(cost))


@settings(deadline=None)
@given(tasks(constant=True), st.floats(0.0, 12.0))
def test_budget_is_kept_at_least_cost_or_refused(task, budget):
    within = [cost for _, cost, time in sequences(task) if time <= budget + 1e-9]
    asked = replace(task, budget_s=budget)
    if not within:
        with pytest.raises(InputError, match="the least that any sequence of the layers needs"):
            ExactProgramme().select(asked)
        return
    found = ExactProgramme().select(asked)
    assert found.switching_s <= budget + 1e-9
    assert found.cost == pytest.approx(min(within))


@settings(deadline=None)
@given(tasks(), st.integers(0, 12))
def test_hull_path_keeps_a_budget_and_its_bound_holds(task, budget):
    within = [cost for _, cost, time in sequences(task) if time <= budget]
    assume(within)
    path, _, bound = path_within(task, float(budget))
    assert path.switching_s <= budget + 1e-9
    assert bound - 1e-6 <= min(within) <= path.cost + 1e-9


@settings(deadline=None)
@given(tasks(), st.floats(0.0, 3.0))
def test_marginals_are_the_best_sequences_through_layers(task, weight):
    expected = np.full(task.cost.shape, np.inf)
    for energies, cost, time in sequences(task):
        for g, e in zip(task.slots, energies, strict=True):
            expected[g, e] = min(expected[g, e], cost + weight * time)
    np.testing.assert_allclose(marginal_costs(task, weight), expected, atol=1e-9)


def test_a_turn_can_begin_anywhere():
    rng = np.random.default_rng(3)
    table = SwitchTable.preset("cyclotron", [70.0, 80.0, 90.0])
    task = SelectionTask(rng.random((5, 3)), table)
    start, found = best_start(task)
    every = [
        ExactProgramme().select(replace(task, cost=np.roll(task.cost, -s, axis=0))).total_cost
        for s in range(5)
    ]
    assert found.total_cost == pytest.approx(min(every))
    assert every[start] == pytest.approx(min(every))


def test_points_without_layers_are_passed_and_keep_the_energy():
    cost = np.full((3, 2), np.inf)
    cost[0, 1] = cost[2, 1] = 1.0
    task = SelectionTask(cost, SwitchTable.preset("cyclotron", [70.0, 80.0]))
    found = ExactProgramme().select(task)
    assert task.slots.tolist() == [0, 2]
    assert found.switching_s == 0.0
    assert found.chosen().sum(axis=1).tolist() == [1, 0, 1]


def test_several_layers_fall_within_a_control_point():
    rng = np.random.default_rng(1)
    task = SelectionTask(rng.random((6, 8)), SwitchTable.preset("cyclotron", 70.0 + np.arange(8)), 3)
    found = ExactProgramme().select(task)
    assert found.chosen().sum(axis=1).tolist() == [3] * 6
    assert np.all(np.diff(found.energies.reshape(6, 3), axis=1) < 0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cost": np.full((2, 3), np.inf)}, "no layer at any control point"),
        ({"cost": np.ones((2, 4))}, "the switch table's energies"),
        ({"cost": np.full((2, 3), np.nan)}, "infinite for no layer"),
        ({"layers_per_point": 4}, "1 to 3"),
        ({"time_weight": -1.0}, "at least 0"),
        ({"budget_s": -1.0}, "at least 0 s"),
    ],
)
def test_bad_tasks_are_refused(change, text):
    task = SelectionTask(np.ones((2, 3)), SwitchTable.preset("cyclotron", [70.0, 80.0, 90.0]))
    with pytest.raises(InputError, match=text):
        replace(task, **change)


def test_frontier_needs_two_times():
    table = SwitchTable.by_jump([70.0, 80.0, 95.0], up=[0.0, 0.1], down=[0.5])
    with pytest.raises(InputError, match="one time up and one down"):
        pareto_frontier(SelectionTask(np.ones((2, 3)), table))
