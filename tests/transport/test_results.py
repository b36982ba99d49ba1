import numpy as np
import pytest

from isodose.dose.quantity import Quantity
from isodose.patient.grid import Grid
from isodose.transport.results import dose_values
from isodose.transport.scoring import Slots
from isodose.transport.statistics import BatchSums


def test_outside_the_body_is_no_dose_but_fluence():
    grid = Grid((0, 0, 0), (10, 10, 10), (1, 1, 2))
    sums = BatchSums.empty(2, Slots(0, -1, -1, -1, 1, -1, 2))
    sums.total[:], sums.square[:], sums.batches = 4.0, 5.0, 4
    density = np.array([0.00121, 1.0], dtype=np.float32)
    body = np.array([False, True])
    values, errors = dose_values(sums, (Quantity.DOSE, Quantity.FLUENCE), grid, density, body, particles=1e9)
    # 1 MeV per history and gram is 1.602e-10 Gy; 1 mm of track in 1000 mm3 is a fluence of 1e-3 /mm2
    assert values[Quantity.DOSE].ravel() == pytest.approx([0.0, 0.1602176634], rel=1e-6)
    assert errors[Quantity.DOSE].ravel() == pytest.approx([0.0, 0.1602176634 * np.sqrt(0.25 / 3)], rel=1e-6)
    assert values[Quantity.FLUENCE].ravel() == pytest.approx([1e6, 1e6], rel=1e-6)
