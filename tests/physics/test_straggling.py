import numpy as np
import pytest
from numba import njit

from isodose.physics.materials import WATER
from isodose.physics.random import start
from isodose.physics.species import species
from isodose.physics.straggling import (
    maximum_transfer,
    range_straggling,
    sample_loss,
    straggling_skewness,
    straggling_variance,
    vavilov_kappa,
)


@njit
def _losses(n, mean, variance, skewness, seed):  # type: ignore[no-untyped-def]
    stream = np.zeros(1, np.uint64)
    start(stream, seed, 0)
    losses = np.empty(n)
    for i in range(n):
        losses[i] = sample_loss(stream, mean, variance, skewness)
    return losses


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
@pytest.mark.parametrize(
    ("mean", "sigma", "skewness", "exact"),
    [
        (1.0, 0.1, 0.1, False),
        (1.0, 0.1, 1.0, True),
        (0.54, 0.1, 1.9, True),
        (1.0, 0.1, 2.5, True),
        (0.05, 0.1, 3.0, False),
        (0.1, 0.1, 0.1, False),
    ],
)
def test_samples_keep_the_moments(mean: float, sigma: float, skewness: float, exact: bool) -> None:
    losses = _losses(200_000, mean, sigma**2, skewness, 11)
    assert losses.min() >= 0.0
    assert losses.mean() == pytest.approx(mean, abs=5 * 0.0022 * sigma)
    assert losses.std() == pytest.approx(sigma, rel=0.025)
    if exact:
        assert np.mean((losses - losses.mean()) ** 3) / losses.std() ** 3 == pytest.approx(skewness, rel=0.15)


def test_no_variance_gives_the_mean() -> None:
    assert np.all(_losses(10, 0.3, 0.0, 0.5, 1) == 0.3)
