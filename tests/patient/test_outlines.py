from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from isodose.patient.contour_nesting import exclusive_or, holes_by_nesting, joined, keyhole, rings_of
from isodose.patient.contour_planes import Plane, area_mm2, plane_coverage
from isodose.patient.contours import occupancy
from isodose.patient.grid import Grid
from isodose.patient.outlines import contours_of, voxel_outlines
from isodose.patient.structure import Contour

GRID = Grid((-7.3, 4.1, 20.0), (1.3, 2.1, 2.5), (4, 9, 8))
MASKS = arrays(bool, (9, 8))


@settings(max_examples=80, deadline=None)
@given(MASKS)
def test_outlines_of_voxels_cover_exactly_them(mask: NDArray[np.bool_]) -> None:
    contours = voxel_outlines(mask, GRID, 20.0)
    assert plane_coverage(Plane(20.0, contours), GRID) == pytest.approx(mask.astype(float), abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(MASKS)
def test_keyholes_keep_every_voxel_and_come_apart_again(mask: NDArray[np.bool_]) -> None:
    contours = voxel_outlines(mask, GRID, 20.0)
    outlines = joined([(c.points_mm, c.hole) for c in contours])
    rings = [ring for outline in outlines for ring in rings_of(outline)]
    again = [Contour(20.0, r, h) for r, h in zip(rings, holes_by_nesting(rings), strict=True)]
    assert plane_coverage(Plane(20.0, tuple(again)), GRID) == pytest.approx(mask.astype(float), abs=1e-9)


def test_whole_voxels_survive_contours_exactly() -> None:
    mask = np.random.default_rng(5).random(GRID.shape) > 0.4
    assert np.array_equal(occupancy(contours_of(mask.astype(np.float32), GRID), GRID), mask)


def test_parts_of_voxels_keep_their_volume() -> None:
    grid = Grid((0, 0, 0), (1, 1, 3), (5, 40, 40))
    x, y = np.meshgrid(grid.axis_mm("x"), grid.axis_mm("y"))
    disc = np.clip(12.3 - np.hypot(x - 19.6, y - 20.2) + 0.5, 0, 1).astype(np.float32)
    values = np.zeros(grid.shape, np.float32)
    values[1:4] = disc
    again = occupancy(contours_of(values, grid), grid)
    # The level of one half, interpolated, is within a tenth of a voxel of the edge; on a disc that evens out.
    assert again.sum() == pytest.approx(values.sum(), rel=0.005)
    assert np.array_equal(again >= 0.5, values >= 0.5)


def square(x: float, y: float, side: float) -> NDArray[np.float64]:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]])


def test_nesting_alternates() -> None:
    polygons = [square(3, 3, 4), square(0, 0, 10), square(4, 4, 1), square(20, 0, 5)]
    assert holes_by_nesting(polygons) == [True, False, False, False]


def test_partial_overlap_is_no_hole() -> None:
    assert holes_by_nesting([square(0, 0, 10), square(5, 5, 10)]) == [False, False]


def test_hole_that_touches_its_outline() -> None:
    assert holes_by_nesting([square(0, 0, 10), square(0, 3, 4)]) == [False, True]


def test_exclusive_or_of_crossing_contours() -> None:
    grid = Grid((0.5, 0.5, 0), (1, 1, 1), (1, 20, 20))
    marked = exclusive_or([square(1, 1, 8), square(5, 5, 8)])
    area = plane_coverage(Plane(0.0, tuple(Contour(0.0, p, h) for p, h in marked)), grid)
    assert area.sum() == pytest.approx(64 + 64 - 2 * 16)
    assert area[6, 6] == 0


def test_exclusive_or_of_nested_contours_keeps_them() -> None:
    marked = exclusive_or([square(0, 0, 10), square(3, 3, 4)])
    assert [hole for _, hole in marked] == [False, True]


def test_keyhole_has_the_area_left() -> None:
    outline = keyhole(square(0, 0, 10), [square(1, 1, 2), square(5, 5, 3)])
    assert area_mm2(outline) == pytest.approx(100 - 4 - 9)
    assert sorted(abs(area_mm2(r)) for r in rings_of(outline)) == pytest.approx([4, 9, 100])
