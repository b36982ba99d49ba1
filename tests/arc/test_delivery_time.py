import numpy as np
import pytest

from isodose.arc.control_points import arc, control_points
from isodose.arc.delivery_time import GantryMotion, SpotDelivery, delivery_time
from isodose.arc.selection import SelectionTask
from isodose.arc.switch_table import SwitchTable
from isodose.errors import InputError

TABLE = SwitchTable.preset("cyclotron", [70.0, 80.0, 90.0])


def chosen(energies, layers=1):
    task = SelectionTask(np.ones((len(energies) // layers, 3)), TABLE, layers)
    return task.selection(np.array(energies), "test")


def times(energies, spots, mu, layers=1, **options):
    points = control_points((arc("a", 0.0, 5.0 * (len(energies) // layers - 1), 5.0),))
    return delivery_time(chosen(energies, layers), points, np.array(spots), np.array(mu), **options)


def test_static_gantry_turns_while_the_energy_is_switched():
    found = times([1, 1, 2, 0], [1, 1, 1, 101], [0.0, 0.0, 100.0, 0.0])
    assert found.switching_s == pytest.approx(6.1)
    assert found.spots_s == pytest.approx(0.5 + 0.2)
    assert found.gantry_s == pytest.approx(3 * 5 / 6)
    assert found.static_s == pytest.approx(5 / 6 + 5.5 + 5 / 6 + 0.7)  # the fall of 0.6 s fits into a turn
    # Windows of 5 degrees: two free ones, one of 5.5 + 0.5 s, one of 0.6 + 0.2 s that fits.
    assert found.dynamic_s == pytest.approx(3 * 5 / 6 + 6.0)


def test_switches_within_a_control_point_wait():
    found = times([2, 1, 2, 0], [1] * 4, [0.0] * 4, layers=2)
    assert found.switching_s == pytest.approx(0.6 + 5.5 + 0.6)
    assert found.static_s == pytest.approx(0.6 + 5.5 + 0.6)


@pytest.mark.parametrize("degrees", [2.0, 50.0, 120.0])
def test_turn_from_rest_to_rest(degrees):
    v, a = 5.0, 0.5
    gantry = GantryMotion(v, a)
    # Integrated by hand: speed sqrt(2 a x) up to the middle, no more than v.
    x = (np.arange(200_000) + 0.5) * degrees / 200_000
    speed = np.minimum(v, np.sqrt(2.0 * a * np.minimum(x, degrees - x)))
    by_hand = float(np.sum(degrees / 200_000 / speed))
    assert gantry.step_s(np.array([degrees]))[0] == pytest.approx(by_hand, rel=2e-3)


def test_acceleration_lengthens_a_moving_arc_as_integration_tells():
    spots, mu = [1] * 12, [0.0] * 5 + [800.0] + [0.0] * 6
    v, a = 6.0, 0.5
    found = times([0] * 12, spots, mu, gantry=GantryMotion(v, a)).dynamic_s
    n = 60_000
    x = (np.arange(n) + 0.5) * 60.0 / n
    most = np.minimum(v, 5.0 / np.maximum(np.repeat([m * 0.005 for m in mu], n // 12), 1e-12))
    square = np.minimum(most**2, 2.0 * a * np.minimum(x, 60.0 - x))
    for order in (range(1, n), range(n - 2, -1, -1)):
        for i in order:
            j = i - 1 if order.step > 0 else i + 1
            square[i] = min(square[i], square[j] + 2.0 * a * 60.0 / n)
    by_hand = float(np.sum(60.0 / n / np.sqrt(square)))
    assert found == pytest.approx(by_hand, rel=2e-3)  # of the steps of the integration
    assert found > times([0] * 12, spots, mu, gantry=GantryMotion(v)).dynamic_s


def test_times_need_spots_for_every_layer():
    with pytest.raises(InputError, match="spots, mu"):
        times([1, 1], [1], [1.0])
    with pytest.raises(InputError, match="speed"):
        GantryMotion(0.0)
    assert SpotDelivery(0.002, 0.005).layer_s(np.array([0]), np.array([0.0]))[0] == 0.0
