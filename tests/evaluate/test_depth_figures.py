"""Bragg-peak figures of two doses side by side."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.evaluate.depth_figures import depth_figures
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume

GRID = Grid((0, 0, 0), (2, 1, 2), (6, 100, 6))


def beam(range_mm):
    depth = GRID.axis_mm("y") + 0.5
    curve = np.interp(depth, [0, range_mm, range_mm + 4], [1.0, 4.0, 0.0])
    return Volume(GRID, np.broadcast_to(curve[None, :, None], GRID.shape))


def test_a_longer_range_shows_in_the_depth_figures():
    pairs = {p.name: p for p in depth_figures(beam(60.5), beam(62.5), "y")}
    assert pairs["R80"].difference == pytest.approx(2.0, abs=1e-3)
    assert pairs["DFO80/20"].difference == pytest.approx(0.0, abs=1e-3)
    assert pairs["R80"].reference == pytest.approx(60.5 + 0.8, abs=1e-3)
