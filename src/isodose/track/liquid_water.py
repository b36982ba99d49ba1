"""The dielectric response of the valence electrons of liquid water: Drude oscillators and their dispersion.

The dielectric function is a sum of four ionisation shells (Drude functions) and five excited states
(derivative Drude functions); both widen and shift with the momentum transfer in the form of Emfietzoglou,
Papamichael and Nikjoo (Radiat. Res. 188 (2017) 355), whose strengths of the excited states are kept.
Oscillator strength below a shell's threshold is handed to the shells and states that are open there, after
Kyriakou et al. (Med. Phys. 42 (2015) 3870, appendix).

The momentum transfer enters as the recoil energy Q of a free electron, ``q = sqrt(Q / Ry)`` in atomic units,
so that binary collisions are treated alike at relativistic energies. The strength of all channels together,
with that of the K shell, is one at any Q.

Strengths, energies, widths and their dispersion are isodose's own, made by
:mod:`isodose.track.dielectric_fit`: they serve stopping powers, yields and nanometre clusters, and are no
measurement. In particular the ridge of binary collisions lies up to 15 % below E = Q at large q.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.track.k_shell import K_BINDING_EV, k_shell_strength

RYDBERG_EV = 13.605693
"""Rydberg energy, eV."""

BOHR_RADIUS_NM = 0.0529177211
"""Bohr radius, nm."""

ELECTRON_REST_EV = 510998.95
"""Rest energy of the electron, eV."""

PLASMON_EV = 21.469
"""Plasma energy of the ten electrons of a water molecule at 1 g/cm3, eV."""

MOLECULES_PER_NM3 = 33.428
"""Water molecules in 1 nm3 at 1 g/cm3."""

ELECTRONS_PER_MOLECULE = 10

SHELLS = ("1b1", "3a1", "1b2", "2a1", "K")
"""Ionisation shells, outermost first; the last is the K shell of oxygen."""

BINDING_EV = np.array([10.0, 13.0, 17.0, 32.2, K_BINDING_EV])
"""Energy that an ionisation costs by shell, eV: onsets in the liquid (Geant4-DNA, Emfietzoglou structure)."""

ORBITAL_KINETIC_EV = np.array([61.91, 59.52, 48.36, 70.71, 794.75])
"""Mean kinetic energy of the bound electrons by shell, eV (Kyriakou et al. 2015)."""

EXCITATIONS = ("A1B1", "B1A1", "Ryd A+B", "Ryd C+D", "diffuse bands")
"""Excited states, lowest first."""

EXCITATION_EV = np.array([8.22, 10.0, 11.24, 12.61, 13.77])
"""Energy that an excitation costs, eV (Geant4-DNA, Emfietzoglou structure)."""

VALENCE_SHELLS = 4
CHANNELS = len(SHELLS) + len(EXCITATIONS)
"""Inelastic channels: the shells, then the excited states."""

BAND_GAP_EV = 7.0
"""Nothing absorbs below this energy, eV."""

# Dispersion of the strength of an excited state: exp(-a q^2) + b q^2 exp(-c q^2).
_STATE_DECAY = np.array([3.82, 2.47, 2.47, 3.01, 2.44])
_STATE_FORBIDDEN = np.array([0.0272, 0.0295, 0.0311, 0.0111, 0.0633])
_STATE_FORBIDDEN_DECAY = np.array([0.098, 0.075, 0.074, 0.765, 0.425])

_EDGE_EV = 1.0  # length over which a truncated oscillator recovers above its threshold


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How the oscillators shift and widen with the momentum transfer q (atomic units).

    The shift is ``(1 - exp(-shift_rate q^shift_power)) Q``, the added width
    ``Ry (width_linear q + width_square q^2 / (1 + q / width_turn))``: at large q the width of a Compton
    profile, proportional to q. (With a width proportional to q^2 to the end, the energy lost at a recoil
    energy would not have its mean on the ridge, and Bethe's stopping power would be missed by 3 %.)
    """

    shift_rate: float
    shift_power: float
    width_linear: float
    width_square: float
    width_turn: float


@dataclass(frozen=True, slots=True)
class Oscillators:
    """Drude oscillators of the valence electrons at zero momentum transfer, and their dispersion.

    Parameters
    ----------
    shell_ev, shell_width_ev, shell_strength
        ``[4]`` energy and width in eV and strength (fraction of ten electrons) by valence shell.
    state_ev, state_width_ev, state_strength
        ``[5]`` the same by excited state.
    dispersion
        Change with the momentum transfer.
    """

    shell_ev: NDArray[np.float64]
    shell_width_ev: NDArray[np.float64]
    shell_strength: NDArray[np.float64]
    state_ev: NDArray[np.float64]
    state_width_ev: NDArray[np.float64]
    state_strength: NDArray[np.float64]
    dispersion: Dispersion


WATER_OSCILLATORS = Oscillators(
    shell_ev=np.array([17.1495, 17.4689, 29.4809, 43.1989]),
    shell_width_ev=np.array([9.4006, 7.0097, 36.6330, 43.8589]),
    shell_strength=np.array([0.245673, 0.205093, 0.169977, 0.188521]),
    state_ev=EXCITATION_EV,
    state_width_ev=np.array([1.6354, 2.1490, 2.1327, 2.0112, 2.0216]),
    state_strength=np.array([0.001456, 0.001834, 0.006696, 0.002252, 0.002773]),
    dispersion=Dispersion(1.031253, 0.181033, 0.336290, 0.192805, 1.450352),
)
"""The fitted oscillators of liquid water."""


