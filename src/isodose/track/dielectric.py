"""Energy transfer of a charged particle to liquid water, in the first Born approximation.

The differential inverse mean free path of a projectile of speed ``beta`` for the energy transfer E is

    s(E) = z^2 / (pi a0 mc^2 beta^2) * [ R(E) INT ELF(E, Q) dQ/Q + ELF(E, 0) (ln gamma^2 - beta^2 - delta) ]

with the integral over the recoil energies that kinematics allow. The first term holds the longitudinal
interaction and, by the factor R, the transverse one in close collisions; the second is the transverse
interaction in distant ones with the density effect (Fano, Ann. Rev. Nucl. Sci. 13 (1963) 1). For a particle
much heavier than an electron ``R = 1 - beta^2 E / E_max`` (Bhabha); electrons have exchange instead, see
:mod:`isodose.track.electron_inelastic`. The stopping power that follows has Bethe's relativistic form.

The integral is tabulated once, as a function of E and Q, for the channels of
:mod:`isodose.track.liquid_water`; projectiles of any mass differ in its limits only. Charge 1 is assumed:
multiply by the square of the (effective) charge. Valid where the Born approximation is: electrons above
some 100 eV (with the corrections of ``electron_inelastic`` below), ions above about 0.5 MeV/u.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from isodose.track.k_shell import K_BINDING_EV, k_shell_strength, oscillator_strength_density
from isodose.track.liquid_water import (
    BINDING_EV,
    BOHR_RADIUS_NM,
    CHANNELS,
    ELECTRON_REST_EV,
    ELECTRONS_PER_MOLECULE,
    EXCITATION_EV,
    PLASMON_EV,
    VALENCE_SHELLS,
    WATER_OSCILLATORS,
    Oscillators,
    valence_loss_function,
)

LOSS_EV = np.concatenate([BINDING_EV, EXCITATION_EV])
"""Least energy transfer of an ionising channel, and the energy of an excitation, by channel, eV."""

# Density effect of water: Sternheimer, Berger and Seltzer, At. Data Nucl. Data Tables 30 (1984) 261.
_C, _A, _M, _X0, _X1 = -3.5017, 0.09116, 3.4773, 0.24, 2.8004

_RECOIL_EV = (1e-5, 1e7)
_RECOILS_PER_DECADE = 24
_STEP_EV = 0.25  # of the transfer grid below 100 eV
_TRANSFER_EV = 2.0e6
_TRANSFERS_PER_DECADE = 40

# Above the first energy the ridge of binary collisions needs finer steps; above the second that of the
# valence shells is narrower than those, and taken as sharp.
_RESOLVED_EV, _BINARY_EV = 1e3, 2e4
_SUBSTEPS = 4
_RIDGE = 0.3  # in ln Q


class RecoilIntegrals(NamedTuple):
    """Integrals of the energy-loss function over the recoil energy.

    Attributes
    ----------
    transfer_ev
        ``[n]`` energy transfers, ascending.
    integral
        ``[channel, n, m]``: INT ELF dQ/Q up to the m-th recoil energy.
    optical
        ``[channel, n]``: ELF at Q = 0.
    """

    transfer_ev: NDArray[np.float64]
    integral: NDArray[np.float64]
    optical: NDArray[np.float64]


def transfer_grid() -> NDArray[np.float64]:
    """Energy transfers of the tables, eV: fine below 100 eV, logarithmic above, with all thresholds."""
    fine = np.arange(7.0, 100.0, _STEP_EV)
    count = int(np.log10(_TRANSFER_EV / 100.0) * _TRANSFERS_PER_DECADE)
    grid = np.concatenate([fine, np.geomspace(100.0, _TRANSFER_EV, count), BINDING_EV])
    return np.unique(np.concatenate([grid, [K_BINDING_EV * (1.0 - 1e-9)]]))


def _recoil_grid(substeps: int) -> NDArray[np.float64]:
    low, high = _RECOIL_EV
    return np.geomspace(low, high, round(np.log10(high / low)) * _RECOILS_PER_DECADE * substeps + 1)


_LOG_RECOIL = float(np.log(_RECOIL_EV[0]))
_LOG_RECOIL_STEP = float(np.log(10.0) / _RECOILS_PER_DECADE)


def loss_function(
    energy_ev: ArrayLike, recoil_ev: ArrayLike, oscillators: Oscillators = WATER_OSCILLATORS
) -> NDArray[np.float64]:
    """Energy-loss function of water by channel.

    Parameters
    ----------
    energy_ev
        ``[n]`` energy transfer in eV.
    recoil_ev
        ``[m]`` recoil energy in eV.

    Returns
    -------
    numpy.ndarray
        ``[10, n, m]``: the shells, the K shell last, then the excited states.
    """
    energy = np.asarray(energy_ev, dtype=np.float64)
    recoil = np.asarray(recoil_ev, dtype=np.float64)
    valence = valence_loss_function(energy, recoil, oscillators)
    density = oscillator_strength_density(energy[:, None], recoil)
    k_shell = 0.5 * np.pi * PLASMON_EV**2 / ELECTRONS_PER_MOLECULE * density / energy[:, None]
    return np.concatenate([valence[:VALENCE_SHELLS], k_shell[None], valence[VALENCE_SHELLS:]])


def _integrated(
    transfer: NDArray[np.float64], substeps: int, oscillators: Oscillators
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Running integral over ln Q at the grid points, and the loss function at the first of them."""
    recoil = _recoil_grid(substeps)
    loss = loss_function(transfer, recoil, oscillators)
    steps = 0.5 * (loss[..., 1:] + loss[..., :-1]) * (_LOG_RECOIL_STEP / substeps)
    integral = np.zeros((*loss.shape[:2], (recoil.size - 1) // substeps + 1))
    integral[..., 1:] = np.cumsum(steps, axis=-1)[..., substeps - 1 :: substeps]
    return integral, loss[..., 0]


def _binary_collisions(transfer: NDArray[np.float64], oscillators: Oscillators) -> NDArray[np.float64]:
    """Integral of the valence shells where the ridge is narrower than the grid: a step at Q = E."""
    step = np.clip(0.5 + np.log(_recoil_grid(1) / transfer[:, None]) / _RIDGE, 0.0, 1.0)
    share = oscillators.shell_strength / oscillators.shell_strength.sum()
    electrons = ELECTRONS_PER_MOLECULE - k_shell_strength(_RECOIL_EV[1])
    height = 0.5 * np.pi * PLASMON_EV**2 * electrons / ELECTRONS_PER_MOLECULE / transfer**2
    return np.asarray(share[:, None, None] * height[:, None] * step)


def build_recoil_integrals(oscillators: Oscillators) -> RecoilIntegrals:
    """Tabulate the integrals for any set of oscillators (for the fit)."""
    transfer = transfer_grid()
    soft = int(np.searchsorted(transfer, _RESOLVED_EV))
    hard = int(np.searchsorted(transfer, _BINARY_EV))
    low, low_optical = _integrated(transfer[:soft], 1, oscillators)
    high, high_optical = _integrated(transfer[soft:], _SUBSTEPS, oscillators)
    high[:VALENCE_SHELLS, hard - soft :] = _binary_collisions(transfer[hard:], oscillators)
    integral = np.concatenate([low, high], axis=1)
    return RecoilIntegrals(transfer, integral, np.concatenate([low_optical, high_optical], axis=1))


@cache
def recoil_integrals() -> RecoilIntegrals:
    """The integrals of liquid water, built once in a process (under a second)."""
    return build_recoil_integrals(WATER_OSCILLATORS)


@njit(cache=True, error_model="numpy")
def density_effect(beta_gamma_squared):  # type: ignore[no-untyped-def]
    """Sternheimer's density-effect correction delta of water."""
    x = 0.5 * math.log10(beta_gamma_squared)
    if x < _X0:
        return 0.0
    delta = 4.605170186 * x + _C
    return max(delta + _A * (_X1 - x) ** _M if x < _X1 else delta, 0.0)


@njit(cache=True, error_model="numpy")
def recoil_limits(kinetic_ev, rest_ev, transfer_ev):  # type: ignore[no-untyped-def]
    """Least and largest recoil energy when a particle loses an energy, eV."""
    before = math.sqrt(kinetic_ev * (kinetic_ev + 2.0 * rest_ev))
    left = max(kinetic_ev - transfer_ev, 0.0)
    after = math.sqrt(left * (left + 2.0 * rest_ev))
    # cp - cp' without cancellation for heavy particles
    low = transfer_ev * (2.0 * (kinetic_ev + rest_ev) - transfer_ev) / (before + after)
    high = before + after
    m = ELECTRON_REST_EV
    return low * low / (math.sqrt(low * low + m * m) + m), high * high / (math.sqrt(high * high + m * m) + m)


@njit(cache=True, error_model="numpy", inline="always")
def _up_to(row, recoil_ev):  # type: ignore[no-untyped-def]
    position = (math.log(recoil_ev) - _LOG_RECOIL) / _LOG_RECOIL_STEP
    if position <= 0.0:
        return 0.0
    i = int(position)
    if i >= row.size - 1:
        return row[row.size - 1]
    return row[i] + (row[i + 1] - row[i]) * (position - i)


@njit(cache=True, error_model="numpy")
def longitudinal(integrals, channel, kinetic_ev, rest_ev, transfer_ev):  # type: ignore[no-untyped-def]
    """INT ELF dQ/Q of a channel between the limits of kinematics, at one energy transfer."""
    grid = integrals.transfer_ev
    i = min(max(np.searchsorted(grid, transfer_ev, side="right") - 1, 0), grid.size - 2)
    low, high = recoil_limits(kinetic_ev, rest_ev, transfer_ev)
    first = integrals.integral[channel, i]
    second = integrals.integral[channel, i + 1]
    a = _up_to(first, high) - _up_to(first, low)
    b = _up_to(second, high) - _up_to(second, low)
    if a > 0.0 and b > 0.0 and transfer_ev > 100.0:  # a power law there
        return a * (b / a) ** (math.log(transfer_ev / grid[i]) / math.log(grid[i + 1] / grid[i]))
    return a + (b - a) * (transfer_ev - grid[i]) / (grid[i + 1] - grid[i])


@njit(cache=True, error_model="numpy")
def optical(integrals, channel, transfer_ev):  # type: ignore[no-untyped-def]
    """Energy-loss function of a channel at Q = 0."""
    return np.interp(transfer_ev, integrals.transfer_ev, integrals.optical[channel])


@njit(cache=True, error_model="numpy")
def born_prefactor(beta_squared):  # type: ignore[no-untyped-def]
    """1 / (pi a0 mc^2 beta^2) in 1/(nm eV)."""
    return 1.0 / (math.pi * BOHR_RADIUS_NM * ELECTRON_REST_EV * beta_squared)


@njit(cache=True, error_model="numpy")
def distant_transverse(beta_squared):  # type: ignore[no-untyped-def]
    """Weight of ELF(E, 0) by the transverse interaction in distant collisions."""
    bg2 = beta_squared / (1.0 - beta_squared)
    return max(math.log(1.0 + bg2) - beta_squared - density_effect(bg2), 0.0)


@njit(cache=True, error_model="numpy")
def largest_transfer(beta_squared, rest_ev):  # type: ignore[no-untyped-def]
    """Largest energy that a particle can give to a free electron at rest, eV."""
    gamma = 1.0 / math.sqrt(1.0 - beta_squared)
    ratio = ELECTRON_REST_EV / rest_ev
    bg2 = beta_squared * gamma * gamma
    return 2.0 * ELECTRON_REST_EV * bg2 / (1.0 + 2.0 * gamma * ratio + ratio * ratio)


@njit(cache=True, error_model="numpy")
def _ion_spectrum(integrals, kinetic_ev, rest_ev, transfer_ev):  # type: ignore[no-untyped-def]
    total = kinetic_ev + rest_ev
    beta2 = kinetic_ev * (kinetic_ev + 2.0 * rest_ev) / (total * total)
    limit = largest_transfer(beta2, rest_ev)
    factor = born_prefactor(beta2)
    transverse = distant_transverse(beta2)
    out = np.zeros((CHANNELS, transfer_ev.size))
    for channel in range(CHANNELS):
        for i in range(transfer_ev.size):
            e = transfer_ev[i]
            if e >= kinetic_ev:
                break
            close = max(1.0 - beta2 * e / limit, 0.0)
            value = close * longitudinal(integrals, channel, kinetic_ev, rest_ev, e)
            out[channel, i] = factor * (value + transverse * optical(integrals, channel, e))
    return out


def differential_inverse_mean_free_path(
    kinetic_ev: float, rest_ev: float, transfer_ev: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Differential inverse mean free path of a heavy particle of charge one by energy transfer.

    Parameters
    ----------
    kinetic_ev
        Total kinetic energy in eV.
    rest_ev
        Rest energy in eV; much larger than the electron's.
    transfer_ev
        ``[n]`` energy transfers in eV; those of :func:`transfer_grid` by default.

    Returns
    -------
    numpy.ndarray
        ``[10, n]`` in 1/(nm eV): the shells (K last), then the excited states; zero below the thresholds of
        the shells. A state's energy loss in a track is its :data:`LOSS_EV` whatever the transfer.
    """
    integrals = recoil_integrals()
    grid = integrals.transfer_ev if transfer_ev is None else np.asarray(transfer_ev, dtype=np.float64)
    spectrum: NDArray[np.float64] = _ion_spectrum(integrals, kinetic_ev, rest_ev, grid)
    return spectrum
