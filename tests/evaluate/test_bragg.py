"""Depth profiles against curves whose figures are known, and the reference Monte Carlo's own figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.evaluate.bragg import DepthProfile, depth_profile
from isodose.evaluate.lateral import LateralProfile, lateral_profile
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume

REFERENCE = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "transport"


@pytest.fixture
def triangle():
    """Rises from 1 at 0.5 mm to 5 at 100.5 mm and falls to 0 over 10 mm."""
    depth = np.arange(150) + 0.5
    return DepthProfile(depth, np.interp(depth, [0.5, 100.5, 110.5], [1.0, 5.0, 0.0]))


@pytest.fixture
def spread_out():
    """Entrance 0.6, plateau of 1 from 60 to 100 mm with a dip, tail 0.1."""
    depth = np.arange(140) + 0.5
    dose = np.interp(depth, [0, 50, 60, 100, 104, 140], [0.6, 0.7, 1.0, 1.0, 0.1, 0.1])
    dose[80] = 0.96
    return DepthProfile(depth, dose)


def test_levels_of_a_triangle(triangle):
    assert triangle.peak == pytest.approx(5.0)
    assert triangle.peak_mm == pytest.approx(100.5, abs=0.5)
    for level, depth in ((0.9, 101.5), (0.8, 102.5), (0.5, 105.5), (0.2, 108.5)):
        assert triangle.distal_mm(level) == pytest.approx(depth, abs=1e-9)
    assert triangle.dfo_mm == pytest.approx(6.0, abs=1e-9)
    assert triangle.peak_to_entrance == pytest.approx(5.0)
    assert triangle.width_mm == pytest.approx(105.5 - 38.0, abs=1e-9)
    assert triangle.tail_to_peak() == 0.0


def test_peak_between_samples_is_found():
    depth = np.arange(0.0, 20.0)
    profile = DepthProfile(depth, 10 - (depth - 7.3) ** 2 / 20)
    assert profile.peak_mm == pytest.approx(7.3, abs=1e-9)


def test_noise_on_the_plateau_is_not_the_distal_edge(spread_out):
    noise = np.random.default_rng(1).normal(size=spread_out.dose.size) * 0.03
    noisy = DepthProfile(spread_out.depth_mm, spread_out.dose * (1 + noise))
    # 3 % noise raises the maximum by some 7 % and moves the edge of 0.23 per mm by what that is
    assert noisy.r80_mm == pytest.approx(spread_out.r80_mm, abs=0.6)


def test_figures_of_a_spread_out_peak(spread_out):
    peak = spread_out.spread_out(0.9)
    assert peak.distal_mm == pytest.approx(100.0 + 4 / 9, abs=0.06)
    assert peak.proximal_mm == pytest.approx(56.67, abs=0.05)
    assert peak.modulation_mm == pytest.approx(43.8, abs=0.1)
    assert peak.homogeneity == pytest.approx(0.96)
    assert peak.entrance_to_plateau == pytest.approx(0.601, abs=2e-3)
    assert spread_out.tail_to_peak() == pytest.approx(0.1)


def test_levels_beyond_the_profile_are_not_numbers(triangle):
    short = DepthProfile(triangle.depth_mm[:100], triangle.dose[:100])
    assert np.isnan(short.r80_mm)
    assert np.isnan(triangle.proximal_mm(0.1))


@pytest.mark.parametrize(("axis", "towards_lower"), [("x", False), ("y", True), ("z", False)])
def test_profile_of_a_volume_starts_at_the_face_where_the_beam_enters(axis, towards_lower):
    along = np.arange(1.0, 9.0)
    shape = {"x": (3, 4, 8), "y": (3, 8, 4), "z": (8, 3, 4)}[axis]
    position = {"x": 2, "y": 1, "z": 0}[axis]
    reverse = along[::-1] if towards_lower else along
    values = np.broadcast_to(reverse.reshape([8 if i == position else 1 for i in range(3)]), shape)
    profile = depth_profile(
        Volume(Grid((5, -7, 9), (2, 2, 2), shape), values), axis=axis, towards_lower=towards_lower
    )
    np.testing.assert_allclose(profile.depth_mm, 2 * np.arange(8) + 1)
    np.testing.assert_allclose(profile.dose, along * 12 * 4)


def test_radius_cuts_a_cylinder():
    grid = Grid((-9.5, 0.5, -9.5), (1, 1, 1), (20, 5, 20))
    profile = depth_profile(Volume(grid, np.ones(grid.shape)), axis="y", radius_mm=5.0)
    assert profile.dose[0] == pytest.approx(np.pi * 25, rel=0.03)


def test_gaussian_core_is_found_below_a_halo():
    x = np.arange(-40, 41) * 1.0
    edges = np.arange(-40.5, 41) * 1.0
    from scipy.special import erf

    def spot(sigma):
        return np.diff(erf(edges / sigma / np.sqrt(2))) / 2

    clean = LateralProfile(x, spot(3.0))
    assert clean.core_sigma_mm() == pytest.approx(3.0, rel=1e-3)
    assert clean.sigma_mm == pytest.approx(3.0, rel=1e-4)
    # bins of a third of sigma widen the FWHM by their variance
    assert clean.width_mm == pytest.approx(2.3548 * np.hypot(3.0, 1 / np.sqrt(12)), rel=5e-3)
    halo = LateralProfile(x, 0.9 * spot(3.0) + 0.1 * spot(12.0))
    assert halo.core_sigma_mm() == pytest.approx(3.1, abs=0.15)
    assert halo.sigma_mm > 4.5


def test_lateral_fall_off_of_a_field():
    x = np.arange(-50, 51) * 1.0
    field = LateralProfile(x, np.interp(np.abs(x), [20, 30], [1.0, 0.0]))
    assert field.lfo_mm == pytest.approx(6.0)
    assert field.edges_mm(0.5) == pytest.approx((-25.0, 25.0))


def test_strip_and_projection_of_a_volume():
    grid = Grid((-4, 0, -4), (1, 1, 1), (9, 3, 9))
    values = np.broadcast_to(grid.axis_mm("x") ** 2, grid.shape) + 0 * grid.axis_mm("z")[:, None, None]
    projection = lateral_profile(Volume(grid, values), 1)
    strip = lateral_profile(Volume(grid, values), 1, width_mm=2.0)
    np.testing.assert_allclose(projection.dose, 9 * strip.dose)
    with pytest.raises(InputError, match="another axis"):
        lateral_profile(Volume(grid, values), 1, beam="x", along="x")


def test_profiles_out_of_order_are_refused():
    with pytest.raises(InputError, match="increasing depths"):
        DepthProfile(np.array([1.0, 0.0, 2.0]), np.ones(3))
    with pytest.raises(InputError, match="evenly spaced"):
        LateralProfile(np.array([0.0, 1.0, 3.0]), np.ones(3))


@pytest.mark.physics
@pytest.mark.parametrize("name", ["water_150_mono", "water_100_clin"])
def test_reference_dose_gives_the_figures_it_came_with(name):
    file = REFERENCE / f"{name}.npz"
    if not file.exists():
        pytest.skip("reference doses are not beside the checkout")
    with np.load(file) as data:
        dose, x, z = data["dose"], data["x_mm"], data["z_mm"]
        sigma, meta = data["sigma_x_core_mm"], json.loads(str(data["meta"]))
    grid = Grid((x[0], 0.5, z[0]), (1, 1, 1), (dose.shape[1], dose.shape[2], dose.shape[0]))
    volume = Volume(grid, dose.transpose(1, 2, 0))
    profile = depth_profile(volume)
    # the file holds float32
    for key, mine in (
        ("R90", profile.r90_mm),
        ("R80", profile.r80_mm),
        ("R50", profile.r50_mm),
        ("R20", profile.r20_mm),
    ):
        assert mine == pytest.approx(meta[f"{key}_mm"], abs=1e-3)
    assert profile.peak_to_entrance == pytest.approx(meta["peak_to_entrance"], rel=1e-4)
    assert profile.peak_mm == pytest.approx(meta["peak_mm"], abs=1e-3)
    depths = np.flatnonzero(np.isfinite(sigma))[::10]
    mine = [lateral_profile(volume, int(k)).core_sigma_mm() for k in depths]
    np.testing.assert_allclose(mine, sigma[depths], rtol=1e-4)
