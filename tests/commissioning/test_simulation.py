"""A narrow beam in water: where its energy goes, how wide it is, and its units."""

from dataclasses import fields, replace

import numpy as np
import pytest

from isodose.commissioning.simulation import read_simulation, simulate
from isodose.physics.materials import WATER
from isodose.physics.species import species
from isodose.physics.stopping import mass_stopping_power

HISTORIES = 3000
ENERGY = 80.0


@pytest.fixture(scope="module")
def narrow(low_energies):
    return simulate(low_energies, ENERGY, HISTORIES, seed=11)


@pytest.mark.physics
def test_energy_is_conserved(narrow):
    step, width = narrow.spacing_mm
    deposited = 0.1 * step * width * narrow.dose.sum(dtype=np.float64)  # MeV cm2/g mm2 in water to MeV
    # 7 % of 80 MeV protons react before they stop (range 5.2 g/cm2, mean free path about 70 g/cm2), on
    # average with two thirds of the energy, of which neutrons, photons and binding take some 40 % (ICRU 63):
    # 1.9 %.
    assert deposited == pytest.approx(0.981 * ENERGY, rel=0.01)


@pytest.mark.physics
def test_entrance_dose_is_the_stopping_power(narrow):
    step, width = narrow.spacing_mm
    first = int(2.0 / step)
    dose = narrow.dose[:first].sum(axis=1, dtype=np.float64).mean() * width
    # Nuclear reactions add 1 % at most; straggling in 2 mm is 8 % for one proton, 0.15 % for all.
    energy = ENERGY - 0.5 * 0.2 * float(mass_stopping_power(species("p"), ENERGY, WATER))
    stopping = float(mass_stopping_power(species("p"), energy, WATER))
    assert 0.99 * stopping < dose < 1.02 * stopping


def test_the_beam_is_narrow_where_it_enters(narrow):
    middle = narrow.dose.shape[1] // 2
    entrance = narrow.dose[:5].sum(axis=0, dtype=np.float64)
    assert entrance[middle] > 0.99 * entrance.sum()
    # At the end of its range it has spread by 2.28 % of it (Preston and Koehler, as in Gottschalk, Med. Phys.
    # 37 (2010) 352), to both sides alike; single scattering adds a little within 4 mm.
    step, width = narrow.spacing_mm
    peak = int(narrow.dose.sum(axis=1).argmax())
    profile = narrow.dose[peak - 5 : peak + 5].sum(axis=0, dtype=np.float64)
    x = (np.arange(profile.size) - middle) * width
    core = np.abs(x) < 4.0
    sigma = np.sqrt(np.average(x[core] ** 2, weights=profile[core]))
    assert sigma == pytest.approx(0.0228 * peak * step, rel=0.1)
    assert np.average(x[core], weights=profile[core]) == pytest.approx(
        0.0, abs=4.0 * sigma / np.sqrt(HISTORIES)
    )


@pytest.mark.physics
def test_track_length_of_primaries_at_the_entrance(narrow):
    first = narrow.track_length[0]
    protons = first[narrow.classes.index("p")]
    # Each particle leaves a millimetre of track per millimetre of depth, in the bin of its energy.
    assert protons.sum() == pytest.approx(1.0, abs=0.01)
    at = int(np.searchsorted(narrow.energy_edges_mev, ENERGY)) - 1
    assert protons[at - 1 : at + 2].sum() > 0.98


def test_another_seed_is_another_simulation(low_energies, narrow):
    other = simulate(low_energies, ENERGY, 200, seed=12)
    same = simulate(low_energies, ENERGY, 200, seed=12)
    assert other.dose.shape == narrow.dose.shape
    np.testing.assert_allclose(other.dose, same.dose, rtol=1e-6)
    assert not np.array_equal(other.dose, simulate(low_energies, ENERGY, 200, seed=13).dose)


def test_neither_spot_size_nor_monitor_is_in_it(low_energies, narrow):
    wide = replace(low_energies.optics, sigma_mm=np.full_like(low_energies.optics.sigma_mm, 20.0))
    same = simulate(replace(low_energies, optics=wide), ENERGY, HISTORIES, seed=11)
    np.testing.assert_allclose(same.dose, narrow.dose, rtol=1e-6)


def test_written_and_read(tmp_path, narrow):
    narrow.write(tmp_path / "simulation.npz")
    again = read_simulation(tmp_path / "simulation.npz")
    for field in fields(narrow):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(narrow, field.name))
