"""Planes show the right slice, the right way round."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import Normalize

from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.report.planes import VIEWS, Wash, body_box_mm, three_planes


@pytest.fixture
def marked() -> tuple[Patient, Volume]:
    """A water box whose only hot voxel is to the left (+x), anterior (-y) and high (+z)."""
    grid = Grid((-38, -38, -38), (4, 4, 4), (20, 20, 20))
    values = np.zeros(grid.shape, np.float32)
    values[15:18, 2:5, 15:18] = 1.0
    return Patient("box", Volume(grid, np.zeros(grid.shape))), Volume(grid, values)


def washes(figure):
    return [axis.images[1] for axis in figure.axes[:3]]


def test_hot_spot_is_where_the_letters_say(marked):
    patient, hot = marked
    figure = three_planes(
        patient, Wash(hot, mpl.colormaps["turbo"], Normalize(0, 1), "x", 0.5), (26, -26, 26)
    )
    for view, axis, image in zip(VIEWS, figure.axes[:3], washes(figure), strict=True):
        picture = np.ma.filled(image.get_array(), 0.0)
        rows, columns = np.nonzero(picture > 0.5)
        left, right, bottom, top = image.get_extent()
        u = left + (columns.mean() + 0.5) / picture.shape[1] * (right - left)
        v = bottom + (rows.mean() + 0.5) / picture.shape[0] * (top - bottom)
        x, y = axis.transAxes.inverted().transform(axis.transData.transform((u, v)))
        # left is L (right of the picture) in axial and coronal; anterior is left in sagittal and up in axial
        assert (x > 0.5) == (view.name != "sagittal"), view.name
        assert y > 0.5, view.name


def test_a_plane_beside_the_hot_spot_is_empty(marked):
    patient, hot = marked
    figure = three_planes(
        patient, Wash(hot, mpl.colormaps["turbo"], Normalize(0, 1), "x", 0.5), (-20, 20, -20)
    )
    assert all(np.ma.getmaskarray(image.get_array()).all() for image in washes(figure))


def test_quotients_hold_to_the_edge(marked):
    patient, hot = marked
    seven = Volume(hot.grid, 7.0 * hot.values)
    wash = Wash(seven, mpl.colormaps["turbo"], Normalize(0, 9), "x", per=hot, per_from=0.1)
    figure = three_planes(patient, wash, (26, -26, 26))
    # trilinear in float32
    assert np.ma.compressed(washes(figure)[0].get_array()) == pytest.approx(7.0, abs=1e-4)


def test_box_is_the_body_with_a_margin(head):
    lower, upper = body_box_mm(head)
    assert upper[0] - lower[0] < 190.0  # the head is 160 mm wide, the grid 192 mm
    assert np.all(lower >= head.grid.lower_mm)
    assert np.all(upper <= head.grid.upper_mm)
