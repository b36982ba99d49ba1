"""Smoothing in steps adds up to the Gaussian that was asked for, on every lattice and in both directions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve1d

from isodose.pencilbeam.widths import (
    LEVELS,
    Ladder,
    coarsen,
    ladder,
    plane_offsets,
    refine,
    smooth,
    smoothing,
    spread_down,
    spread_up,
)

CELL = (1.5, 1.8)
"""Of the fan on some plane, along u and v, mm."""
SHAPE = (176, 192)
SHAPE_ERROR = 0.002
"""Of the height."""
RUNGS = ladder(16.0, 700.0, CELL[0], 1.25)


def kernels(rungs: Ladder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    (along_u, taps_u), (along_v, taps_v) = (smoothing(rungs, np.array([cell])) for cell in CELL)
    most = max(along_u.shape[2], along_v.shape[2])
    wide = [np.pad(k[0], ((0, 0), (0, most - k.shape[2]))) for k in (along_u, along_v)]
    return wide[0], wide[1], np.maximum(taps_u, taps_v)


def spread(planes: np.ndarray, top: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    image = np.empty(shape, dtype=np.float32)
    work = np.empty((2, *shape), dtype=np.float32)
    spread_down(planes, plane_offsets(RUNGS, shape), RUNGS.level, top, *kernels(RUNGS), image, work)
    return image


def deposit(planes: np.ndarray, k: int, v: int, u: int, value: float = 1.0) -> None:
    """Add to a plane what a ray in row v and column u gives it."""
    level = RUNGS.level[k]
    planes[plane_offsets(RUNGS, SHAPE)[k] + (v >> level) * (SHAPE[1] >> level) + (u >> level)] += value


@given(st.floats(1.0, 100.0), st.floats(0.5, 5000.0), st.floats(0.5, 3.0), st.floats(1.1, 2.0))
def test_ladder(smallest, largest, cell, ratio) -> None:
    made = ladder(smallest, largest, cell, ratio)
    variance = made.variance_mm2.astype(np.float64)
    assert variance[0] == 0.0
    assert variance[-1] >= largest * (1.0 - 1e-6)
    np.testing.assert_allclose((variance[1:] + smallest) / (variance[:-1] + smallest), ratio, rtol=1e-4)
    assert made.level[0] == 0
    assert np.all(np.isin(np.diff(made.level), (0, 1)))
    assert made.level[-1] < LEVELS
    # A plane is at least two of the next finer cells wide, but on the finest lattice.
    coarse = made.level > 0
    assert np.all(np.sqrt(variance[coarse]) >= 2.0 * cell * 2.0 ** (made.level[coarse] - 1) * (1.0 - 1e-6))


@given(st.floats(0.0, 1.0))
def test_lookup_finds_the_rung_below(part) -> None:
    variance = part * float(RUNGS.variance_mm2[-1])
    k = int(RUNGS.lookup[int(np.sqrt(variance) * RUNGS.scale)])
    width = np.sqrt(RUNGS.variance_mm2.astype(np.float64))
    step = 1.0 / RUNGS.scale
    assert width[k] - step <= np.sqrt(variance) <= width[k + 1] + step


def test_kernels_have_the_variance_between_their_planes() -> None:
    half, taps = smoothing(RUNGS, np.array(CELL))
    between = np.diff(RUNGS.variance_mm2.astype(np.float64), prepend=0.0)
    down = np.diff(RUNGS.level, prepend=0) > 0
    t = np.arange(half.shape[2])
    for cell, of_size in zip(CELL, half.astype(np.float64), strict=True):
        total = of_size[:, 0] + 2.0 * of_size[:, 1:].sum(axis=1)
        np.testing.assert_allclose(total, 1.0, rtol=1e-5)
        # Refining adds 3/4 of a fine cell, and the coarse cell the other quarter: one of its own quarters.
        wanted = between / (cell * 2.0**RUNGS.level) ** 2 - np.where(down, 0.25, 0.0)
        variance = 2.0 * (of_size * t**2).sum(axis=1)
        np.testing.assert_allclose(variance[1:], wanted[1:], rtol=0.015, atol=2e-3)
    assert taps.max() == half.shape[2]


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**31))
def test_smoothing_is_a_convolution(ny, nx, taps, seed) -> None:
    rng = np.random.default_rng(seed)
    image, half = rng.random((ny, nx), dtype=np.float32), rng.random(taps, dtype=np.float32)
    whole = np.concatenate([half[:0:-1], half])
    for along_rows in (False, True):
        out = np.full_like(image, np.nan)
        smooth(image, half, taps, along_rows, out)
        expected = convolve1d(image.astype(float), whole, axis=0 if along_rows else 1, mode="constant")
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_refining_keeps_sum_and_place() -> None:
    rng = np.random.default_rng(0)
    coarse = np.zeros((8, 9), dtype=np.float32)
    coarse[1:-1, 1:-1] = rng.random((6, 7))
    fine = np.ones((16, 18), dtype=np.float32)
    refine(coarse, fine)
    fine -= 1.0  # it adds
    assert fine.sum(dtype=float) == pytest.approx(coarse.sum(dtype=float), rel=1e-5)
    for axis in (0, 1):
        places = [np.arange(n) + 0.5 for n in (coarse.shape[axis], fine.shape[axis])]
        means = [
            i.sum(axis=1 - axis, dtype=float) @ x / i.sum(dtype=float)
            for i, x in zip((coarse, fine), places, strict=True)
        ]
        assert means[1] == pytest.approx(2.0 * means[0], rel=1e-5)


def test_coarsening_is_the_adjoint_of_refining() -> None:
    rng = np.random.default_rng(1)
    coarse, fine = rng.random((8, 7), dtype=np.float32), rng.random((16, 14), dtype=np.float32)
    up, down = np.zeros_like(fine), np.empty_like(coarse)
    refine(coarse, up)
    coarsen(fine, down)
    assert np.vdot(up, fine) == pytest.approx(np.vdot(coarse, down), rel=1e-5)


def moments(image: np.ndarray, axis: int, origin: float) -> tuple[float, float]:
    """Mean and second moment about a row or column, in cells."""
    line = image.sum(axis=1 - axis, dtype=np.float64)
    x = np.arange(line.size) - origin
    return float(line @ x / line.sum()), float(line @ x**2 / line.sum())


@pytest.mark.parametrize("k", range(1, RUNGS.level.size, 2))
def test_a_ray_on_a_plane_becomes_a_gaussian_of_its_variance(k: int) -> None:
    """On coarse lattices a ray's place in its cell is lost; over all places in one, the moments are right."""
    side = 1 << int(RUNGS.level[k])
    seen = []
    for place in range(side):
        planes = np.zeros(plane_offsets(RUNGS, SHAPE)[-1], dtype=np.float32)
        v, u = 88 + place, 96 + (place * 3) % side
        deposit(planes, k, v, u)
        image = spread(planes, k)
        assert image.sum(dtype=float) == pytest.approx(1.0, rel=1e-3)
        assert image.min() >= -1e-4 * image.max()  # short steps have small negative weights
        seen.append((*moments(image, 1, u), *moments(image, 0, v)))
    shift_u, variance_u, shift_v, variance_v = np.mean(seen, axis=0)
    assert shift_u == pytest.approx(0.0, abs=0.01)
    assert shift_v == pytest.approx(0.0, abs=0.01)
    wanted = float(RUNGS.variance_mm2[k])
    # Kernels end where they are below 2e-4 of their middle, which costs some 0.2 % of the variance.
    assert variance_u * CELL[0] ** 2 == pytest.approx(wanted, rel=0.01)
    assert variance_v * CELL[1] ** 2 == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("level", range(LEVELS))
