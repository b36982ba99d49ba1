import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.physics.constants import ATOMIC_MASS_MEV
from isodose.physics.materials import WATER, material
from isodose.physics.ranges import csda_range, energy_of_range
from isodose.physics.species import SPECIES, species
from isodose.physics.stopping import mass_stopping_power


# Integral of the ICRU Report 90 table by another integrator
@pytest.mark.physics
@pytest.mark.parametrize(
    ("energy", "expected"),
    [(50, 2.241), (70, 4.105), (100, 7.762), (150, 15.862), (200, 26.097), (250, 38.135), (300, 51.710)],
)
def test_protons_in_water(energy: float, expected: float) -> None:
    assert csda_range(species("p"), energy) == pytest.approx(expected, rel=3e-4)


# The depth where half the primaries have stopped in Geant4 11.4 runs (I = 78 eV), and 0.03 % for the detour.
@pytest.mark.physics
@pytest.mark.parametrize(("energy", "median_mm"), [(290.0, 164.14), (200.0, 87.70)])
def test_carbon_in_water_stops_where_geant4_has_it(energy: float, median_mm: float) -> None:
    assert 10.0 * csda_range(species("C12"), energy) == pytest.approx(1.0003 * median_mm, abs=0.15)


@pytest.mark.physics
@pytest.mark.parametrize(
    ("name", "energies"), [("He4", (50, 100, 150, 220)), ("O16", (100, 200, 300, 430)), ("B11", (100, 300))]
)
def test_ions_against_catima(name: str, energies: tuple[float, ...]) -> None:
    catima = pytest.importorskip("pycatima")
    water = catima.Material([[1.008, 1, 2], [15.999, 8, 1]], density=1.0, i_potential=78.0)
    ion = species(name)
    mass_u = ion.mass_mev / ATOMIC_MASS_MEV
    for energy in energies:
        theirs = catima.range(
            catima.Projectile(mass_u, ion.charge, ion.charge, energy * ion.nucleons / mass_u), water
        )
        assert 10.0 * csda_range(ion, energy) == pytest.approx(10.0 * theirs, abs=0.3)


@given(st.sampled_from(SPECIES), st.floats(1e-5, 1000.0), st.sampled_from(["water", "bone_cortical", "lung"]))
def test_inverse(ion, energy: float, name: str) -> None:  # type: ignore[no-untyped-def]
    target = material(name)
    assert energy_of_range(ion, csda_range(ion, energy, target), target) == pytest.approx(energy, rel=1e-5)


def test_derivative_is_the_inverse_of_the_stopping_power() -> None:
    ion, energy = species("O16"), np.geomspace(0.01, 400.0, 50)
    step = 1e-4 * energy
    slope = (csda_range(ion, energy + step) - csda_range(ion, energy - step)) / (2.0 * step)
    assert slope == pytest.approx(16.0 / mass_stopping_power(ion, energy, WATER), rel=1e-4)


def test_below_the_table_the_range_goes_to_zero_without_a_step() -> None:
    ion = species("p")
    assert csda_range(ion, 0.0) == 0.0
    assert energy_of_range(ion, 0.0) == 0.0
    assert csda_range(ion, 0.999e-3) == pytest.approx(float(csda_range(ion, 1.001e-3)), rel=2e-3)


def test_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="energy_mev_u"):
        csda_range(species("p"), -1.0)
    with pytest.raises(InputError, match="energy_mev_u"):
        csda_range(species("p"), 1001.0)
    with pytest.raises(InputError, match="range_g_cm2"):
        energy_of_range(species("p"), 1e4)
    with pytest.raises(InputError, match="range_g_cm2"):
        energy_of_range(species("p"), -1.0)
