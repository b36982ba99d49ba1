"""An analytic depth dose of a broad beam in water, good enough to weight spots before any engine runs.

Primaries lose energy by the stopping power in water; their ranges are spread by straggling and by the
beam's energy spread; they vanish by the reaction cross-section. A reacted proton leaves a fixed part of its
energy in the neighbourhood (0.6: Bortfeld, Med Phys 24 (1997) 2024, after Berger), here carried on a little
way. A reacted ion leaves fragments that go straight on at its velocity with the yields below, and a little
energy on the spot. Fragments that react are not replaced, nor removed: their own fragments carry on much
the same.

Validity: depths in water-equivalent mm, lateral equilibrium (a field wider than the beam's halo). Against
the reference Monte Carlo (100 and 150 MeV protons, 200 and 290 MeV/u carbon) it is within 4 % for protons
up to the peak, which is 7 to 10 % high, and within 8 % for carbon; the tail behind carbon's peak is up to
40 % high.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.physics.constants import AVOGADRO, GY_PER_MEV_PER_G
from isodose.physics.elements import element
from isodose.physics.ion_cross_sections import reaction_cross_section
from isodose.physics.materials import material
from isodose.physics.proton_cross_sections import proton_nonelastic_cross_section
from isodose.physics.ranges import csda_range, energy_of_range
from isodose.physics.species import Species, species
from isodose.physics.stopping import mass_stopping_power
from isodose.physics.straggling import range_straggling
from isodose.plan.plan import IONS

PROTON_LOCAL_PART = 0.6
"""Part of a reacted proton's energy deposited in the neighbourhood (Bortfeld 1997)."""

PROTON_CARRY = 0.15
"""Mean distance that this energy is carried on, as part of the residual range (fitted to the reference)."""

ION_LOCAL_MEV = 30.0
"""Energy of target fragments deposited on the spot per reaction of an ion, MeV (evaporated p and He)."""

YIELDS: dict[str, dict[str, float]] = {
    "helium": {"He3": 0.30, "p": 0.77, "d": 0.42, "t": 0.21}, "carbon": {"C11": 0.125, "B11": 0.165, "Be7":
    0.07, "Li7": 0.09, "He4": 0.82, "p": 1.6, "d": 0.32, "t": 0.1}, "oxygen": {
        "O15": 0.07, "N14": 0.14, "C12": 0.15, "B11": 0.08, "Be7": 0.045, "Li7": 0.06, "He4": 0.8,
        "p": 1.8, "d": 0.35, "t": 0.1,
    },
}  # fmt: skip
"""Projectile fragments per reaction in water.

Carbon: Toshito et al., Phys Rev C 75 (2007) 054606 (Li, Be, B), Horst et al., Phys Med Biol 64 (2019)
205012 (neutron removal), Haettner et al. (2006) build-up at 400 MeV/u (H, He), the protons raised to give
the reference's dose. Helium: Horst et al. (2019), 3He from the difference of reaction and charge-changing
cross-sections. Oxygen: Zeitlin et al., Phys Rev C 83 (2011) 034909 and FOOT (2025) on carbon, over the
reaction cross-section.
"""

_CM_PER_MM = 0.1
_STEP_MM = 0.25
_FRAGMENT_STEP_MM = 2.0
_TAIL_MM = 60.0
_LOWEST_MEV_U = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class DepthDose:
    """A depth dose curve in water.

    Parameters
    ----------
    range_mm
        Mean range.
    range_sigma_mm
        Standard deviation of the range: straggling and energy spread.
    depth_mm
        Ascending depths, ``(n,)``.
    gy_mm2
        Dose per fluence, ``(n,)`` Gy mm2 per particle.
    """

    range_mm: float
    range_sigma_mm: float
    depth_mm: NDArray[np.float64]
    gy_mm2: NDArray[np.float64]

    def at(self, depth_mm: ArrayLike) -> NDArray[np.float64]:
        """Dose per fluence in Gy mm2 per particle at depths in mm of water; zero far behind the peak."""
        depth = np.asarray(depth_mm, dtype=np.float64)
        return np.asarray(np.interp(depth, self.depth_mm, self.gy_mm2, right=0.0))


def range_mm(ion: str, energy_mev_u: ArrayLike) -> NDArray[np.float64]:
    """Range in water in mm of an ion (``"proton"``, ``"helium"``, ...) of energies in MeV/u."""
    return csda_range(species(IONS[ion]), energy_mev_u) / _CM_PER_MM


def energy_for_range(ion: str, depth_mm: ArrayLike) -> NDArray[np.float64]:
    """Energy in MeV/u whose range in water is a depth in mm."""
    return energy_of_range(species(IONS[ion]), np.asarray(depth_mm) * _CM_PER_MM)


