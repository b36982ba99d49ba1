from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.lem import Lem1
from isodose.biology.radiation_model import PhotonResponse, coefficients_of
from isodose.errors import InputError
from isodose.physics.species import SPECIES, species

# charge, MeV/u, LET, alpha by averaging over all impact parameters (an independent quadrature, four digits),
# and beta by another route to the initial slope (central traversals above 1 MeV/u), to 2 %.
_TISSUE_OF_2_GY = [
    (1, 1, 25.93, 2.7515, 0.00187),
    (1, 10, 4.537, 0.7756, 0.03842),
    (1, 100, 0.7247, 0.1896, 0.04906),
    (2, 10, 18.15, 1.0894, 0.03181),
    (6, 10, 164.0, 1.2691, 0.01441),
    (6, 20, 93.80, 1.1148, 0.02459),
    (6, 50, 44.82, 0.8606, 0.03437),
    (6, 100, 26.26, 0.6926, 0.03907),
    (6, 200, 16.20, 0.5586, 0.04223),
    (6, 290, 12.96, 0.5010, 0.04347),
]


@pytest.mark.physics
@pytest.mark.parametrize(("charge", "energy", "let", "alpha", "beta"), _TISSUE_OF_2_GY)
def test_alpha_and_beta_for_a_ratio_of_2_gy(charge, energy, let, alpha, beta):
    response = Lem1().coefficients(charge, energy, let)
    assert response.alpha[0] == pytest.approx(alpha, rel=1.5e-3)
    assert response.beta[0] == pytest.approx(beta, rel=0.02)


@pytest.mark.physics
def test_a_slow_carbon_ion_kills_a_little_less_than_once_per_traversal():
    # 488.6 keV/um over a nucleus of 5 um radius are 0.99682 Gy: alpha cannot be much above 1/d1 = 1.003.
    response = Lem1().coefficients(6, 2.0, 488.6)
    assert response.alpha[0] == pytest.approx(0.9682, rel=1.5e-3)
    assert response.beta[0] < 2e-4


@pytest.mark.physics
def test_sparse_radiation_acts_like_photons():
    response = coefficients_of(Lem1(), species("p"), np.array([1000.0]))
    # Nearly all of a fast proton's dose is at local doses of a few Gy and less.
    assert response.alpha[0] == pytest.approx(0.1, rel=0.2)
    assert response.beta[0] == pytest.approx(0.05, rel=0.02)


def test_a_wider_penumbra_lowers_the_effect():
    narrow = Lem1(reach=0.05).coefficients(6, 100.0, 26.26).alpha[0]
    wide = Lem1(reach=0.062).coefficients(6, 100.0, 26.26).alpha[0]
    # 0.6756 and 0.6585 with central traversals: 2.6 %
    assert narrow / wide == pytest.approx(0.6756 / 0.6585, abs=0.006)


def test_every_ion_and_energy_has_an_effect():
    energy = np.geomspace(1e-3, 2000.0, 60)
    for ion in SPECIES:
        response = coefficients_of(Lem1(), ion, energy)
        assert np.all(response.alpha > 0.0)
        assert np.all(response.beta >= 0.0)


def test_a_photon_response_without_a_tail_is_refused():
    with pytest.raises(InputError, match=r"lem1.photons.cut_gy: found inf, expected a finite dose"):
        Lem1(photons=PhotonResponse(0.1, 0.05))
