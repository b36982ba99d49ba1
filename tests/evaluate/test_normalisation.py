import numpy as np
import pytest

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.evaluate.dvh import dvh
from isodose.evaluate.normalisation import normalised


@pytest.fixture
def dose(head):
    _, y, x = np.indices(head.grid.shape)
    values = (1.0 + 0.01 * x + 0.005 * y).astype(np.float32)
    quantities = {Quantity.DOSE: values, Quantity.LETD: 3.0 * values}
    return Dose(head.grid, quantities, {Quantity.DOSE: 0.01 * values})


def test_median_of_the_target_becomes_the_prescription(head, two_fields, dose):
    target = head.structure("ptv")
    plan, scaled = normalised(two_fields, dose, target, 2.0)
    assert dvh(scaled.volume(), target).d(50.0) == pytest.approx(2.0, rel=1e-5)
    factor = plan.particles / two_fields.particles
    assert scaled.values[Quantity.DOSE] == pytest.approx(dose.values[Quantity.DOSE] * factor, rel=1e-6)
    errors = dose.uncertainty[Quantity.DOSE]
    assert scaled.uncertainty[Quantity.DOSE] == pytest.approx(errors * factor, rel=1e-6)
    assert np.array_equal(scaled.values[Quantity.LETD], dose.values[Quantity.LETD])
    assert scaled.provenance["particles_per_fraction"] == pytest.approx(plan.particles)


def test_target_without_dose_is_refused(head, two_fields):
    nothing = Dose(head.grid, {Quantity.DOSE: np.zeros(head.grid.shape, dtype=np.float32)})
    with pytest.raises(InputError, match=r"ptv.*D50"):
        normalised(two_fields, nothing, head.structure("ptv"), 2.0)
