import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from isodose.pencilbeam.fluence_map import map_of, seen_by_spots

FIRST, SPACING, SHAPE = (-40.0, -30.0), 1.3, (48, 64)
U = FIRST[0] + SPACING * np.arange(SHAPE[1])
V = FIRST[1] + SPACING * np.arange(SHAPE[0])

TRUNCATED = 1.0 - 7.0 * np.exp(-0.5 * 3.5**2) / np.sqrt(2.0 * np.pi) / erf(3.5 / np.sqrt(2.0))
"""Variance of a Gaussian that ends at 3.5 standard deviations, over that of a whole one."""


def image_of(x, y, particles, sigma) -> np.ndarray:
    out = np.zeros(SHAPE, dtype=np.float32)
    map_of(*(np.atleast_1d(np.asarray(a, float)) for a in (x, y, particles)), sigma, FIRST, SPACING, out)
    return out


@given(st.floats(-15, 15), st.floats(-10, 10), st.floats(1.0, 4.5), st.floats(1.0, 4.5), st.floats(1.0, 1e9))
def test_moments_of_a_spot(x, y, sigma_x, sigma_y, particles) -> None:
    image = image_of(x, y, particles, (sigma_x, sigma_y)).astype(np.float64)
    total = image.sum()
    assert total == pytest.approx(particles, rel=1e-5)
    for line, axis, centre, sigma in ((image.sum(0), U, x, sigma_x), (image.sum(1), V, y, sigma_y)):
        mean = line @ axis / total
        # Where whole cells end beyond 3.5 standard deviations, they end not quite evenly.
        assert mean == pytest.approx(centre, abs=0.01 * sigma)
        variance = line @ (axis - mean) ** 2 / total
        # The outermost cells are not full evenly, which moves their middles: 0.1 %.
        assert (TRUNCATED - 1e-3) * sigma**2 <= variance - SPACING**2 / 12.0 <= 1.002 * sigma**2


def test_cells_hold_integrals_of_the_gaussian() -> None:
    image = image_of(1.7, -2.2, 5.0, (3.0, 2.0))
    u = erf((U[35] + np.array([-0.5, 0.5]) * SPACING - 1.7) / (np.sqrt(2.0) * 3.0))
    v = erf((V[22] + np.array([-0.5, 0.5]) * SPACING + 2.2) / (np.sqrt(2.0) * 2.0))
    # 0.05 % in each direction are given back.
    assert image[22, 35] == pytest.approx(5.0 * np.diff(u)[0] * np.diff(v)[0] / 4.0, rel=1.5e-3)


def test_spots_add_up_on_what_is_there() -> None:
    both = image_of([1.0, 8.0], [0.0, -5.0], [2.0, 3.0], (2.0, 2.0))
    apart = image_of(1.0, 0.0, 2.0, (2.0, 2.0)) + image_of(8.0, -5.0, 3.0, (2.0, 2.0))
    np.testing.assert_allclose(both, apart, rtol=1e-6)
    again = both.copy()
    map_of(np.array([1.0]), np.array([0.0]), np.array([2.0]), (2.0, 2.0), FIRST, SPACING, again)
    np.testing.assert_allclose(again - both, image_of(1.0, 0.0, 2.0, (2.0, 2.0)), atol=1e-6)


def test_a_spot_outside_the_map_leaves_it_alone() -> None:
    assert image_of(500.0, 0.0, 1.0, (2.0, 2.0)).max() == 0.0
    assert image_of(0.0, -300.0, 1.0, (2.0, 2.0)).max() == 0.0


@pytest.mark.parametrize("sigma", [(0.4, 0.4), (3.0, 5.0)])
def test_adjoint(sigma) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.uniform(-38, 40, 30), rng.uniform(-29, 30, 30)
    particles = rng.random(30)
    image = image_of(x, y, particles, sigma)
    other = rng.random(SHAPE, dtype=np.float32)
    seen = np.empty(30)
    seen_by_spots(x, y, other, sigma, FIRST, SPACING, seen)
    assert seen @ particles == pytest.approx(np.vdot(image.astype(float), other), rel=1e-6)
