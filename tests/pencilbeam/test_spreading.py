"""Fermi-Eyges moments against their closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.pencilbeam.spreading import STEP_MM, excess_variance, scattering_power, water_variance
from isodose.plan.depth_dose import range_mm

T = 2e-5
"""A scattering power, rad2/mm."""
REACH = 120.0
CONSTANT = np.full(int(REACH / STEP_MM) + 2, T)


def excess_behind(
    layers: list[tuple[float, float, float]],
    step: float = 0.5,
    length: float | None = None,
    before=(0, 0, 0, 0),
) -> tuple[np.ndarray, np.ndarray]:
    """Depth and excess on planes through layers (thickness, stopping, scattering), at constant power."""
    counts = [round(thickness / step) for thickness, _, _ in layers]
    stopping, scattering = (
        np.repeat([layer[i] for layer in layers], counts)[None, :].astype(np.float32) for i in (1, 2)
    )
    depth, excess = excess_variance(
        stopping,
        scattering,
        np.array([length or step]),
        CONSTANT,
        np.array([REACH]),
        np.array([before], dtype=np.float64),
        1,
    )
    return depth[:, 0].astype(np.float64), excess[:, 0, 0].astype(np.float64)


def test_constant_power_widens_with_the_cube_of_the_depth() -> None:
    found = water_variance(CONSTANT, REACH)
    depth = STEP_MM * np.arange(found.size)
    np.testing.assert_allclose(found, T * depth**3 / 3.0, rtol=1e-9)


@given(st.floats(0.1, 10.0), st.floats(0.1, 40.0))
def test_power_counts_where_it_is_met(low, high) -> None:
    """Two powers: T z^3 / 3 of a slab, and the lever of what lies behind it."""
    power = np.full(CONSTANT.size, high * T)
    power[: int(50.0 / STEP_MM)] = low * T  # residual range below 50 mm, from the depth of 70 mm on
    found = water_variance(power, REACH)[int(100.0 / STEP_MM)]
    behind, slab = 30.0, 70.0
    lever = slab**3 / 3.0 + slab**2 * behind + slab * behind**2
    assert found == pytest.approx(T * (high * lever + low * behind**3 / 3.0), rel=1e-6)


def test_water_has_no_excess() -> None:
    depth, excess = excess_behind([(110.0, 1.0, 1.0)])
    np.testing.assert_allclose(depth, 0.25 + 0.5 * np.arange(220), rtol=1e-5)
    # Depths between two of the table's steps are interpolated linearly: T z / 8 of a step squared.
    np.testing.assert_allclose(excess, 0.0, atol=1.1 * T * 110.0 * STEP_MM**2 / 4.0)


def test_an_air_gap_behind_a_slab() -> None:
    slab, gap = 40.0, 60.0
    depth, excess = excess_behind([(slab, 1.0, 1.0), (gap, 0.0, 0.0)])
    g = 0.25 + 0.5 * np.arange(120)
    np.testing.assert_allclose(depth[80:], slab, rtol=1e-5)
    np.testing.assert_allclose(excess[80:], T * (slab**2 * g + slab * g**2), rtol=1e-3, atol=1e-4)


def test_what_follows_a_gap_keeps_the_angle() -> None:
    """Behind slab s, gap g and water w, the variance is that of s + w, and s's lever is longer by g."""
    s, g, w = 30.0, 50.0, 20.0
    depth, excess = excess_behind([(s, 1.0, 1.0), (g, 0.0, 0.0), (w, 1.0, 1.0)])
    x = w - 0.25
    variance = T * (s**3 / 3.0 + s**2 * (g + x) + s * (g + x) ** 2 + x**3 / 3.0)
    assert depth[-1] == pytest.approx(s + x, rel=1e-5)
    assert excess[-1] == pytest.approx(variance - T * (s + x) ** 3 / 3.0, rel=1e-3)


