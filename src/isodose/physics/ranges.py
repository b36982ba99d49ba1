"""Ranges in the continuous slowing-down approximation, and the energies that belong to them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from isodose.errors import InputError
from isodose.physics.materials import WATER, Material
from isodose.physics.species import Species
from isodose.physics.stopping import MAXIMUM_ENERGY_MEV_U, MINIMUM_ENERGY_MEV_U, mass_stopping_power

_POINTS = 1201
_LOG_ENERGY = np.linspace(np.log(MINIMUM_ENERGY_MEV_U), np.log(MAXIMUM_ENERGY_MEV_U), _POINTS)


@lru_cache(maxsize=512)
def _splines(species: Species, target: Material) -> tuple[CubicSpline, CubicSpline]:
    """Logarithms: of range (g/cm2) by energy (MeV/u), and the reverse."""
    energy = np.exp(_LOG_ENERGY)
    slope = energy * species.nucleons / mass_stopping_power(species, energy, target)
    # Below the table stopping is proportional to velocity, so that the first residual is 2 T/S.
    ranges = 2.0 * slope[0] + CubicSpline(_LOG_ENERGY, slope).antiderivative()(_LOG_ENERGY)
    return CubicSpline(_LOG_ENERGY, np.log(ranges)), CubicSpline(np.log(ranges), _LOG_ENERGY)


def csda_range(species: Species, energy_mev_u: ArrayLike, material: Material = WATER) -> NDArray[np.float64]:
    """Mean path length to rest, from electronic stopping alone.

    Parameters
    ----------
    species
        The ion.
    energy_mev_u
        Kinetic energy per nucleon in MeV, 0 to 1000. Below 1 keV/u the range grows with the root of the
        energy.
    material
        The target.

    Returns
    -------
    numpy.ndarray
        g/cm2, in the shape of ``energy_mev_u``.

    Raises
    ------
    InputError
        If an energy is negative or above 1000 MeV/u.
    """
    energy = np.asarray(energy_mev_u, dtype=np.float64)
    bad = ~((energy >= 0.0) & (energy <= MAXIMUM_ENERGY_MEV_U))
    if np.any(bad):
        raise InputError("energy_mev_u", float(energy[bad].flat[0]), f"0 to {MAXIMUM_ENERGY_MEV_U} MeV/u")
    forward, _ = _splines(species, material)
    inside = np.exp(forward(np.log(np.maximum(energy, MINIMUM_ENERGY_MEV_U))))
    return np.asarray(inside * np.sqrt(np.minimum(energy / MINIMUM_ENERGY_MEV_U, 1.0)))


def energy_of_range(
    species: Species, range_g_cm2: ArrayLike, material: Material = WATER
) -> NDArray[np.float64]:
    """Energy per nucleon in MeV of an ion whose :func:`csda_range` is given in g/cm2.

    Raises
    ------
    InputError
        If a range is negative or longer than that of 1000 MeV/u.
    """
    ranges = np.asarray(range_g_cm2, dtype=np.float64)
    _, inverse = _splines(species, material)
    bottom, top = float(np.exp(inverse.x[0])), float(np.exp(inverse.x[-1]))
    bad = ~((ranges >= 0.0) & (ranges <= top * (1.0 + 1e-12)))
    if np.any(bad):
        raise InputError("range_g_cm2", float(ranges[bad].flat[0]), f"0 to {top:.6g} g/cm2")
    inside = np.exp(inverse(np.log(np.clip(ranges, bottom, top))))
    return np.asarray(inside * np.minimum(ranges / bottom, 1.0) ** 2)
