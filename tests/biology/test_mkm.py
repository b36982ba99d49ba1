from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.mkm import Mkm
from isodose.biology.radiation_model import coefficients_of, let_kev_um
from isodose.errors import InputError
from isodose.physics.species import species

# charge, MeV/u, LET in keV/um, saturation-corrected specific energy (Gy) and alpha (1/Gy) for HSG cells: an
# independent fine quadrature, and the numbers of another code that sums over coarse grids.
_HSG = [
    (1, 1, 25.930, 12.233, 0.9243, 12.704, 12.278),
    (1, 10, 4.5370, 1.6683, 0.2746, 1.6729, 1.6715),
    (1, 100, 0.7247, 0.2052, 0.1846, 0.2065, 0.2064),
    (2, 2, 63.013, 24.606, 1.6853, 29.813, 24.666),
    (2, 10, 18.149, 6.5958, 0.5776, 6.6921, 6.6085),
    (2, 100, 2.8995, 0.8208, 0.2225, 0.8261, 0.8259),
    (6, 2, 488.65, 10.196, 0.7990, 231.37, 10.160),
    (6, 10, 163.97, 25.769, 1.7568, 60.690, 25.755),
    (6, 20, 93.801, 23.608, 1.6239, 31.733, 23.666),
    (6, 50, 44.823, 12.803, 0.9594, 13.709, 12.868),
    (6, 100, 26.261, 7.3160, 0.6219, 7.5123, 7.3599),
    (6, 200, 16.199, 4.2956, 0.4362, 4.4101, 4.3773),
    (6, 290, 12.963, 3.3438, 0.3776, 3.3793, 3.3638),
]


@pytest.mark.physics
@pytest.mark.parametrize(("charge", "energy", "let", "z", "alpha", "coarse_plain", "coarse"), _HSG)
def test_specific_energy_of_hsg(charge, energy, let, z, alpha, coarse_plain, coarse):
    plain, corrected = Mkm().specific_energy(charge, energy, let)
    assert corrected[0] == pytest.approx(z, rel=1e-3)
    assert corrected[0] == pytest.approx(coarse, rel=0.025)
    assert plain[0] == pytest.approx(coarse_plain, rel=0.03)
    response = Mkm().coefficients(charge, energy, let)
    assert response.alpha[0] == pytest.approx(alpha, rel=1e-3)
    assert response.beta[0] == 0.0615


@pytest.mark.physics
def test_onset_of_overkill():
    assert Mkm().saturation_gy == pytest.approx(48.980, abs=1e-3)


def test_table_agrees_with_the_model():
    ion, energy = species("C12"), np.geomspace(0.011, 950.0, 57)
    direct = Mkm().coefficients(ion.charge, energy, let_kev_um(ion, energy))
    table = coefficients_of(Mkm(), ion, energy)
    assert table.alpha == pytest.approx(direct.alpha, rel=1e-3)
    slow = coefficients_of(Mkm(), ion, np.array([0.0, 0.01]))
    assert slow.alpha[0] == slow.alpha[1]


def test_impossible_parameters_are_refused():
    with pytest.raises(InputError, match=r"mkm.domain_radius_um: found -1, expected a positive number"):
        Mkm(domain_radius_um=-1)