def _dispersed(
    oscillators: Oscillators, recoil_ev: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shell energies, added width, shell strengths and state strengths, ``[channel, recoil]``."""
    q2 = recoil_ev / RYDBERG_EV
    q = np.sqrt(q2)
    rule = oscillators.dispersion
    shift = (1.0 - np.exp(-rule.shift_rate * q**rule.shift_power)) * recoil_ev
    widening = RYDBERG_EV * (rule.width_linear * q + rule.width_square * q2 / (1.0 + q / rule.width_turn))
    allowed = np.exp(-_STATE_DECAY[:, None] * q2)
    forbidden = _STATE_FORBIDDEN[:, None] * q2 * np.exp(-_STATE_FORBIDDEN_DECAY[:, None] * q2)
    states = oscillators.state_strength[:, None] * (allowed + forbidden)
    valence = 1.0 - k_shell_strength(recoil_ev) / ELECTRONS_PER_MOLECULE
    shells = (
        oscillators.shell_strength[:, None] / oscillators.shell_strength.sum() * (valence - states.sum(0))
    )
    return oscillators.shell_ev[:, None] + shift, widening, shells, states


def _oscillate(
    oscillators: Oscillators, energy_ev: NDArray[np.float64], recoil_ev: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Real part, and imaginary parts of shells and states, of the dielectric function: ``[..., E, Q]``."""
    centre, widening, shells, states = _dispersed(oscillators, recoil_ev)
    e = energy_ev[None, :, None]
    gap = centre[:, None, :] ** 2 - e**2
    damping = (oscillators.shell_width_ev[:, None] + widening)[:, None, :] * e
    denominator = gap**2 + damping**2
    strength = PLASMON_EV**2 * shells[:, None, :]
    real = 1.0 + (strength * gap / denominator).sum(0)
    shell_parts = strength * damping / denominator
    gap = oscillators.state_ev[:, None, None] ** 2 - e**2
    damping = (oscillators.state_width_ev[:, None] + widening)[:, None, :] * e
    denominator = (gap**2 + damping**2) ** 2
    strength = PLASMON_EV**2 * states[:, None, :]
    real += (strength * gap * (gap**2 + 3.0 * damping**2) / denominator).sum(0)
    return real, shell_parts, 2.0 * strength * damping**3 / denominator


def _at_thresholds(oscillators: Oscillators, recoil_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Imaginary part of each valence shell at its own threshold, ``[shell, Q]``."""
    parts = _oscillate(oscillators, BINDING_EV[:VALENCE_SHELLS], recoil_ev)[1]
    return np.stack([parts[i, i] for i in range(VALENCE_SHELLS)])


def _share(part: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, total, out=np.zeros_like(part), where=total > 0.0)


def _redistributed(
    energy_ev: NDArray[np.float64],
    shells: NDArray[np.float64],
    states: NDArray[np.float64],
    edges: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hand strength below the thresholds to open channels, so that the sum stays (above the band gap)."""
    e = energy_ev[:, None]
    binding = BINDING_EV[:VALENCE_SHELLS]
    is_open = e[None] >= binding[:, None, None]
    edge = np.where(
        is_open, edges[:, None, :] * np.exp(np.minimum(binding[:, None, None] - e, 0.0) / _EDGE_EV), 0.0
    )
    below = np.where(is_open, 0.0, shells)
    new_shells = np.where(is_open, shells, 0.0) - edge
    open_parts = np.where(is_open, shells, 0.0)
    for j in range(1, VALENCE_SHELLS):
        loose = np.where(is_open[0], below[j], 0.0) + edge[j]
        shallower = open_parts[:j].sum(0)
        new_shells[:j] += loose * _share(open_parts[:j], np.broadcast_to(shallower, open_parts[:j].shape))
    everything = states.sum(0)
    new_states = states + edge[0] * _share(states, np.broadcast_to(everything, states.shape))
    low = np.where((binding[0] >= EXCITATION_EV)[:, None, None], states, 0.0)
    tail = np.where(is_open[0], 0.0, shells.sum(0))
    new_states += tail * _share(low, np.broadcast_to(low.sum(0), low.shape))
    return new_shells, np.where(e >= BAND_GAP_EV, new_states, 0.0)


def valence_loss_function(
    energy_ev: ArrayLike, recoil_ev: ArrayLike, oscillators: Oscillators = WATER_OSCILLATORS
) -> NDArray[np.float64]:
    """Energy-loss function Im(-1/eps) of the valence electrons by channel.

    Parameters
    ----------
    energy_ev
        ``[n]`` energy transfer in eV.
    recoil_ev
        ``[m]`` recoil energy Q in eV.

    Returns
    -------
    numpy.ndarray
        ``[9, n, m]``: the four valence shells, then the five excited states.
    """
    energy = np.asarray(energy_ev, dtype=np.float64)
    recoil = np.asarray(recoil_ev, dtype=np.float64)
    real, shells, states = _oscillate(oscillators, energy, recoil)
    absolute = real**2 + (shells.sum(0) + states.sum(0)) ** 2
    shells, states = _redistributed(energy, shells, states, _at_thresholds(oscillators, recoil))
    loss: NDArray[np.float64] = np.concatenate([shells, states]) / absolute
    return loss
