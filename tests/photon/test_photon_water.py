"""Cross sections and stopping powers of water against the tables of NIST."""

import numpy as np
import pytest

from isodose.photon.photon_water import (
    compton_cm2_g,
    electron_stopping_mev_cm2_g,
    pair_cm2_g,
    photoelectric_cm2_g,
)

# Energy in MeV and total attenuation without coherent scattering, cm2/g: NIST XCOM, water.
TOTAL = [(0.1, 0.16538), (0.5, 0.096646), (1.0, 0.070664), (2.0, 0.049404), (4.0, 0.034028), (6.0, 0.027701)]
# Energy in MeV, collision and total stopping power of water for electrons, MeV cm2/g: NIST ESTAR.
STOPPING = [(0.5, 2.034, 2.041), (1.0, 1.849, 1.862), (2.0, 1.824, 1.862), (3.0, 1.846, 1.893)]


@pytest.mark.parametrize(("energy", "expected"), TOTAL)
def test_attenuation_is_that_of_xcom(energy: float, expected: float) -> None:
    """Within 1.5 %: binding lowers Compton scattering at 0.1 MeV, and the pair table is coarse."""
    total = compton_cm2_g(energy) + photoelectric_cm2_g(energy) + pair_cm2_g(energy)
    assert float(total) == pytest.approx(expected, rel=0.015)


def test_no_pairs_below_their_threshold() -> None:
    assert np.all(pair_cm2_g(np.array([0.1, 1.0, 1.02])) == 0.0)


@pytest.mark.parametrize(("energy", "collisions", "total"), STOPPING)
def test_electrons_slow_down_as_in_estar(energy: float, collisions: float, total: float) -> None:
    """Within 1.5 %, what the general density effect is good for."""
    found = electron_stopping_mev_cm2_g(energy)
    assert float(found[0]) == pytest.approx(collisions, rel=0.015)
    assert float(found[1]) == pytest.approx(total, rel=0.015)
