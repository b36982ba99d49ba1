from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.clinical_dose import clinical_dose


@pytest.mark.physics
@pytest.mark.parametrize(
    ("alpha", "dose", "clinical"),
    # Computed apart from this code, from the published equation.
    [
        (0.3776, 1.0, 1.32636),
        (0.3776, 2.0, 2.88100),
        (0.6219, 1.0, 2.01952),
        (0.6219, 2.0, 4.12982),
        (1.0, 1.0, 3.03981),
        (1.6239, 2.0, 8.56864),
    ],
)
def test_check_points(alpha, dose, clinical):
    assert clinical_dose(dose, alpha, np.sqrt(0.0615)) == pytest.approx(clinical, abs=6e-6)


def test_the_reference_radiation_has_the_factor_at_every_dose():
    dose = np.array([0.0, 0.5, 3.0, 20.0])
    assert clinical_dose(dose, 0.764, np.sqrt(0.0615)) == pytest.approx(2.41 * dose)
