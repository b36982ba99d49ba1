import pytest

from isodose.errors import InputError
from isodose.physics.elements import ELEMENTS, element


def test_index_is_the_position_in_the_table() -> None:
    assert [e.index for e in ELEMENTS] == list(range(len(ELEMENTS)))
    assert len({e.symbol for e in ELEMENTS}) == len(ELEMENTS)


# Review of Particle Physics, atomic and nuclear properties, to its last digit.
@pytest.mark.physics
@pytest.mark.parametrize(
    ("symbol", "length"),
    [("H", 63.04), ("C", 42.70), ("O", 34.24), ("Al", 24.01), ("Ti", 16.16), ("Fe", 13.84)],
)
def test_radiation_length_agrees_with_the_particle_data_group(symbol: str, length: float) -> None:
    assert element(symbol).radiation_length_g_cm2 == pytest.approx(length, rel=5e-4)


def test_condensed_excitation_follows_the_seltzer_berger_rule() -> None:
    assert element("Ca").condensed_excitation_ev == pytest.approx(1.13 * 191.0)
    assert element("Cl").condensed_excitation_ev == 180.0
    # oxygen makes water's 78 eV with two of ten electrons at hydrogen's 19.2 eV
    assert 19.2**0.2 * element("O").condensed_excitation_ev ** 0.8 == pytest.approx(78.0)


def test_unknown_element_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="found 'Xx', expected one of H, He"):
        element("Xx")
