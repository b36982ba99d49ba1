import numpy as np
import pytest

from isodose.transport.scoring import BLOCK_SHIFT, Slots
from isodose.transport.statistics import BatchSums

SLOTS = Slots(0, -1, 1, 2, -1, -1, 3)


def batches_of(rng, batches, voxels):
    sums = BatchSums.empty(voxels, SLOTS)
    marks = np.zeros((2, (voxels >> BLOCK_SHIFT) + 1), dtype=np.uint8)
    values = rng.gamma(4.0, size=(batches, 2, voxels, 3))
    values[..., 2] = values[..., 1] * rng.uniform(1.0, 3.0, size=(batches, 2, voxels))
    for value in values:
        parts = value.copy()
        marks[:] = 1
        sums.take(parts, marks, 10)
        assert not parts.any()
        assert not marks.any()
    return sums, values.sum(axis=1) / 10


def test_mean_and_error_are_those_of_the_batches():
    sums, values = batches_of(np.random.default_rng(3), 12, 700)
    assert sums.mean(0) == pytest.approx(values[..., 0].mean(axis=0))
    # squares are kept in float32
    assert sums.error(0) == pytest.approx(values[..., 0].std(axis=0, ddof=1) / np.sqrt(12), rel=1e-4)


def test_error_of_a_ratio_is_the_spread_of_repeated_runs():
    rng = np.random.default_rng(4)
    runs = [batches_of(rng, 30, 50)[0].ratio(2, 1) for _ in range(200)]
    spread = np.std([value for value, _ in runs], axis=0).mean()
    claimed = np.mean([error for _, error in runs])
    # 200 runs of 50 voxels know the spread to about 1 %; first order theory with 30 batches errs by 2-4 %
    assert claimed == pytest.approx(spread, rel=0.05)


def test_blocks_without_a_mark_are_left_alone():
    sums = BatchSums.empty(2 << BLOCK_SHIFT, SLOTS)
    parts = np.ones((1, 2 << BLOCK_SHIFT, 3))
    marks = np.array([[0, 1, 0]], dtype=np.uint8)
    sums.take(parts, marks, 1)
    assert not sums.total[: 1 << BLOCK_SHIFT].any()
    assert np.all(sums.total[1 << BLOCK_SHIFT :] == 1.0)


def test_no_uncertainty_before_two_batches():
    sums, _ = batches_of(np.random.default_rng(5), 1, 10)
    assert np.all(np.isinf(sums.error(0)))
    assert np.isnan(sums.relative_uncertainty())
