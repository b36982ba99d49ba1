"""Multiple and single Coulomb scattering, divided at an angle.

Below a cut angle the many soft deflections of a step add up to a Gaussian whose variance is the soft
scattering power; above it single nuclear Coulomb scatters are sampled one by one. Together they give
Moliere's distribution, core and tail, at any step length, because neither part depends on the path before
it.

Theory: Rutherford scattering on nuclei (``Z^2``) screened by Moliere's angle (Z. Naturforsch. 3a (1948) 78;
Bethe, Phys. Rev. 89 (1953) 1256), and on electrons (``Z``) with the inelastic screening and the kinematic
limit of heavy particles (Fano, Phys. Rev. 93 (1954) 117) instead of the ``Z (Z + 1)`` of the simple theory.
The nucleus' size enters the hard part by the form factor of an exponential charge distribution. Valid where
deflections per step are small and the ion is bare, above about 1 MeV/u; nuclear elastic scattering is not
part of it. The core agrees within 2 % with Gottschalk's differential Moliere scattering power for protons of
100 and 200 MeV in water, bone and titanium, and does not depend on a cut of 2 to 16 MeV/c per charge; 8 MeV/c
gives about one hard scatter per history.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from isodose.physics.constants import ELECTRON_MASS_MEV, FINE_STRUCTURE, HBAR_C_MEV_FM, STOPPING_CONSTANT
from isodose.physics.elements import element
from isodose.physics.materials import Material
from isodose.physics.random import uniform
from isodose.physics.species import Species

_THOMAS_FERMI = 0.885
# Logarithm by which inelastic scattering reaches to smaller momentum transfers than Moliere's elastic
# screening: from Fano's -u_in = 5.8 (3.6 for hydrogen), converted to the same convention.
_INELASTIC_REACH = 1.63
_INELASTIC_REACH_HYDROGEN = 0.81
_RADIUS_FM = 1.2  # rms charge radius of a sphere of 1.2 A^(1/3) fm is 0.93 A^(1/3) fm
_PROTON_RMS_FM = 0.84


@dataclass(frozen=True, slots=True)
class ScatteringConstants:
    """What a material contributes to scattering, per g/cm2 and in momentum units.

    Parameters
    ----------
    nuclear
        Sum of ``K m_e w Z^2 / A``, MeV2 cm2/g: divided by ``(pv)^2`` and times ``z^2`` it is Moliere's
        characteristic angle squared per mass thickness.
    electronic
        The same with ``Z`` instead of ``Z^2``.
    screening_mev
        Momentum of Thomas-Fermi screening, mean over nuclei, MeV/c.
    screening_charge
        Mean Z over nuclei, for the Coulomb correction to the screening angle.
    inelastic_mev
        Momentum of inelastic screening, mean over electrons, MeV/c.
    radius_fm
        Root-mean-square radius of the nuclei, weighted as they scatter, fm.
    """

    nuclear: float
    electronic: float
    screening_mev: float
    screening_charge: float
    inelastic_mev: float
    radius_fm: float


@lru_cache(maxsize=256)
def scattering_constants(material: Material) -> ScatteringConstants:
    """Constants of a material (see :class:`ScatteringConstants`)."""
    parts = [(element(symbol), w) for symbol, w in material.composition.items()]
    Z = np.array([float(e.charge) for e, _ in parts])
    A = np.array([e.atomic_weight for e, _ in parts])
    moles = np.array([w for _, w in parts]) / A
    unit = STOPPING_CONSTANT * ELECTRON_MASS_MEV
    nuclear, electronic = moles * Z**2, moles * Z
    momentum = FINE_STRUCTURE * ELECTRON_MASS_MEV * Z ** (1 / 3) / _THOMAS_FERMI
    reach = np.where(Z == 1.0, _INELASTIC_REACH_HYDROGEN, _INELASTIC_REACH)
    inelastic = np.log(1.13 * momentum**2) - reach
    rms = np.where(Z == 1.0, _PROTON_RMS_FM, math.sqrt(0.6) * _RADIUS_FM * A ** (1 / 3))
    return ScatteringConstants(
        nuclear=float(unit * nuclear.sum()),
        electronic=float(unit * electronic.sum()),
        screening_mev=float(np.exp(np.average(np.log(momentum), weights=nuclear))),
        screening_charge=float(np.sqrt(np.average(Z**2, weights=nuclear))),
        inelastic_mev=float(np.exp(0.5 * np.average(inelastic, weights=electronic))),
        radius_fm=float(np.sqrt(np.average(rms**2, weights=nuclear))),
    )


def _momentum_and_velocity(
    species: Species, energy_mev_u: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kinetic = np.asarray(energy_mev_u, dtype=np.float64) * species.nucleons
    momentum = np.sqrt(kinetic * (kinetic + 2.0 * species.mass_mev))
    return momentum, momentum / (kinetic + species.mass_mev)


def screening_angle_squared(
    species: Species, energy_mev_u: ArrayLike, material: Material
) -> NDArray[np.float64]:
    """Moliere's screening angle squared, ``chi_a^2 = chi_0^2 (1.13 + 3.76 (z Z alpha / beta)^2)``, rad2."""
    constants = scattering_constants(material)
    momentum, beta = _momentum_and_velocity(species, energy_mev_u)
    coulomb = (species.charge * constants.screening_charge * FINE_STRUCTURE / beta) ** 2
    return np.asarray((constants.screening_mev / momentum) ** 2 * (1.13 + 3.76 * coulomb))


