"""Associated-volume clustering, random cylinders and the cell list under both."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isodose.errors import InputError
from isodose.physics.random import start, uniform
from isodose.track.associated_volumes import cylinder_clusters, sphere_clusters
from isodose.track.cell_list import SPARE, cell_numbers, sort_into_cells
from isodose.track.neighbourhood import neighbourhood_in, points_in_cylinder, points_in_sphere, surround
from isodose.track.random_cylinders import CylinderVolume, cylinder_sizes, random_cylinders
from isodose.track.shell_targets import DIAMETER_NM, HEIGHT_NM

SPHERE_NM3 = 4.0 / 3.0 * math.pi * 1.5**3
CYLINDER_NM3 = math.pi / 4.0 * DIAMETER_NM**2 * HEIGHT_NM


def points_around(points, edge, place):
    """The neighbourhood of a place, and its number of points."""
    cells = sort_into_cells(points, edge)
    near = neighbourhood_in(cells)
    return near, surround(cells, near, cell_numbers(cells.lattice, place[None])[0])


def in_cylinders(points, cylinders, radius, half):
    """Points in each cylinder by brute force."""
    away = points - cylinders[:, None, :3]
    along = np.einsum("cpi,ci->cp", away, cylinders[:, 3:])
    return np.count_nonzero((np.abs(along) <= half) & ((away**2).sum(axis=2) - along**2 <= radius**2), axis=1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.floats(0.5, 100.0), st.floats(-1e5, 1e5))
def test_neighbours_are_those_of_brute_force(seed, number, width, offset):
    rng = np.random.default_rng(seed)
    points = offset + rng.uniform(-width, width, (number, 3))
    centre = offset + rng.uniform(-width, width, 3)
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    by_hand = np.count_nonzero(((points - centre) ** 2).sum(axis=1) <= 1.5**2)
    assert points_in_sphere(*points_around(points, 3.0, centre), *centre, 1.5) == by_hand
    by_hand = in_cylinders(points, np.concatenate([centre, axis])[None], 1.15, 1.7)[0]
    found = points_in_cylinder(*points_around(points, 4.2, centre), *centre, tuple(axis), 1.15, 1.7)
    assert found == by_hand


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 200))
def test_neighbours_on_the_faces_of_cells(seed, number):
    rng = np.random.default_rng(seed)
    points, centre = 1.5 * rng.integers(-4, 5, (number, 3)), 1.5 * rng.integers(-6, 7, 3)
    by_hand = np.count_nonzero(((points - centre) ** 2).sum(axis=1) <= 1.5**2)
    assert points_in_sphere(*points_around(points, 3.0, centre), *centre, 1.5) == by_hand


def scattered(seed, width):
    """Clumps of points and a place in each, far from one another."""
    rng = np.random.default_rng(seed)
    far = rng.uniform(-1e5, 1e5, (40, 3))
    points = np.repeat(far, 30, axis=0) + rng.uniform(-width, width, (1200, 3))
    return points, far + rng.uniform(-width, width, (40, 3)), rng


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 20.0))
def test_sizes_of_cylinders_are_those_of_brute_force(seed, width):
    points, centres, rng = scattered(seed, width)
    centres[0] = 1e12  # where no cell of the list is
    axes = rng.normal(size=(40, 3))
    cylinders = np.concatenate([centres, axes / np.linalg.norm(axes, axis=1, keepdims=True)], axis=1)
    inside = in_cylinders(points, cylinders, 0.5 * DIAMETER_NM, 0.5 * HEIGHT_NM)
    assert np.array_equal(cylinder_sizes(points, cylinders, 40), np.bincount(inside, minlength=40))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 20.0))
def test_sizes_of_spheres_are_those_of_brute_force(seed, width):
    points, stream, expected = scattered(seed, width)[0], np.zeros(1, np.uint64), np.zeros(40)
    start(stream, seed, 0)
    for point in np.stack(sort_into_cells(points, 3.0).points_nm, axis=1)[: len(points)]:
        away = np.full(3, 1.5)
        while away @ away > 1.5**2:
            away = np.array([(2.0 * uniform(stream) - 1.0) * 1.5 for _ in range(3)])
        size = max(1, np.count_nonzero(((points - (point + away)) ** 2).sum(axis=1) <= 1.5**2))
        expected[size] += 1.0 / size
    assert sphere_clusters(points, 1.5, 40, seed=seed) == pytest.approx(expected)


def test_all_points_stay_in_the_list_in_the_order_of_their_cells():
    points = np.random.default_rng(1).normal(0.0, 50.0, (5000, 3))
    cells = sort_into_cells(points, 3.0)
    listed = np.stack(cells.points_nm, axis=1)[:5000]
    assert np.array_equal(np.sort(listed, axis=0), np.sort(points, axis=0))
    number = len(cells.numbers) - SPARE
    assert np.all(np.diff(cells.numbers[:number]) > 0)
    of_point = np.repeat(cells.numbers[:number], np.diff(cells.first_point[: number + 1]))
    assert np.array_equal(of_point, cell_numbers(cells.lattice, listed))


def test_points_at_the_ends_of_the_largest_lattice():
    corners = 2.9e6 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    sizes = sphere_clusters(np.repeat(corners, 5, axis=0), 1.5)
    assert sizes[5] == pytest.approx(8.0)
    assert sizes.sum() == pytest.approx(8.0)


def test_far_points_are_refused():
    with pytest.raises(OverflowError, match="a million cells"):
        sort_into_cells(np.array([[0.0, 0.0, 1e10]]), 3.0)


@pytest.mark.parametrize("clusters", [lambda p: sphere_clusters(p, 1.5), cylinder_clusters])
def test_every_ionisation_is_counted_once(clusters):
    points = np.random.default_rng(2).normal(0.0, 6.0, (3000, 3))
    sizes = clusters(points)
    assert np.arange(sizes.size) @ sizes == pytest.approx(3000.0)


@pytest.mark.parametrize(
    ("clusters", "site_nm3"),
    [(lambda p: sphere_clusters(p, 1.5), SPHERE_NM3), (cylinder_clusters, CYLINDER_NM3)],
)
def test_uniform_points_give_poisson(clusters, site_nm3):
    edge, number = 240.0, 400_000
    sizes = clusters(np.random.default_rng(4).uniform(0.0, edge, (number, 3)))
    density = number / edge**3
    expected = edge**3 / site_nm3 * stats.poisson.pmf(np.arange(6), density * site_nm3)
    # sites that stick out of the box, some 2 %, see less
    assert sizes[1:4] == pytest.approx(expected[1:4], rel=0.04)
    assert sizes[2] / sizes[1] == pytest.approx(density * site_nm3 / 2.0, rel=0.03)


def test_points_in_one_place_are_one_site():
    sizes = sphere_clusters(np.zeros((7, 3)), 1.5)
    assert sizes[7] == pytest.approx(1.0)
    assert sizes.sum() == pytest.approx(1.0)


def test_two_points_overlap_as_two_spheres_do():
    # Volume of the lens of two spheres of radius R at distance d: pi (2R - d)^2 (d^2 + 4 d R) / (12 d).
    radius, distance = 1.5, 1.0
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]])
    lens = math.pi * (2 * radius - distance) ** 2 * (distance**2 + 4 * distance * radius) / (12 * distance)
    sizes = sphere_clusters(points, radius, repeats=40_000)
    # 80,000 draws: 1 % is three standard deviations
    assert sizes[2] == pytest.approx(lens / SPHERE_NM3, rel=0.01)
    assert sizes[1] == pytest.approx(2.0 * (1.0 - lens / SPHERE_NM3), rel=0.01)


def test_random_cylinders_see_poisson():
    rng = np.random.default_rng(5)
    points = rng.uniform(-30.0, 30.0, (20_000, 3))
    sizes = cylinder_sizes(points, random_cylinders(CylinderVolume(20.0, 20.0, 40_000)))
    expected = 40_000 * stats.poisson.pmf(np.arange(8), 20_000 / 60.0**3 * CYLINDER_NM3)
    # The points are one sample: their own noise adds to that of the targets, 6 deviations in all.
    assert np.all(np.abs(sizes[:6] - expected[:6]) < 6.0 * np.sqrt(expected[:6]))
    assert sizes.sum() == 40_000


def test_random_cylinders_are_those_of_the_seed():
    volume = CylinderVolume(10.0, 10.0, 100)
    first = random_cylinders(volume, seed=3, track=1)
    assert np.array_equal(first, random_cylinders(volume, seed=3, track=1))
    assert not np.array_equal(first, random_cylinders(volume, seed=3, track=2))


def test_bad_input_is_named():
    with pytest.raises(InputError, match="points_nm"):
        sphere_clusters(np.zeros((3, 2)), 1.5)
    with pytest.raises(InputError, match="not finite"):
        sphere_clusters(np.full((3, 3), np.nan), 1.5)
    with pytest.raises(InputError, match="radius_nm"):
        sphere_clusters(np.zeros((3, 3)), 0.0)
    with pytest.raises(InputError, match="cylinders"):
        cylinder_sizes(np.zeros((3, 3)), np.zeros((2, 5)))
    with pytest.raises(InputError, match="half_length_nm"):
        CylinderVolume(1.0, -1.0, 3)