@lru_cache(maxsize=512)
def depth_dose(ion: str, energy_mev_u: float, energy_spread_percent: float = 0.0) -> DepthDose:
    """Depth dose of a broad beam in water.

    Parameters
    ----------
    ion
        ``"proton"``, ``"helium"``, ``"carbon"`` or ``"oxygen"``.
    energy_mev_u
        Nominal energy.
    energy_spread_percent
        Standard deviation of the energy in percent.
    """
    particle = species(IONS[ion])
    mean = float(csda_range(particle, energy_mev_u))
    slope = energy_mev_u * particle.nucleons / float(_stopping(particle, np.array(energy_mev_u)))
    spread = energy_spread_percent / 100.0 * slope
    sigma = float(np.hypot(range_straggling(particle, energy_mev_u), spread))
    edges = np.arange(0.0, mean + 6.0 * sigma + _STEP_MM * _CM_PER_MM, _STEP_MM * _CM_PER_MM)
    loss, middle = _primary_loss(particle, mean, sigma, edges)
    residual = np.maximum(mean - middle, 1e-4)
    survival, reacting = _attenuation(particle, residual, edges)
    dose = loss * survival
    if ion == "proton":
        dose += _recoil_dose(mean, middle, reacting, energy_of_range(particle, residual))
        depth = middle
    else:
        dose += ION_LOCAL_MEV * reacting
        depth = np.append(middle, middle[-1] + np.arange(0.1, _TAIL_MM * _CM_PER_MM, 0.1))
        dose = np.interp(depth, middle, dose, right=0.0) + _fragment_dose(ion, mean, middle, reacting, depth)
    per_fluence = dose * GY_PER_MEV_PER_G / _CM_PER_MM**2
    return DepthDose(mean / _CM_PER_MM, sigma / _CM_PER_MM, depth / _CM_PER_MM, per_fluence)


def _stopping(particle: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
    return mass_stopping_power(particle, np.maximum(energy_mev_u, _LOWEST_MEV_U), material("water"))


def _primary_loss(
    particle: Species, mean: float, sigma: float, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """MeV/cm lost by a primary that meets no nucleus, by bin, and the middles of the bins in cm."""
    left = np.linspace(0.0, mean + 5.0 * sigma, 4000)
    energy = energy_of_range(particle, left) * particle.nucleons
    total = np.zeros(edges.size)
    offsets = np.linspace(-4.5, 4.5, 91)
    weights = np.exp(-0.5 * offsets**2)
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        total += weight * np.interp(mean + offset * sigma - edges, left, energy, left=0.0)
    return -np.diff(total) / np.diff(edges), 0.5 * (edges[1:] + edges[:-1])


def _macroscopic(particle: Species, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reactions per cm of water."""
    water, energy = material("water"), np.clip(energy_mev_u, 1.0, 430.0)
    total = np.zeros_like(energy)
    for symbol, fraction in water.composition.items():
        atom = element(symbol)
        per_mb = fraction * AVOGADRO / atom.atomic_weight * 1e-27
        if particle.nucleons == 1:
            total += per_mb * proton_nonelastic_cross_section(atom, energy)
        else:
            total += per_mb * reaction_cross_section(particle, atom, energy)
    return total


def _attenuation(
    particle: Species, residual: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Part of the primaries that has not reacted, and reactions per cm and primary, by bin."""
    per_cm = _macroscopic(particle, energy_of_range(particle, residual))
    thickness = per_cm * np.diff(edges)
    survival = np.exp(-(np.cumsum(thickness) - 0.5 * thickness))
    return survival, per_cm * survival


def _recoil_dose(
    mean: float, middle: NDArray[np.float64], reacting: NDArray[np.float64], energy_mev: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Dose of what reacted protons leave near by, MeV cm2/g per primary, at the middles of bins."""
    step = _FRAGMENT_STEP_MM * _CM_PER_MM
    births = np.arange(0.5, mean / step) * step
    left = PROTON_LOCAL_PART * step * np.interp(births, middle, reacting * energy_mev)
    carried = PROTON_CARRY * (mean - births)
    behind = middle[None, :] - births[:, None] + 0.5 * step
    kernel = np.exp(-np.maximum(behind, 0.0) / carried[:, None]) / carried[:, None] * (behind >= 0.0)
    return np.asarray(left @ kernel)


def _fragment_dose(
    ion: str,
    mean: float,
    middle: NDArray[np.float64],
    reacting: NDArray[np.float64],
    depth: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Dose of projectile fragments, MeV cm2/g per primary, at depths in cm."""
    projectile = species(IONS[ion])
    births = np.arange(0.5, mean / (_FRAGMENT_STEP_MM * _CM_PER_MM)) * _FRAGMENT_STEP_MM * _CM_PER_MM
    rate = np.interp(births, middle, reacting) * _FRAGMENT_STEP_MM * _CM_PER_MM
    energy = energy_of_range(projectile, np.maximum(mean - births, 1e-4))
    depths = np.arange(0.0, depth[-1] + 0.2, 0.1)
    total = np.zeros_like(depths)
    for name, multiplicity in YIELDS[ion].items():
        fragment = species(name)
        travelled = depths[None, :] - births[:, None]
        left = csda_range(fragment, energy)[:, None] - travelled
        here = (travelled >= 0.0) & (left > 0.0)
        table = np.geomspace(1e-4, max(float(left.max()), 1e-3), 500)
        stopping = _stopping(fragment, energy_of_range(fragment, table))
        local = np.interp(np.maximum(left, 1e-4), table, stopping) * here
        total += multiplicity * rate @ local
    return np.asarray(np.interp(depth, depths, total))
