"""Conformity and homogeneity of doses whose isodoses are known bodies."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.evaluate.conformity import conformity, homogeneity_5_95, homogeneity_icru, isodose_volume_cm3
from isodose.evaluate.dvh import Dvh, dvh
from isodose.patient.grid import Grid
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

GRID = Grid((-40, -40, -40), (2, 2, 2), (41, 41, 41))


def radius(centre=(0, 0, 0)):
    z, y, x = np.meshgrid(*(GRID.axis_mm(a) for a in "zyx"), indexing="ij")
    return np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)


@pytest.fixture
def dose():
    """Falls by 0.05 Gy per mm from 2 Gy in the middle: isodoses are spheres."""
    return Volume(GRID, np.maximum(2 - 0.05 * radius(), 0))


def ball(size, centre=(0, 0, 0)):
    # the part of a voxel inside, to first order in the distance of its centre from the surface
    return Structure("ball", Role.PTV, GRID, np.clip(0.5 + (size - radius(centre)) / 2, 0, 1))


def volume(size):
    return 4 / 3 * np.pi * size**3 / 1000


def test_isodose_volume_of_spheres(dose):
    for size in (6.0, 15.0, 30.0):
        # linear interpolation between voxels of 2 mm cuts the sphere's bulge, 0.13 mm at 6 mm radius
        assert isodose_volume_cm3(dose, 2 - 0.05 * size) == pytest.approx(volume(size - 0.8 / size), rel=0.03)


def test_isodose_that_is_the_target_is_conformal(dose):
    result = conformity(dose, dvh(dose, ball(15.0)), 2 - 0.05 * 15)
    # surface voxels of 2 mm on a sphere of 15 mm
    assert result.paddick == pytest.approx(1.0, abs=0.05)
    assert result.rtog == pytest.approx(1.0, abs=0.02)


def test_isodose_larger_than_the_target(dose):
    result = conformity(dose, dvh(dose, ball(10.0)), 2 - 0.05 * 20)
    assert result.coverage == pytest.approx(1.0)
    assert result.rtog == pytest.approx(8.0, rel=0.02)
    assert result.paddick == pytest.approx(1 / 8, rel=0.02)
    assert result.gradient == pytest.approx((30 / 20) ** 3, rel=0.02)


def test_isodose_beside_the_target_is_not_conformal(dose):
    result = conformity(dose, dvh(dose, ball(8.0, (25, 0, 0))), 2 - 0.05 * 8)
    # the chords of 2 mm voxels on a sphere of 8 mm
    assert result.rtog == pytest.approx(1.0, abs=0.06)
    assert result.paddick == pytest.approx(0.0, abs=1e-3)


def test_dose_that_is_never_reached(dose):
    result = conformity(dose, dvh(dose, ball(8.0)), 3.0)
    assert result.coverage == 0.0
    assert np.isnan(result.paddick)
    with pytest.raises(InputError, match="prescription_gy"):
        conformity(dose, dvh(dose, ball(8.0)), 0.0)


def test_homogeneity_of_an_even_distribution():
    # doses spread evenly from 1.9 to 2.1 Gy
    histogram = Dvh("even", np.linspace(1.9, 2.1, 10001), np.full(10001, 1e-3))
    assert homogeneity_icru(histogram) == pytest.approx(0.96 * 0.2 / 2.0, rel=1e-3)
    assert homogeneity_5_95(histogram, 2.0) == pytest.approx(0.9 * 0.2 / 2.0, rel=1e-3)
