"""Water boxes and slabs: exact sizes, exact materials."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.patient.builtin import builtin_patient
from isodose.patient.hounsfield import calibration_of


def test_water_box_is_water_throughout() -> None:
    p = builtin_patient("water", 5.0, size_mm=(100.0, 200.0, 60.0))
    assert p.grid.shape == (12, 40, 20)
    assert (p.ct.values == 0).all()
    tissue = calibration_of(p.calibration).tissue(p.ct)
    assert (tissue.density == 1.0).all()
    assert p.structure("External").volume_cm3 == pytest.approx(1200.0)
    assert p.structure("PTV").volume_cm3 == pytest.approx(216.0)


@pytest.mark.parametrize("spacing", [2.0, 3.0])
def test_bone_slab_covers_half_of_the_field_between_20_and_50_mm(spacing: float) -> None:
    p = builtin_patient("slab_bone", spacing, size_mm=(120.0, 240.0, 120.0))
    bone = p.structure("Bone")
    assert bone.volume_cm3 == pytest.approx(60 * 30 * 120 / 1000, rel=1e-5)  # float32 occupancies
    depth = np.argwhere(bone.mask)[:, 1]
    top = p.grid.lower_mm[1]
    assert p.grid.axis_mm("y")[depth.min()] - top == pytest.approx(20, abs=spacing)
    assert (p.grid.axis_mm("x")[np.argwhere(bone.occupancy > 0)[:, 2]] < spacing / 2 + 1e-6).all()
    tissue = calibration_of(p.calibration).tissue(p.ct)
    assert tissue.density[bone.occupancy == 1.0] == pytest.approx(1.92, abs=1e-6)


def test_edge_inside_a_voxel_mixes_by_volume() -> None:
    p = builtin_patient("slab_lung", (10.0, 15.0, 10.0), size_mm=(30.0, 300.0, 30.0))
    # Lung from 40 to 120 mm in voxels of 15 mm: the third voxel (30-45 mm) is lung for one third.
    np.testing.assert_allclose(p.ct.values[0, 1:4, 0], [0, -740 / 3, -740], atol=0.01)


def test_layers_follow_one_another() -> None:
    p = builtin_patient("slab_layers", 5.0, size_mm=(20.0, 200.0, 20.0))
    line = p.ct.values[2, :, 2]
    np.testing.assert_array_equal(
        line[[3, 4, 5, 6, 9, 10, 21, 22, 23, 24]], [0, 1525, 1525, 0, 0, -740, -740, 1525, 1525, 0]
    )
