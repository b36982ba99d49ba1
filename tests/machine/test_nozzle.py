"""Monitor and ripple filter: what they do to the beam, and that the built-in machines are what they were."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine
from isodose.machine.nozzle import Monitor, PhaseSpace, RippleFilter
from isodose.physics.ranges import csda_range
from isodose.physics.species import IONS, species


def moments(space: PhaseSpace, axis: int) -> np.ndarray:
    s, a, c = space.sigma_mm[axis], space.divergence_rad[axis], space.correlation[axis]
    return np.array([[s * s, c * s * a], [c * s * a, a * a]])


@given(
    sigma=st.floats(0.1, 20),
    divergence=st.floats(0, 0.02),
    correlation=st.floats(-1, 1),
    angle=st.floats(1e-5, 0.02),
    distance=st.floats(1, 3000),
)
def test_scattering_adds_an_angle_upstream(
    sigma: float, divergence: float, correlation: float, angle: float, distance: float
) -> None:
    space = PhaseSpace((sigma, 2.0), (divergence, 0.001), (correlation, -0.5))
    scattered = space.scattered(angle, distance)
    drift = np.array([[1.0, distance], [0.0, 1.0]])
    back = np.linalg.inv(drift)
    for axis in (0, 1):
        # Back to the wires, an angle more, and forth again.
        before = back @ moments(space, axis) @ back.T
        expected = drift @ (before + np.diag([0.0, angle**2])) @ drift.T
        np.testing.assert_allclose(moments(scattered, axis), expected, rtol=1e-6, atol=1e-9)
    assert all(-1.0 <= c <= 1.0 for c in scattered.correlation)


def test_a_parallel_beam_that_is_not_scattered_has_no_correlation() -> None:
    space = PhaseSpace((3.0, 3.0), (0.0, 0.0), (0.0, 0.0))
    assert space.scattered(0.0, 1000.0) == space


@pytest.mark.physics
@pytest.mark.parametrize("ion", ["helium", "carbon", "oxygen"])
def test_ripple_filter_blurs_the_range_as_told(ion: str) -> None:
    energies = np.array([120.0, 220.0])
    sigma_mm = np.array([1.0, 0.8])
    spread = RippleFilter("RF", sigma_mm).energy_spread_percent(ion, energies) / 100.0 * energies
    ranges = [10.0 * csda_range(species(IONS[ion]), energies + sign * spread) for sign in (-1, 1)]
    # Over one standard deviation, about 1 % of the energy, the range is close to linear.
    np.testing.assert_allclose(0.5 * (ranges[1] - ranges[0]), sigma_mm, rtol=2e-3)


SPREAD_OF_BASE_DATA = {
    "proton": {70: 1.00, 150: 0.75, 230: 0.50},
    "helium": {50: 2.54, 70: 1.39, 90: 0.89, 130: 0.47, 170: 0.31, 220: 0.21},
    "carbon": {80: 3.28, 100: 2.20, 160: 0.97, 250: 0.46, 350: 0.28, 430: 0.21},
    "oxygen": {100: 2.93, 130: 1.85, 200: 0.88, 300: 0.45, 400: 0.29, 430: 0.27},
}
"""Energy spread in percent with which base data were simulated; they are to be made again if it changes."""


@pytest.mark.parametrize("ion", list(SPREAD_OF_BASE_DATA))
def test_energy_spread_is_that_of_the_base_data(ion: str) -> None:
    found = machine(f"generic_{ion}")
    for energy, spread in SPREAD_OF_BASE_DATA[ion].items():
        assert found.energy_spread_percent(energy) == pytest.approx(spread, rel=1e-3)
    assert (found.ripple_filter is None) == (ion == "proton")


def test_energy_spread_adds_in_quadrature() -> None:
    carbon = machine("generic_carbon")
    bare = replace(carbon, ripple_filter=None)
    assert bare.energy_spread_percent(200.0) == pytest.approx(0.1)
    assert carbon.ripple_filter is not None
    alone = carbon.ripple_filter.energy_spread_percent("carbon", carbon.optics.energy_mev_u)
    at = carbon.optics.energy_mev_u.tolist().index(200.0)
    assert carbon.energy_spread_percent(200.0) == pytest.approx(np.hypot(0.1, alone[at]))


@pytest.mark.parametrize("ion", ["proton", "helium"])
def test_monitored_machines_are_the_generic_ones_with_a_monitor(ion: str) -> None:
    with_wires, without = machine(f"{ion}_monitor"), machine(f"generic_{ion}")
    assert without.monitor is None
    for name in Machine.__dataclass_fields__:
        if name not in ("name", "description", "monitor", "optics", "foci", "base_data", "ripple_filter"):
            assert getattr(with_wires, name) == getattr(without, name), name
    for name in without.optics.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(with_wires.optics, name), getattr(without.optics, name))
    assert set(with_wires.foci) == set(without.foci)
    low, high = without.energy_range_mev_u
    assert with_wires.energy_spread_percent(high) == without.energy_spread_percent(high)
    assert with_wires.base_data is not None
    assert without.base_data is not None
    assert dict(with_wires.base_data.provenance) == dict(without.base_data.provenance)
    slow, fast = (with_wires.components(e, with_wires.phase_space(e)) for e in (low, high))
    assert [c.part for c in slow] == pytest.approx([0.9, 0.1])
    assert slow[1].phase_space.divergence_rad[0] > fast[1].phase_space.divergence_rad[0]
    assert slow[0].phase_space == without.phase_space(low)


def test_components_follow_the_monitor() -> None:
    wires = Monitor(0.25, 1000.0, 0.5, np.full(9, 0.003))
    found = replace(machine("generic_proton"), monitor=wires)
    pristine, scattered = found.components(150.0, PhaseSpace((4.0, 3.0), (0.0, 0.0), (0.0, 0.0)))
    assert (pristine.part, pristine.water_mm) == (0.75, 0.0)
    assert (scattered.part, scattered.water_mm) == (0.25, 0.5)
    assert scattered.phase_space.sigma_mm == pytest.approx((5.0, np.sqrt(18.0)))
    assert scattered.phase_space.divergence_rad == pytest.approx((0.003, 0.003))
    assert scattered.phase_space.correlation == pytest.approx((0.6, 1 / np.sqrt(2)))
