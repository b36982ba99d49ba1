"""The simulation that made the kernel: attenuation, energy, build-up, and the kernel it gives."""

import numpy as np
import pytest

from isodose.photon.generic_6mv import GENERIC_6MV
from isodose.photon.kernel_fit import fit_kernel
from isodose.photon.kernel_simulation import (
    DEPTH_STEP_MM,
    DEPTHS,
    ENERGY_EDGES_MEV,
    SimulatedKernel,
    simulate_kernel,
)
from isodose.photon.photon_water import compton_cm2_g, pair_cm2_g


@pytest.fixture(scope="module")
def simulated() -> SimulatedKernel:
    return simulate_kernel(20_000, seed=7)


def test_same_seed_same_kernel() -> None:
    assert np.array_equal(simulate_kernel(50, 3).deposit_mev, simulate_kernel(50, 3).deposit_mev)


@pytest.mark.parametrize("energy_mev", [1.25, 3.25, 5.25])
def test_energy_beside_the_pencil_follows_attenuation(simulated: SimulatedKernel, energy_mev: float) -> None:
    """Within 5 mm of the pencil dose is primary, so it falls as the primary photons do.

    Of 30 to 100 mm over 150 to 300 mm; 2 % is the statistics, three times that allowed.
    """
    energies = int(np.searchsorted(ENERGY_EDGES_MEV, energy_mev)) - 1
    core = simulated.deposit_mev[energies, :, :7].sum(axis=1)
    depth = (np.arange(DEPTHS) + 0.5) * DEPTH_STEP_MM
    near, far = core[(depth > 30.0) & (depth < 100.0)].sum(), core[(depth > 150.0) & (depth < 300.0)].sum()
    per_mm = 0.1 * float(compton_cm2_g(energy_mev) + pair_cm2_g(energy_mev))
    left = np.exp(-per_mm * np.array([30.0, 100.0, 150.0, 300.0]))
    assert near / far == pytest.approx((left[0] - left[1]) / (left[2] - left[3]), rel=0.06)


def test_no_more_energy_than_there_is(simulated: SimulatedKernel) -> None:
    """What 400 mm of water keep of a photon: more than half, never all."""
    middle = 0.5 * (ENERGY_EDGES_MEV[1:] + ENERGY_EDGES_MEV[:-1])
    part = simulated.deposit_mev.sum(axis=(1, 2)) / middle
    assert np.all(part < 1.0)
    assert np.all(part[1:] > 0.5)


def test_shipped_kernel_is_what_the_simulation_gives(simulated: SimulatedKernel) -> None:
    """Dose of square fields, relative to the maximum of 100 mm: 2 % for the statistics of this short run."""
    again = fit_kernel(simulated)
    depth = np.array([15.0, 50.0, 100.0, 200.0])
    for side in (50.0, 100.0, 200.0):
        assert again.on_axis_gy(depth, side) == pytest.approx(GENERIC_6MV.on_axis_gy(depth, side), rel=0.02)
