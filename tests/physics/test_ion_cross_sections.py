import numpy as np
import pytest

from isodose.errors import InputError
from isodose.physics.elements import ELEMENTS, element
from isodose.physics.ion_cross_sections import nucleon_cross_sections, reaction_cross_section
from isodose.physics.ranges import csda_range
from isodose.physics.species import SPECIES, species


def sigma(ion: str, target: str, energy: float) -> float:
    return float(reaction_cross_section(species(ion), element(target), energy))


def test_shape_and_finite_everywhere() -> None:
    energy = np.geomspace(0.1, 450.0, 40).reshape(4, 10)
    for ion in SPECIES[1:]:
        for target in ELEMENTS:
            mb = reaction_cross_section(ion, target, energy)
            assert mb.shape == energy.shape
            assert np.all(np.isfinite(mb))
            assert np.all(mb >= 0.0)
            assert np.all(mb[-1] > 20.0)


def test_no_reaction_below_the_coulomb_barrier() -> None:
    assert sigma("C12", "Ca", 1.0) == 0.0
    assert sigma("C12", "H", 0.2) == 0.0


def test_protons_are_refused() -> None:
    with pytest.raises(InputError, match="deuteron"):
        sigma("p", "O", 100.0)


@pytest.mark.parametrize(
    ("energy", "like", "unlike"), [(20, 156, 423), (50, 52, 159), (100, 27, 73), (400, 26, 33)]
)
def test_nucleons(energy: float, like: float, unlike: float) -> None:
    found = nucleon_cross_sections(energy)
    # the check values are rounded to 1 mb
    assert found[0] == pytest.approx(like, abs=0.6)
    assert found[1] == pytest.approx(unlike, abs=0.8)


# 12C + C: Takechi et al. 2009 (EXFOR E2149), errors about 1 %; 400 MeV/u Ponnath et al. 2024 (O2619)
@pytest.mark.physics
@pytest.mark.parametrize(
    ("energy", "mb"),
    [(32.5, 1209), (56.4, 1076), (98.8, 962), (157.0, 831), (225.0, 789), (325.0, 773), (400.0, 761)],
)
def test_carbon_on_carbon(energy: float, mb: float) -> None:
    assert sigma("C12", "C", energy) == pytest.approx(mb, rel=0.055)


# 4He: Ingemarsson et al. 2000 (D0186, 4 %), Horst et al. 2017 and 2019 (O2435, O2441, 7 to 12 %; H 30 %);
# 3He and d: D0185, A0604
@pytest.mark.physics
@pytest.mark.parametrize(
    ("ion", "target", "energy", "mb", "relative"),
    [
        ("He4", "C", 17.4, 961, 0.08),
        ("He4", "C", 48.1, 698, 0.04),
        ("He4", "C", 125.0, 497, 0.08),
        ("He4", "C", 216.0, 520, 0.08),
        ("He4", "O", 119.0, 613, 0.12),
        ("He4", "H", 119.0, 117, 0.3),
        ("He3", "C", 45.9, 710, 0.05),
        ("He3", "O", 55.8, 800, 0.08),
        ("d", "C", 32.7, 678, 0.08),
        ("d", "O", 48.7, 726, 0.08),
        ("O16", "C", 29.2, 1453, 0.08),
        ("C12", "H", 200.0, 211, 0.06),
    ],
)
def test_other_ions(ion: str, target: str, energy: float, mb: float, relative: float) -> None:
    assert sigma(ion, target, energy) == pytest.approx(mb, rel=relative)


# Charge-changing cross-section of 12C on water, Toshito et al. 2007 (E2053, mean of seven energies 208 to 377
# MeV/u: 1222 mb), to which the removal of neutrons (11C and 10C: 164 mb by activation, O2553) is added.
@pytest.mark.physics
def test_carbon_on_water() -> None:
    found = 2.0 * sigma("C12", "H", 290.0) + sigma("C12", "O", 290.0)
    assert found == pytest.approx(1222 + 164, rel=0.03)


@pytest.mark.physics
# Geant4 11.4: 0.562 to 0.571 at 290 MeV/u over three models, 0.379 +- 0.013 at 200 MeV/u
@pytest.mark.parametrize(("energy", "least", "most"), [(290.0, 0.560, 0.571), (200.0, 0.366, 0.392)])
def test_fraction_of_carbon_that_reacts_in_water(energy: float, least: float, most: float) -> None:
    ion = species("C12")
    e = np.linspace(1.0, energy, 2000)
    mb = 2.0 * reaction_cross_section(ion, element("H"), e) + reaction_cross_section(ion, element("O"), e)
    per_g_cm2 = mb * 1e-27 * 6.02214076e23 / 18.015
    reacted = 1.0 - np.exp(-np.trapezoid(per_g_cm2, csda_range(ion, e)))
    assert least < reacted < most
