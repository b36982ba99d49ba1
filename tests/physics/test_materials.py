import numpy as np
import pytest

from isodose.errors import InputError
from isodose.physics.constants import AVOGADRO
from isodose.physics.elements import element
from isodose.physics.materials import MATERIALS, WATER, Material, material


@pytest.mark.parametrize("name", list(MATERIALS))
def test_registry_is_normalised(name: str) -> None:
    m = material(name)
    assert sum(m.composition.values()) == pytest.approx(1.0, abs=1e-12)
    assert m.mass_fractions.sum() == pytest.approx(1.0, abs=1e-12)
    assert material(name) == m
    assert hash(material(name)) == hash(m)


def test_water() -> None:
    assert WATER.mean_excitation_ev == 78.0
    assert WATER.z_over_a == pytest.approx(0.5551, abs=1e-4)
    assert WATER.electron_density_relative == 1.0
    # 3.343e22 molecules per gram
    assert WATER.atoms_per_gram[element("O").index] == pytest.approx(AVOGADRO / 18.015, rel=1e-4)
    assert WATER.atoms_per_gram[element("H").index] == pytest.approx(2 * AVOGADRO / 18.015, rel=1e-4)
    # Review of Particle Physics 36.08; Gottschalk 2010 46.88
    assert WATER.radiation_length_g_cm2 == pytest.approx(36.08, abs=0.01)
    assert WATER.scattering_length_g_cm2 == pytest.approx(46.88, abs=0.01)


def test_bragg_additivity_gives_water_its_own_excitation_energy() -> None:
    assert Material("w", 1.0, dict(WATER.composition)).mean_excitation_ev == pytest.approx(78.0, rel=1e-9)


# Relative electron densities of the same compositions, computed independently.
@pytest.mark.parametrize(
    ("name", "density", "expected"),
    [
        ("adipose", 0.95, 0.9512),
        ("muscle", 1.05, 1.0404),
        ("lung", 1.04, 1.0333),
        ("bone_cortical", 1.92, 1.7806),
    ],
)
def test_relative_electron_density(name: str, density: float, expected: float) -> None:
    m = Material(name, density, dict(material(name).composition))
    assert m.electron_density_relative == pytest.approx(expected, abs=1.5e-4)


# ICRU Reports 37 and 46, by Bragg additivity with oxygen at 106 eV; ours rise with water's 75 to 78 eV.
@pytest.mark.parametrize(
    ("name", "icru_ev"),
    [("muscle", 75.3), ("brain", 73.3), ("blood", 75.2), ("bone_cortical", 110.0), ("bone_compact", 91.9)],
)
def test_tissues_follow_icru_raised_with_water(name: str, icru_ev: float) -> None:
    assert 1.01 < material(name).mean_excitation_ev / icru_ev < 1.04


def test_rounded_fractions_are_normalised_and_others_refused() -> None:
    assert sum(Material("m", 1.0, {"H": 0.1005, "O": 0.9}).composition.values()) == pytest.approx(1.0)
    with pytest.raises(InputError, match=r"materials\[m\].composition: .*sum to 1"):
        Material("m", 1.0, {"H": 0.1, "O": 0.8})
    with pytest.raises(InputError, match="sum to 1"):
        Material("m", 1.0, {"H": 1.1, "O": -0.1})
    with pytest.raises(InputError, match="sum to 1"):
        Material("m", 1.0, {"H": float("nan"), "O": 1.0})


@pytest.mark.parametrize("density", [0.0, -1.0, float("nan"), float("inf")])
def test_density_must_be_positive(density: float) -> None:
    with pytest.raises(InputError, match=r"materials\[m\].density_g_cm3"):
        Material("m", density, {"C": 1.0})


def test_zero_fractions_leave_no_trace() -> None:
    m = Material("m", 1.0, {"C": 1.0, "I": 0.0})
    assert list(m.composition) == ["C"]
    assert np.count_nonzero(m.atoms_per_gram) == 1


def test_unknown_material() -> None:
    with pytest.raises(InputError, match="one of water"):
        material("unobtainium")
