import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isodose.transport.geometry import distance_to_box

coordinates = st.tuples(*[st.floats(-30, 30)] * 3)


@given(coordinates, coordinates)
def test_distance_leads_to_the_surface_or_the_ray_misses(start, towards):
    direction = np.array(towards)
    length = np.linalg.norm(direction)
    assume(length > 1e-3)
    u, size = direction / length, np.array([10.0, 5.0, 8.0])
    distance = distance_to_box(*start, *u, *size)
    along = np.linspace(0.0, 120.0, 4001)[:, None] * u + start
    inside = np.all((along > 1e-6) & (along < size - 1e-6), axis=1)
    if distance < 0.0:
        assert not inside.any()
        return
    entry = np.array(start) + distance * u
    assert np.all(entry >= -1e-9)
    assert np.all(entry <= size + 1e-9)
    if inside.any():
        # the sampled points are 0.03 mm apart
        assert distance == pytest.approx(0.03 * np.argmax(inside), abs=0.031)
