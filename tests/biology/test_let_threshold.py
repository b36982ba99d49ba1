from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.let_threshold import dose_above_letd, letd_where_dosed
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.grid import Grid


@pytest.fixture
def dose() -> Dose:
    grid = Grid((0, 0, 0), (1, 1, 1), (1, 1, 4))
    gy = np.array([2.0, 1.0, 0.03, 0.1], dtype=np.float32).reshape(grid.shape)
    letd = np.array([2.0, 8.0, 30.0, 12.0], dtype=np.float32).reshape(grid.shape)
    return Dose(grid, {Quantity.DOSE: gy, Quantity.LETD: letd})


def test_letd_is_shown_where_there_is_dose(dose):
    assert letd_where_dosed(dose).values[0, 0].tolist() == [2.0, 8.0, 0.0, 12.0]
    assert letd_where_dosed(dose, 0.1).values[0, 0].tolist() == [2.0, 8.0, 0.0, 0.0]


def test_dose_at_a_high_let(dose):
    assert dose_above_letd(dose, 8.0).values[0, 0] == pytest.approx([0.0, 0.0, 0.03, 0.1])
    assert dose_above_letd(dose, 0.0).values[0, 0] == pytest.approx([2.0, 1.0, 0.03, 0.1])


def test_bad_arguments(dose):
    with pytest.raises(InputError, match="threshold_kev_um: found -1"):
        dose_above_letd(dose, -1)
    with pytest.raises(InputError, match="part: found 2"):
        letd_where_dosed(dose, 2)
