"""Constraints: against scipy on small problems, and what the augmented Lagrangian's terms are."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from isodose.errors import InputError
from isodose.optimise.constrained import kept, optimise_constrained, penalties
from isodose.optimise.constraint import TOLERANCE, Constraint, Kind
from isodose.optimise.goal import Goal
from isodose.optimise.minimum_weight import optimise_deliverable
from isodose.optimise.problem import Problem
from isodose.optimise.solver import SolverSettings, optimise
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing

TARGET, ORGAN = np.arange(10, 30), np.arange(40, 70)
FINE = SolverSettings(3000, value_tolerance=1e-7, optimality_tolerance=1e-12)


def _goals():
    return [
        Goal(SquaredDeviation(2.0), TARGET, 100.0, "target"),
        Goal(SquaredOverdosing(0.5), ORGAN, 5.0, "organ"),
    ]


def _solved(influence, constraints, settings=FINE, **more):
    goals = _goals()
    problem = Problem(influence, [*goals, *penalties(constraints, goals)])
    found = optimise_constrained(problem, settings=settings, constraints=constraints, **more)
    return found, kept(problem, constraints, found.weights), problem


def _by_scipy(full, rows):
    """Optimum of the same problem by sequential quadratic programming; rows are (matrix, lowest, highest)."""
    target, organ = full[TARGET], full[ORGAN]

    def value(w):
        off, over = target @ w - 2.0, np.maximum(organ @ w - 0.5, 0.0)
        gradient = 200.0 * target.T @ off / len(off) + 10.0 * organ.T @ over / len(over)
        return 100.0 * np.mean(off**2) + 5.0 * np.mean(over**2), gradient

    limits = [LinearConstraint(a, low, high) for a, low, high in rows]
    bounds = [(0.0, None)] * full.shape[1]
    start = np.full(full.shape[1], 0.1)
    return minimize(value, start, jac=True, method="SLSQP", bounds=bounds, constraints=limits,
                    options={"maxiter": 2000, "ftol": 1e-10})  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "part", "voxels"),
    [
        (Kind.MAX, 0.8, ORGAN),
        (Kind.MIN, 1.3, TARGET),
        (Kind.MAX_MEAN, 0.7, ORGAN),
        (Kind.MIN_MEAN, 1.2, TARGET),
    ],
)
def test_the_optimum_is_that_of_scipy(small, kind, part, voxels):
    """A limit that asks for a part of what the optimum without it has."""
    influence, by_quantity = small
    (full,) = by_quantity.values()
    free = optimise(Problem(influence, _goals()), settings=FINE)
    dose = full[voxels] @ free.weights
    reached = dose.mean() if kind.of_mean else dose.max() if kind.from_above else dose.min()
    limit = float(part * reached)
    constraint = Constraint(kind, limit, voxels)
    matrix = full[voxels].mean(axis=0, keepdims=True) if kind.of_mean else full[voxels]
    low, high = (-np.inf, limit) if kind.from_above else (limit, np.inf)
    expected = _by_scipy(full, [(matrix, low, high)])
    assert expected.success
    found, (result,), _ = _solved(influence, [constraint])
    assert free.value < expected.fun * 0.999  # the constraint is active
    assert result.holds
    assert abs(result.beyond) <= TOLERANCE * limit
    assert found.value == pytest.approx(expected.fun, rel=3e-3)
    np.testing.assert_allclose(found.weights, expected.x, atol=0.02 * expected.x.max())


def test_several_constraints_hold_together(small):
    influence, by_quantity = small
    (full,) = by_quantity.values()
    dose = full @ optimise(Problem(influence, _goals()), settings=FINE).weights
    most, least = 0.95 * dose[ORGAN].max(), 1.1 * dose[TARGET].min()
    constraints = [Constraint(Kind.MAX, most, ORGAN), Constraint(Kind.MIN, least, TARGET)]
    expected = _by_scipy(full, [(full[ORGAN], -np.inf, most), (full[TARGET], least, np.inf)])
    assert expected.success
    found, results, _ = _solved(influence, constraints)
    assert all(result.holds for result in results)
    assert found.value == pytest.approx(expected.fun, rel=5e-3)


def test_a_constraint_that_is_kept_anyway_changes_nothing(small):
    influence, _ = small
    found, (result,), _ = _solved(influence, [Constraint(Kind.MAX, 50.0, ORGAN)])
    free = optimise(Problem(influence, _goals()), settings=FINE)
    assert result.holds
    assert result.beyond < -10.0
    assert found.value == pytest.approx(free.value, rel=1e-4)


def test_what_cannot_be_kept_is_said(small):
    influence, _ = small
    constraints = [Constraint(Kind.MIN, 5.0, TARGET, "target"), Constraint(Kind.MAX, 0.1, ORGAN, "organ")]
    found, results, _ = _solved(influence, constraints, SolverSettings(300))
    assert not all(result.holds for result in results)
    worst = max(results, key=lambda r: r.beyond)
    assert worst.beyond > 0.1
    assert worst.beyond == pytest.approx(abs(worst.value - worst.constraint.limit))
    assert found.history[-1].number <= 300
    assert np.all(np.isfinite(found.weights))


def test_iterations_are_counted_through_all_rounds(small):
    influence, _ = small
    seen = []
    constraints = [Constraint(Kind.MAX, 0.9, ORGAN)]
    found, _, _ = _solved(influence, constraints, SolverSettings(120), progress=seen.append)
    numbers = [step.number for step in found.history]
    assert numbers == list(range(len(numbers)))
    assert numbers[-1] <= 120
    assert {step.total for step in seen} == {120}
    assert [s.number for s in seen] == sorted(s.number for s in seen)
    assert found.history[-1].seconds >= max(step.seconds for step in found.history[:-1])


def test_robust_constraints_hold_in_every_scenario(make_influence):
    matrices = [make_influence(seed)[0] for seed in (0, 5)]
    constraint = Constraint(Kind.MAX, 0.9, ORGAN, robust=True)
    goals = _goals()
    problem = Problem(matrices, [*goals, *penalties([constraint], goals)])
    found = optimise_constrained(problem, settings=FINE, constraints=[constraint])
    (result,) = kept(problem, [constraint], found.weights)
    assert result.holds
    both = [m.weighted(found.weights).ravel()[ORGAN].max() for m in matrices]
    assert result.value == pytest.approx(max(both), rel=1e-5)
    assert max(both) > 0.85


def test_spots_that_a_machine_can_deliver_keep_to_constraints(small):
    from functools import partial

    influence, _ = small
    constraint = Constraint(Kind.MAX_MEAN, 0.6, ORGAN)
    goals = _goals()
    problem = Problem(influence, [*goals, *penalties([constraint], goals)])
    solve = partial(optimise_constrained, constraints=[constraint])
    found = optimise_deliverable(problem, 0.05, settings=FINE, solve=solve)
    assert np.all((found.weights == 0.0) | (found.weights >= 0.05 * (1.0 - 1e-9)))
    (result,) = kept(problem, [constraint], found.weights)
    assert result.holds


@pytest.mark.parametrize("kind", list(Kind))
def test_terms_have_the_derivative_that_they_say(kind):
    rng = np.random.default_rng(3)
    values = rng.uniform(0.5, 1.5, 8)
    term = Constraint(kind, 1.0, np.arange(8)).goal(7.0).objective.updated(values)
    there = rng.uniform(0.5, 1.5, 8)
    _, slope = term.evaluate(there)
    step = 1e-6
    for i in range(8):
        moved = [there + sign * step * (np.arange(8) == i) for sign in (1.0, -1.0)]
        difference = (term.evaluate(moved[0])[0] - term.evaluate(moved[1])[0]) / (2.0 * step)
        assert slope[i] == pytest.approx(difference, rel=1e-5, abs=1e-8)


def test_voxels_far_within_a_limit_are_left_out_until_they_have_a_multiplier():
    term = Constraint(Kind.MAX, 1.0, np.arange(4)).goal(2.0).objective
    values = np.array([0.1, 0.9, 1.2, 0.2])
    assert term.idle(values).tolist() == [True, False, False, True]
    pushed = term.updated(np.array([1.5, 0.1, 0.1, 0.1]))
    assert pushed.idle(values).tolist() == [False, False, False, True]
    part = pushed.part(np.array([True, False, True, False]))
    assert part.multipliers.tolist() == [1.0, 0.0]


def test_constraints_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="limit"):
        Constraint(Kind.MAX, 0.0, ORGAN)
    with pytest.raises(InputError, match="robust"):
        Constraint(Kind.MAX_MEAN, 1.0, ORGAN, robust=True)
    with pytest.raises(InputError, match="voxels"):
        Constraint(Kind.MAX, 1.0, ORGAN[:0]).goal(1.0)
