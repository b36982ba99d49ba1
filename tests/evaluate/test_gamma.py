"""The gamma index against formulas, a brute-force search and pymedphys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, shift

from isodose.errors import InputError
from isodose.evaluate.gamma import GammaCriteria, gamma
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume


def smooth(size=16, seed=3, sigma=2.0):
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(size,) * 3), sigma)
    return 60 * (field - field.min()) / np.ptp(field)


@pytest.fixture
def pair():
    """A smooth dose and one that is shifted, scaled and noisy."""
    a = smooth()
    noise = gaussian_filter(np.random.default_rng(5).normal(size=a.shape), 1.0)
    grid = Grid((-3, 1, 0), (2, 2, 2.5), a.shape)
    return Volume(grid, a), Volume(
        grid, np.maximum(1.01 * shift(a, (0, 0, 0.7), order=1, mode="nearest") + 2 * noise, 0)
    )


def line(values, spacing=1.0, start=0.0):
    values = np.asarray(values)[None, None, :]
    return Volume(Grid((start, 0, 0), (spacing, 1, 1), values.shape), values)


def test_identical_doses_have_index_zero(pair):
    dose, _ = pair
    assert np.all(gamma(dose, dose).evaluated == 0.0)


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("percent", [1.0, 2.0, 3.0])
def test_flat_dose_scaled_by_the_criterion_has_index_one(local, percent):
    grid = Grid((0, 0, 0), (2, 2, 2), (6, 6, 6))
    flat = Volume(grid, np.full(grid.shape, 2.0))
    scaled = Volume(grid, np.full(grid.shape, 2.0 * (1 + percent / 100)))
    result = gamma(flat, scaled, GammaCriteria(percent, 2.0, local=local))
    # float32 keeps seven digits of the dose, of which the difference is a hundredth
    np.testing.assert_allclose(result.evaluated, 1.0, atol=2e-5)
    assert result.pass_rate == 100.0


@pytest.mark.parametrize("gradient", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("offset", [0.3, 1.7])
def test_shifted_linear_gradient_follows_the_formula(gradient, offset):
    x = np.arange(61.0)
    criteria = GammaCriteria(2.0, 2.0, threshold_percent=0.0, normalisation_gy=100.0, max_gamma=5.0)
    result = gamma(line(100 + gradient * x), line(100 + gradient * (x - offset)), criteria)
    expected = offset * gradient / np.hypot(2.0, gradient * 2.0)
    # Away from the ends, where the nearest point of the evaluated line may lie beyond it; steps of less than
    # a thousandth of a cell are not taken.
    np.testing.assert_allclose(result.values[0, 0, 10:-10], expected, rtol=1e-3, atol=2e-5)


def test_gradient_across_a_plane_uses_both_directions():
    x, y = np.meshgrid(np.arange(31.0), np.arange(31.0))
    grid = Grid((0, 0, 0), (1, 1, 1), (1, 31, 31))
    a = Volume(grid, (100 + 0.6 * x + 0.8 * y)[None])
    b = Volume(grid, a.values - 1.0)
    criteria = GammaCriteria(2.0, 2.0, threshold_percent=0.0, normalisation_gy=100.0)
    expected = 1.0 / np.hypot(2.0, 1.0 * 2.0)
    np.testing.assert_allclose(gamma(a, b, criteria).values[0, 8:-8, 8:-8], expected, rtol=1e-3)


def test_a_plane_at_another_height_is_that_far_away():
    values = np.full((1, 8, 8), 5.0)
    a = Volume(Grid((0, 0, 0), (2, 2, 2), values.shape), values)
    b = Volume(Grid((0, 0, 1.5), (2, 2, 2), values.shape), values)
    np.testing.assert_allclose(gamma(a, b, GammaCriteria(2, 3)).evaluated, 0.5, rtol=1e-5)


def test_no_point_of_a_fine_lattice_is_nearer(pair):
    reference, evaluation = pair
    criteria = GammaCriteria(2.0, 2.0)
    result = gamma(reference, evaluation, criteria)
    steps = np.linspace(-4, 4, 41)
    offsets = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    offsets = offsets[np.sum(offsets**2, axis=1) < 16]
    tolerance = 0.02 * reference.values.max()
    points = np.argwhere(np.isfinite(result.values))
    for point in points[:: len(points) // 150]:
        positions = reference.grid.position_mm(point) + offsets
        index = evaluation.grid.index(positions)
        inside = np.all((index >= 0) & (index <= np.array(evaluation.grid.shape) - 1), axis=1)
        delta = (evaluation.sample(positions[inside]) - reference.values[tuple(point)]) / tolerance
        lattice = np.sqrt(np.min(np.sum(offsets[inside] ** 2, axis=1) / 4 + delta**2))
        mine = result.values[tuple(point)]
        assert mine <= min(lattice, 2.0) + 1e-3
        # a lattice of 0.2 mm misses the minimum by at most half its diagonal, and by the dose over it
        assert mine >= min(lattice, 2.0) - 0.25


def test_other_grids_give_nearly_the_same(pair):
    reference, evaluation = pair
    finer = evaluation.on(evaluation.grid.resampled((1.0, 1.0, 1.25)))
    a, b = gamma(reference, evaluation), gamma(reference, finer)
    # resampled at cell centres, the field loses its extremes
    assert abs(a.pass_rate - b.pass_rate) < 2.0
    assert np.nanmedian(np.abs(a.values - b.values)) < 0.05


def test_points_below_the_threshold_are_left_out(pair):
    reference, evaluation = pair
    result = gamma(reference, evaluation, GammaCriteria(threshold_percent=40.0))
    np.testing.assert_array_equal(
        np.isfinite(result.values), reference.values >= 0.4 * reference.values.max()
    )


def test_the_search_ends_at_the_largest_index():
    a, b = line(np.full(9, 1.0)), line(np.full(9, 2.0))
    assert np.all(gamma(a, b, GammaCriteria(max_gamma=3.0)).evaluated == 3.0)


def test_the_index_is_not_symmetric():
    step = line(np.r_[np.full(10, 1.0), np.full(10, 2.0)])
    ramp = line(np.interp(np.arange(20), [5, 14], [1, 2]))
    assert gamma(step, ramp).mean != pytest.approx(gamma(ramp, step).mean, rel=1e-2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.5, 5), st.floats(0.5, 4))
def test_never_above_the_difference_on_the_spot(seed, percent, distance):
    random = np.random.default_rng(seed)
    grid = Grid((0, 0, 0), tuple(random.uniform(0.7, 4, 3)), (5, 6, 7))
    a, b = (Volume(grid, random.uniform(0.5, 1, grid.shape)) for _ in range(2))
    result = gamma(a, b, GammaCriteria(percent, distance))
    on_the_spot = np.abs(b.values - a.values) / (percent / 100 * a.values.max())
    assert np.all(result.values <= np.minimum(on_the_spot, 2.0) + 1e-4)
    assert np.all(result.values >= 0)


@pytest.mark.parametrize("local", [False, True])
def test_agrees_with_pymedphys(pair, local):
    pymedphys = pytest.importorskip("pymedphys")
    reference, evaluation = pair
    criteria = GammaCriteria(3.0, 2.0, local=local)
    mine = gamma(reference, evaluation, criteria)
    axes = tuple(reference.grid.axis_mm(a) for a in "zyx")
    theirs = pymedphys.gamma(
        axes, reference.values, axes, evaluation.values, 3.0, 2.0,
        lower_percent_dose_cutoff=10, max_gamma=2, local_gamma=local, interp_fraction=10,
    )  # fmt: skip
    both = np.isfinite(theirs)
    np.testing.assert_array_equal(both, np.isfinite(mine.values))
    excess = theirs[both] - mine.values[both]
    # Theirs looks at a lattice of DTA/10 only: never below the minimum of the field, rarely far above.
    assert np.percentile(excess, 0.1) > -2e-3
    assert np.median(excess) < 0.03
    assert np.percentile(excess, 99) < 0.12
    assert 0 <= mine.pass_rate - 100 * np.mean(theirs[both] <= 1) < 1.5


def test_bad_doses_and_criteria_are_refused():
    good = line([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="positive maximum"):
        gamma(line([0.0, 0.0, 0.0]), good)
    with pytest.raises(InputError, match="finite doses"):
        gamma(good, line([1.0, np.nan, 3.0]))
    with pytest.raises(InputError, match="distance_mm"):
        GammaCriteria(2.0, 0.0)
