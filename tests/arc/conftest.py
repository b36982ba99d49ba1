"""A small ball in a box of water, and a machine without base data."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume


@pytest.fixture(scope="session")
def ball() -> Patient:
    """Water of 240 x 240 x 60 mm with a target of 25 mm radius 20 mm left of its middle, an organ behind."""
    grid = Grid((-118.0, -118.0, -28.0), (4.0, 4.0, 4.0), (15, 60, 60))
    x, y, z = (grid.axis_mm(a) for a in "xyz")

    def sphere(name: str, role: Role, centre: tuple[float, float], radius: float) -> Structure:
        square = (
            (x - centre[0])[None, None, :] ** 2 + (y - centre[1])[None, :, None] ** 2 + z[:, None, None] ** 2
        )
        return Structure(name, role, grid, (square <= radius**2).astype(np.float32))

    structures = {
        "CTV": sphere("CTV", Role.CTV, (20.0, 0.0), 25.0),
        "organ": sphere("organ", Role.ORGAN, (20.0, 50.0), 15.0),
        "empty": Structure("empty", Role.ORGAN, grid, np.zeros(grid.shape, dtype=np.float32)),
    }
    ct = Volume(grid, np.zeros(grid.shape, dtype=np.float32))
    return Patient("ball", ct, structures, calibration="phantom")
