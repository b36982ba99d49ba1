"""What belongs to the patient, as a whole and in some voxels."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.patient.body import AIR_HU, body_ct, body_hu, inside_body
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

_GRID = Grid((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (2, 3, 4))
_HU = np.arange(24.0, dtype=np.float32).reshape(_GRID.shape)


def _patient(outlined: bool) -> Patient:
    occupancy = np.ones(_GRID.shape, dtype=np.float32)
    occupancy[..., 0] = 0.0
    occupancy[..., 1] = 0.3
    outline = {"External": Structure("External", Role.EXTERNAL, _GRID, occupancy)} if outlined else {}
    return Patient("body", Volume(_GRID, _HU), outline)


def test_outside_the_contour_is_air():
    patient = _patient(True)
    body = body_ct(patient).values
    assert np.all(body[..., 0] == AIR_HU)
    np.testing.assert_array_equal(body[..., 1:], _HU[..., 1:])
    np.testing.assert_array_equal(inside_body(patient, _GRID), body > AIR_HU)


@pytest.mark.parametrize("outlined", [True, False])
@pytest.mark.parametrize("grid", [_GRID, _GRID.resampled(1.0), _GRID.resampled(4.0)])
def test_some_voxels_have_what_the_whole_has(outlined, grid):
    patient = _patient(outlined)
    voxels = np.array([0, grid.size // 2, grid.size - 1])
    whole = body_ct(patient).on(grid, outside=AIR_HU).values.ravel()
    np.testing.assert_array_equal(body_hu(patient, grid, voxels), whole[voxels])
    np.testing.assert_array_equal(patient.ct.values, _HU)  # nothing is written into the CT
