import numpy as np
import pytest

from isodose.arc.switch_table import SWITCH_PRESETS, SwitchTable
from isodose.errors import InputError

ENERGIES = [70.0, 80.0, 95.0, 120.0]


def test_preset_tells_up_from_down_and_stays_for_nothing():
    table = SwitchTable.preset("cyclotron", ENERGIES)
    assert table.seconds[0, 2] == 5.5
    assert table.seconds[2, 0] == 0.6
    assert np.all(np.diag(table.seconds) == 0.0)
    assert table.constants == (5.5, 0.6)
    assert all(preset.source for preset in SWITCH_PRESETS.values())


def test_jump_dependent_times():
    table = SwitchTable.by_jump(ENERGIES, up=[1.0, 0.1], down=[0.2, 0.0, 0.001])
    assert table.seconds[0, 2] == pytest.approx(1.0 + 2.5)
    assert table.seconds[3, 1] == pytest.approx(0.2 + 1.6)
    assert table.constants is None


def test_dynamic_table_forgives_what_fits_into_the_turn():
    table = SwitchTable.preset("cyclotron", ENERGIES).dynamic(window_s=1.0, spots_s=0.5)
    assert table.seconds[0, 1] == pytest.approx(5.0)
    assert table.seconds[1, 0] == pytest.approx(0.1)
    assert table.seconds[1, 1] == 0.0


@pytest.mark.parametrize("hole", [np.nan, np.inf, -0.1])
def test_holes_are_refused_by_name(hole):
    seconds = np.ones((4, 4))
    seconds[1, 3] = hole
    with pytest.raises(InputError, match="from 80 to 120 MeV/u"):
        SwitchTable(ENERGIES, seconds)


def test_other_bad_tables():
    with pytest.raises(InputError, match="one row and one column per energy"):
        SwitchTable(ENERGIES, np.ones((3, 4)))
    with pytest.raises(InputError, match="ascending"):
        SwitchTable(ENERGIES[::-1], np.ones((4, 4)))
    with pytest.raises(InputError, match="one of cyclotron"):
        SwitchTable.preset("rhodotron", ENERGIES)
