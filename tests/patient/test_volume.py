import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.patient.grid import Grid
from isodose.patient.volume import Volume


def test_linear_field_is_sampled_exactly():
    grid = Grid((-3, 2, 5), (1.5, 2.0, 2.5), (6, 7, 8))
    z, y, x = np.meshgrid(*(grid.axis_mm(a) for a in "zyx"), indexing="ij")
    volume = Volume(grid, 2 * x - y + 0.5 * z)
    p = np.random.default_rng(1).uniform([-3, 2, 5], [7.5, 14, 17.5], (50, 3))
    assert volume.sample(p) == pytest.approx(2 * p[:, 0] - p[:, 1] + 0.5 * p[:, 2], abs=1e-4)
    assert volume.sample([100.0, 0, 0], outside=-7.0) == -7.0


@given(st.integers(2, 4))
def test_coarser_voxels_take_the_mean(factor):
    grid = Grid((0, 0, 0), (1, 1, 1), (12, 12, 12))
    values = np.random.default_rng(2).random(grid.shape).astype(np.float32)
    coarse = Volume(grid, values).on(grid.resampled(float(factor)))
    blocks = values.reshape(12 // factor, factor, 12 // factor, factor, 12 // factor, factor)
    assert coarse.values == pytest.approx(blocks.mean(axis=(1, 3, 5)), abs=1e-6)


def test_finer_voxels_are_interpolated():
    grid = Grid((0, 0, 0), (2, 2, 2), (4, 4, 4))
    z, _, _ = np.meshgrid(*(grid.axis_mm(a) for a in "zyx"), indexing="ij")
    fine = Volume(grid, z).on(Grid((2, 2, 1), (0.5, 0.5, 0.5), (4, 3, 3)))
    assert fine.values[:, 0, 0] == pytest.approx([1.0, 1.5, 2.0, 2.5])
