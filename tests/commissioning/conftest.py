"""Simulations made up from known depth doses and Gaussians, and a small machine for real ones."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import erf

from isodose.commissioning.simulation import Simulation
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine
from isodose.plan.depth_dose import range_mm

SIGMA_AT_RANGE, WEIGHT, LETD = (0.02, 0.06, 0.15), (0.85, 0.1, 0.05), (2.0, 4.0, 8.0)
"""Of the Gaussians: widths at the end of the range as parts of it, parts of the dose, and LETd in keV/um."""


def depth_dose(depth_mm: np.ndarray, energy: float) -> np.ndarray:
    """Plateau and peak in MeV cm2/g; 80 % of the peak lies behind it at the range."""
    x = depth_mm / float(range_mm("proton", energy))
    width = 0.012
    peak = np.exp(-0.5 * np.square((x - 1.0) / width + np.sqrt(-2.0 * np.log(0.8))))
    return (900.0 / energy) * (3.0 * peak + (0.8 + 0.3 * x) * 0.5 * (1.0 - erf((x - 1.0) / width)))


def widths(depth_mm: np.ndarray, energy: float) -> np.ndarray:
    """Standard deviations ``(depth, 3)`` mm; the core grows as multiple scattering makes it."""
    reach = float(range_mm("proton", energy))
    core = np.clip(depth_mm / reach, 0.0, 1.0) ** 1.5
    halo = 0.4 + 0.6 * np.clip(depth_mm / reach, 0.0, 1.0)
    return reach * np.stack(
        [SIGMA_AT_RANGE[0] * core, SIGMA_AT_RANGE[1] * halo, SIGMA_AT_RANGE[2] * halo], axis=1
    )


def synthetic(energy: float, noise: float = 0.0, seed: int = 0) -> Simulation:
    """Simulation of known content; ``noise`` is the relative uncertainty of the dose in a whole depth bin."""
    reach = float(range_mm("proton", energy))
    step, width = reach / 400.0, 0.25 + 0.0025 * reach
    depth = (np.arange(int(1.2 * reach / step)) + 0.5) * step
    side = int(np.ceil((30.0 + 0.35 * reach) / width))
    edges = (np.arange(-side, side + 2) - 0.5) * width
    sigma = np.maximum(widths(depth, energy), 1e-6)
    parts = np.diff(0.5 * erf(edges[None, None, :] / (np.sqrt(2.0) * sigma[:, :, None])), axis=2)
    each = parts * np.array(WEIGHT)[None, :, None]
    dose = depth_dose(depth, energy)[:, None] * each.sum(axis=1) / width
    letd = (each * np.array(LETD)[None, :, None]).sum(axis=1) / np.maximum(each.sum(axis=1), 1e-30)
    # As many particles per depth as give the noise, spread over the bins.
    error = noise * np.sqrt(dose * dose.sum(axis=1, keepdims=True))
    noisy = np.maximum(dose + error * np.random.default_rng(seed).standard_normal(dose.shape), 0.0)
    return Simulation(
        energy,
        (step, width),
        noisy.astype(np.float32),
        error.astype(np.float32),
        letd.astype(np.float32),
        np.ones((depth.size // 2, 2, 3), dtype=np.float32),
        2.0 * step,
        ("p", "d"),
        np.array([0.0, 10.0, 100.0, 300.0]),
    )


@pytest.fixture(scope="session")
def known() -> SimpleNamespace:
    """Makes simulations, and tells what they are made of."""
    return SimpleNamespace(simulation=synthetic, depth_dose=depth_dose, widths=widths)


@pytest.fixture(scope="session")
def low_energies() -> Machine:
    """Generic proton machine of 70 to 80 MeV without base data, for quick simulations."""
    return replace(machine("generic_proton"), energy_range_mev_u=(70.0, 80.0), base_data=None)
