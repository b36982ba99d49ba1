import numpy as np
import pytest

from isodose.errors import InputError
from isodose.physics.effective_charge import (
    bloch_correction,
    dressed_fraction,
    effective_charge,
    lindhard_sorensen_correction,
    mott_correction,
    velocity,
)


def test_fast_ions_are_bare_and_slow_ones_dressed() -> None:
    energy = np.geomspace(0.01, 400.0, 60)
    for charge in range(2, 9):
        z = effective_charge(charge, energy)
        assert np.all(z <= charge)
        assert z[-1] == pytest.approx(charge, rel=2e-3)
        assert np.all(np.diff(z) > -2e-3 * charge)
        assert z[0] < 0.7 * charge


# catima 1.982, sqrt(S_C / S_p) in water of I = 78 eV; other low-energy tables make them differ by 1.5 %.
@pytest.mark.physics
@pytest.mark.parametrize(("energy", "expected"), [(1.0, 5.03), (2.0, 5.51), (3.0, 5.71)])
def test_carbon_against_catima(energy: float, expected: float) -> None:
    assert effective_charge(6, energy) == pytest.approx(expected, rel=0.025)


# catima 1.982, lindhard(), with a nucleus of finite size; ours is of a point, equal at these energies.
@pytest.mark.physics
@pytest.mark.parametrize(
    ("charge", "energy", "expected"),
    [(1, 200.0, 0.006417), (6, 10.0, -0.087898), (6, 100.0, 0.021062), (6, 300.0, 0.043527)],
)
def test_lindhard_sorensen_against_catima(charge: int, energy: float, expected: float) -> None:
    assert lindhard_sorensen_correction(charge, velocity(energy)) == pytest.approx(expected, abs=4e-4)


def test_limits_of_lindhard_sorensen() -> None:
    # slow: Bloch's; fast and light: Mott's pi Z alpha beta / 2, Bloch's -1.202 (Z alpha / beta)^2
    assert lindhard_sorensen_correction(6, 0.05) == pytest.approx(float(bloch_correction(6, 0.05)), rel=0.01)
    beta, alpha = 0.7, 1 / 137.036
    assert mott_correction(1, beta) == pytest.approx(0.5 * np.pi * alpha * beta, rel=0.03)
    assert bloch_correction(1, beta) == pytest.approx(-1.202 * (alpha / beta) ** 2, rel=1e-3)


@pytest.mark.parametrize("charge", [0, 9])
def test_charges_off_the_table(charge: int) -> None:
    with pytest.raises(InputError, match="ion of charge 1 to 8"):
        dressed_fraction(charge, 10.0)
