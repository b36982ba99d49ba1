"""Dose-volume histograms against analytic ones."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.errors import InputError, IsodoseWarning
from isodose.evaluate.dvh import Dvh, dvh
from isodose.patient.grid import Grid
from isodose.patient.structure import Contour, Role, Structure
from isodose.patient.volume import Volume

GRID = Grid((-50, -50, -50), (2.5, 2.5, 3.0), (34, 41, 41))


def circle(z, radius, *, centre=(0.0, 0.0), hole=False, points=180):
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    polygon = np.column_stack([np.cos(angle), np.sin(angle)]) * radius + centre
    return Contour(z, polygon, hole)


def drawn(contours, grid=GRID):
    return Structure("drawn", Role.ORGAN, grid, np.zeros(grid.shape), tuple(contours))


def sphere(radius, gap=3.0):
    heights = np.arange(-np.ceil(radius / gap) * gap, radius + gap, gap)
    return [circle(z, np.sqrt(radius**2 - z**2)) for z in heights if abs(z) < radius - 0.2]


def along_z(grid=GRID, slope=0.02):
    """Dose 2 Gy in the middle that falls linearly with z."""
    z = grid.axis_mm("z")
    return Volume(grid, np.broadcast_to((2.0 - slope * z)[:, None, None], grid.shape))


def along_x(grid=GRID, slope=0.02):
    return Volume(grid, np.broadcast_to(2.0 + slope * grid.axis_mm("x"), grid.shape))


def voxel_sphere(radius, spacing, parts=5):
    """Sphere known by the exact part of each voxel that it fills, to 1/125."""
    n = int(np.ceil(radius / spacing)) + 1
    grid = Grid((-n * spacing,) * 3, (spacing,) * 3, (2 * n + 1,) * 3)
    fine = grid.resampled(spacing / parts)
    z, y, x = np.meshgrid(*(fine.axis_mm(a) for a in "zyx"), indexing="ij")
    inside = (x**2 + y**2 + z**2 <= radius**2).astype(float)
    shape = (grid.shape[0], parts, grid.shape[1], parts, grid.shape[2], parts)
    return Structure("voxels", Role.ORGAN, grid, inside.reshape(shape).mean(axis=(1, 3, 5)))


def colder_part_of_a_sphere(height, radius):
    """Part of a sphere's volume above a height."""
    h = radius - height
    return h * h * (3 * radius - h) / (4 * radius**3)


@pytest.mark.physics
@pytest.mark.parametrize(("radius", "smaller", "percent"), [(4, 0.19, 1.6), (8, 0.10, 0.5), (25, 0.01, 0.2)])
def test_sphere_from_contours_in_a_gradient(radius, smaller, percent):
    histogram = dvh(along_x(), drawn(sphere(radius)))
    exact = 4 / 3 * np.pi * radius**3 / 1000
    # Planes 3 mm apart leave the poles to be guessed, and chords cut off the bulge between planes.
    assert exact * (1 - smaller) < histogram.total_cm3 < exact
    assert histogram.mean == pytest.approx(2.0, abs=1e-3)
    for height in (-0.5, 0.0, 0.5):
        part = 100 * colder_part_of_a_sphere(height * radius, radius)
        assert float(histogram.v(2.0 + 0.02 * height * radius)) == pytest.approx(part, abs=percent)


@pytest.mark.physics
@pytest.mark.parametrize(("radius", "spacing"), [(1.2, 1.0), (3.0, 2.0), (10.0, 2.5)])
def test_sphere_of_few_voxels_in_a_gradient(radius, spacing):
    structure = voxel_sphere(radius, spacing)
    histogram = dvh(along_x(slope=0.1), structure)
    assert histogram.total_cm3 == pytest.approx(structure.volume_cm3, rel=1e-5)
    for height in (-0.6, 0.0, 0.3):
        part = 100 * colder_part_of_a_sphere(height * radius, radius)
        # the parts of a voxel are told from its neighbours: a percent for three voxels across
        assert float(histogram.v(2.0 + 0.1 * height * radius)) == pytest.approx(part, abs=1.5)


def test_whole_voxels_in_a_gradient_fill_their_boxes():
    grid = Grid((0, 0, 0), (4, 4, 4), (5, 5, 5))
    occupancy = np.zeros(grid.shape)
    occupancy[2, 2, 1:4] = 1
    structure = Structure("bar", Role.ORGAN, grid, occupancy)
    histogram = dvh(along_x(grid, 0.1), structure)
    # the bar reaches from x = 2 to 14 mm
    assert histogram.d(50) == pytest.approx(2.8, abs=1e-3)
    assert histogram.d(100) == pytest.approx(2.2, abs=0.02)
    assert histogram.d(0) == pytest.approx(3.4, abs=0.02)
    assert float(histogram.v(2.5)) == pytest.approx(75, abs=1.0)


