"""Elastic final states: exact kinematics, and the angular distributions of ICRU Report 63."""

import numpy as np
import pytest
from numba import njit

from isodose.physics.elements import element
from isodose.physics.final_state import ENERGY, LOCAL, MAX_SECONDARIES, SPECIES, UX, UZ
from isodose.physics.proton_cross_sections import proton_elastic_cross_section
from isodose.physics.proton_elastic import proton_elastic
from isodose.physics.proton_spectra import proton_tables
from isodose.physics.random import start
from isodose.physics.species import MASS_MEV

PROTON_MEV = MASS_MEV[0]


@njit
def _events(energy_mev, element_index, tables, seed, count, outs, numbers, budgets):
    stream = np.zeros(1, np.uint64)
    out = np.zeros((MAX_SECONDARIES, 5))
    for h in range(count):
        start(stream, seed, h)
        numbers[h] = proton_elastic(energy_mev, element_index, tables, stream, out, budgets[h])
        outs[h] = out[:2]


def sample(symbol, energy_mev, count):
    outs, numbers = np.zeros((count, 2, 5)), np.zeros(count, np.int64)
    budgets = np.full((count, 3), np.nan)
    _events(energy_mev, element(symbol).index, proton_tables(), 5, count, outs, numbers, budgets)
    return outs, numbers, budgets


def momenta(rows):
    size = np.sqrt(rows[..., ENERGY] * (rows[..., ENERGY] + 2.0 * PROTON_MEV))
    return size[..., None] * rows[..., UX : UZ + 1]


@pytest.mark.parametrize("energy_mev", [8.0, 60.0, 150.0, 400.0])
def test_protons_on_hydrogen_conserve_four_momentum(energy_mev):
    outs, numbers, budgets = sample("H", energy_mev, 500)
    assert np.all(numbers == 2)
    assert not budgets.any()
    assert not outs[..., SPECIES].any()
    assert outs[..., ENERGY].sum(axis=1) == pytest.approx(energy_mev, rel=1e-12)
    total = momenta(outs).sum(axis=1)
    incoming = np.sqrt(energy_mev * (energy_mev + 2.0 * PROTON_MEV))
    assert total[:, 2] == pytest.approx(incoming, rel=1e-9)
    assert np.abs(total[:, :2]).max() < 1e-6 * incoming


def test_hydrogen_is_isotropic_in_the_centre_of_mass():
    outs, _, _ = sample("H", 150.0, 20000)
    # isotropy means an even spread of the scattered energy; the mean's standard error is 0.3 MeV
    energies = outs[:, 0, ENERGY]
    assert energies.mean() == pytest.approx(75.0, abs=1.3)
    assert np.percentile(energies, [25, 75]) == pytest.approx([37.5, 112.5], abs=2.5)


@pytest.mark.parametrize("symbol", ["C", "O", "Ca", "I"])
@pytest.mark.parametrize("energy_mev", [6.0, 40.0, 150.0, 400.0])
def test_recoil_has_the_missing_momentum(symbol, energy_mev):
    outs, numbers, budgets = sample(symbol, energy_mev, 300)
    assert np.all(numbers == 1)
    recoil = budgets[:, LOCAL]
    assert outs[:, 0, ENERGY] + recoil == pytest.approx(energy_mev, rel=1e-12)
    mass = proton_tables().mass_mev[element(symbol).index]
    incoming = np.array([0.0, 0.0, np.sqrt(energy_mev * (energy_mev + 2.0 * PROTON_MEV))])
    missing2 = ((incoming - momenta(outs[:, 0])) ** 2).sum(axis=1)
    # the tolerance is that of the cosine's rounding near 1
    assert missing2 == pytest.approx(recoil * (recoil + 2.0 * mass), rel=1e-6, abs=1e-6 * incoming[2] ** 2)


def coulomb_b_per_sr(energy_mev, momentum2_cm, t_mev2):
    """Rutherford scattering by oxygen with the form factor of `isodose.physics.scattering`."""
    momentum2 = energy_mev * (energy_mev + 2.0 * PROTON_MEV)
    beta = np.sqrt(momentum2) / (energy_mev + PROTON_MEV)
    radius2 = 0.6 * 1.2**2 * 15.999 ** (2.0 / 3.0)
    form = 1.0 / (1.0 + t_mev2 * radius2 / 12.0 / 197.327**2) ** 2
    point_fm2 = (8.0 * 1.44 / (2.0 * np.sqrt(momentum2) * beta)) ** 2 * 16.0 / (t_mev2 / momentum2_cm) ** 2
    return point_fm2 * form**2 / 100.0


@pytest.mark.physics
@pytest.mark.parametrize(
    ("energy_mev", "b_per_sr"),
    [
        (100.0, (0.688, 0.429, 0.192, 0.064)),
        (150.0, (0.44, 0.187, 0.0506, 0.0099)),
        (200.0, (0.33, 0.0833, 0.0125)),
    ],
)
def test_angular_distribution_on_oxygen(energy_mev, b_per_sr):
    """ICRU Report 63 at 10, 15, 20 and 25 degrees in the centre of mass, with Coulomb scattering."""
    count = 200000
    _, _, budgets = sample("O", energy_mev, count)
    mass = proton_tables().mass_mev[element("O").index]
    momentum2 = energy_mev * (energy_mev + 2.0 * PROTON_MEV)
    largest_t = 4.0 * momentum2 * mass**2 / ((PROTON_MEV + mass) ** 2 + 2.0 * mass * energy_mev)
    cosine = 1.0 - 2.0 * (2.0 * mass * budgets[:, LOCAL]) / largest_t
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    sigma_b = float(proton_elastic_cross_section(element("O"), energy_mev)) / 1000.0
    for degree, expected in zip((10.0, 15.0, 20.0, 25.0), b_per_sr, strict=False):
        low, high = np.radians([degree - 1.0, degree + 1.0])
        solid_angle = 2.0 * np.pi * (np.cos(low) - np.cos(high))
        found = sigma_b * np.mean(np.abs(angle - degree) < 1.0) / solid_angle
        t = largest_t * np.sin(np.radians(degree) / 2.0) ** 2
        found += coulomb_b_per_sr(energy_mev, largest_t / 4.0, t)
        # two smooth exponentials for a diffraction pattern: 21 % off at worst
        assert found == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("energy_mev", [70.0, 150.0])
def test_interference_leaves_little_below_5_degrees(energy_mev):
    # there Coulomb scattering alone already exceeds ICRU Report 63 on oxygen
    outs, _, _ = sample("O", energy_mev, 20000)
    assert np.mean(outs[:, 0, UZ] > np.cos(np.radians(4.5))) < 0.01
