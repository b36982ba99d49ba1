"""Names become engines and quantities."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from isodose.dose.compute import compute_dose
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError


class Uniform:
    """An engine that gives every voxel the same."""

    def __init__(self, level=1.0):
        self.level = level

    def compute(self, patient, plan, quantities):
        values = {q: np.full(patient.grid.shape, self.level, np.float32) for q in quantities}
        return Dose(patient.grid, values)


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    point = SimpleNamespace(name="uniform", load=lambda: Uniform)
    monkeypatch.setattr("isodose.dose.engine.entry_points", lambda group: [point])


def test_dose_is_always_computed_and_options_reach_the_engine(head, two_fields):
    dose = compute_dose(head, two_fields, ["letd", Quantity.DOSE], "uniform", level=3.0)
    assert list(dose.values) == [Quantity.DOSE, Quantity.LETD]
    assert dose.volume().values.max() == 3.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "abacus"}, "engine: found 'abacus', expected one of uniform"),
        ({"engine": "uniform", "quantities": ["kerma"]}, "quantity: found 'kerma'"),
        ({"engine": "uniform", "histories": 3}, "option of engine 'uniform'.*histories"),
    ],
)
def test_unknown_names_are_refused(head, two_fields, arguments, message):
    with pytest.raises(InputError, match=message):
        compute_dose(head, two_fields, **arguments)