def test_cylinder_between_its_planes_is_exact():
    histogram = dvh(along_z(), drawn(circle(z, 12.0) for z in np.arange(-15, 15.1, 3)))
    body = np.pi * 144 * 30 / 1000
    # with a cap at either end, each less than half a gap
    assert body < histogram.total_cm3 < body * 1.1
    assert histogram.mean == pytest.approx(2.0, abs=1e-4)


def test_cone_runs_obliquely_from_plane_to_plane():
    radii = np.linspace(20, 8, 9)
    heights = 3.0 * np.arange(9)
    cone = dvh(along_z(), drawn(circle(z, r) for z, r in zip(heights, radii, strict=True)))
    frustum = np.pi * 24 / 3 * (400 + 160 + 64) / 1000
    inside = cone.v_cc([2.0 - 0.02 * 24, 2.0])
    # between the end planes, where the dose is 2.0 and 1.52 Gy, it is the frustum of the radii
    assert float(inside[0] - inside[1]) == pytest.approx(frustum, rel=0.005)


def test_holes_are_left_out_and_islands_are_not():
    rings = [
        c for z in np.arange(-15, 15.1, 3) for c in (circle(z, 15), circle(z, 10, hole=True), circle(z, 4))
    ]
    inside = dvh(along_z(), drawn(rings)).v_cc([2.0 - 0.02 * 15, 2.0 + 0.02 * 15])
    # between the end planes
    assert float(inside[0] - inside[1]) == pytest.approx(np.pi * (225 - 100 + 16) * 30 / 1000, rel=0.005)


def test_pieces_apart_are_not_joined():
    pieces = [circle(z, 6, centre=(-20, 0)) for z in (-12, -9, -6)]
    pieces += [circle(z, 6, centre=(20, 0)) for z in (6, 9, 12)]
    lone = dvh(along_x(), drawn(pieces[:3]))
    assert dvh(along_x(), drawn(pieces)).total_cm3 == pytest.approx(2 * lone.total_cm3, rel=1e-3)


def test_a_missing_plane_is_bridged_where_outlines_overlap():
    every = [circle(z, 10) for z in np.arange(-12, 12.1, 3)]
    whole, gap = dvh(along_z(), drawn(every)), dvh(along_z(), drawn(every[:4] + every[5:]))
    # sampled by cubes of another size
    assert gap.total_cm3 == pytest.approx(whole.total_cm3, rel=5e-3)


def test_a_single_plane_is_one_slice_of_the_grid():
    histogram = dvh(along_x(), drawn([circle(1.0, 10)]))
    assert histogram.total_cm3 == pytest.approx(np.pi * 100 * 3.0 / 1000, rel=0.01)


def test_doses_and_volumes_invert_each_other():
    histogram = dvh(along_x(), drawn(sphere(15.0)))
    for percent in (1, 2, 30, 50, 95, 99):
        assert float(histogram.v(histogram.d(percent))) == pytest.approx(percent, abs=0.02)
    assert histogram.d_cc(1.0) == pytest.approx(histogram.d(100 / histogram.total_cm3), rel=1e-9)
    assert np.isnan(histogram.d_cc(1000.0))
    assert histogram.min <= histogram.near_min < histogram.near_max <= histogram.max
    dose, volume = histogram.curve()
    assert (volume[0], volume[-1]) == (100.0, 0.0)
    assert np.all(np.diff(volume) <= 0)
    assert dose[-1] > histogram.max


def test_what_lies_outside_the_dose_is_told():
    small = Grid((0, -50, -50), (2.5, 2.5, 3.0), (34, 41, 21))
    with pytest.warns(IsodoseWarning, match="outside the dose grid"):
        histogram = dvh(along_x(small), drawn(sphere(15.0)))
    # the sphere is cut at x = -1.25 mm, the outer face of the dose grid
    assert histogram.outside_fraction == pytest.approx(1 - colder_part_of_a_sphere(-1.25, 15), abs=0.01)
    assert float(histogram.v(0.5)) == pytest.approx(100 * (1 - histogram.outside_fraction), abs=1e-3)


def test_an_empty_structure_is_refused():
    empty = Structure("nothing", Role.ORGAN, GRID, np.zeros(GRID.shape))
    with pytest.raises(InputError, match="empty structure"):
        dvh(along_x(), empty)


def test_percents_and_samples_are_checked():
    histogram = Dvh("two", np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    with pytest.raises(InputError, match="0 to 100"):
        histogram.d(101)
    with pytest.raises(InputError, match="increasing"):
        Dvh("two", np.array([2.0, 1.0]), np.array([1.0, 1.0]))