def test_bone_scatters_more_over_a_shorter_way() -> None:
    """Stopping 1.6 and scattering 2.6: T 2.6 x^3 / 3 against water at the depth of 1.6 x."""
    depth, excess = excess_behind([(30.0, 1.6, 2.6)])
    x = 30.0 - 0.25
    assert depth[-1] == pytest.approx(1.6 * x, rel=1e-5)
    assert excess[-1] == pytest.approx(T * (2.6 * x**3 - (1.6 * x) ** 3) / 3.0, rel=1e-3)
    assert excess[-1] < 0.0


def test_what_has_happened_before_goes_on() -> None:
    """Moments and water that a beam brings: variance c + 2 b z + a z^2, on top of what it meets."""
    a, b, c, passed = 3e-4, 0.02, 2.0, 15.0
    depth, excess = excess_behind([(40.0, 0.0, 0.0)], before=(passed, a, b, c))
    z = 0.25 + 0.5 * np.arange(80)
    np.testing.assert_allclose(depth, passed)
    water = T * passed**3 / 3.0
    np.testing.assert_allclose(excess, c + 2.0 * b * z + a * z**2 - water, rtol=1e-5)


def test_oblique_rays_go_a_longer_way() -> None:
    depth, excess = excess_behind([(40.0, 1.0, 1.0), (40.0, 0.0, 0.0)], length=0.55)
    slab, gap = 44.0, 44.0 - 0.275
    assert depth[-1] == pytest.approx(slab, rel=1e-5)
    assert excess[-1] == pytest.approx(T * (slab**2 * gap + slab * gap**2), rel=2e-3)


def test_air_before_the_water_of_base_data_may_count_less_than_nothing() -> None:
    """Base data that hold more air than there is: depths begin at 0, and no table is left."""
    depth, excess = excess_behind([(20.0, 1.0, 1.0)], before=(-1.2, 0.0, 0.0, 0.0))
    assert depth.min() >= 0.0
    assert depth[-1] == pytest.approx(20.0 - 0.25 - 1.2, rel=1e-4)
    assert np.all(np.isfinite(excess))


def test_ends_of_range_and_threads() -> None:
    rng = np.random.default_rng(2)
    stopping = rng.uniform(0.0, 2.0, (40, 150)).astype(np.float32)  # most of it beyond the range
    before = np.zeros((3, 4))
    ranges = np.array([33.0, 60.5, REACH])
    args = stopping, 1.3 * stopping, np.full(40, 1.0), CONSTANT, ranges, before
    one, two = excess_variance(*args, 1), excess_variance(*args, 2)
    for a, b in zip(one, two, strict=True):
        assert np.all(np.isfinite(a))
        np.testing.assert_array_equal(a, b)
    assert one[0].shape == (150, 40)
    assert one[1].shape == (150, 40, 3)
    assert one[0].max() > REACH


@pytest.mark.physics
@pytest.mark.parametrize(("ion", "charge", "rest_mev"), [("proton", 1, 938.272), ("carbon", 6, 11174.9)])
def test_power_is_that_of_fermi_and_rossi(ion, charge, rest_mev) -> None:
    """(15 MeV Z / pv)^2 / X at 100 MeV/u, with Gottschalk's scattering length of water, 46.88 g/cm2."""
    nucleons = 12 if ion == "carbon" else 1
    reach = float(range_mm(ion, 100.0))
    found = scattering_power(ion, 200.0)[round(reach / STEP_MM)]
    kinetic = 100.0 * nucleons
    gamma = 1.0 + kinetic / rest_mev
    pv = rest_mev * (gamma - 1.0 / gamma)
    # The table has a step of 0.5 mm: 2 % of carbon's range, over which the power changes by as much.
    assert found == pytest.approx((15.0 * charge / pv) ** 2 / 468.8, rel=0.03)


@pytest.mark.physics
def test_protons_are_a_fiftieth_of_their_range_wide_at_its_end() -> None:
    """0.022 to 0.023 R after Highland (Gottschalk's lectures on passive beam spreading)."""
    for energy in (100.0, 150.0):
        reach = float(range_mm("proton", energy))
        width = np.sqrt(water_variance(scattering_power("proton", reach), reach)[-1]) / reach
        assert 0.0215 < width < 0.0235
