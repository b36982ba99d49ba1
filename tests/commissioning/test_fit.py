"""Kernels of simulations whose content is known."""

import numpy as np
import pytest

from isodose.commissioning.depth_curves import DepthCurves
from isodose.commissioning.fit import fit_kernels
from isodose.commissioning.over_energy import smoothed
from isodose.plan.depth_dose import energy_for_range, range_mm

ENERGIES = np.round(energy_for_range("proton", np.linspace(60.0, 180.0, 7)), 2)


@pytest.fixture(scope="module")
def kernels(known):
    # 0.2 % is the noise of a depth bin of the shipped data.
    return fit_kernels([known.simulation(e, 0.002, i) for i, e in enumerate(ENERGIES)], "proton")


def test_range_is_that_of_the_curve(kernels):
    # The curve is made so that 80 % of its peak, without the plateau, lies at the range.
    for kernel in kernels:
        assert kernel.range_mm == pytest.approx(float(range_mm("proton", kernel.energy_mev_u)), rel=0.003)


def test_depth_dose_is_recovered(kernels, known):
    for kernel in kernels:
        dose = known.depth_dose(kernel.depth_mm, kernel.energy_mev_u)
        # Noise of 0.2 %, less after averages over depth and energy, and bins of 1/5 of the peak's sigma.
        np.testing.assert_allclose(kernel.dose, dose, atol=0.006 * dose.max())
        assert np.mean(np.abs(kernel.dose - dose)) < 0.001 * dose.max()


def test_gaussians_are_recovered(kernels, known):
    for kernel in kernels:
        sigma = known.widths(kernel.depth_mm, kernel.energy_mev_u)
        at = (kernel.depth_mm > 0.45 * kernel.range_mm) & (kernel.depth_mm < 0.95 * kernel.range_mm)
        np.testing.assert_allclose(kernel.sigma_mm[at, 0], sigma[at, 0], rtol=0.03)
        np.testing.assert_allclose(kernel.sigma_mm[at, 1:], sigma[at, 1:], rtol=0.15)
        np.testing.assert_allclose(kernel.weight[at], np.tile([0.85, 0.1, 0.05], (at.sum(), 1)), atol=0.01)


def test_letd_is_recovered(kernels):
    for kernel in kernels:
        before = kernel.depth_mm < kernel.range_mm
        mean = (kernel.letd * kernel.weight).sum(axis=1)[before]
        # 0.85 x 2 + 0.1 x 4 + 0.05 x 8, within the water that the simulation has.
        np.testing.assert_allclose(mean, 2.5, rtol=0.01)
        assert np.median(kernel.letd[before], axis=0) == pytest.approx([2.0, 4.0, 8.0], rel=0.12)


def test_a_core_too_narrow_to_see_follows_multiple_scattering(kernels):
    kernel = kernels[-1]
    depth = np.array([0.06, 0.12]) * kernel.range_mm
    narrow, wide = np.interp(depth, kernel.depth_mm, kernel.sigma_mm[:, 0])
    # Twice the depth, 2^1.5 times the width where energy loss is small (Fermi-Eyges), a little more with it.
    assert wide / narrow == pytest.approx(2.0**1.5, rel=0.1)


def test_fewer_gaussians_keep_the_integral_dose(kernels, known):
    simulations = [known.simulation(e, 0.002, i) for i, e in enumerate(ENERGIES[:3])]
    single = fit_kernels(simulations, "proton", 1)
    assert single[1].gaussians == 1
    assert np.all(single[1].weight == 1.0)
    # The one Gaussian is wider than the core of three.
    at = 0.8 * single[1].range_mm
    core = np.interp(at, kernels[1].depth_mm, kernels[1].sigma_mm[:, 0])
    assert np.interp(at, single[1].depth_mm, single[1].sigma_mm[:, 0]) > 1.02 * core


def test_depth_curves_read_between_bins(known):
    energy = float(ENERGIES[2])
    curves = DepthCurves(known.simulation(energy))
    parts = np.linspace(0.9, 1.05, 301)
    dose, letd = curves.at(parts)
    true = known.depth_dose(parts * curves.range_mm, energy)
    # Bins of a fifth of the peak's sigma, read as a spline of their sums, are good to a few per mille.
    np.testing.assert_allclose(dose, true, atol=0.002 * true.max())
    np.testing.assert_allclose(letd[parts < 1.0], 2.5, rtol=2e-3)


def test_smoothing_keeps_a_quadratic_and_calms_noise():
    x = np.arange(30.0)
    quadratic = np.stack([x**2, 5.0 - x], axis=1)
    np.testing.assert_allclose(smoothed(quadratic), quadratic, atol=1e-9)
    noise = np.random.default_rng(6).standard_normal((30, 200))
    # A quadratic through seven points keeps 1/3 of the variance in the middle: 7/21 (Savitzky and Golay).
    assert np.var(smoothed(noise)[3:-3]) == pytest.approx(1.0 / 3.0, rel=0.1)
    np.testing.assert_array_equal(smoothed(noise[:4]), noise[:4])
