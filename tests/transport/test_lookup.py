import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.transport.lookup import ENERGY_OCTAVES, RANGE_OCTAVES, energy_bin, interpolate, nodes, range_bin


@pytest.mark.parametrize(("octaves", "find"), [(ENERGY_OCTAVES, energy_bin), (RANGE_OCTAVES, range_bin)])
def test_power_law_is_interpolated_to_2e_4(octaves, find):
    grid = nodes(octaves)
    table = (grid**1.8)[None, :]
    for x in np.geomspace(grid[0] * 1.01, grid[-1] * 0.99, 500):
        # curvature over one of 32 bins of an octave: 1.8 * 0.8 / 8 / 32**2 = 1.8e-4, plus float32's 1e-7
        assert interpolate(table, 0, *find(x)) == pytest.approx(x**1.8, rel=2e-4)


@given(st.floats(1e-9, 1e9))
def test_bins_hold_what_they_are_asked_for(x):
    grid = nodes(ENERGY_OCTAVES)
    index, fraction = energy_bin(x)
    assert 0 <= index < grid.size - 1
    assert 0.0 <= fraction <= 1.0
    inside = min(max(np.float32(x), grid[0]), grid[-1])
    assert grid[index] <= inside <= grid[index + 1]
    assert grid[index] + fraction * (grid[index + 1] - grid[index]) == pytest.approx(inside, rel=1e-6)
