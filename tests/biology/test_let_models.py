from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.let_models import Carabe, ConstantRbe, Mairani, McNamara, Wedenberg
from isodose.biology.linear_quadratic import rbe_weighted_dose_of_limits

# alpha/beta, LETd, dose, and the RBE of each model from the published equations, computed apart from this
# code to the digits given.
_PROTONS = [
    (2.0, 2.5, 2.0, 1.19363, 1.17108, 1.18596),
    (2.0, 10.0, 2.0, 1.52879, 1.60238, 1.62873),
    (10.0, 2.5, 2.0, 1.07693, 1.07666, 0.98984),
    (3.0, 5.0, 1.8, 1.28196, 1.30364, 1.28700),
]
_HELIUM = [
    (2.0, 5.0, 2.0, 1.14362, 1.04713),
    (2.0, 20.0, 2.0, 2.82943, 1.51976),
    (10.0, 20.0, 2.0, 1.68054, 1.45635),
    (5.4, 60.0, 2.0, 5.53351, 2.86462),
]


def _rbe(model, ratio, let, dose):
    rbe_max, rbe_min = model.limits(let, ratio)
    return float(rbe_weighted_dose_of_limits(dose, rbe_max, rbe_min, 0.05 * ratio, 0.05)) / dose


@pytest.mark.physics
@pytest.mark.parametrize(("ratio", "let", "dose", "mcnamara", "wedenberg", "carabe"), _PROTONS)
def test_proton_models(ratio, let, dose, mcnamara, wedenberg, carabe):
    assert _rbe(McNamara(), ratio, let, dose) == pytest.approx(mcnamara, abs=6e-6)
    assert _rbe(Wedenberg(), ratio, let, dose) == pytest.approx(wedenberg, abs=6e-6)
    assert _rbe(Carabe(), ratio, let, dose) == pytest.approx(carabe, abs=6e-6)


@pytest.mark.physics
@pytest.mark.parametrize(("ratio", "let", "dose", "rbe_alpha", "rbe"), _HELIUM)
def test_helium_model(ratio, let, dose, rbe_alpha, rbe):
    assert float(Mairani().limits(let, ratio)[0]) == pytest.approx(rbe_alpha, abs=6e-6)
    assert _rbe(Mairani(), ratio, let, dose) == pytest.approx(rbe, abs=6e-6)


@pytest.mark.physics
def test_helium_is_most_effective_at_131_6_kev_um():
    let = np.linspace(0, 300, 30001)
    assert let[np.argmax(Mairani().limits(let, 2.0)[0])] == pytest.approx(131.6, abs=0.05)


def test_constant_is_constant_for_every_dose():
    for dose in (0.01, 2.0, 30.0):
        assert _rbe(ConstantRbe(), 3.0, 5.0, dose) == pytest.approx(1.1)


def test_rbe_at_infinite_dose_never_turns_negative():
    _, rbe_min = McNamara().limits(np.array([50.0, 100.0, 1000.0]), 10.0)
    assert rbe_min[0] > 0.0
    assert rbe_min[2] == 0.0


@pytest.mark.parametrize("model", [McNamara(), Wedenberg(), Carabe(), Mairani()])
def test_without_a_quadratic_term_of_the_tissue_or_let(model):
    rbe_max, rbe_min = model.limits(np.array([-1.0, 0.0, 5.0]), np.array([3.0, 3.0, np.inf]))
    assert np.all(np.isfinite(rbe_max))
    assert rbe_max[0] == rbe_max[1]
    assert rbe_min.shape == rbe_max.shape
