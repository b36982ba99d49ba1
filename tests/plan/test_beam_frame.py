"""The beam's frame against cases that can be done by hand, looking at a patient on a couch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.plan.beam_frame import axes_of_angles, beam_axes, source_position, spot_rays
from isodose.plan.plan import Beam

LEFT, POSTERIOR, HEAD = np.eye(3)
RIGHT, ANTERIOR, FEET = -LEFT, -POSTERIOR, -HEAD

# Facing the gantry, which the couch points at: gantry 0 comes from above, 90 from the right, 180 from
# below. A supine patient with the head at the gantry looks up and has the left hand at the viewer's right.
CASES = [
    ("HFS", 0, 0, LEFT, HEAD, POSTERIOR),
    ("HFS", 90, 0, POSTERIOR, HEAD, RIGHT),
    ("HFS", 180, 0, RIGHT, HEAD, ANTERIOR),
    ("HFS", 270, 0, ANTERIOR, HEAD, LEFT),
    ("HFP", 0, 0, RIGHT, HEAD, ANTERIOR),
    ("HFP", 90, 0, ANTERIOR, HEAD, LEFT),
    ("FFS", 0, 0, RIGHT, FEET, POSTERIOR),
    ("FFS", 90, 0, POSTERIOR, FEET, LEFT),
    ("FFP", 0, 0, LEFT, FEET, ANTERIOR),
    ("FFP", 90, 0, ANTERIOR, FEET, RIGHT),
    # Couch 90 turns counter-clockwise as seen from above, so that the head swings to the viewer's left:
    # gantry 0 still comes from above, and gantry 90, from the viewer's right, enters at the feet.
    ("HFS", 0, 90, FEET, LEFT, POSTERIOR),
    ("HFS", 90, 90, POSTERIOR, LEFT, HEAD),
    ("HFS", 270, 90, ANTERIOR, LEFT, FEET),
    ("HFS", 90, 270, POSTERIOR, RIGHT, FEET),
]


@pytest.mark.parametrize(("position", "gantry", "couch", "x", "y", "direction"), CASES)
def test_cases_by_hand(
    position: str, gantry: float, couch: float, x: np.ndarray, y: np.ndarray, direction: np.ndarray
) -> None:
    ex, ey, along = axes_of_angles(gantry, couch, position)
    # Multiples of 90 degrees are exact.
    assert (ex.tolist(), ey.tolist(), along.tolist()) == (x.tolist(), y.tolist(), direction.tolist())


def test_oblique_beam() -> None:
    # From the front left of a supine patient, half-way between gantry 0 and 90.
    along = axes_of_angles(45, 0)[2]
    np.testing.assert_allclose(along, (RIGHT + POSTERIOR) / np.sqrt(2), atol=1e-15)


@given(
    gantry=st.floats(-720, 720),
    couch=st.floats(-720, 720),
    position=st.sampled_from(["HFS", "HFP", "FFS", "FFP"]),
)
def test_axes_are_a_left_handed_view_of_a_right_handed_frame(
    gantry: float, couch: float, position: str
) -> None:
    ex, ey, along = axes_of_angles(gantry, couch, position)
    np.testing.assert_allclose(np.stack([ex, ey, along]) @ np.stack([ex, ey, along]).T, np.eye(3), atol=1e-12)
    # x cross y points back to the source, as IEC's gantry z does.
    np.testing.assert_allclose(np.cross(ex, ey), -along, atol=1e-12)


def test_source_and_rays() -> None:
    beam = Beam("b", 90, 0, (10, 20, 30), ())
    np.testing.assert_allclose(source_position(beam, 2000), [2010, 20, 30])
    points, directions = spot_rays(beam, [0, 100], [0, -50], (2000, 1000))
    np.testing.assert_allclose(points, [[10, 20, 30], [10, 120, -20]])
    np.testing.assert_allclose(directions[0], RIGHT)
    # The second ray leaves the axis by 100/2000 in x and -50/1000 in y.
    np.testing.assert_allclose(directions[1] / -directions[1][0], [-1, 0.05, -0.05])
    assert np.linalg.norm(directions[1]) == pytest.approx(1)


def test_rays_pass_their_virtual_sources() -> None:
    beam = Beam("b", 33, 12, (1, 2, 3), ())
    ex, ey, along = beam_axes(beam, "FFS")
    points, directions = spot_rays(beam, [40.0], [-25.0], (1900, 2300), "FFS")
    for axis, distance in ((ex, 1900), (ey, 2300)):
        at = points[0] - directions[0] * distance / (directions[0] @ along)
        assert (at - np.array(beam.isocentre_mm)) @ axis == pytest.approx(0, abs=1e-9)


def test_unknown_position_is_refused() -> None:
    with pytest.raises(InputError, match="HFS"):
        axes_of_angles(0, 0, "HFDL")
