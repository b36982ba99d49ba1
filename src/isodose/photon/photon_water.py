"""How photons and electrons of up to 6 MeV lose energy in water: what the kernel's simulation draws from.

Compton scattering follows Klein and Nishina on free electrons (below 50 keV, where binding shows, photons
travel centimetres less than the kernel resolves). Photoelectric effect and pair production are those of NIST
XCOM (Berger et al., NBSIR 87-3597) at a few energies, straight in double logarithms between. Electrons lose
energy by the Bethe formula for electrons (ICRU report 37, eq. 2.7 with the density effect of Sternheimer and
Peierls) and by bremsstrahlung, whose ratio to collisions is E Z / 800 MeV (Evans, The Atomic Nucleus, 1955).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.physics.constants import AVOGADRO, ELECTRON_MASS_MEV, ELECTRON_RADIUS_CM, STOPPING_CONSTANT
from isodose.physics.elements import element
from isodose.physics.materials import WATER
from isodose.physics.stopping import density_correction

Doubles = NDArray[np.float64]

_PHOTOELECTRIC_CM2_G = np.array(
    [[0.01, 4.944], [0.02, 0.5439], [0.05, 2.725e-2], [0.1, 2.763e-3], [0.5, 1.883e-5], [6.0, 2.484e-7]]
)
"""Energy in MeV and mass attenuation coefficient; NIST XCOM."""
_PAIR_CM2_G = np.array(
    [[1.25, 1.777e-5], [1.5, 9.820e-5], [2.0, 3.908e-4], [3.0, 1.131e-3], [4.0, 1.867e-3], [6.0, 3.155e-3]]
)
"""Energy in MeV and mass attenuation coefficient, nucleus and electrons; NIST XCOM."""
_BREMSSTRAHLUNG_MEV = 800.0


def compton_cm2_g(energy_mev: ArrayLike) -> Doubles:
    """Mass attenuation coefficient of water by Compton scattering (Klein and Nishina's total), cm2/g."""
    a = np.asarray(energy_mev, dtype=np.float64) / ELECTRON_MASS_MEV
    b = 1.0 + 2.0 * a
    log = np.log(b)
    per_electron = (
        (1.0 + a) / a**2 * (2.0 * (1.0 + a) / b - log / a) + log / (2.0 * a) - (1.0 + 3.0 * a) / b**2
    )
    area = 2.0 * np.pi * ELECTRON_RADIUS_CM**2
    return np.asarray(area * per_electron * AVOGADRO * WATER.z_over_a)


def photoelectric_cm2_g(energy_mev: ArrayLike) -> Doubles:
    """Mass attenuation coefficient of water by the photoelectric effect, cm2/g."""
    return _log_log(_PHOTOELECTRIC_CM2_G, energy_mev)


def pair_cm2_g(energy_mev: ArrayLike) -> Doubles:
    """Mass attenuation coefficient of water by pair production, cm2/g; none below 1.25 MeV."""
    energy = np.asarray(energy_mev, dtype=np.float64)
    return np.where(energy < _PAIR_CM2_G[0, 0], 0.0, _log_log(_PAIR_CM2_G, energy))


def electron_stopping_mev_cm2_g(energy_mev: ArrayLike) -> tuple[Doubles, Doubles]:
    """Mass stopping power of water for electrons by collisions, and in all, MeV cm2/g."""
    energy = np.asarray(energy_mev, dtype=np.float64)
    tau = energy / ELECTRON_MASS_MEV
    beta2 = tau * (tau + 2.0) / (tau + 1.0) ** 2
    excitation = WATER.mean_excitation_ev * 1e-6 / ELECTRON_MASS_MEV
    number = np.log(tau**2 * (tau + 2.0) / (2.0 * excitation**2))
    number += 1.0 - beta2 + (tau**2 / 8.0 - (2.0 * tau + 1.0) * np.log(2.0)) / (tau + 1.0) ** 2
    number -= 2.0 * density_correction(tau * (tau + 2.0), WATER)
    collisions = 0.5 * STOPPING_CONSTANT * WATER.z_over_a / beta2 * number
    return collisions, collisions * (1.0 + energy * _mean_charge() / _BREMSSTRAHLUNG_MEV)


def _mean_charge() -> float:
    """Atomic number of water averaged over its electrons."""
    per_gram = {s: w * element(s).charge / element(s).atomic_weight for s, w in WATER.composition.items()}
    return sum(n * element(s).charge for s, n in per_gram.items()) / sum(per_gram.values())


def _log_log(table: Doubles, energy_mev: ArrayLike) -> Doubles:
    return np.exp(np.interp(np.log(energy_mev), np.log(table[:, 0]), np.log(table[:, 1])))
