from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from isodose.errors import InputError, IsodoseWarning
from isodose.patient.contour_planes import area_mm2, planes_of
from isodose.patient.contours import occupancy
from isodose.patient.grid import Grid
from isodose.patient.structure import Contour

GRID = Grid((0, 0, 0), (1.5, 2.0, 3.0), (12, 30, 40))


def circle(radius: float, x: float = 30.2, y: float = 29.7, n: int = 720) -> NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([x + radius * np.cos(t), y + radius * np.sin(t)])


def volume(values: NDArray[np.float32], grid: Grid = GRID) -> float:
    return float(values.sum(dtype=np.float64)) * grid.voxel_volume_cm3 * 1000


@pytest.mark.parametrize("spacing", [0.7, 2.0, 5.0])
@pytest.mark.parametrize("radius", [0.4, 3.0, 17.0])
def test_volume_is_area_times_planes_on_any_grid(radius: float, spacing: float) -> None:
    grid = GRID.resampled(spacing)
    contours = [Contour(z, circle(radius)) for z in (6.2, 8.2, 10.2)]
    # Six figures: float32 occupancies, and parts below 1e-5 of a voxel are dropped.
    assert volume(occupancy(contours, grid), grid) == pytest.approx(6 * area_mm2(circle(radius)), rel=2e-5)


def test_slabs_reach_half_way_to_the_neighbours_and_half_a_gap_beyond() -> None:
    values = occupancy([Contour(z, circle(8)) for z in (6.0, 9.0, 12.0)], GRID)
    share = values.sum(axis=(1, 2)) / (np.pi * 64 / 3)
    assert share == pytest.approx([0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], abs=1e-3)


def test_planes_between_voxels_share_them() -> None:
    values = occupancy([Contour(7.5, circle(8)), Contour(10.5, circle(8))], GRID)
    share = values.sum(axis=(1, 2)) / (np.pi * 64 / 3)
    assert share[1:6] == pytest.approx([0, 0.5, 1, 0.5, 0], abs=1e-3)


def test_hole_island_and_neighbour() -> None:
    ring = [Contour(9.0, circle(15)), Contour(9.0, circle(10), hole=True), Contour(9.0, circle(4))]
    apart = Contour(9.0, circle(3, x=50))
    values = occupancy([*ring, apart], GRID, plane_distance_mm=3.0)
    expected = 3 * (np.pi * (15**2 - 10**2 + 4**2 + 3**2))
    assert volume(values) == pytest.approx(expected, rel=1e-4)


def test_overlapping_contours_are_a_union_and_touching_ones_add_up() -> None:
    twice = occupancy([Contour(9.0, circle(8)), Contour(9.0, circle(8))], GRID, plane_distance_mm=3.0)
    assert volume(twice) == pytest.approx(3 * np.pi * 64, rel=1e-4)
    left = np.array([[10.1, 10.1], [20.3, 10.1], [20.3, 20.1], [10.1, 20.1]])
    right = left + np.array([10.2, 0])
    both = occupancy([Contour(9.0, left), Contour(9.0, right)], GRID, plane_distance_mm=3.0)
    assert volume(both) == pytest.approx(3 * 20.4 * 10, rel=1e-5)


def test_missing_planes_are_interpolated_with_a_warning() -> None:
    contours = [Contour(z, circle(6 + z / 3)) for z in (3.0, 6.0, 9.0, 18.0, 21.0, 24.0)]
    with pytest.warns(IsodoseWarning, match=r"'cone': no contours between z = 9 and 18 mm.*2 planes"):
        values = occupancy(contours, GRID, name="cone")
    radius = np.sqrt(values.sum(axis=(1, 2)) * 3 / np.pi)
    # Signed distances of circles are exact; what is left is their sampling at 1 mm.
    assert radius[4:6] == pytest.approx([6 + 12 / 3, 6 + 15 / 3], abs=0.03)


def test_pieces_that_do_not_overlap_stay_apart() -> None:
    contours = [Contour(z, circle(4, x=15)) for z in (3.0, 6.0)] + [
        Contour(z, circle(4, x=45)) for z in (24.0, 27.0)
    ]
    with pytest.warns(IsodoseWarning, match="separate pieces"):
        values = occupancy(contours, GRID)
    assert volume(values) == pytest.approx(12 * np.pi * 16, rel=1e-4)


def test_single_plane_needs_a_distance() -> None:
    with pytest.raises(InputError, match="single plane"):
        occupancy([Contour(9.0, circle(5))], GRID)


def test_nothing_and_outside_are_empty_without_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not occupancy([], GRID).any()
        assert not occupancy([Contour(z, circle(5, x=500)) for z in (3.0, 6.0)], GRID).any()
        assert not occupancy([Contour(z, circle(5)) for z in (300.0, 303.0)], GRID).any()


def test_planes_within_a_hundredth_of_a_millimetre_are_one() -> None:
    planes = planes_of([Contour(9.004, circle(5)), Contour(9.0, circle(3, x=50)), Contour(12.0, circle(5))])
    assert [len(p.contours) for p in planes] == [2, 1]