def test_its_shape_is_a_gaussian_too(level: int) -> None:
    k = int(np.flatnonzero(RUNGS.level == level)[-1])
    side = 1 << level
    planes = np.zeros(plane_offsets(RUNGS, SHAPE)[-1], dtype=np.float32)
    deposit(planes, k, 88, 96)
    line = spread(planes, k).sum(axis=0, dtype=float)
    x = (np.arange(SHAPE[1]) - 96 - 0.5 * (side - 1)) * CELL[0]
    # What the ray's place in its cell would add is not seen from the cell's middle.
    variance = float(RUNGS.variance_mm2[k]) - (side**2 - 1) / 12.0 * CELL[0] ** 2
    expected = CELL[0] * np.exp(-0.5 * x**2 / variance) / np.sqrt(2.0 * np.pi * variance)
    np.testing.assert_allclose(line, expected, atol=SHAPE_ERROR * expected.max())


def test_spreading_up_is_the_adjoint() -> None:
    rng = np.random.default_rng(3)
    top = RUNGS.level.size - 1
    shape = (40, 48)
    offsets = plane_offsets(RUNGS, shape)
    planes = rng.random(offsets[-1], dtype=np.float32)
    image, work = rng.random(shape, dtype=np.float32), np.empty((2, *shape), dtype=np.float32)
    seen = np.empty_like(planes)
    spread_up(seen, offsets, RUNGS.level, top, *kernels(RUNGS), image, work)
    there = np.vdot(planes.astype(float), seen)
    back = np.vdot(spread(planes.copy(), top, shape).astype(float), image)
    assert back == pytest.approx(there, rel=1e-5)


def test_planes_above_the_top_do_not_count() -> None:
    planes = np.zeros(plane_offsets(RUNGS, SHAPE)[-1], dtype=np.float32)
    deposit(planes, 1, 60, 60)
    alone = spread(planes.copy(), 1)
    deposit(planes, 5, 60, 60)
    np.testing.assert_array_equal(spread(planes.copy(), 1), alone)
    assert spread(planes, 5).sum() == pytest.approx(2.0, rel=1e-3)
