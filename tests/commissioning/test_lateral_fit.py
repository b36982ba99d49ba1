"""Gaussians are found in profiles that are made of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.commissioning.lateral_fit import (
    LateralFit,
    _slopes,
    fit_profile,
    letd_of_gaussians,
    parts_in_bins,
)
from isodose.commissioning.lateral_profiles import SPOT_SIGMA_MM, blur_matrix, lateral_profile

WIDTH = 0.7
EDGES = np.concatenate([[0.0], (np.arange(150) + 0.5) * WIDTH])
BLUR = blur_matrix(EDGES)
TRUE = LateralFit(np.array([3.0, 9.0, 25.0]), np.array([0.88, 0.08, 0.04]))
FREE = np.full(5, 3.0)


def counted(fit, particles, rng, letd=None):
    """Profile that so many particles leave."""
    parts = parts_in_bins(EDGES, fit.sigma_mm) * fit.weight
    counts = rng.poisson(particles * parts.sum(axis=1)).astype(float)
    mean = np.ones(counts.size) if letd is None else parts @ letd / parts.sum(axis=1)
    return lateral_profile(EDGES, counts, np.sqrt(counts), counts * mean, BLUR)


def test_known_gaussians_are_recovered_within_statistics():
    start = LateralFit(np.array([2.0, 12.0, 40.0]), np.array([0.8, 0.15, 0.05]))
    rng = np.random.default_rng(1)
    found = np.array([fit_profile(counted(TRUE, 1_000_000, rng), start, FREE).parameters for _ in range(12)])
    scatter = found.std(axis=0, ddof=1)
    # The width of the core to 0.1 % (a million particles), the others to some percent; and no bias: the mean
    # of 12 within 3.5 of its standard uncertainties, which is one in a thousand for 5 parameters with 11
    # degrees of freedom each.
    assert scatter[0] < 2e-3
    assert np.all(scatter < 0.15)
    assert np.all(np.abs(found.mean(axis=0) - TRUE.parameters) < 3.5 * scatter / np.sqrt(12) + 1e-4)


def test_what_a_profile_does_not_tell_stays_at_the_start():
    one = LateralFit(np.array([3.0]), np.array([1.0]))
    start = LateralFit(np.array([3.0, 9.0]), np.array([1.0 - 1e-5, 1e-5]))
    found = fit_profile(counted(one, 1000, np.random.default_rng(2)), start, np.full(3, 0.1))
    assert found.sigma_mm[1] == pytest.approx(9.0, rel=0.15)


def test_a_core_without_freedom_is_kept():
    start = LateralFit(np.array([2.0, 9.0, 25.0]), TRUE.weight)
    found = fit_profile(counted(TRUE, 10_000, np.random.default_rng(3)), start, np.array([1e-6, 3, 3, 3, 3]))
    assert found.sigma_mm[0] == pytest.approx(2.0, rel=1e-3)


def test_too_little_dose_is_not_fitted():
    few = counted(TRUE, 100, np.random.default_rng(4))
    none = lateral_profile(EDGES, np.zeros(150), np.zeros(150), np.zeros(150), BLUR)
    assert not few.certain
    assert not none.certain
    assert counted(TRUE, 10_000, np.random.default_rng(4)).certain


def test_letd_of_each_gaussian():
    letd = np.array([10.0, 5.0, 2.0])
    profile = counted(TRUE, 10_000_000, np.random.default_rng(5), letd)
    shares = letd_of_gaussians(profile, TRUE)
    # 3 % are granted to LETd, and the pull to the mean shifts it by less.
    assert shares / (TRUE.weight @ shares) == pytest.approx(letd / (TRUE.weight @ letd), rel=0.05)
    assert TRUE.weight @ shares == pytest.approx(1.0)


@given(
    st.lists(st.floats(0.1, 1.4), min_size=1, max_size=3),
    st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=3),
)
def test_parameters_describe_a_fit(steps, weights):
    sigma = np.exp(np.cumsum(steps))
    weight = np.array(weights[: len(steps)]) / sum(weights[: len(steps)])
    again = LateralFit.of(LateralFit(sigma, weight).parameters)
    np.testing.assert_allclose(again.sigma_mm, sigma)
    np.testing.assert_allclose(again.weight, weight, rtol=1e-6, atol=1e-6)


def test_another_core_leaves_the_halo():
    assert TRUE.with_first(0.5).sigma_mm.tolist() == [0.5, 9.0, 25.0]
    wider = TRUE.with_first(10.0).sigma_mm
    assert np.all(np.diff(wider) > 0.0)


def test_blur_shows_a_spot():
    seen = BLUR @ parts_in_bins(EDGES, np.array([3.0]))[:, 0]
    at = np.arange(0.0, 20.0, 0.5)
    # Bins add the variance of a box, once where the beam is sorted into them and once where they are spread
    # again; what is left is of fourth order.
    variance = 3.0**2 + SPOT_SIGMA_MM**2 + 2.0 * WIDTH**2 / 12.0
    expected = np.exp(-0.5 * at**2 / variance) / np.sqrt(2.0 * np.pi * variance)
    np.testing.assert_allclose(seen[:40], expected, atol=1e-3 * expected[0])


def test_the_last_row_is_the_axis_of_a_round_beam():
    for sigma in (1.0, 3.0, 20.0):
        seen = (BLUR @ parts_in_bins(EDGES, np.array([sigma])))[-1, 0]
        variance = sigma**2 + SPOT_SIGMA_MM**2 + 2.0 * WIDTH**2 / 12.0
        # Two widths of a spot, two directions: 1 / (2 pi variance), times sqrt(2 pi) times the spot's width.
        expected = SPOT_SIGMA_MM / np.sqrt(2.0 * np.pi) / variance
        assert seen == pytest.approx(expected, rel=0.01)


def test_four_gaussians_hold_axis_and_halo_of_a_beam_of_five():
    # Widths and weights as of carbon ions, of heavy, medium and light fragments and of what neutrons leave.
    five = LateralFit(np.array([1.45, 2.8, 6.0, 13.0, 30.0]), np.array([0.9, 0.05, 0.03, 0.014, 0.006]))
    starts = {4: ([1.4, 2.8, 7.0, 17.0], [0.86, 0.08, 0.04, 0.02]), 3: ([1.4, 4.2, 14.0], [0.9, 0.08, 0.02])}
    profile, errors = counted(five, 1e12, np.random.default_rng(6)), {}
    for k, start in starts.items():
        found = fit_profile(profile, LateralFit(*map(np.array, start)), np.full(2 * k - 1, 3.0))
        axis = [np.sum(f.weight / (SPOT_SIGMA_MM**2 + np.square(f.sigma_mm))) for f in (found, five)]
        far = [parts_in_bins(EDGES, f.sigma_mm)[15:].sum(axis=0) @ f.weight for f in (found, five)]
        errors[k] = abs(axis[0] / axis[1] - 1.0), abs(far[0] / far[1] - 1.0)
    # From 10 mm on. Aims: 1 % of the dose on a spot's axis, a few percent of the halo.
    assert errors[4][0] < 0.003
    assert errors[4][1] < 0.02
    assert errors[3][1] > 0.04  # three do not


def test_slopes_are_those_of_the_dose_in_bins():
    x, step = TRUE.parameters, 1e-6
    rises = [
        (
            parts_in_bins(EDGES, LateralFit.of(x + s).sigma_mm) @ LateralFit.of(x + s).weight
            - parts_in_bins(EDGES, LateralFit.of(x - s).sigma_mm) @ LateralFit.of(x - s).weight
        )
        / (2.0 * step)
        for s in step * np.eye(5)
    ]
    np.testing.assert_allclose(_slopes(EDGES, TRUE), np.transpose(rises), atol=1e-8)
