"""Smoothing over energy."""

import numpy as np
import pytest

from isodose.track.database import ClusterDatabase
from isodose.track.database_entry import Entry, database_energies
from isodose.track.database_fit import smooth_database, smooth_over_energy


def curve(energies):
    """Shape of F7 of carbon: it rises, peaks near 1 MeV/u and falls over four decades."""
    x = np.log(energies)
    return np.exp(-0.25 * x**2 / (1.0 + 0.08 * x**2))


def test_smooth_data_stay():
    energies = database_energies("C12")
    values = curve(energies)
    fitted, _ = smooth_over_energy(energies, values, 0.01 * values)
    # far from the ends, where points stand closer
    assert fitted[2:-2] == pytest.approx(values[2:-2], rel=2e-3)


def test_noise_falls_and_its_uncertainty_is_right():
    energies = database_energies("C12")
    inner = slice(10, -10)
    rng = np.random.default_rng(1)
    runs = []
    for _ in range(200):
        values = curve(energies) * (1.0 + 0.01 * rng.normal(size=energies.size))
        fitted, told = smooth_over_energy(energies, values, 0.01 * curve(energies))
        runs.append(fitted / curve(energies) - 1.0)
    scatter = np.std(runs, axis=0)[inner]
    # 200 runs give a scatter to 5 %
    assert scatter == pytest.approx((told / curve(energies))[inner], rel=0.2)
    assert np.median(scatter) < 0.005
    assert np.abs(np.mean(runs, axis=0)[inner]).max() < 0.003


def test_empty_points_are_left_alone():
    energies = np.geomspace(1.0, 10.0, 20)
    values = np.where(energies > 5.0, 0.0, 1.0)
    fitted, told = smooth_over_energy(energies, values, 0.1 * values)
    assert np.all(fitted[energies > 5.0] == 0.0)
    assert fitted[0] == pytest.approx(1.0)
    assert told[5] < 0.1
    short = np.ones(3)
    assert smooth_over_energy(energies[:3], short, 0.1 * short)[1] == pytest.approx(0.1)


def test_residuals_are_told():
    energies = np.geomspace(0.01, 400.0, 40)
    rng = np.random.default_rng(2)
    entries = [
        Entry("p", float(e), v * (1.0 + 0.01 * rng.normal(size=12)), 0.01 * v * np.ones(12), 10)
        for e, v in zip(energies, curve(energies), strict=True)
    ]
    smooth = smooth_database(ClusterDatabase(tuple(entries), {"seed": 1}))
    told = smooth.provenance["smoothed"]["p"]["F4"]
    assert 0.3 < told["rms_sigma"] < 1.2
    assert told["largest_relative"] < 0.04
    assert smooth.provenance["seed"] == 1
    assert smooth.energies_mev_u("p") == pytest.approx(energies)
