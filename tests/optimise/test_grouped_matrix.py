"""Problems of groups of spots and voxels, against the same sums by dense matrices."""

import numpy as np
import pytest

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.goal import Goal
from isodose.optimise.grouped_matrix import grouped, voxel_groups
from isodose.optimise.problem import Problem
from isodose.optimise.run_matrix import run_matrix
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing, SquaredUnderdosing
from isodose.optimise.voxel_quantity import LetTimesDose
from isodose.patient.grid import Grid

SHAPE, SPOTS = (4, 5, 6), 12
VOXELS = int(np.prod(SHAPE))


@pytest.fixture(scope="module")
def dense():
    rng = np.random.default_rng(3)
    return rng.random((VOXELS, SPOTS)) * (rng.random((VOXELS, SPOTS)) < 0.4)


@pytest.fixture(scope="module")
def problem(dense):
    columns = [np.flatnonzero(column) for column in dense.T]
    influence = Influence(
        Grid((0, 0, 0), (1, 1, 1), SHAPE),
        np.cumsum([0, *(c.size for c in columns)]),
        np.concatenate(columns).astype(np.int32),
        {Quantity.DOSE: np.concatenate([dense[c, j] for j, c in enumerate(columns)]).astype(np.float32)},
    )
    goals = [
        Goal(SquaredUnderdosing(2.0), np.arange(0, 60)),
        Goal(SquaredOverdosing(0.5), np.arange(40, VOXELS)),
    ]
    return Problem(influence, goals, threads=1)


def test_groups_are_sums_of_spots_and_means_of_voxels(problem, dense):
    spots = np.arange(SPOTS) // 3
    rows = voxel_groups(problem.voxels, problem.goals, SHAPE, (2, 1, 1), (2, 2, 2))
    part = problem.grouped(spots, rows)
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    whole = (dense @ weights[spots])[problem.voxels]
    expected = np.bincount(rows, whole) / np.bincount(rows)
    assert part.sums(weights)[0, 0] == pytest.approx(expected, rel=1e-5)
    assert part.spots == 4
    assert part.voxels.size == rows.max() + 1 < problem.voxels.size


def test_voxels_by_themselves_keep_the_value_and_its_gradient(problem):
    spots = np.arange(SPOTS)[::-1] // 2  # not in the order of the columns
    weights = np.linspace(0.2, 0.7, 6)
    value, gradient = problem.grouped(spots).value_and_gradient(weights)
    whole, by_spot = problem.value_and_gradient(weights[spots])
    assert value == pytest.approx(whole, rel=1e-5)
    assert gradient == pytest.approx(np.bincount(spots, by_spot), rel=1e-4)


def test_groups_of_a_part_of_the_spots(problem, dense):
    part = problem.restricted_to([1, 4, 5]).grouped(np.array([0, 1, 1]))
    expected = dense[problem.voxels][:, [1, 4, 5]] @ [2.0, 3.0, 3.0]
    assert part.sums([2.0, 3.0])[0, 0] == pytest.approx(expected, rel=1e-5)


def test_small_doses_are_given_to_the_large_ones(problem):
    spots = np.arange(SPOTS)
    whole, cut = problem.grouped(spots), problem.grouped(spots, least=0.5)
    for j in range(SPOTS):
        one = np.eye(SPOTS)[j]
        before, after = whole.sums(one)[0, 0], cut.sums(one)[0, 0]
        kept = before >= 0.5 * before.max()
        assert np.array_equal(after > 0.0, kept)
        assert after.sum() == pytest.approx(before.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("quantities", "decides"),
    [
        ((Quantity.DOSE, Quantity.LETD), Quantity.DOSE),
        ((Quantity.LETD, Quantity.DOSE), Quantity.DOSE),
        ((Quantity.DOSE, Quantity.ALPHA, Quantity.SQRT_BETA), Quantity.DOSE),
        ((Quantity.SQRT_BETA, Quantity.DOSE, Quantity.ALPHA), Quantity.DOSE),
        ((Quantity.LETD, Quantity.SQRT_BETA), Quantity.SQRT_BETA),
        ((Quantity.SQRT_BETA, Quantity.LETD), Quantity.SQRT_BETA),
    ],
)
@pytest.mark.parametrize("chunk", [4_000_000, 50])
def test_all_quantities_are_cut_where_one_is_small(with_more, monkeypatch, quantities, decides, chunk):
    monkeypatch.setattr("isodose.optimise.grouped_matrix._CHUNK", chunk)
    influence, full = with_more
    voxels, columns = np.arange(VOXELS), np.arange(SPOTS)
    spots, rows = columns[::-1] // 2, voxels // 2

    def dense_of(quantity):
        sums = np.stack([full[quantity][:, spots == k].sum(axis=1) for k in range(6)])
        return (sums[:, 0::2] + sums[:, 1::2]) / 2.0

    def cut_of(wanted):
        return grouped(run_matrix(influence, voxels, wanted), columns, spots, rows, 0.5, threads=1)

    cut, alone = cut_of(quantities), cut_of((decides,))
    for name in ("column_run", "run_row", "run_entry"):
        assert np.array_equal(getattr(cut, name), getattr(alone, name))
    assert np.array_equal(cut.values[decides], alone.values[decides])
    by_group = dense_of(decides)
    kept = by_group >= 0.5 * by_group.max(axis=1, keepdims=True)
    for quantity in quantities:
        assert cut.values[quantity].size == kept.sum()
        whole = dense_of(quantity)
        factor = whole.sum(axis=1) / np.where(kept, whole, 0.0).sum(axis=1)
        for k in range(6):
            found = cut.product(np.ones(1, dtype=np.float32), quantity, np.array([k]), threads=1)
            assert found == pytest.approx(np.where(kept[k], factor[k] * whole[k], 0.0), rel=1e-5)
            assert found.sum() == pytest.approx(whole[k].sum(), rel=1e-5)


def test_dose_with_another_quantity_is_that_of_dose_alone(with_more):
    influence, full = with_more
    spots, voxels = np.arange(SPOTS), np.arange(VOXELS)
    dose = Goal(SquaredDeviation(2.0), voxels)
    alone, both = (
        Problem(influence, goals, threads=1).grouped(spots, least=0.5)
        for goals in ([dose], [dose, Goal(SquaredDeviation(2.0), voxels, quantity=LetTimesDose())])
    )
    weights = np.linspace(0.5, 1.5, SPOTS)
    sums = both.sums(weights)[0]
    assert sums[0] == pytest.approx(alone.sums(weights)[0, 0], rel=1e-6)
    assert sums[0].sum() == pytest.approx((full[Quantity.DOSE] @ weights).sum(), rel=1e-5)
    assert sums[1].sum() == pytest.approx((full[Quantity.LETD] @ weights).sum(), rel=1e-5)


def test_groups_hold_voxels_of_the_same_goals_and_block(problem):
    rows = voxel_groups(problem.voxels, problem.goals, SHAPE, (1, 1, 1), (4, 5, 6))
    places = problem.voxels
    # Where a low dose is minded, voxels stay alone; all others are one block.
    assert np.bincount(rows)[rows[places < 60]].max() == 1
    assert np.unique(rows[places >= 60]).size == 1


def test_groups_of_another_number_are_refused(problem):
    with pytest.raises(InputError, match="groups of spots"):
        problem.grouped(np.arange(SPOTS - 1))
    with pytest.raises(InputError, match="groups of rows"):
        problem.grouped(np.arange(SPOTS), np.zeros(3, dtype=np.int64))
