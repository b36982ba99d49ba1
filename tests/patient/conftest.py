from __future__ import annotations

import numpy as np
import pytest

from isodose.patient.grid import Grid
from isodose.patient.patient import DicomIdentity, Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume


@pytest.fixture
def grid() -> Grid:
    # Unlike spacings and counts, so that a mix-up of axes shows.
    return Grid((-31.5, 12.25, -100.0), (1.5, 2.0, 3.0), (6, 14, 20))


@pytest.fixture
def patient(grid: Grid) -> Patient:
    """A block of water with a target that has a hole, an organ of parts of voxels and an empty structure."""
    random = np.random.default_rng(7)
    z, y, x = np.meshgrid(grid.axis_mm("z"), grid.axis_mm("y"), grid.axis_mm("x"), indexing="ij")
    ct = Volume(grid, np.rint(random.normal(0, 40, grid.shape)))
    target = np.zeros(grid.shape, np.float32)
    target[1:5, 3:10, 4:15] = 1
    target[2:4, 5:8, 8:11] = 0
    cx, cy, cz = grid.centre_mm
    ball = np.clip(9 - np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2), 0, 1).astype(np.float32)
    structures = {
        "CTV high": Structure("CTV high", Role.CTV, grid, target, colour=(10, 200, 30)),
        "Organ": Structure("Organ", Role.ORGAN, grid, ball),
        "Empty": Structure("Empty", Role.AVOIDANCE, grid, np.zeros(grid.shape, np.float32)),
    }
    dose = Volume(grid.resampled(2.5), random.gamma(2.0, 10.0, grid.resampled(2.5).shape))
    identity = DicomIdentity("Test^Block", "T-7")
    return Patient("block", ct, structures, dose, identity=identity)
