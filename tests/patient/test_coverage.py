from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from numpy.typing import NDArray

from isodose.patient.contour_planes import area_mm2
from isodose.patient.coverage import polygon_coverage


def star(n: int, size: float, centre: tuple[float, float], seed: int) -> NDArray[np.float64]:
    """A polygon of four or more vertices that does not cross itself: no gap exceeds half a turn."""
    random = np.random.default_rng(seed)
    angles = 2 * np.pi * (np.arange(n) + 0.8 * random.random(n)) / n
    radii = size * (0.2 + random.random(n))
    return np.column_stack([centre[0] + radii * np.cos(angles), centre[1] + radii * np.sin(angles)])


def sampled(points: NDArray[np.float64], rows: int, columns: int, n: int = 40) -> NDArray[np.float64]:
    """Coverage by n x n points a pixel, the slow and independent way."""
    at = (np.arange(n) + 0.5) / n
    y, x = np.meshgrid(
        (np.arange(rows)[:, None] + at).ravel(), (np.arange(columns)[:, None] + at).ravel(), indexing="ij"
    )
    grid = np.column_stack([x.ravel(), y.ravel()])
    inside = Polygon(points).contains_points(grid)
    return inside.reshape(rows, n, columns, n).mean(axis=(1, 3))


def test_against_sampling() -> None:
    points = star(9, 4.0, (5.3, 4.6), seed=3)
    exact = polygon_coverage(points[:, 0], points[:, 1], 10, 11)
    # 40 x 40 samples a pixel misplace an edge by at most about half a sample of its length.
    assert np.abs(exact - sampled(points, 10, 11)).max() < 0.03
    assert exact.sum() == pytest.approx(abs(area_mm2(points)), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(4, 25), st.integers(0, 2**32 - 1), st.floats(-5, 15), st.floats(-5, 15), st.floats(0.01, 30)
)
def test_area_is_that_of_the_part_within_the_image(
    n: int, seed: int, cx: float, cy: float, size: float
) -> None:
    points = star(n, size, (cx, cy), seed)
    window = polygon_coverage(points[:, 0], points[:, 1], 9, 12)
    # The same polygon on an image that holds all of it, shifted by whole pixels.
    margin = 70
    whole = polygon_coverage(points[:, 0] + margin, points[:, 1] + margin, 2 * margin + 9, 2 * margin + 12)
    assert np.allclose(window, whole[margin : margin + 9, margin : margin + 12], atol=1e-9)
    assert whole.sum() == pytest.approx(abs(area_mm2(points)), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("inner_reversed", [False, True])
def test_keyhole_leaves_its_hole_open(inner_reversed: bool) -> None:
    outer = np.array([[1, 1], [9, 1], [9, 9], [1, 9]], float)
    inner = np.array([[3.5, 3.5], [6.5, 3.5], [6.5, 6.5], [3.5, 6.5]])
    if inner_reversed:
        inner = np.roll(inner[::-1], 1, axis=0)
    path = np.concatenate([outer, outer[:1], inner, inner[:1]])
    coverage = polygon_coverage(path[:, 0], path[:, 1], 10, 10)
    assert coverage.sum() == pytest.approx(64 - 9)
    assert coverage[5, 5] == 0
    assert coverage[3, 5] == pytest.approx(0.5)


def test_whole_pixels_are_exactly_one_and_zero() -> None:
    x, y = np.array([2.0, 5.0, 5.0, 2.0]), np.array([1.0, 1.0, 4.0, 4.0])
    expected = np.zeros((6, 7))
    expected[1:4, 2:5] = 1
    assert np.array_equal(polygon_coverage(x, y, 6, 7), expected)
