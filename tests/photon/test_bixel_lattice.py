"""Bixels as a rectangle: places, numbers, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.photon.bixel_lattice import lattice_of
from isodose.plan.plan import Beam, Layer, RangeShifter, Spots


def beam(x, y, monitor_units) -> Beam:
    return Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(6.0, Spots(x, y, monitor_units)),))


@given(
    st.sets(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=1),
    st.sampled_from([2.5, 5.0, 10.0]),
    st.floats(-3.0, 3.0),
)
def test_every_bixel_has_its_place(places, side, shift) -> None:
    index = np.array(list(places), dtype=float)
    x, y = index[:, 0] * side + shift, index[:, 1] * side - shift
    lattice = lattice_of(beam(x, y, np.arange(x.size)), side, first_column=7)
    for i in range(x.size):
        ix = round((x[i] - lattice.first_mm[0]) / side)
        iy = round((y[i] - lattice.first_mm[1]) / side)
        assert lattice.column[iy, ix] == 7 + i
        assert lattice.monitor_units[iy, ix] == i
    assert np.count_nonzero(lattice.column >= 0) == x.size


def test_refuses_what_is_no_lattice() -> None:
    with pytest.raises(InputError, match=r"spots\[1\]\.x_mm"):
        lattice_of(beam([0.0, 4.0], [0.0, 0.0], [1.0, 1.0]), 5.0)
    with pytest.raises(InputError, match="two bixels in one place"):
        lattice_of(beam([0.0, 0.0], [5.0, 5.0], [1.0, 1.0]), 5.0)
    one = beam([0.0], [0.0], [1.0])
    with pytest.raises(InputError, match="layers"):
        lattice_of(replace(one, layers=one.layers * 2), 5.0)
    with pytest.raises(InputError, match="range_shifter"):
        lattice_of(replace(one, range_shifter=RangeShifter("rs", 20.0)), 5.0)
