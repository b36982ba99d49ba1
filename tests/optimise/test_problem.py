"""The problem: gradients by finite differences, scenarios by hand, parts against the whole."""

import numpy as np
import pytest

from isodose.biology.let_models import McNamara
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.dvh_points import MaxDvh
from isodose.optimise.effective_dose import Eud, MeanDose
from isodose.optimise.extremes import MaxDose
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.rbe_quantity import RbeOfLet, RbeOfResponse
from isodose.optimise.robustness import Robustness, smooth_maximum
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing, SquaredUnderdosing
from isodose.optimise.voxel_quantity import LetOfDose, LetTimesDose

TARGET, ORGAN = np.arange(30, 60), np.arange(50, 110)
WEIGHTS = np.random.default_rng(8).uniform(0.2, 1.0, 12)


def _goals(robust=False):
    return [
        Goal(SquaredDeviation(2.0), TARGET, 3.0, "target", robust=robust),
        Goal(SquaredUnderdosing(2.5), TARGET, 1.0, "target", robust=robust),
        Goal(SquaredOverdosing(1.5), ORGAN, 2.0, "organ", robust=robust),
        Goal(MeanDose(0.0), ORGAN, 0.5, "organ"),
        Goal(Eud(0.5, 0.3), ORGAN, 0.5, "organ", robust=robust),
    ]


def _slope(problem, weights, direction, step):
    ahead, behind = (problem.value(weights + sign * step * direction) for sign in (1.0, -1.0))
    return (ahead - behind) / (2.0 * step)


def _exact_slope(problem, full, weights, direction, step=1e-5):
    """Slope of the value in float64, past the float32 of products."""

    def value(at):
        sums = [[m[q][problem.voxels] @ at for q in problem.quantities] for m in full]
        return problem.of_sums(np.array(sums))[0]

    return (value(weights + step * direction) - value(weights - step * direction)) / (2.0 * step)


def _check_gradient(problem, full, tolerance=1e-4):
    value, gradient = problem.value_and_gradient(WEIGHTS)
    assert value == pytest.approx(problem.value(WEIGHTS))
    for j in range(12):
        expected = _exact_slope(problem, full, WEIGHTS, np.eye(12)[j])
        # Asked for: 1e-4 (of the largest, since products are float32).
        assert gradient[j] == pytest.approx(expected, abs=tolerance * np.abs(gradient).max())


def test_gradient_agrees_with_finite_differences(small):
    matrix, full = small
    _check_gradient(Problem(matrix, _goals()), [full])


@pytest.mark.parametrize("robustness", Robustness)
def test_gradient_of_scenarios(make_influence, robustness):
    pairs = [make_influence(k) for k in range(4)]
    problem = Problem([m for m, _ in pairs], _goals(robust=True), robustness)
    assert problem.scenarios == 4
    _check_gradient(problem, [f for _, f in pairs])


def test_gradient_of_let_and_rbe(with_more):
    matrix, full = with_more
    a, b = np.random.default_rng(0).uniform(0.05, 0.3, (2, matrix.grid.size))
    for quantity in (LetOfDose(), LetTimesDose(), RbeOfResponse(a, b), RbeOfResponse(a, b, 1.0),
                     RbeOfLet(McNamara(), a, b)):  # fmt: skip
        goals = [
            Goal(SquaredDeviation(2.0), TARGET, 3.0, quantity=quantity),
            Goal(MeanDose(0.0), ORGAN, 1.0, quantity=quantity),
            Goal(SquaredOverdosing(0.5), ORGAN, 2.0),
        ]
        _check_gradient(Problem(matrix, goals), [full])


def test_value_is_that_of_the_dose(small):
    matrix, full = small
    dose = full[Quantity.DOSE] @ WEIGHTS
    problem = Problem(matrix, _goals())
    expected = sum(g.priority * g.objective.evaluate(dose[g.voxels])[0] for g in _goals())
    assert problem.value(WEIGHTS) == pytest.approx(expected, rel=1e-5)
    by_goal = problem.goal_values(WEIGHTS)
    assert by_goal.shape == (5, 1)
    assert by_goal.sum() == pytest.approx(expected, rel=1e-5)


def _doses(make_influence, count=4):
    pairs = [make_influence(k) for k in range(count)]
    doses = [full[Quantity.DOSE] @ WEIGHTS for _, full in pairs]
    return [m for m, _ in pairs], doses


