"""Ray casting against slabs and spheres whose water-equivalent depths are known in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume
from isodose.plan.ray_casting import trace

GRID = Grid((-49.0, -39.0, -29.5), (2.0, 2.0, 1.0), (60, 40, 50))
"""From -50 to 50, -40 to 40 and -30 to 30 mm."""


def slabs() -> Volume:
    """Water with 20 mm of rsp 1.5 for y from -20 to 0."""
    values = np.ones(GRID.shape)
    values[:, (GRID.axis_mm("y") > -20) & (GRID.axis_mm("y") < 0), :] = 1.5
    return Volume(GRID, values)


def box(lower: float, upper: float) -> np.ndarray:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[:, (GRID.axis_mm("y") > lower) & (GRID.axis_mm("y") < upper), :] = True
    return mask


def test_parallel_ray_through_slabs() -> None:
    depths = trace(slabs(), box(10, 24), np.array([[1.3, 500.0, 0.2]]), np.array([[0.0, 1.0, 0.0]]))
    # 20 mm of water, 20 mm of 1.5, then 10 mm of water to the target, 14 mm in it, 16 mm behind.
    assert depths.proximal_mm[0] == pytest.approx(60, abs=1e-9)
    assert depths.distal_mm[0] == pytest.approx(74, abs=1e-9)
    assert depths.total_mm[0] == pytest.approx(90, abs=1e-9)


def test_reverse_ray_counts_from_the_other_side() -> None:
    depths = trace(slabs(), box(10, 24), np.array([[1.3, 0.0, 0.2]]), np.array([[0.0, -1.0, 0.0]]))
    assert depths.proximal_mm[0] == pytest.approx(16, abs=1e-9)
    assert depths.total_mm[0] == pytest.approx(90, abs=1e-9)


def test_diverging_rays_are_longer_by_the_cosine() -> None:
    angles = np.radians([0.0, 10.0, 20.0, -20.0])
    directions = np.stack([np.sin(angles), np.cos(angles), np.zeros(4)], axis=1)
    points = np.tile([0.0, -40.0, 0.0], (4, 1))
    depths = trace(slabs(), box(10, 24), points, directions)
    np.testing.assert_allclose(depths.proximal_mm, 60 / np.cos(angles), rtol=1e-12)
    np.testing.assert_allclose(depths.distal_mm, 74 / np.cos(angles), rtol=1e-12)


def test_rays_that_miss_are_nan() -> None:
    points = np.array([[60.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    depths = trace(slabs(), np.zeros(GRID.shape, dtype=bool), points, np.tile([0.0, 1.0, 0.0], (2, 1)))
    assert np.isnan(depths.total_mm[0])
    assert not depths.hit.any()
    assert np.isfinite(depths.total_mm[1])


def test_two_separate_targets_span_from_first_to_last() -> None:
    mask = box(4, 8) | box(20, 24)
    depths = trace(slabs(), mask, np.zeros((1, 3)), np.array([[0.0, 1.0, 0.0]]))
    assert (depths.proximal_mm[0], depths.distal_mm[0]) == pytest.approx((54, 74))


def test_other_grid_is_refused() -> None:
    with pytest.raises(InputError, match="mask"):
        trace(slabs(), np.zeros((2, 2, 2), dtype=bool), np.zeros((1, 3)), np.array([[0.0, 1.0, 0.0]]))


@settings(max_examples=100, deadline=None)
@given(
    point=st.tuples(*[st.floats(-25, 25)] * 3),
    towards=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
)
def test_length_in_water_is_the_chord_of_the_box(point: tuple, towards: tuple) -> None:
    direction = np.array(towards) / np.linalg.norm(towards)
    water = Volume(GRID, np.ones(GRID.shape))
    depths = trace(water, np.ones(GRID.shape, dtype=bool), np.array([point]), direction[None])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a = (np.array(GRID.lower_mm) - point) / direction
        b = (np.array(GRID.upper_mm) - point) / direction
    chord = np.nanmin(np.maximum(a, b)) - np.nanmax(np.minimum(a, b))
    # Rays along a face may be booked in either neighbour, never lost: the sum is exact to rounding.
    assert depths.total_mm[0] == pytest.approx(chord, rel=1e-9)
    assert depths.proximal_mm[0] == 0.0
    assert depths.distal_mm[0] == depths.total_mm[0]
