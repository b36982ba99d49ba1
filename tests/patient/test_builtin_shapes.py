"""Signed distances, and the textures: what the anatomies are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isodose.patient.builtin.anatomy import occupancy_of
from isodose.patient.builtin.shapes import Field, Shape, Union, half_space
from isodose.patient.builtin.solids import Ellipsoid, Tube
from isodose.patient.builtin.texture import Texture
from isodose.patient.builtin.warp import StandingWaves

STRAIGHT = StandingWaves(0.0, np.zeros((3, 1, 3, 2)), np.ones(3))


def volume_mm3(
    shape: Shape, spacing: float = 2.0, half: float = 60.0, warp: StandingWaves = STRAIGHT
) -> float:
    axis = np.arange(-half, half + 1e-6, spacing)
    points = Field(axis, axis, axis, warp)
    return float(occupancy_of(points, shape, np.float32(spacing))[1].sum()) * spacing**3


def distance_at(shape: Shape, point: tuple[float, float, float]) -> float:
    x, y, z = (np.array([v]) for v in point)
    return float(Field(x, y, z, STRAIGHT).distance_on(shape, (slice(0, 1),) * 3)[0, 0, 0])


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.floats(8, 30)] * 3),
    st.tuples(*[st.floats(-15, 15)] * 3),
    st.tuples(*[st.floats(-180, 180)] * 3),
)
def test_volume_of_a_turned_ellipsoid(
    semi: tuple[float, float, float], centre: tuple[float, float, float], turn: tuple[float, float, float]
) -> None:
    exact = 4 / 3 * np.pi * np.prod(semi)
    # Voxels of 2 mm on radii of 8 mm and more: edges of one voxel leave a second-order error.
    assert volume_mm3(Ellipsoid(centre, semi, turn)) == pytest.approx(exact, rel=0.03)


def test_distance_of_a_sphere_is_exact() -> None:
    ball = Ellipsoid((1, 2, 3), (10, 10, 10))
    assert distance_at(ball, (1, 2, 21)) == pytest.approx(8.0, abs=1e-4)
    assert distance_at(ball, (1, 8, 3)) == pytest.approx(-4.0, abs=1e-4)


def test_margin_of_a_ball_and_of_a_union() -> None:
    ball = Ellipsoid((0, 0, 0), (10, 10, 10))
    assert volume_mm3(ball.grown(5)) == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.01)
    pair = Union([ball, Ellipsoid((40, 0, 0), (10, 10, 10))])
    assert volume_mm3(pair.grown(5)) == pytest.approx(2 * 4 / 3 * np.pi * 15**3, rel=0.01)
    assert distance_at(ball.grown(18.0), (29.0, 0, 0)) == pytest.approx(1.0, abs=1e-3)


def test_volume_of_a_tube_is_that_of_a_capsule() -> None:
    rod = Tube([(-20, 0, 0), (20, 0, 0)], 8.0)
    assert volume_mm3(rod) == pytest.approx(np.pi * 64 * 40 + 4 / 3 * np.pi * 512, rel=0.02)


def test_difference_and_intersection_split_a_shape() -> None:
    ball, lower = Ellipsoid((0, 0, 0), (20, 18, 22)), half_space("z", below_mm=5.0)
    assert volume_mm3(ball & lower) + volume_mm3(ball - lower) == pytest.approx(volume_mm3(ball), rel=2e-3)


def test_blended_union_holds_both_parts() -> None:
    a, b = Ellipsoid((-9, 0, 0), (12, 12, 12)), Ellipsoid((9, 0, 0), (12, 12, 12))
    assert volume_mm3(a.joined(b, blend_mm=8.0)) > volume_mm3(a | b)


def test_scaled_anatomy_has_scaled_volume() -> None:
    ball = Ellipsoid((5, 0, 0), (14, 14, 14))
    warp = StandingWaves.random(np.random.default_rng(1), 0.5, (1.1, 0.95, 1.0)).moved((5.0, 0.0, 0.0))
    assert volume_mm3(ball, warp=warp) == pytest.approx(
        1.1 * 0.95 * volume_mm3(ball), rel=0.06
    )  # waves: a few %


def test_texture_has_unit_spread_and_is_blind_to_the_grid() -> None:
    texture = Texture((3,), 4.0, (120.0, 100.0, 80.0))
    fine = np.arange(-40.0, 40.0, 1.0) + 0.5
    coarse = np.arange(-40.0, 40.0, 2.0) + 1.0
    a = texture.values((fine, fine, fine), (1.0, 1.0, 1.0))
    b = texture.values((coarse, coarse, coarse), (2.0, 2.0, 2.0))
    assert a.std() == pytest.approx(1.0, abs=0.06)  # some 8000 independent cells
    merged = a.reshape(40, 2, 40, 2, 40, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(b, merged, atol=0.03)  # quadrature of the voxel average
    whole = texture.values((fine, fine, fine[30:33]), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(whole, a[30:33], atol=1e-5)
