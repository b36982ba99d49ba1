import numpy as np
import pytest

from isodose.physics.fragment_kinematics import (
    MASS,
    boost,
    break_up,
    kinetic_energy,
    rescale_kinetic_energy,
    scatter,
)
from isodose.physics.random import start

PROTON = 938.272


@pytest.fixture
def stream() -> np.ndarray:
    counter = np.zeros(1, dtype=np.uint64)
    start(counter, 11, 0)
    return counter


def energy(row: np.ndarray) -> float:
    return float(np.sqrt(np.sum(row**2)))


def test_boost_there_and_back() -> None:
    row = np.array([30.0, -50.0, 400.0, PROTON])
    moved = row.copy()
    boost(moved, 0.2, -0.1, 0.5)
    assert energy(moved) > energy(row)
    boost(moved, -0.2, 0.1, -0.5)
    assert moved == pytest.approx(row)


def test_boost_of_a_particle_at_rest() -> None:
    row = np.array([0.0, 0.0, 0.0, PROTON])
    boost(row, 0.0, 0.0, 0.6)
    assert row[:3] == pytest.approx([0.0, 0.0, PROTON * 0.75])
    assert kinetic_energy(row) == pytest.approx(0.25 * PROTON)


def test_rescaling_keeps_the_direction() -> None:
    row = np.array([30.0, -50.0, 400.0, PROTON])
    before = row.copy()
    rescale_kinetic_energy(row, 0.5)
    assert kinetic_energy(row) == pytest.approx(0.5 * kinetic_energy(before))
    assert np.cross(row[:3], before[:3]) == pytest.approx(np.zeros(3), abs=1e-9)


def test_break_up_momenta_add_up_to_zero_with_goldhaber_widths(stream: np.ndarray) -> None:
    nucleons = np.array([4, 7, 1])
    momenta = np.zeros((3, 4))
    momenta[:, MASS] = 931.5 * nucleons
    drawn = []
    for _ in range(4000):
        break_up(momenta, nucleons, 3, 90.0, stream)
        assert momenta[:, :3].sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
        drawn.append(momenta[:, :3].copy())
    found = np.sqrt(np.mean(np.square(drawn), axis=(0, 2)))
    expected = 90.0 * np.sqrt(nucleons * (12 - nucleons) / 11.0)
    # 12000 numbers of a distribution with kurtosis 4.5: 0.9 % standard error, taken fourfold
    assert found == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("slope", [0.0, 25e-6])
def test_scattering_conserves_energy_and_momentum(stream: np.ndarray, slope: float) -> None:
    one, two = np.array([40.0, 0.0, 700.0, PROTON]), np.array([-20.0, 60.0, 10.0, 4 * PROTON])
    total, momentum = energy(one) + energy(two), one[:3] + two[:3]
    for _ in range(20):
        scatter(one, two, slope, stream)
        assert energy(one) + energy(two) == pytest.approx(total)
        assert one[:3] + two[:3] == pytest.approx(momentum)


def test_slope_of_scattering(stream: np.ndarray) -> None:
    transfers = []
    for _ in range(4000):
        one, two = np.array([0.0, 0.0, 1000.0, PROTON]), np.array([0.0, 0.0, 0.0, PROTON])
        scatter(one, two, 50e-6, stream)
        transfers.append(2.0 * PROTON * kinetic_energy(two))
    # exponential in |t|: mean 1 / slope, standard error 1.6 %, taken threefold
    assert np.mean(transfers) == pytest.approx(1 / 50e-6, rel=0.05)
