"""Radial dose around an ion's path in water of 1 g/cm3, averaged over its delta electrons."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.biology.radial_profile import RadialProfile
from isodose.errors import InputError

GY_UM2_PER_KEV_UM = 0.1602176634
"""Dose in Gy of 1 keV/um spread over 1 um2 of water."""

_REST_MEV = 931.5  # of a nucleon, as in the track models' own formulas


def velocity(energy_mev_u: ArrayLike) -> NDArray[np.float64]:
    """Velocity of an ion relative to light."""
    gamma = 1.0 + np.asarray(energy_mev_u, dtype=np.float64) / _REST_MEV
    return np.asarray(np.sqrt(1.0 - 1.0 / gamma**2))


def kiefer_chatterjee(charge: int, energy_mev_u: ArrayLike, let_kev_um: ArrayLike) -> RadialProfile:
    """Track of Kiefer and Chatterjee: a core of constant dose, around it a penumbra that falls with r^2.

    Parameters
    ----------
    charge
        Atomic number.
    energy_mev_u, let_kev_um
        Energy per nucleon and unrestricted LET in water, ``(n,)``. The core takes what the penumbra leaves of
        the LET.

    Returns
    -------
    RadialProfile
        In Gy; it integrates to the LET.

    Notes
    -----
    Core radius ``0.0116 beta``, penumbra radius ``0.0616 E^1.7`` um (not below the core's), penumbra dose
    ``1.25e-4 (Z*/beta)^2 / r^2`` Gy with Barkas' effective charge.

    Raises
    ------
    InputError
        If the LET is less than the penumbra alone holds. With the stopping powers of
        `isodose.physics.stopping` that does not happen from 1 keV/u on.

    References
    ----------
    Chatterjee and Schaefer, Radiat Environ Biophys 13 (1976) 215; Kiefer and Straaten, Phys Med Biol 31
    (1986) 1201; joined so by Kase et al., Phys Med Biol 53 (2008) 37.
    """
    energy, let = np.broadcast_arrays(
        np.atleast_1d(np.asarray(energy_mev_u, np.float64)), np.asarray(let_kev_um, np.float64)
    )
    beta = velocity(energy)
    core = 0.0116 * beta
    outer = np.maximum(0.0616 * energy**1.7, core)
    effective = charge * -np.expm1(-125.0 * beta * charge ** (-2.0 / 3.0))
    strength = 1.25e-4 * (effective / beta) ** 2
    total = GY_UM2_PER_KEV_UM * let
    penumbra = 2.0 * np.pi * strength * np.log(outer / core)
    for at in np.flatnonzero(penumbra > total):
        least = penumbra[at] / GY_UM2_PER_KEV_UM
        raise InputError(
            "let_kev_um", f"{let[at]:g} at {energy[at]:g} MeV/u, Z = {charge}", f"at least {least:.4g}"
        )
    core_dose = (total - penumbra) / (np.pi * core**2)
    return _core_and_penumbra(core, outer, core_dose, strength)


def scholz_kraft(
    energy_mev_u: ArrayLike, let_kev_um: ArrayLike, core_um: float = 0.01, reach: float = 0.062
) -> RadialProfile:
    """Track of Scholz and Kraft: the LET shared by a core of fixed radius and a penumbra that falls with r^2.

    Parameters
    ----------
    energy_mev_u, let_kev_um
        Energy per nucleon and unrestricted LET in water, ``(n,)``.
    core_um
        Radius of the core.
    reach
        The penumbra ends at ``reach E^1.7`` um, not before the core; 0.05 in the first paper, 0.062 later.

    Returns
    -------
    RadialProfile
        In Gy; it integrates to the LET.

    References
    ----------
    Scholz and Kraft, Adv Space Res 18 (1996) 5.
    """
    energy, let = np.broadcast_arrays(
        np.atleast_1d(np.asarray(energy_mev_u, np.float64)), np.asarray(let_kev_um, np.float64)
    )
    core = np.full(energy.shape, core_um)
    outer = np.maximum(reach * energy**1.7, core)
    strength = GY_UM2_PER_KEV_UM * let / (np.pi * (1.0 + 2.0 * np.log(outer / core)))
    return _core_and_penumbra(core, outer, strength / core**2, strength)


def _core_and_penumbra(
    core: NDArray[np.float64],
    outer: NDArray[np.float64],
    core_dose: NDArray[np.float64],
    strength: NDArray[np.float64],
) -> RadialProfile:
    edges = np.stack([np.zeros_like(core), core, outer], axis=1)
    coefficients = np.zeros((core.size, 2, 3))
    coefficients[:, 0, 0] = core_dose
    coefficients[:, 1, 1] = strength
    return RadialProfile(edges, coefficients)