def characteristic_angle_squared(
    species: Species, energy_mev_u: ArrayLike, material: Material
) -> NDArray[np.float64]:
    """Moliere's characteristic angle squared of the nuclei per mass thickness, rad2 cm2/g.

    The mean number of single nuclear scatters per g/cm2 by more than an angle (not too large) is this over
    its square.
    """
    momentum, beta = _momentum_and_velocity(species, energy_mev_u)
    return np.asarray(scattering_constants(material).nuclear * (species.charge / (momentum * beta)) ** 2)


def soft_scattering_power(
    species: Species, energy_mev_u: ArrayLike, material: Material, cut_rad: ArrayLike
) -> NDArray[np.float64]:
    """Growth of the mean square space angle by deflections below the cut, rad2 cm2/g.

    Parameters
    ----------
    species, energy_mev_u, material
        The ion, its energy per nucleon in MeV and the target.
    cut_rad
        Angle from which on single scatters are sampled, rad, broadcast against the energies. All scattering
        off electrons is soft (at most 0.5 mrad for a proton).

    Notes
    -----
    The variance of each of the two projected angles is half of it.
    """
    constants = scattering_constants(material)
    momentum, beta = _momentum_and_velocity(species, energy_mev_u)
    ratio = np.asarray(cut_rad, dtype=np.float64) ** 2 / screening_angle_squared(
        species, energy_mev_u, material
    )
    nuclear = constants.nuclear * (np.log1p(ratio) - ratio / (1.0 + ratio))
    most = 2.0 * ELECTRON_MASS_MEV * momentum / species.mass_mev
    reach = (most / constants.inelastic_mev) ** 2
    electronic = constants.electronic * np.maximum(np.log1p(reach) - 1.0, 0.0)
    return np.asarray((nuclear + electronic) * (species.charge / (momentum * beta)) ** 2)


def hard_mean_free_path(
    species: Species, energy_mev_u: ArrayLike, material: Material, cut_rad: ArrayLike
) -> NDArray[np.float64]:
    """Mean mass thickness in g/cm2 between candidate scatters beyond the cut angle.

    Candidates follow the screened Rutherford law of a point nucleus; :func:`sample_hard_scatter` thins them
    by the form factor.
    """
    cut2 = 2.0 * (1.0 - np.cos(np.asarray(cut_rad, dtype=np.float64)))
    screening2 = screening_angle_squared(species, energy_mev_u, material)
    share = 1.0 / (cut2 + screening2) - 1.0 / (4.0 + screening2)
    return np.asarray(1.0 / (characteristic_angle_squared(species, energy_mev_u, material) * share))


def nuclear_size_angle_squared(
    species: Species, energy_mev_u: ArrayLike, material: Material
) -> NDArray[np.float64]:
    """Square of the angle at which the form factor ``1 / (1 + theta^2 / angle^2)^2`` sets in, rad2."""
    momentum, _ = _momentum_and_velocity(species, energy_mev_u)
    radius = scattering_constants(material).radius_fm
    return np.asarray(12.0 * (HBAR_C_MEV_FM / (momentum * radius)) ** 2)


@njit(cache=True, error_model="numpy")
def sample_hard_scatter(stream, cut2, screening2, size2):  # type: ignore[no-untyped-def]
    """Cosine of a single scattering angle beyond the cut, or 1 if the form factor rejects the candidate.

    ``cut2`` is ``2 (1 - cos(cut))``, the others are :func:`screening_angle_squared` and
    :func:`nuclear_size_angle_squared`. The small-angle law holds at all angles with ``2 (1 - cos)`` for the
    square.
    """
    low = 1.0 / (4.0 + screening2)
    high = 1.0 / (cut2 + screening2)
    square = 1.0 / (low + (high - low) * uniform(stream)) - screening2
    form = 1.0 + square / size2
    form *= form
    if uniform(stream) * form * form > 1.0:
        return 1.0
    return 1.0 - 0.5 * min(square, 4.0)