def test_expectation_and_worst_cases_by_hand(make_influence):
    matrices, doses = _doses(make_influence)
    target, organ = SquaredDeviation(2.0), SquaredOverdosing(1.5)
    goals = [Goal(target, TARGET, 3.0, robust=True), Goal(organ, ORGAN, 2.0, robust=True)]
    values = np.array(
        [[3.0 * target.evaluate(d[TARGET])[0], 2.0 * organ.evaluate(d[ORGAN])[0]] for d in doses]
    )
    found = {kind: Problem(matrices, goals, kind).value(WEIGHTS) for kind in Robustness}
    assert found[Robustness.EXPECTATION] == pytest.approx(values.sum() / 4.0, rel=1e-5)
    power = lambda v: np.mean(v**16.0) ** (1.0 / 16.0)  # noqa: E731  # the mean that stands for the largest
    assert found[Robustness.COMPOSITE] == pytest.approx(power(values.sum(axis=1)), rel=1e-5)
    each = power(values[:, 0]) + power(values[:, 1])
    assert found[Robustness.OBJECTIVE_WISE] == pytest.approx(each, rel=1e-5)
    all_doses = np.array(doses)
    far = np.abs(all_doses - 2.0).argmax(axis=0)
    worst = target.evaluate(np.take_along_axis(all_doses, far[None], axis=0)[0][TARGET])[0]
    high = organ.evaluate(all_doses.max(axis=0)[ORGAN])[0]
    assert found[Robustness.VOXEL_WISE] == pytest.approx(3.0 * worst + 2.0 * high, rel=1e-5)


def test_the_smooth_maximum_is_close_to_the_largest():
    values = np.array([0.3, 1.0, 0.9, 0.0])
    found, slope = smooth_maximum(values)
    assert 1.0 * 4 ** (-1 / 16) <= found <= 1.0
    step = 1e-6
    for i in range(4):
        up = values + step * np.eye(4)[i]
        assert (smooth_maximum(up)[0] - found) / step == pytest.approx(slope[i], abs=1e-4)
    assert smooth_maximum(np.zeros(3))[0] == 0.0


def test_goals_that_are_not_robust_see_the_nominal_scenario_only(make_influence):
    matrices, doses = _doses(make_influence)
    goals = [Goal(SquaredDeviation(2.0), TARGET, robust=True), Goal(MeanDose(0.0), ORGAN)]
    problem = Problem(matrices, goals)
    values = problem.goal_values(WEIGHTS)
    assert np.isfinite(values[0]).all()
    assert np.isfinite(values[1]).tolist() == [True, False, False, False]
    assert values[1, 0] == pytest.approx(np.mean(doses[0][ORGAN]) ** 2, rel=1e-5)


def test_fewer_spots(small):
    matrix, _ = small
    columns = np.array([0, 3, 4, 9])
    whole = Problem(matrix, _goals())
    part = whole.restricted_to(columns)
    weights = np.zeros(12)
    weights[columns] = WEIGHTS[columns]
    value, gradient = part.value_and_gradient(WEIGHTS[columns])
    assert value == pytest.approx(whole.value(weights), rel=1e-6)
    np.testing.assert_allclose(gradient, whole.value_and_gradient(weights)[1][columns], rtol=1e-5)
    mask = np.array([True, False, True, True])
    again = part.restricted_to(mask)
    assert again.columns.tolist() == [0, 4, 9]
    assert part.spots == 4
    assert whole.spots == 12


@pytest.mark.parametrize("scenarios", [1, 3])
def test_a_focused_problem_has_the_same_value_and_gradient(make_influence, scenarios):
    matrices = [make_influence(k, density=0.3)[0] for k in range(scenarios)]
    robust = scenarios > 1
    goals = [
        Goal(SquaredDeviation(2.0), TARGET, 3.0, robust=robust),
        Goal(SquaredOverdosing(2.2), np.arange(40, 120), 2.0, robust=robust),
    ]
    whole = Problem(matrices, goals, Robustness.COMPOSITE)
    columns = np.arange(1, 12)
    weights = np.append(0.0, WEIGHTS[1:])
    part = whole.focused(whole.sums(weights), columns)
    assert part.voxels.size < whole.voxels.size
    for other in (weights, 1.05 * weights):  # near enough for idle voxels to stay idle
        value, gradient = part.value_and_gradient(other[1:])
        expected, slopes = whole.value_and_gradient(other)
        assert value == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(gradient, slopes[1:], rtol=1e-4)


def test_objectives_of_order_statistics_keep_all_voxels(small):
    matrix, _ = small
    problem = Problem(matrix, [Goal(MaxDvh(1.0, 20.0), ORGAN), Goal(MaxDose(9.0), TARGET)])
    assert problem.focused(problem.sums(WEIGHTS), np.arange(12)).voxels.size == problem.voxels.size


def test_curvature_is_that_of_least_squares(small):
    matrix, full = small
    problem = Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET, 3.0)])
    expected = 3.0 * 2.0 / 30.0 * np.sum(full[Quantity.DOSE][TARGET] ** 2, axis=0)
    np.testing.assert_allclose(problem.curvature(), expected, rtol=1e-5)


def test_bad_input_is_refused(small, make_influence):
    matrix, _ = small
    with pytest.raises(InputError, match="goals"):
        Problem(matrix, [])
    with pytest.raises(InputError, match="letd"):
        Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET, quantity=LetTimesDose())])
    with pytest.raises(InputError, match="voxel"):
        Problem(matrix, [Goal(SquaredDeviation(2.0), np.array([120]))])
    with pytest.raises(InputError, match="weights"):
        Problem(matrix, _goals()).value(np.ones(11))
    with pytest.raises(InputError, match="scenario 1"):
        Problem([matrix, make_influence(0, spots=5)[0]], _goals(robust=True))
