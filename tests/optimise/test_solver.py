"""The solver against SciPy, and when it stops."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.effective_dose import MeanDose
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.robustness import Robustness
from isodose.optimise.solver import SolverSettings, optimise
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing, SquaredUnderdosing

TARGET, ORGAN = np.arange(30, 60), np.arange(60, 120)
EXACT = SolverSettings(iterations=400, value_tolerance=1e-9, optimality_tolerance=1e-12)


def _badly_scaled(make_influence, spots=40):
    """Spots whose doses differ by a factor of a thousand."""
    matrix, full = make_influence(4, spots=spots)
    factor = np.geomspace(1e-2, 10.0, spots)
    values = matrix.values[Quantity.DOSE] * np.repeat(factor, np.diff(matrix.indptr)).astype(np.float32)
    scaled = type(matrix)(matrix.grid, matrix.indptr, matrix.indices, {Quantity.DOSE: values})
    return scaled, full[Quantity.DOSE] * factor


def test_least_squares_are_those_of_scipy(make_influence):
    matrix, full = _badly_scaled(make_influence)
    goals = [Goal(SquaredDeviation(2.0), TARGET, 3.0), Goal(SquaredDeviation(0.0), ORGAN, 1.0)]
    rows = np.concatenate([np.sqrt(3.0 / 30.0) * full[TARGET], np.sqrt(1.0 / 60.0) * full[ORGAN]])
    wanted = np.concatenate([np.sqrt(3.0 / 30.0) * np.full(30, 2.0), np.zeros(60)])
    best, residual = nnls(rows, wanted)
    found = optimise(Problem(matrix, goals), settings=EXACT)
    # The solver's products are float32.
    assert found.value == pytest.approx(residual**2, rel=1e-5)
    assert (best == 0.0).any()
    dose = full @ found.weights
    np.testing.assert_allclose(dose, full @ best, atol=0.01)
    assert np.all(found.weights >= 0.0)


@pytest.mark.parametrize("robustness", [Robustness.EXPECTATION, Robustness.COMPOSITE])
def test_one_sided_and_robust_optima_are_those_of_scipy(make_influence, robustness):
    matrices = [make_influence(k, spots=20)[0] for k in range(3)]
    goals = [
        Goal(SquaredUnderdosing(2.0), TARGET, 3.0, robust=True),
        Goal(SquaredOverdosing(2.1), TARGET, 3.0, robust=True),
        Goal(SquaredOverdosing(1.0), ORGAN, 1.0, robust=True),
        Goal(MeanDose(0.0), ORGAN, 0.1),
    ]
    problem = Problem(matrices, goals, robustness)
    found = optimise(problem, settings=EXACT)
    theirs = minimize(
        problem.value_and_gradient,
        np.full(20, 0.1),
        jac=True,
        bounds=[(0.0, None)] * 20,
        method="L-BFGS-B",
        options={"maxiter": 5000, "ftol": 1e-12, "gtol": 1e-9, "maxcor": 20},
    )
    # Both work on the same float32 products; SciPy's line search stops first at their rounding.
    assert found.value <= theirs.fun * (1.0 + 1e-4)


def test_at_the_optimum_no_weight_wants_to_move(make_influence):
    matrix, _ = _badly_scaled(make_influence)
    goals = [Goal(SquaredDeviation(2.0), TARGET, 3.0), Goal(SquaredOverdosing(0.5), ORGAN, 1.0)]
    problem = Problem(matrix, goals)
    found = optimise(problem, settings=EXACT)
    _, gradient = problem.value_and_gradient(found.weights)
    scale = 1.0 / np.sqrt(problem.curvature())
    assert np.all(gradient * scale > -1e-3 * np.sqrt(found.value))
    moving = found.weights > 0.0
    assert np.all(np.abs(gradient * scale)[moving] < 1e-3 * np.sqrt(found.value))
    assert found.history[-1].optimality < 1e-5


def test_the_value_never_rises_and_is_reported(small):
    matrix, _ = small
    seen = []
    problem = Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET), Goal(SquaredOverdosing(0.5), ORGAN)])
    found = optimise(problem, progress=seen.append)
    assert tuple(seen) == found.history
    values = [step.value for step in seen]
    # Between looks at the whole problem values are those of a part, in float32.
    assert all(after <= before * (1.0 + 1e-5) for before, after in pairwise(values))
    assert [step.number for step in seen] == list(range(len(seen)))
    assert found.value == pytest.approx(problem.value(found.weights))


def test_a_warm_start_takes_fewer_iterations(make_influence):
    matrix, _ = _badly_scaled(make_influence)
    problem = Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET), Goal(SquaredOverdosing(0.5), ORGAN)])
    settings = SolverSettings(value_tolerance=1e-6)
    cold = optimise(problem, settings=settings)
    warm = optimise(problem, cold.weights, settings)
    assert warm.value <= cold.value * (1.0 + 1e-6)
    assert len(warm.history) <= 12
    assert len(warm.history) < len(cold.history)


def test_weights_stay_above_a_bound(make_influence):
    matrix, full = _badly_scaled(make_influence, 20)
    problem = Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET), Goal(SquaredDeviation(0.0), ORGAN)])
    least = np.linspace(0.0, 0.05, 20)
    found = optimise(problem, settings=EXACT, least=least)
    assert np.all(found.weights >= least)
    rows = np.concatenate([full[TARGET] / np.sqrt(30.0), full[ORGAN] / np.sqrt(60.0)])
    wanted = np.concatenate([np.full(30, 2.0 / np.sqrt(30.0)), np.zeros(60)]) - rows @ least
    assert found.value == pytest.approx(nnls(rows, wanted)[1] ** 2, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (SolverSettings(iterations=3), "iterations"),
        (SolverSettings(value_tolerance=0.5, optimality_tolerance=0.0), "value"),
        (SolverSettings(optimality_tolerance=0.9), "optimality"),
        (SolverSettings(seconds=1e-6), "seconds"),
    ],
)
def test_it_says_why_it_stopped(small, settings, reason):
    matrix, _ = small
    problem = Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET), Goal(SquaredOverdosing(0.5), ORGAN)])
    assert optimise(problem, settings=settings).stopped == reason


def test_what_is_done_stays_done_when_interrupted(small):
    matrix, _ = small
    problem = Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET)])

    def stop(step):
        if step.number == 4:
            raise KeyboardInterrupt

    for progress in (stop, lambda step: step.number < 4):
        found = optimise(problem, progress=progress)
        assert found.stopped == "interrupted"
        assert found.history[-1].number == 4
        assert found.value == pytest.approx(problem.value(found.weights))
        assert found.value < problem.value(np.zeros(12))


def test_nothing_to_gain_ends_at_once(small):
    matrix, _ = small
    found = optimise(Problem(matrix, [Goal(SquaredOverdosing(1.0), ORGAN)]))
    assert found.value == 0.0
    assert not found.weights.any()


@pytest.mark.parametrize("start", [np.ones(11), -np.ones(12), np.full(12, np.nan)])
def test_starts_that_cannot_be_are_refused(small, start):
    matrix, _ = small
    with pytest.raises(InputError, match="start"):
        optimise(Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET)]), start)


@pytest.mark.parametrize(
    "wrong", [{"iterations": 0}, {"memory": 0}, {"value_tolerance": -1.0}, {"seconds": 0.0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        SolverSettings(**wrong)
