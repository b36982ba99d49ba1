import numpy as np
import pytest

from isodose.physics.materials import WATER
from isodose.physics.species import species
from isodose.physics.straggling import (
    LARGEST_SKEWNESS,
    maximum_transfer,
    range_straggling,
    skewed,
    straggling_skewness,
    straggling_variance,
    vavilov_kappa,
)


# Per 1 mm of water, by another program: kappa, sigma in keV, largest transfer in MeV
@pytest.mark.physics
@pytest.mark.parametrize(
    ("name", "energy", "kappa", "sigma_kev", "transfer"),
    [
        ("p", 10.0, 18.6, 94.0, 0.0219),
        ("p", 150.0, 0.094, 101.0, 0.352),
        ("He4", 150.0, 0.37, 202.0, None),
        ("C12", 290.0, 1.0, 653.0, None),
    ],
)
def test_variance_and_kappa(
    name: str, energy: float, kappa: float, sigma_kev: float, transfer: float | None
) -> None:
    ion = species(name)
    assert vavilov_kappa(ion, energy, WATER, 0.1) == pytest.approx(kappa, rel=0.01)
    assert 1e3 * np.sqrt(0.1 * straggling_variance(ion, energy, WATER)) == pytest.approx(sigma_kev, rel=0.01)
    if transfer is not None:
        assert maximum_transfer(ion, energy) == pytest.approx(transfer, rel=2e-3)


# Independent integral for protons; catima 1.982 for the ions (its own low-energy tables, 2 %)
@pytest.mark.physics
@pytest.mark.parametrize(
    ("name", "energy", "expected", "tolerance"),
    [
        ("p", 70.0, 0.0473, 0.005),
        ("p", 150.0, 0.1708, 0.005),
        ("p", 250.0, 0.390, 0.005),
        ("He4", 150.0, 0.0861, 0.02),
        ("C12", 290.0, 0.0478, 0.02),
        ("C12", 430.0, 0.0869, 0.02),
        ("O16", 300.0, 0.0328, 0.02),
    ],
)
def test_range_straggling(name: str, energy: float, expected: float, tolerance: float) -> None:
    assert range_straggling(species(name), energy) == pytest.approx(expected, rel=tolerance)


def test_skewness_is_that_of_the_collision_spectrum() -> None:
    """Third and second moments of (1 - beta^2 W / Wmax) / W^2, integrated by sums."""
    ion, energy, thickness = species("p"), 150.0, 0.1
    top = float(maximum_transfer(ion, energy))
    xi = float(vavilov_kappa(ion, energy, WATER, thickness)) * top
    tau = energy / ion.mass_mev
    beta2 = tau * (tau + 2.0) / (tau + 1.0) ** 2
    w = (np.arange(20000) + 0.5) * top / 20000
    spectrum = xi * (1.0 - beta2 * w / top) / w**2 * top / 20000
    variance, third = (spectrum * w**2).sum(), (spectrum * w**3).sum()
    assert straggling_variance(ion, energy, WATER) * thickness == pytest.approx(variance, rel=1e-4)
    ours = straggling_skewness(ion, energy, WATER) / np.sqrt(thickness)
    assert ours == pytest.approx(third / variance**1.5, rel=1e-4)


# 200,000 samples: the mean is known to 0.0022 sigma, the deviation to 0.5 % (skew), the skewness to 4 %
@pytest.mark.parametrize("skewness", [0.0, 0.1, 0.6, 1.0, 1.5])
def test_transform_keeps_three_moments(skewness: float) -> None:
    # Gauss-Hermite quadrature is exact for these polynomials of a normal number
    x, weight = np.polynomial.hermite_e.hermegauss(20)
    value = np.array([skewed(v, skewness) for v in x])
    weight = weight / weight.sum()
    assert np.sum(weight * value) == pytest.approx(0.0, abs=1e-12)
    assert np.sum(weight * value**2) == pytest.approx(1.0, rel=1e-12)
    assert np.sum(weight * value**3) == pytest.approx(skewness, rel=0.01, abs=1e-12)


def test_larger_skewness_is_cut_off() -> None:
    assert skewed(1.3, 7.0) == skewed(1.3, LARGEST_SKEWNESS)
