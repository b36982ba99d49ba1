"""Frequencies, moments and their uncertainties."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.track.cluster_sizes import ClusterSizes


def poisson_batches(mean, batches, targets, seed=1):
    rng = np.random.default_rng(seed)
    counts = np.stack([np.bincount(rng.poisson(mean, targets), minlength=32) for _ in range(batches)])
    counts[:, 0] = 0
    return ClusterSizes(counts.astype(float), np.full(batches, 1000.0))


def test_moments_and_frequencies_by_hand():
    targets = np.zeros((2, 6))
    targets[0, [1, 2, 5]] = 4.0, 2.0, 1.0
    targets[1, [1, 3]] = 6.0, 1.0
    sizes = ClusterSizes(targets, np.array([100.0, 100.0]))
    assert sizes.cluster_frequency(1).value == pytest.approx(14.0 / 200.0)
    assert sizes.cluster_frequency(3).value == pytest.approx(2.0 / 200.0)
    assert sizes.moment(1).value == pytest.approx(22.0 / 200.0)
    assert sizes.moment(2).value == pytest.approx((10 + 8 + 25 + 9) / 200.0)
    assert sizes.conditional_frequency(2).value == pytest.approx(4.0 / 14.0)
    assert sizes.conditional_moment(1).value == pytest.approx(22.0 / 14.0)
    # two batches: the error of the mean is half their difference
    assert sizes.cluster_frequency(3).uncertainty == pytest.approx(0.0)
    assert sizes.cluster_frequency(1).uncertainty == pytest.approx(0.0)
    assert sizes.moment(1).uncertainty == pytest.approx(abs(13.0 - 9.0) / 2.0 / 100.0)
    assert sizes.distribution()[1] == pytest.approx(10.0 / 14.0)


def test_uncertainties_are_those_of_repeated_runs():
    runs = [poisson_batches(0.8, 40, 200, seed) for seed in range(60)]
    for pick in (
        lambda r: r.cluster_frequency(2),
        lambda r: r.conditional_frequency(2),
        lambda r: r.moment(2),
    ):
        scatter = np.std([pick(run).value for run in runs], ddof=1)
        told = np.mean([pick(run).uncertainty for run in runs])
        # 60 runs give their scatter to 9 %
        assert told == pytest.approx(scatter, rel=0.3)


def test_batches_count_by_their_path():
    targets = np.zeros((2, 3))
    targets[:, 1] = 10.0, 30.0
    sizes = ClusterSizes(targets, np.array([100.0, 300.0]))
    assert sizes.cluster_frequency(1) == (pytest.approx(0.1), pytest.approx(0.0))


def test_sets_of_tracks_add():
    both = poisson_batches(0.8, 10, 100, 1) + poisson_batches(0.8, 20, 100, 2)
    assert both.path_nm.size == 30
    assert (
        both.cluster_frequency(1).uncertainty
        < poisson_batches(0.8, 10, 100, 1).cluster_frequency(1).uncertainty
    )


def test_bad_input_is_named():
    good = poisson_batches(0.5, 4, 10)
    with pytest.raises(InputError, match="two batches"):
        ClusterSizes(np.zeros((1, 4)), np.ones(1))
    with pytest.raises(InputError, match="negative or infinite"):
        ClusterSizes(np.full((2, 4), -1.0), np.ones(2))
    with pytest.raises(InputError, match="positive length"):
        ClusterSizes(np.zeros((2, 4)), np.array([0.0, 1.0]))
    with pytest.raises(InputError, match="cluster size from 1"):
        good.cluster_frequency(0)
    with pytest.raises(InputError, match="order"):
        good.moment(0)
    with pytest.raises(InputError, match="no target"):
        ClusterSizes(np.zeros((2, 4)), np.ones(2)).conditional_frequency(2)
