import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.arc.control_points import Arc, arc, control_points, steps_deg
from isodose.errors import InputError


@pytest.mark.parametrize(("spacing", "count"), [(5.0, 72), (2.0, 180), (360.0, 1)])
def test_whole_turn_does_not_repeat_its_first_point(spacing, count):
    angles = arc(spacing_deg=spacing).angles_deg
    assert len(angles) == count
    assert len({round(a % 360.0, 6) for a in angles}) == count


@given(start=st.floats(-180, 180), length=st.floats(1, 300), spacing=st.floats(0.5, 20), back=st.booleans())
def test_partial_arc_reaches_both_ends_evenly(start, length, spacing, back):
    if spacing > length:
        return
    stop = start - length if back else start + length
    made = arc("a", start, stop, spacing)
    assert made.angles_deg[0] == pytest.approx(start, abs=1e-6)
    assert made.angles_deg[-1] == pytest.approx(stop, abs=1e-6)
    assert made.clockwise != back
    steps = np.abs(np.diff(made.angles_deg))
    assert np.ptp(steps) < 1e-6
    assert steps[0] <= 2.0 * spacing


def test_second_arc_goes_back_and_turns_from_one_to_the_next():
    first = arc("1", 30.0, 80.0, 10.0)
    points = control_points((first, first.reversed("2")))
    assert [p.gantry_angle_deg for p in points] == [30, 40, 50, 60, 70, 80, 80, 70, 60, 50, 40, 30]
    assert [p.arc for p in points] == [0] * 6 + [1] * 6
    assert steps_deg(points).tolist() == [10.0] * 5 + [0.0] + [10.0] * 5


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: arc(spacing_deg=7.0), "spacing_deg"),
        (lambda: arc(stop_deg=400.0), "stop_deg"),
        (lambda: arc(start_deg=float("nan")), "start_deg"),
        (lambda: arc(spacing_deg=0.0), "spacing_deg"),
        (lambda: Arc("x", (0.0, 10.0, 5.0)), "angles_deg"),
        (lambda: Arc("x", ()), "angles_deg"),
        (lambda: control_points(()), "arcs"),
    ],
)
def test_bad_arcs_are_refused(make, field):
    with pytest.raises(InputError, match=field):
        make()
