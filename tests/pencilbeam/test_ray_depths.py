"""The path of rays against the package's other ray tracer, and against lengths done by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isodose.patient.grid import Grid
from isodose.patient.volume import Volume
from isodose.pencilbeam.fan import Fan, beam_frame, fan_over
from isodose.pencilbeam.media import Media
from isodose.pencilbeam.ray_depths import mean_slabs_of, slabs_of
from isodose.plan.beam_frame import spot_rays
from isodose.plan.plan import Beam
from isodose.plan.ray_casting import trace

STOPPING = np.array([0.0, 0.25, 1.0, 1.7], dtype=np.float32)
MEDIA = Media(0, STOPPING, (2.0 * STOPPING**2).astype(np.float32), np.ones(4, dtype=np.float32))
SOURCES = (700.0, 1100.0)


def fan_at(beam: Beam, grid: Grid, step_mm: float, wide_mm: float = 30.0, sources=SOURCES) -> Fan:
    frame = beam_frame(beam, "HFS")
    size = np.linalg.norm(np.asarray(grid.upper_mm) - np.asarray(grid.lower_mm)) + 30.0
    return fan_over(frame, sources, (-wide_mm,) * 2, (wide_mm,) * 2, 7.3, (-size, size), step_mm)


def lengths(fan: Fan, rays: np.ndarray) -> np.ndarray:
    """Of a ray from one plane to the next."""
    u, v = fan.rays_mm(rays)
    return fan.plane_spacing_mm * np.sqrt(
        1.0 + (u / fan.source_distance_mm[0]) ** 2 + (v / fan.source_distance_mm[1]) ** 2
    )


NICE = st.sampled_from([0.0, 90.0, 180.0, 270.0])  # rays along the faces of voxels
ANGLES = st.one_of(NICE, st.floats(0.0, 360.0))


@settings(max_examples=60)
@given(
    st.integers(0, 2**31),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.tuples(*[st.floats(0.4, 6.0)] * 3),
    ANGLES,
    ANGLES,
    st.floats(0.3, 4.0),
)
def test_paths_are_those_of_the_other_tracer(seed, shape, spacing, gantry, couch, step) -> None:
    rng = np.random.default_rng(seed)
    origin = tuple(rng.uniform(-9.0, 9.0, 3))
    grid = Grid(origin, spacing, shape)
    rows = rng.integers(0, 4, shape).astype(np.int16)
    beam = Beam("b", gantry, couch, tuple(rng.uniform(-5.0, 5.0, 3)), ())
    fan = fan_at(beam, grid, step)
    rays = np.arange(fan.shape[0] * fan.shape[1])
    stopping, scattering = slabs_of(fan, rays, rows, grid, MEDIA, 1)
    points, directions = spot_rays(beam, *fan.rays_mm(rays), SOURCES)
    for part, table in ((stopping, MEDIA.stopping), (scattering, MEDIA.scattering)):
        expected = trace(Volume(grid, table[rows]), np.ones(shape, bool), points, directions).total_mm
        # float32 sums of some dozens of parts of up to a few mm
        found = part.sum(axis=1, dtype=np.float64) * lengths(fan, rays)
        np.testing.assert_allclose(found, np.nan_to_num(expected), atol=2e-4)


@settings(max_examples=20)
@given(st.floats(0.2, 3.0), st.floats(-0.9, 0.9), st.floats(0.0, 25.0))
def test_every_slab_holds_what_lies_in_it(step, shift, turn) -> None:
    """Layers across a beam that only the couch turns: every plane's mean is an overlap of intervals."""
    grid = Grid((0.0, shift, 0.0), (3.0, 2.0, 3.0), (40, 5, 40))
    centre = grid.centre_mm
    rows = np.broadcast_to(np.array([1, 3, 0, 2, 1], dtype=np.int16)[None, :, None], grid.shape).copy()
    fan = fan_at(Beam("b", 0.0, turn, (centre[0], 0.0, centre[2]), ()), grid, step, 10.0, (1e9, 1e9))
    rays = np.arange(fan.shape[0] * fan.shape[1])
    stopping, _ = slabs_of(fan, rays, rows, grid, MEDIA, 1)
    faces = grid.lower_mm[1] + 2.0 * np.arange(6)
    edges = fan.plane_mm[:, None] + step * np.array([-0.5, 0.5])
    overlap = np.minimum(edges[:, 1:], faces[None, 1:]) - np.maximum(edges[:, :1], faces[None, :-1])
    expected = np.clip(overlap, 0.0, None) @ STOPPING[[1, 3, 0, 2, 1]] / step
    np.testing.assert_allclose(stopping, np.tile(expected, (rays.size, 1)), atol=1e-5)


