"""Energies of the charged particles that a non-elastic proton interaction sends out, as tables of quantiles.

Each spectrum is the sum of physical parts, on each anchor element and energy of ICRU Report 63:

- protons: evaporation (a Maxwellian), pre-equilibrium (an exponential) and a cascade part that is flat up to
  nearly the proton's energy, as quasi-free scattering shares the energy evenly;
- deuterons and tritons: evaporation, a flat continuum and pick-up, a peak some 25 MeV below the proton's
  energy;
- helium: evaporation over a Coulomb barrier.

The share of the hard part (for helium the temperature) is solved so that the mean energy is that of ICRU
Report 63; multiplicities are taken from there. Tritons and helium-3, which the report does not give, follow
the ratio t/d = 0.2 and half the ratio He3/He4 = 0.2 measured for 12C on hydrogen at 95 MeV/u (Dudouet et
al., Phys. Rev. C 88 (2013) 024606); half, because the report's helium is already all that was measured.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isodose.physics.constants import ATOMIC_MASS_MEV, ELECTRON_MASS_MEV
from isodose.physics.elements import ELEMENTS
from isodose.physics.proton_cross_sections import ANCHOR_ELEMENTS, icru63_table, neighbouring_anchors

FloatArray = NDArray[np.float64]

P, D, T, HE3, HE4 = range(5)
"""Products, in the order of their species index."""

QUANTILES = 129
"""Points of each inverted cumulative spectrum, equally spaced in probability from 0 to 1."""

TOP_MEV = 430.0
"""Energy to which the tables, which end at 250 MeV, are extended."""

_ANCHOR_CHARGE = {"C": 6, "N": 7, "O": 8, "Al": 13, "Si": 14, "P": 15, "Ca": 20, "Fe": 26}
_TRITONS_PER_DEUTERON = 0.2
_HE3_PER_HE4 = 0.1
# The pre-equilibrium part falls by e in so many MeV; on light nuclei it hardens with the square root of the
# projectile's energy beyond so many MeV. Of oxygen's protons the share above half of that energy is then the
# report's within 3 %.
_PRE_EQUILIBRIUM_MEV = 12.0
_PRE_EQUILIBRIUM_FULL_MEV = 60.0
_LEAST_LOSS_MEV = 2.0  # few levels lie lower, and recoil takes the rest
_FULL_T_HE3_MEV = 95.0  # energy of the measurement of both ratios; below, they fall in proportion


class ProtonTables(NamedTuple):
    """What the kernels of proton interactions look up; arrays only.

    ``energy_mev (n,)``: grid of proton energies; ``multiplicity (anchor, n, 5)``: mean number of p, d, t,
    He3, He4 an event; ``quantile_mev (anchor, n, 5, QUANTILES)``: their energies by cumulative probability;
    ``direct_share (anchor, n)``: of the deuterons, those picked up directly; ``recoil_fraction (anchor,
    n)``; ``anchors (element, 2)`` and ``second_share (element,)``: the anchors an element lies between;
    ``charge``, ``nucleons`` and ``mass_mev (element,)``: of the target nucleus.
    """

    energy_mev: FloatArray
    multiplicity: FloatArray
    quantile_mev: FloatArray
    direct_share: FloatArray
    recoil_fraction: FloatArray
    anchors: NDArray[np.int64]
    second_share: FloatArray
    charge: NDArray[np.int64]
    nucleons: NDArray[np.int64]
    mass_mev: FloatArray


def _normalised(density: FloatArray, energy: FloatArray) -> FloatArray:
    return np.asarray(density / np.trapezoid(density, energy))


def _mean(density: FloatArray, energy: FloatArray) -> float:
    return float(np.trapezoid(density * energy, energy))


def _proton_parts(energy: FloatArray, projectile_mev: float, charge: int) -> tuple[FloatArray, FloatArray]:
    """Soft (evaporation and pre-equilibrium) and hard (cascade) spectrum of protons."""
    barrier = 0.06 * charge
    open_ = 1.0 / (1.0 + np.exp(-(energy - barrier) / (0.3 * barrier + 0.2)))
    temperature = min(4.0 if charge < 10 else 3.3, projectile_mev / 8.0)
    evaporation = _normalised(energy * np.exp(-energy / temperature) * open_, energy)
    fall = min(_PRE_EQUILIBRIUM_MEV, projectile_mev / 5.0)
    if charge < 10 and projectile_mev > _PRE_EQUILIBRIUM_FULL_MEV:
        fall *= (projectile_mev / _PRE_EQUILIBRIUM_FULL_MEV) ** 0.5
    pre_equilibrium = _normalised(np.exp(-energy / fall) * open_, energy)
    top = max(projectile_mev - 4.0, 0.7 * projectile_mev)
    cascade = (1.0 - np.exp(-energy / 3.0)) / (1.0 + np.exp((energy - top) / (0.03 * projectile_mev)))
    return 0.6 * evaporation + 0.4 * pre_equilibrium, _normalised(cascade, energy)


def _deuteron_parts(energy: FloatArray, projectile_mev: float) -> tuple[FloatArray, FloatArray]:
    """Soft (evaporation with a flat continuum) and hard (pick-up) spectrum of deuterons."""
    temperature = min(4.0, projectile_mev / 8.0)
    evaporation = _normalised(energy * np.exp(-energy / temperature), energy)
    top = max(projectile_mev - 25.0, 0.5 * projectile_mev)
    width = min(10.0, 0.2 * projectile_mev)
    continuum = _normalised(1.0 / (1.0 + np.exp((energy - top) / (0.2 * width))), energy)
    pick_up = _normalised(np.exp(-0.5 * ((energy - top) / width) ** 2), energy)
    return 0.85 * evaporation + 0.15 * continuum, 0.85 * pick_up + 0.15 * continuum


def _helium(energy: FloatArray, mean_mev: float, charge: int) -> FloatArray:
    """Evaporation spectrum of helium of a given mean energy."""
    barrier = min(0.2 * charge, 0.5 * mean_mev)
    temperature = 0.5 * (mean_mev - barrier)
    above = np.maximum(energy - barrier, 0.0)
    return _normalised(above * np.exp(-above / temperature), energy)


def _quantiles(density: FloatArray, energy: FloatArray, mean_mev: float) -> FloatArray:
    """Inverted cumulative spectrum whose piecewise linear mean is ``mean_mev`` exactly."""
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(energy)
    cumulative = np.append(0.0, np.cumsum(steps))
    points = np.interp(np.linspace(0.0, 1.0, QUANTILES), cumulative / cumulative[-1], energy)
    # the cumulative is flat where the spectrum has died out; end at its 1 in 10,000 point
    points[-1] = np.interp(1.0 - 1e-4, cumulative / cumulative[-1], energy)
    return np.asarray(points * (mean_mev / np.trapezoid(points, dx=1.0 / (QUANTILES - 1))))


def _spectrum(product: int, projectile_mev: float, charge: int, mean_mev: float) -> tuple[FloatArray, float]:
    """Quantiles in MeV of one product and the share of its hard part (0 for helium)."""
    if mean_mev <= 0.0:
        return np.zeros(QUANTILES), 0.0
    energy = np.linspace(0.0, max(projectile_mev - _LEAST_LOSS_MEV, 0.9 * projectile_mev), 2001)
    if product in (HE3, HE4):
        return _quantiles(_helium(energy, mean_mev, charge), energy, mean_mev), 0.0
    if product == P:
        soft, hard = _proton_parts(energy, projectile_mev, charge)
    else:
        soft, hard = _deuteron_parts(energy, projectile_mev)
    mean_soft, mean_hard = _mean(soft, energy), _mean(hard, energy)
    share = float(np.clip((mean_mev - mean_soft) / (mean_hard - mean_soft), 0.0, 1.0))
    return _quantiles((1.0 - share) * soft + share * hard, energy, mean_mev), share


def _extended(table: FloatArray) -> FloatArray:
    """ICRU rows with one more at `TOP_MEV`, continued in ln(energy) from 150 and 250 MeV."""
    energy = table[:, 0]
    scaled = table[:, 2:].copy()
    scaled[:, [1, 3]] /= energy[:, None]  # mean energies of p and d grow with the projectile's
    at = {e: scaled[np.flatnonzero(energy == e)[0]] for e in (150.0, 250.0)}
    slope = (at[250.0] - at[150.0]) / np.log(250.0 / 150.0)
    last = np.maximum(at[250.0] + slope * np.log(TOP_MEV / 250.0), 0.5 * at[250.0])
    last[[1, 3]] *= TOP_MEV
    return np.vstack([table, np.concatenate([[TOP_MEV, np.nan], last])])


def _anchor_tables(symbol: str) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Multiplicities, quantiles, direct shares and recoil fractions of an anchor, as in `ProtonTables`."""
    table = _extended(icru63_table()[symbol])
    energy = table[:, 0]
    rise = np.minimum(energy / _FULL_T_HE3_MEV, 1.0)
    multiplicity = np.zeros((len(energy), 5))
    multiplicity[:, [P, D, HE4]] = table[:, [2, 4, 6]]
    multiplicity[:, T] = _TRITONS_PER_DEUTERON * rise * multiplicity[:, D]
    multiplicity[:, HE3] = _HE3_PER_HE4 * rise * multiplicity[:, HE4]
    means = np.zeros_like(multiplicity)
    means[:, [P, D, HE4]] = table[:, [3, 5, 7]]
    means[:, T] = 0.5 * means[:, D]  # three nucleons share less of a direct reaction's energy than two
    means[:, HE3] = 1.3 * means[:, HE4]
    quantiles = np.zeros((len(energy), 5, QUANTILES))
    hard = np.zeros_like(multiplicity)
    for i, product in np.ndindex(multiplicity.shape):
        quantiles[i, product], hard[i, product] = _spectrum(
            product, float(energy[i]), _ANCHOR_CHARGE[symbol], float(means[i, product])
        )
    return multiplicity, quantiles, hard[:, D], table[:, 8]


def proton_tables() -> ProtonTables:
    """Build the tables that `proton_nonelastic` and `proton_elastic` take (about 0.1 s)."""
    anchors = [_anchor_tables(symbol) for symbol in ANCHOR_ELEMENTS]
    neighbours = [neighbouring_anchors(element) for element in ELEMENTS]
    nucleons = np.array([round(element.atomic_weight) for element in ELEMENTS], dtype=np.int64)
    charge = np.array([element.charge for element in ELEMENTS], dtype=np.int64)
    weight = np.array([element.atomic_weight for element in ELEMENTS])
    return ProtonTables(
        energy_mev=np.append(icru63_table()["C"][:, 0], TOP_MEV),
        multiplicity=np.array([a[0] for a in anchors]),
        quantile_mev=np.array([a[1] for a in anchors]),
        direct_share=np.array([a[2] for a in anchors]),
        recoil_fraction=np.array([a[3] for a in anchors]),
        anchors=np.array([[low, high] for low, high, _ in neighbours], dtype=np.int64),
        second_share=np.array([share for _, _, share in neighbours]),
        charge=charge,
        nucleons=nucleons,
        mass_mev=weight * ATOMIC_MASS_MEV - charge * ELECTRON_MASS_MEV,
    )
