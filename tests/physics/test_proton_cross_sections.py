"""Proton cross-sections against ICRU Report 63 and measurements (EXFOR entries named beside the numbers)."""

import numpy as np
import pytest

from isodose.physics.elements import ELEMENTS, element
from isodose.physics.proton_cross_sections import (
    proton_elastic_cross_section,
    proton_nonelastic_cross_section,
)

ENERGIES = np.geomspace(1.0, 430.0, 400)


@pytest.mark.parametrize(
    ("symbol", "expected_mb"),
    [
        ("C", [320, 441, 334, 227, 222, 210, 210]),
        ("N", [415, 519, 362, 260, 257, 257, 257]),
        ("O", [425, 535, 401, 297, 295, 295, 295]),
        ("P", [620, 766, 688, 488, 441, 440, 443]),
        ("Ca", [703, 843, 755, 583, 537, 529, 535]),
    ],
)
def test_evaluated_elements_hold_icru63(symbol, expected_mb):
    energies = [10.0, 20.0, 50.0, 100.0, 150.0, 200.0, 250.0]
    # the table rounds to 1 mb, and the evaluation moves by a few mb between printed energies
    assert proton_nonelastic_cross_section(element(symbol), energies) == pytest.approx(expected_mb, abs=2.5)


@pytest.mark.physics
@pytest.mark.parametrize(
    ("symbol", "energies", "measured_mb", "tolerance"),
    [
        # D0356. Its carbon points at 81 and 100 MeV are left out: the evaluation, which is what is modelled,
        # lies 9 % below and (227 against 275 +- 21 mb) 17 % below them
        ("C", [119, 141, 158, 180], [237, 222, 212, 211], 0.08),
        ("Ca", [81, 100, 119, 141, 158, 180], [660, 604, 563, 536, 524, 517], 0.08),
        ("O", [24, 30, 35, 40, 43], [543, 505, 476, 453, 434], 0.05),  # C1862
        ("N", [23, 29, 36, 43], [533, 474, 446, 408], 0.05),  # C0215
    ],
)
def test_measured_nonelastic(symbol, energies, measured_mb, tolerance):
    assert proton_nonelastic_cross_section(element(symbol), energies) == pytest.approx(
        measured_mb, rel=tolerance
    )


@pytest.mark.parametrize("target", ELEMENTS, ids=lambda e: e.symbol)
def test_smooth_and_never_negative(target):
    for curve in (proton_nonelastic_cross_section, proton_elastic_cross_section):
        values = curve(target, ENERGIES)
        assert values.shape == ENERGIES.shape
        assert np.all(np.isfinite(values))
        assert np.all(values >= 0.0)
        above = values[ENERGIES > 15.0]
        if above.max() > 0.0:
            # steps of 1.5 % in energy move no cross-section by more than 4 %
            assert np.abs(np.diff(above) / above[:-1]).max() < 0.04


def test_heavier_elements_react_more():
    heavy = [e for e in ELEMENTS if e.charge > 1]
    heavy.sort(key=lambda e: e.atomic_weight)
    values = [float(proton_nonelastic_cross_section(e, 150.0)) for e in heavy]
    assert np.all(np.diff(values) > 0.0)


def test_nothing_below_threshold_and_on_hydrogen():
    assert float(proton_nonelastic_cross_section(element("O"), 5.0)) == 0.0
    assert not proton_nonelastic_cross_section(element("H"), ENERGIES).any()
    assert float(proton_elastic_cross_section(element("O"), 4.0)) == 0.0


def test_proton_proton_elastic():
    # the fit of Fippel and Soukup worked out by hand
    found = proton_elastic_cross_section(element("H"), [100.0, 150.0, 200.0])
    assert found == pytest.approx([32.0, 25.2, 23.4], rel=0.005)


@pytest.mark.physics
def test_reacted_fraction_in_water():
    # Geant4's reference for 150 MeV protons in water: 0.157 +- 0.004 of the primaries interact inelastically.
    # Range as 0.0022 E^1.77 cm (Bragg-Kleeman), good to 1 %.
    energy = np.linspace(1.0, 150.0, 3000)
    depth = 0.0022 * energy**1.77
    oxygen_per_cm_mb = 0.8881 / 15.999 * 6.02214e23 * 1e-27
    optical_depth = np.trapezoid(
        proton_nonelastic_cross_section(element("O"), energy) * oxygen_per_cm_mb, depth
    )
    assert 1.0 - np.exp(-optical_depth) == pytest.approx(0.157, abs=0.008)