def test_a_box_beside_and_before_the_others() -> None:
    grid = Grid((-14.5, -14.5, -14.5), (1.0, 1.0, 1.0), (30, 30, 30))
    rows = np.zeros(grid.shape, dtype=np.int16)
    rows[:, 5:12, 18:] = 2  # x > 3, 7 mm thick from -10 to -3
    fan = fan_at(Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), ()), grid, 1.0, 12.0, (1e9, 1e9))
    rays = np.arange(fan.shape[0] * fan.shape[1])
    u, v = fan.rays_mm(rays)
    path = slabs_of(fan, rays, rows, grid, MEDIA, 1)[0].sum(axis=1)
    hit = (u > 3.0) & (u < 15.0) & (np.abs(v) < 15.0)
    assert hit.any()
    assert not hit.all()
    np.testing.assert_allclose(path, np.where(hit, 7.0, 0.0), atol=1e-5)


def test_threads_do_not_change_anything() -> None:
    rng = np.random.default_rng(5)
    grid = Grid((-9.5, -7.0, -11.0), (2.0, 1.5, 2.5), (9, 10, 9))
    rows = rng.integers(0, 4, grid.shape).astype(np.int16)
    fan = fan_at(Beam("b", 33.0, 12.0, (0.0, 0.0, 0.0), ()), grid, 0.7)
    rays = np.arange(3, fan.shape[0] * fan.shape[1], 2)
    one, two = (slabs_of(fan, rays, rows, grid, MEDIA, threads) for threads in (1, 3))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert one[0].max() > 0.5


def test_the_mean_over_a_cell_is_that_of_a_lattice_twice_as_fine() -> None:
    rng = np.random.default_rng(6)
    grid = Grid((-9.5, -7.0, -11.0), (2.0, 1.5, 2.5), (9, 10, 9))
    rows = rng.integers(0, 4, grid.shape).astype(np.int16)
    fan = fan_at(Beam("b", 33.0, 12.0, (0.0, 0.0, 0.0), ()), grid, 0.7)
    nv, nu = fan.shape
    first = (fan.first_mm[0] - 0.25 * fan.spacing_mm, fan.first_mm[1] - 0.25 * fan.spacing_mm)
    finer = replace(fan, first_mm=first, spacing_mm=0.5 * fan.spacing_mm, shape=(2 * nv, 2 * nu))
    coarse = mean_slabs_of(fan, np.arange(nv * nu), rows, grid, MEDIA, 1)
    fine = slabs_of(finer, np.arange(4 * nv * nu), rows, grid, MEDIA, 1)
    for found, of_finer in zip(coarse, fine, strict=True):
        expected = of_finer.reshape(nv, 2, nu, 2, fan.planes).mean(axis=(1, 3))
        np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-5)


def test_rays_that_miss_the_ct_pass_nothing() -> None:
    grid = Grid((500.0, 500.0, 500.0), (1.0, 1.0, 1.0), (4, 4, 4))
    fan = fan_at(Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), ()), grid, 1.0)
    stopping, scattering = slabs_of(fan, np.arange(5), np.full((4, 4, 4), 2, np.int16), grid, MEDIA, 1)
    assert stopping.max() == scattering.max() == pytest.approx(0.0)
