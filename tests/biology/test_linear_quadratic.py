from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.biology.linear_quadratic import (
    effect,
    effect_with_tail,
    photon_dose,
    photon_dose_with_tail,
    rbe_weighted_dose_of_limits,
)


@given(
    dose=st.floats(0, 60),
    alpha=st.floats(1e-3, 2),
    beta=st.floats(0, 0.5),
    cut=st.floats(1, 40),
)
def test_a_photon_dose_has_its_own_effect(dose, alpha, beta, cut):
    assert photon_dose(effect(dose, alpha, beta), alpha, beta) == pytest.approx(dose, rel=1e-9, abs=1e-12)
    slope = alpha + 2 * beta * cut
    straight = effect_with_tail(dose, alpha, beta, cut, slope)
    assert photon_dose_with_tail(straight, alpha, beta, cut, slope) == pytest.approx(
        dose, rel=1e-9, abs=1e-12
    )


def test_the_tail_is_tangent_to_the_curve():
    alpha, beta, cut = 0.1, 0.05, 30.0
    slope = alpha + 2 * beta * cut
    assert slope == pytest.approx(3.1)
    near = effect_with_tail(np.array([cut - 1e-4, cut, cut + 1e-4]), alpha, beta, cut, slope)
    assert np.diff(near) == pytest.approx(1e-4 * slope, rel=1e-4)
    assert effect_with_tail(40.0, alpha, beta, cut, slope) == pytest.approx(3 + 45 + 10 * 3.1)


def test_limits_of_low_and_high_dose():
    # biology: RBE tends to RBEmax at vanishing and to RBEmin at infinite dose
    low, high = 1e-7, 1e7
    assert rbe_weighted_dose_of_limits(low, 3.0, 1.2, 0.1, 0.05) / low == pytest.approx(3.0, rel=1e-5)
    assert rbe_weighted_dose_of_limits(high, 3.0, 1.2, 0.1, 0.05) / high == pytest.approx(1.2, rel=1e-5)


def test_no_quadratic_term_and_no_dose():
    assert rbe_weighted_dose_of_limits(2.0, 3.0, 1.2, 0.1, 0.0) == pytest.approx(6.0)
    assert rbe_weighted_dose_of_limits(0.0, 3.0, 1.2, 0.1, 0.05) == 0.0


def test_float32_stays_and_small_doses_keep_their_digits():
    dose = np.array([0.0, 1e-6, 1e-3, 2.0], dtype=np.float32)
    alpha, beta = np.float32(0.1), np.float32(0.05)
    weighted = photon_dose(effect(dose, np.float32(0.3), beta), alpha, beta)
    assert weighted.dtype == np.float32
    exact = photon_dose(effect(dose.astype(float), 0.3, 0.05), 0.1, 0.05)
    assert weighted == pytest.approx(exact, rel=1e-6)
