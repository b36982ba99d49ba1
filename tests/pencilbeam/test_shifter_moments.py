"""Scattering of a range shifter against Highland's formula, and what becomes of its halo."""

import numpy as np
import pytest

from isodose.machine.machine import Machine
from isodose.pencilbeam.layer_tables import AMPLITUDE, GAIN, STEP_MM, VARIANCE, layer_tables
from isodose.pencilbeam.shifter_moments import halo_behind, moments_before, variance_along
from isodose.pencilbeam.spreading import scattering_power
from isodose.plan.plan import RangeShifter

PROTON_MEV = 938.272
RADIATION_LENGTH_MM = 360.8
"""Of water."""


@pytest.fixture(scope="module")
def tables(toy: Machine):
    return layer_tables(toy.base_data.kernels, scattering_power("proton", 60.0))


def highland_rad(energy_mev: float, thickness_mm: float) -> float:
    """Highland's angle after a thin layer of water (Nucl. Instrum. Methods 129 (1975) 497)."""
    momentum_speed = energy_mev * (energy_mev + 2.0 * PROTON_MEV) / (energy_mev + PROTON_MEV)
    part = thickness_mm / RADIATION_LENGTH_MM
    return 14.1 / momentum_speed * np.sqrt(part) * (1.0 + np.log10(part) / 9.0)


def test_scattering_of_a_thin_layer(tables) -> None:
    distance, start = 200.0, -150.0
    shifter = RangeShifter("thin", 5.0, "water", distance)
    found = moments_before(shifter, "proton", tables, start)
    last = tables.node == tables.nodes_mm.size - 1
    water, angle, _, place = found[-1] * np.array([1.0, *3 * [tables.gain[last].mean()]])
    assert water == pytest.approx(5.0, rel=1e-3)
    # The range of 51.5 mm of the last node is that of 80 MeV; 2.5 mm further, in the middle, it has 77.8 MeV.
    expected = highland_rad(77.8, 5.0)
    assert np.sqrt(angle) == pytest.approx(expected, rel=0.03)  # Gottschalk's formula against Highland's
    lever = start + distance + 2.5
    assert np.sqrt(place) == pytest.approx(expected * lever, rel=0.03)
    constant, linear, square = variance_along(found[-1] * tables.gain[last].mean(), start)
    for z in (-150.0, 0.0, 40.0):
        assert np.sqrt(constant + linear * z + square * z**2) == pytest.approx(
            expected * (z + distance + 2.5), rel=0.03
        )


def test_no_shifter_no_scattering(tables) -> None:
    assert not moments_before(None, "proton", tables, -100.0).any()


def test_halo_fades_into_the_core(tables) -> None:
    water = 20.0
    behind = halo_behind(tables, water)
    skin, deep = round(water / STEP_MM), tables.table.shape[0] - 1
    before, after = tables.table, behind.table
    np.testing.assert_array_equal(after[..., VARIANCE], before[..., VARIANCE])
    np.testing.assert_array_equal(after[:, :, 0, GAIN], before[:, :, 0, GAIN])
    np.testing.assert_allclose(after[skin, :, 1:, GAIN], before[skin, :, 1:, GAIN], rtol=1e-5)
    halo = (after - before)[skin + 1 : deep, 0, 2, GAIN]
    assert np.all(halo < 0.0)
    assert np.all(after[skin:deep, 0, 2, GAIN] > after[skin:deep, 0, 0, GAIN])
    # 3.5 % of the core are missing at the skin, nothing of the halo, and nothing deep inside.
    lit = before[skin, :, 0, AMPLITUDE] > 0.0
    ratio = after[skin, lit, 0, AMPLITUDE] / before[skin, lit, 0, AMPLITUDE]
    np.testing.assert_allclose(ratio, 0.965, rtol=1e-4)
    np.testing.assert_array_equal(after[:, :, 1:, AMPLITUDE], before[:, :, 1:, AMPLITUDE])
    far = round((water + 40.0) / STEP_MM)
    np.testing.assert_allclose(after[far, :, 0, AMPLITUDE], before[far, :, 0, AMPLITUDE], rtol=1e-3)
