import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isodose.patient.grid import Grid
from isodose.pencilbeam.fan import Fan, beam_frame, fan_over
from isodose.pencilbeam.fan_sampling import add_to_voxels, seen_by_fan
from isodose.plan.plan import Beam

GRID = Grid((-9.0, -8.0, -7.0), (1.5, 2.0, 1.7), (9, 8, 12))
SOURCES = (600.0, 800.0)


def fan(gantry: float = 0.0, couch: float = 0.0, reach=(-40.0, 40.0), wide: float = 24.0) -> Fan:
    frame = beam_frame(Beam("b", gantry, couch, (1.0, -2.0, 0.5), ()), "HFS")
    return fan_over(frame, SOURCES, (-wide,) * 2, (wide,) * 2, 1.9, reach, 1.1)


def on_fan(made: Fan, function) -> np.ndarray:
    """Values of a function of (u, v, w) on all points of a fan, one channel."""
    u, v = made.rays_mm(np.arange(made.shape[0] * made.shape[1]))
    values = [function(u, v, w).reshape(made.shape) for w in made.plane_mm]
    return np.array(values, dtype=np.float32)[None]


def on_voxels(
    made: Fan, values: np.ndarray, inside: np.ndarray | None = None, threads: int = 1
) -> np.ndarray:
    out = np.zeros((values.shape[0], *GRID.shape), dtype=np.float32)
    mask = np.ones(GRID.shape, bool) if inside is None else inside
    add_to_voxels(made, values, GRID, mask, out, threads)
    return out


def coordinates(made: Fan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every voxel in the fan, by the geometry of two sources: (u, v) on the isocentre plane, and w."""
    x, y, z = np.meshgrid(*(GRID.axis_mm(a) for a in "xyz"), indexing="ij")
    offset = np.stack([x, y, z], axis=-1).transpose(2, 1, 0, 3) - made.frame[3]
    across_u, across_v, along = (offset @ made.frame[i] for i in range(3))
    return across_u * SOURCES[0] / (SOURCES[0] + along), across_v * SOURCES[1] / (SOURCES[1] + along), along


@settings(max_examples=15)
@given(st.floats(0, 360), st.floats(0, 360), st.lists(st.floats(-1, 1), min_size=9, max_size=9))
def test_quadratics_across_and_lines_along_are_exact(gantry, couch, c) -> None:
    def function(u, v, w):
        across = c[0] + c[1] * u + c[2] * v + c[3] * u * v + c[4] * u**2 / 20.0 + c[5] * v**2 / 20.0
        return across * (1.0 + c[6] * w / 40.0) + c[7] * w + c[8]

    made = fan(gantry, couch)
    found = on_voxels(made, on_fan(made, function))[0]
    # float32: values reach some 100, and 64 products of weights are added.
    np.testing.assert_allclose(found, function(*coordinates(made)), atol=5e-4)


def test_a_narrow_beam_keeps_its_height() -> None:
    """A Gaussian of 1.5 rays' distance: cubics between rays are within 1 % of it across, lines within 5 %."""
    made = fan(20.0)
    sigma = 1.5 * made.spacing_mm
    function = lambda u, v, w: np.exp(-0.5 * (u**2 + v**2) / sigma**2)  # noqa: E731
    found = on_voxels(made, on_fan(made, function))[0]
    np.testing.assert_allclose(found, function(*coordinates(made)), atol=0.02)


def test_adds_inside_the_mask_only() -> None:
    made = fan()
    inside = np.random.default_rng(1).random(GRID.shape) > 0.5
    out = np.full((1, *GRID.shape), 7.0, dtype=np.float32)
    add_to_voxels(made, on_fan(made, lambda u, v, w: np.ones_like(u)), GRID, inside, out, 1)
    np.testing.assert_allclose(out[0], 7.0 + inside, rtol=1e-6)


def test_voxels_beside_before_and_behind_get_nothing() -> None:
    made = fan(wide=5.0, reach=(-3.0, 3.0))
    found = on_voxels(made, on_fan(made, lambda u, v, w: np.ones_like(u)))[0]
    u, v, w = coordinates(made)
    edges = [made.first_mm[i] + made.spacing_mm * np.array([1, made.shape[1 - i] - 2]) for i in (0, 1)]
    within = (u >= edges[0][0]) & (u < edges[0][1]) & (v >= edges[1][0]) & (v < edges[1][1])
    planes = made.plane_mm
    within &= (w >= planes[0] - 0.55) & (w < planes[-1] + 0.55)
    assert within.any()
    assert not within.all()
    np.testing.assert_allclose(found, within, atol=1e-5)


def test_one_plane_is_enough() -> None:
    made = fan(reach=(0.0, 1.0))
    assert made.planes == 1
    found = on_voxels(made, on_fan(made, lambda u, v, w: np.full_like(u, 3.0)))[0]
    w = coordinates(made)[2]
    near = np.abs(w - made.plane_mm[0]) < 0.54
    np.testing.assert_allclose(found[near], 3.0, rtol=1e-5)
    assert found[np.abs(w - made.plane_mm[0]) > 0.56].max(initial=0.0) == 0.0


@pytest.mark.parametrize("reach", [(-40.0, 40.0), (-5.0, 4.0), (0.0, 1.0)])
def test_adjoint(reach) -> None:
    rng = np.random.default_rng(6)
    made = fan(37.0, 12.0, reach, 9.0)
    values = rng.random((2, made.planes, *made.shape), dtype=np.float32)
    volumes = rng.standard_normal((2, *GRID.shape)).astype(np.float32)
    volumes[:, 3] = 0.0
    inside = rng.random(GRID.shape) > 0.3
    there = np.vdot(on_voxels(made, values, inside).astype(float), volumes)
    back = np.vdot(values.astype(float), seen_by_fan(made, volumes, GRID, inside))
    assert back == pytest.approx(there, rel=1e-4, abs=1e-4)


def test_threads_do_not_change_anything() -> None:
    made = fan(111.0, 5.0)
    values = np.random.default_rng(7).random((2, made.planes, *made.shape), dtype=np.float32)
    one, two = (on_voxels(made, values, threads=n) for n in (1, 2))
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)
