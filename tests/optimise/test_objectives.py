"""Objectives: values by hand, gradients by finite differences, what is refused."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.optimise.dvh_points import MaxDvh, MinDvh
from isodose.optimise.effective_dose import Eud, MeanDose
from isodose.optimise.extremes import MaxDose, MinDose
from isodose.optimise.objectives import OBJECTIVES
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing, SquaredUnderdosing

EXAMPLES = [
    SquaredDeviation(2.0),
    SquaredUnderdosing(2.1),
    SquaredOverdosing(1.5),
    MeanDose(0.0),
    MeanDose(1.0, "linear"),
    Eud(0.5, 0.2),
    Eud(0.5, 1.0, "linear"),
    Eud(2.0, -0.1),
    MinDose(1.5, 0.05),
    MaxDose(1.5, 0.05),
    MinDvh(2.0, 95.0),
    MaxDvh(1.2, 30.0),
]
DOSE = np.random.default_rng(5).uniform(0.2, 3.0, 60)


@pytest.mark.parametrize("objective", EXAMPLES, ids=repr)
def test_gradient_agrees_with_finite_differences(objective):
    _, gradient = objective.evaluate(DOSE)
    assert np.abs(gradient).max() > 0.0
    step = 1e-6
    for i in range(DOSE.size):
        up, down = DOSE.copy(), DOSE.copy()
        up[i] += step
        down[i] -= step
        difference = (objective.evaluate(up)[0] - objective.evaluate(down)[0]) / (2.0 * step)
        # Asked for is 1e-4 of the largest; central differences in float64 give far less.
        assert difference == pytest.approx(gradient[i], abs=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("objective", EXAMPLES, ids=repr)
def test_single_precision_gives_the_same(objective):
    value, gradient = objective.evaluate(DOSE)
    single, slope = objective.evaluate(DOSE.astype(np.float32))
    assert slope.dtype == np.float32
    assert single == pytest.approx(value, rel=1e-4)
    # Steep powers and exponentials of numbers with 7 digits lose about two of them.
    np.testing.assert_allclose(slope, gradient, atol=1e-3 * np.abs(gradient).max())


def test_values_by_hand():
    dose = np.array([1.0, 2.0, 4.0, 5.0])
    assert SquaredDeviation(2.0).evaluate(dose)[0] == pytest.approx((1 + 0 + 4 + 9) / 4)
    assert SquaredUnderdosing(2.0).evaluate(dose)[0] == pytest.approx(1 / 4)
    assert SquaredOverdosing(2.0).evaluate(dose)[0] == pytest.approx((4 + 9) / 4)
    assert MeanDose(1.0).evaluate(dose)[0] == pytest.approx(4.0)
    assert MeanDose(5.0, "linear").evaluate(dose)[0] == pytest.approx(2.0)
    assert Eud(0.0, 0.5, "linear").evaluate(dose)[0] == pytest.approx(np.sqrt(46 / 4))  # a = 2
    assert Eud(0.0, -1.0, "linear").evaluate(dose)[0] == pytest.approx(4 / (1 + 0.5 + 0.25 + 0.2))
    assert MaxDose(4.0, 0.01).evaluate(dose)[0] == pytest.approx(1.0)
    assert MinDose(3.0, 0.01).evaluate(dose)[0] == pytest.approx(4.0)
    # 75 % should get 3: the dose of 75 % is 1.75, so that only 2.0 is pushed.
    assert MinDvh(3.0, 75.0).evaluate(dose)[0] == pytest.approx(1 / 4)
    # 25 % may get 1.5: the dose of 25 % is 4.25, so that 2.0 and 4.0 are pushed.
    assert MaxDvh(1.5, 25.0).evaluate(dose)[0] == pytest.approx((0.25 + 6.25) / 4)


@pytest.mark.parametrize("k", [0.05, -0.05, 1.0])
def test_eud_of_no_dose_and_of_much_is_finite(k):
    for level in (0.0, 1e-9, 1e3):
        value, gradient = Eud(2.0, k).evaluate(np.full(7, level))
        assert np.isfinite(value)
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("objective", [SquaredUnderdosing(2.0), SquaredOverdosing(2.0)], ids=repr)
def test_idle_voxels_cost_nothing(objective):
    idle = objective.idle(DOSE)
    assert idle.any()
    assert objective.evaluate(DOSE[idle])[0] == 0.0


def test_every_objective_is_listed_and_tested():
    assert {type(o) for o in EXAMPLES} == set(OBJECTIVES.values())


@pytest.mark.parametrize(
    ("kind", "arguments", "field"),
    [
        (SquaredDeviation, {"d_ref": -1.0}, "squared_deviation.d_ref"),
        (SquaredOverdosing, {"d_max": np.nan}, "squared_overdosing.d_max"),
        (MeanDose, {"f_diff": "cubic"}, "mean_dose.f_diff"),
        (Eud, {"k": 0.0}, "eud.k"),
        (MinDvh, {"d": 2.0, "v_min": 100.0}, "min_dvh.v_min"),
        (MaxDvh, {"d": 2.0, "v_max": 0.0}, "max_dvh.v_max"),
        (MaxDose, {"d_max": 2.0, "softness_gy": 0.0}, "max_dose.softness_gy"),
    ],
)
def test_what_cannot_be_meant_is_refused(kind, arguments, field):
    with pytest.raises(InputError) as caught:
        kind(**arguments)
    assert caught.value.field == field
