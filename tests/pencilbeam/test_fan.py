import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.pencilbeam.fan import Fan, beam_frame, fan_over
from isodose.plan.beam_frame import spot_rays
from isodose.plan.plan import Beam

ANGLE = st.floats(0.0, 360.0)
MM = st.floats(-80.0, 80.0)


def fan(
    low=(-20.0, -11.0),
    high=(33.0, 17.0),
    spacing=2.0,
    reach=(-50.0, 63.0),
    step=1.5,
    beam=None,
    sources=(1900.0, 2300.0),
) -> Fan:
    beam = beam or Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), ())
    return fan_over(beam_frame(beam, "HFS"), sources, low, high, spacing, reach, step)


@given(MM, MM, st.floats(1.0, 90.0), st.floats(1.0, 90.0), st.floats(0.5, 5.0), st.floats(0.3, 3.0))
def test_covers_what_it_was_made_for(u, v, wide, high, spacing, step) -> None:
    made = fan((u, v), (u + wide, v + high), spacing, (-31.0, 47.0), step)
    assert made.shape[0] % 8 == made.shape[1] % 8 == 0  # whole cells on three coarser lattices
    for axis, (low, extent) in enumerate(((u, wide), (v, high))):
        first, count = made.first_mm[axis], made.shape[1 - axis]
        last = first + (count - 1) * spacing
        assert first <= low + 1e-9
        assert last >= low + extent - 1e-9
        assert first + last == pytest.approx(2.0 * low + extent, abs=1e-9)  # no side is favoured
        assert (count - 8) * spacing < extent + spacing  # and no more than whole cells need
    planes = made.plane_mm
    assert planes.size == made.planes
    np.testing.assert_allclose(np.diff(planes), step)
    assert planes[0] == pytest.approx(-31.0 + 0.5 * step)
    assert planes[-1] + 0.5 * step >= 47.0 - 1e-9


@given(ANGLE, ANGLE, MM, MM, st.floats(-150.0, 150.0))
def test_rays_keep_their_coordinates_on_every_plane(gantry, couch, x, y, w) -> None:
    beam = Beam("b", gantry, couch, (3.0, -20.0, 11.0), ())
    made = fan(beam=beam)
    points, directions = spot_rays(beam, x, y, made.source_distance_mm)
    frame = made.frame
    there = points[0] + directions[0] * w / (directions[0] @ frame[2])
    offset = there - frame[3]
    along_u, along_v = made.magnification(np.array([w]))
    assert offset @ frame[2] == pytest.approx(w, abs=1e-9)
    assert offset @ frame[0] == pytest.approx(x * along_u[0], abs=1e-9)
    assert offset @ frame[1] == pytest.approx(y * along_v[0], abs=1e-9)


def test_flat_indices_run_along_u() -> None:
    made = fan()
    u, v = made.rays_mm(np.array([0, 1, made.shape[1], made.shape[0] * made.shape[1] - 1]))
    np.testing.assert_allclose(u - made.first_mm[0], [0.0, 2.0, 0.0, 2.0 * (made.shape[1] - 1)])
    np.testing.assert_allclose(v - made.first_mm[1], [0.0, 0.0, 2.0, 2.0 * (made.shape[0] - 1)])
