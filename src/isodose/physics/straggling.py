"""Fluctuations of the energy loss: Bohr's variance, Vavilov's skewness, and a transform that keeps both.

Single collisions with free electrons follow ``(1 - beta^2 W / W_max) / W^2`` up to the kinematic limit, as
in Vavilov's theory (Sov. Phys. JETP 5 (1957) 749), so that variance and third moment are closed expressions
and add up over a path. Below about 0.4 MeV/u the variance falls as given by Lindhard and Scharff (Mat. Fys.
Medd. 27 (1953) No. 15). Left out: binding (some percent around 1 MeV/u) and charge exchange of slow ions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from isodose.physics.constants import ELECTRON_MASS_MEV, STOPPING_CONSTANT
from isodose.physics.effective_charge import effective_charge
from isodose.physics.elements import element
from isodose.physics.materials import WATER, Material
from isodose.physics.species import Species
from isodose.physics.stopping import MINIMUM_ENERGY_MEV_U, mass_stopping_power

_BOHR_ENERGY_MEV_U = 0.02498  # an ion as fast as an electron on the first Bohr orbit

LARGEST_SKEWNESS = 1.5
"""Largest skewness that is kept (kappa of about 0.1); losses of thinner layers come out too symmetric."""


def _beta_gamma_squared(species: Species, energy_mev_u: ArrayLike) -> NDArray[np.float64]:
    tau = np.asarray(energy_mev_u, dtype=np.float64) * species.nucleons / species.mass_mev
    return np.asarray(tau * (tau + 2.0))


def maximum_transfer(species: Species, energy_mev_u: ArrayLike) -> NDArray[np.float64]:
    """Largest energy in MeV that the ion can hand to a free electron at rest."""
    bg2 = _beta_gamma_squared(species, energy_mev_u)
    ratio = ELECTRON_MASS_MEV / species.mass_mev
    return np.asarray(2.0 * ELECTRON_MASS_MEV * bg2 / (1.0 + 2.0 * np.sqrt(1.0 + bg2) * ratio + ratio**2))


def vavilov_xi(species: Species, energy_mev_u: ArrayLike, material: Material) -> NDArray[np.float64]:
    """Vavilov's xi per mass thickness, MeV cm2/g."""
    bg2 = _beta_gamma_squared(species, energy_mev_u)
    z2 = effective_charge(species.charge, energy_mev_u) ** 2
    return np.asarray(0.5 * STOPPING_CONSTANT * material.z_over_a * z2 * (1.0 + bg2) / bg2)


def vavilov_kappa(
    species: Species, energy_mev_u: ArrayLike, material: Material, thickness_g_cm2: ArrayLike
) -> NDArray[np.float64]:
    """Vavilov's kappa of a thickness: nearly Gaussian above 10, Landau below 0.01."""
    xi = vavilov_xi(species, energy_mev_u, material) * np.asarray(thickness_g_cm2, dtype=np.float64)
    return np.asarray(xi / maximum_transfer(species, energy_mev_u))


def straggling_variance(species: Species, energy_mev_u: ArrayLike, material: Material) -> NDArray[np.float64]:
    """Variance of the energy loss per mass thickness, MeV2 cm2/g.

    Parameters
    ----------
    species
        The ion; its effective charge counts.
    energy_mev_u
        Kinetic energy per nucleon in MeV.
    material
        The target.
    """
    energy = np.asarray(energy_mev_u, dtype=np.float64)
    bg2 = _beta_gamma_squared(species, energy)
    xi = vavilov_xi(species, energy, material)
    bohr = xi * maximum_transfer(species, energy) * (1.0 - 0.5 * bg2 / (1.0 + bg2))
    mean_charge = sum(w * element(symbol).charge for symbol, w in material.composition.items())
    chi = np.minimum(energy / _BOHR_ENERGY_MEV_U / mean_charge, 3.0)
    return np.asarray(bohr * np.minimum(0.5 * (1.36 * np.sqrt(chi) - 0.016 * chi**1.5), 1.0))


def straggling_skewness(species: Species, energy_mev_u: ArrayLike, material: Material) -> NDArray[np.float64]:
    """Skewness of the energy loss in 1 g/cm2; in another thickness, this over the root of that in g/cm2."""
    bg2 = _beta_gamma_squared(species, energy_mev_u)
    beta2 = bg2 / (1.0 + bg2)
    kappa = vavilov_kappa(species, energy_mev_u, material, 1.0)
    return np.asarray((0.5 - beta2 / 3.0) / (np.sqrt(kappa) * (1.0 - 0.5 * beta2) ** 1.5))


def range_straggling(species: Species, energy_mev_u: float, material: Material = WATER) -> float:
    """Return the standard deviation of the range in g/cm2, summed from the variance of the loss."""
    energy = np.geomspace(MINIMUM_ENERGY_MEV_U, energy_mev_u, 2000)
    stopping = mass_stopping_power(species, energy, material)
    growth = straggling_variance(species, energy, material) / stopping**3 * energy * species.nucleons
    return float(np.sqrt(np.trapezoid(growth, np.log(energy))))


@njit(cache=True, inline="always")
def skewed(standard_normal, skewness):  # type: ignore[no-untyped-def]
    """Number of mean 0, variance 1 and that skewness, from a standard normal one.

    A quadratic of the normal number keeps the three moments (Fleishman, Psychometrika 43 (1978) 521). Its
    coefficient solves ``4 c^3 - 6 c + skewness = 0``, by one step of Newton's method from ``skewness / 6``:
    to 1 % of the skewness up to ``LARGEST_SKEWNESS``, where larger ones are cut off.
    """
    gamma = min(skewness, LARGEST_SKEWNESS)
    c = gamma * (1.0 / 6.0)
    c += 4.0 * c * c * c / (6.0 - 12.0 * c * c)
    return math.sqrt(1.0 - 2.0 * c * c) * standard_normal + c * (standard_normal * standard_normal - 1.0)
