"""Cluster dose in media other than water."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isodose.biology.cluster_medium import (
    effective_mass_number,
    electrons_per_atom,
    medium_factor,
    medium_factors,
)
from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration, phantom
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.physics.materials import material

_GRID = Grid((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (1, 1, 4))
_PATIENT = Patient("row", Volume(_GRID, np.array([[[0.0, 1525.0, -740.0, 0.0]]])), calibration="phantom")


def test_water_and_pmma_by_hand():
    assert medium_factor(material("water")) == pytest.approx(1.0)
    # H2O: 10 electrons and 18.015 u in 3 atoms; C5H8O2: 54 electrons and 100.117 u in 15
    assert effective_mass_number(material("water")) == pytest.approx(18.015 / 3, rel=1e-4)
    assert electrons_per_atom(material("pmma")) == pytest.approx(54 / 15, rel=1e-6)
    expected = (18.015 / 3) / (100.117 / 15) * ((54 / 15) / (10 / 3)) ** 2
    assert medium_factor(material("pmma")) == pytest.approx(expected, rel=1e-4)


# Electrons per mass number as NIST tabulates them for the tissues of ICRU Report 44 (water: 0.55508), and the
# mean mass of an atom added up by hand from its mass fractions. Bone, in percent: H 3.4, C 15.5, N 4.2,
# O 43.5, Na 0.1, Mg 0.2, P 10.3, S 0.3, Ca 22.5; adipose tissue: H 11.4, C 59.8, N 0.7, O 27.8, Na S Cl 0.1.
@pytest.mark.parametrize(
    ("name", "electrons_per_mass", "atom"), [("bone_cortical", 0.51478, 11.630), ("adipose", 0.55579, 5.529)]
)
def test_bone_and_fat_by_the_numbers_of_nist(name, electrons_per_mass, atom):
    by_hand = atom / 6.005 * (electrons_per_mass / 0.55508) ** 2
    assert medium_factor(material(name)) == pytest.approx(by_hand, rel=3e-4)


def test_every_voxel_has_the_factor_of_its_material():
    found = medium_factors(_PATIENT, _GRID, phantom())
    expected = [medium_factor(material(name)) for name in ("water", "bone_cortical", "lung", "water")]
    assert found == pytest.approx(expected, rel=1e-6)
    assert found[1] > found[2] > 1.0


def test_a_table_of_stopping_powers_alone_is_refused():
    table = HounsfieldCalibration("plain", rsp_knots=((-1000.0, 0.001), (3000.0, 2.5)))
    with pytest.raises(InputError, match=r"calibration 'plain': found only an RSP table, expected density"):
        medium_factors(_PATIENT, _GRID, table)


def test_unknown_numbers_are_refused():
    hot = replace(_PATIENT, ct=Volume(_GRID, np.full(_GRID.shape, 9000.0)))
    with pytest.raises(InputError, match="9000 HU"):
        medium_factors(hot, _GRID, phantom())
