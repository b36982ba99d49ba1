"""Cylindrical shells of equal-volume targets."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isodose.errors import InputError
from isodose.track.events import EXCITATION, IONISATION, Sink
from isodose.track.shell_targets import (
    DIAMETER_NM,
    HEIGHT_NM,
    close_track,
    count_in_shells,
    new_shell_counts,
    shell_target,
)

TARGET_NM3 = math.pi / 4.0 * DIAMETER_NM**2 * HEIGHT_NM


def sink_of(points, kind=IONISATION):
    kinds = np.full(len(points), kind, np.uint8)
    return Sink(np.asarray(points, dtype=float), np.zeros(len(points)), kinds, np.array([len(points)]))


def sizes_of(points, z_from=-np.inf, z_to=np.inf, length=64):
    counts, sizes = new_shell_counts(max(len(points), 1)), np.zeros(length)
    count_in_shells(sink_of(points), counts, z_from, z_to)
    close_track(counts, sizes)
    return sizes


def target_by_hand(x, y, z):
    """Shell, segment and layer, written from the definition."""
    edges = np.concatenate([[0.0], DIAMETER_NM * (np.arange(200) + 0.5)])
    shell = int(np.searchsorted(edges, math.hypot(x, y), side="right")) - 1
    segments = max(1, 8 * shell)
    return (
        shell,
        int((math.atan2(y, x) % (2 * math.pi)) / (2 * math.pi) * segments),
        math.floor(z / HEIGHT_NM),
    )


def test_every_shell_is_cut_into_targets_of_one_volume():
    shells = np.arange(1, 400)
    ring = math.pi * DIAMETER_NM**2 * ((shells + 0.5) ** 2 - (shells - 0.5) ** 2) * HEIGHT_NM
    assert ring / (8 * shells) == pytest.approx(TARGET_NM3, rel=1e-12)
    angles = np.linspace(0.0, 2.0 * np.pi, 8 * 7 * 10, endpoint=False) + 1e-3
    keys = {shell_target(7 * DIAMETER_NM * math.cos(a), 7 * DIAMETER_NM * math.sin(a), 0.0) for a in angles}
    assert len(keys) == 8 * 7


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.floats(0.5, 300.0))
def test_counts_are_those_of_a_dictionary(seed, number, width):
    points = np.random.default_rng(seed).normal(0.0, width, (number, 3))
    by_hand = Counter(Counter(target_by_hand(*point) for point in points).values())
    sizes = sizes_of(points, length=512)
    assert {k: int(n) for k, n in enumerate(sizes) if n} == dict(by_hand)


def test_uniform_points_give_poisson():
    # All targets of 40 layers within 20 shells; 1e5 points put 1.5 into each.
    shells, layers = 20, 40
    rng = np.random.default_rng(3)
    number = 100_000
    radius = DIAMETER_NM * (shells + 0.5) * np.sqrt(rng.random(number))
    angle = 2.0 * np.pi * rng.random(number)
    z = HEIGHT_NM * layers * rng.random(number)
    sizes = sizes_of(np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1))
    targets = (2 * shells + 1) ** 2 * layers
    expected = targets * stats.poisson.pmf(np.arange(8), number / targets)
    # every class within 4 of its (binomial) standard deviations
    assert np.all(np.abs(sizes[1:8] - expected[1:]) < 4.0 * np.sqrt(expected[1:]))


def test_line_on_the_axis_fills_the_central_column_only():
    points = np.zeros((1000, 3))
    points[:, 2] = (np.arange(1000) + 0.5) * HEIGHT_NM / 5.0
    sizes = sizes_of(points)
    assert sizes[5] == 200.0
    assert sizes.sum() == 200.0


def test_only_ionisations_inside_the_slab_count():
    points = np.array([[0.0, 0.0, -0.1], [0.0, 0.0, 0.1], [0.0, 0.0, 9.9], [0.0, 0.0, 10.1]])
    assert sizes_of(points, 0.0, 10.0)[1] == 2.0
    counts, sizes = new_shell_counts(8), np.zeros(4)
    count_in_shells(sink_of(points, EXCITATION), counts, -np.inf, np.inf)
    close_track(counts, sizes)
    assert sizes.sum() == 0.0


def test_tracks_do_not_mix_and_sinks_of_one_track_do():
    counts, sizes = new_shell_counts(8), np.zeros(4)
    for _ in range(2):
        count_in_shells(sink_of([[0.0, 0.0, 1.0]]), counts, -np.inf, np.inf)
        count_in_shells(sink_of([[0.1, 0.0, 1.0]]), counts, -np.inf, np.inf)
        close_track(counts, sizes)
    assert list(sizes) == [0.0, 0.0, 2.0, 0.0]


def test_larger_clusters_are_in_the_last_class():
    assert sizes_of(np.zeros((9, 3)), length=5)[4] == 1.0


def test_placements_are_turned_and_shifted_and_averaged():
    rng = np.random.default_rng(4)
    points = rng.normal(0.0, 6.0, (300, 3))
    counts, sizes = new_shell_counts(300, placements=4), np.zeros(64)
    count_in_shells(sink_of(points), counts, -np.inf, np.inf)
    close_track(counts, sizes)
    single = np.zeros((4, 64))
    for p in range(4):
        a = 2.0 * np.pi * p * 0.6180339887498949
        x, y = points[:, 0], points[:, 1]
        turned = np.stack([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)], axis=1)
        single[p] = sizes_of(np.column_stack([turned, points[:, 2] + p * HEIGHT_NM / 4.0]))
    assert sizes == pytest.approx(single.mean(axis=0))
    assert sizes @ np.arange(64) == pytest.approx(300.0)


def test_overfull_counts_are_refused():
    counts = new_shell_counts(4)
    points = np.zeros((100, 3))
    points[:, 2] = 3.4 * np.arange(100)
    with pytest.raises(OverflowError, match="more targets"):
        count_in_shells(sink_of(points), counts, -np.inf, np.inf)
    with pytest.raises(InputError, match="positive number"):
        new_shell_counts(0)
