import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.transport.direction import perpendicular, rotated

angles = st.tuples(st.floats(0, np.pi), st.floats(0, 2 * np.pi))


def unit(polar, azimuth):
    return np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])


@given(angles)
def test_frame_is_right_handed_and_orthonormal(angle):
    u = unit(*angle)
    axes = np.array(perpendicular(*u)).reshape(2, 3)
    frame = np.vstack([axes, u])
    assert frame @ frame.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1.0)


@given(angles, angles)
def test_rotation_keeps_the_angle_to_the_axis(axis, angle):
    u, v = unit(*axis), unit(*angle)
    turned = np.array(rotated(*v, *u))
    assert turned @ u == pytest.approx(v[2], abs=1e-12)
    assert np.linalg.norm(turned) == pytest.approx(1.0)
