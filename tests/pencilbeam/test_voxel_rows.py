"""Stretches of rows near a ray: what is in them is what distances say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isodose.pencilbeam.voxel_rows import stretch_near_ray, used_box

number = st.floats(-60.0, 60.0)
step = st.floats(-3.0, 3.0)


@settings(max_examples=300, deadline=None)
@given(number, step, number, step, number, step, st.floats(0.5, 60.0))
def test_stretch(u: float, du: float, v: float, dv: float, w: float, dw: float, radius: float) -> None:
    begin, end = stretch_near_ray((u, du, v, dv), (w, dw), radius, -20.0, 30.0, 50)
    i = np.arange(50)
    near = (u + i * du) ** 2 + (v + i * dv) ** 2 <= radius**2
    near &= (w + i * dw >= -20.0) & (w + i * dw <= 30.0)
    inside = np.zeros(50, dtype=bool)
    inside[begin:end] = True
    # Voxels on the very edge may go either way.
    distance = np.abs(np.hypot(u + i * du, v + i * dv) - radius)
    edge = (distance < 1e-3) | (np.abs(w + i * dw + 20.0) < 1e-3) | (np.abs(w + i * dw - 30.0) < 1e-3)
    np.testing.assert_array_equal(inside[~edge], near[~edge])


def test_box() -> None:
    used = np.zeros((6, 7, 8), dtype=bool)
    assert used_box(used) == (0, 0, 0, 0)
    used[2, 3, 7] = used[4, 1, 0] = True
    assert used_box(used) == (2, 5, 1, 4)
