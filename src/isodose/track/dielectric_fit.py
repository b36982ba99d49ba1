"""The fit that makes the oscillators of liquid water: ``python -m isodose.track.dielectric_fit``.

Least squares in the oscillators' energies, widths and strengths and in their dispersion, from the start
below, against

- the collision stopping power of electrons of ICRU Report 90 from 10 keV to 1 MeV (Berger and Seltzer's
  formula with I = 78 eV, which the report uses), and below it aims between that and Geant4-DNA option 4;
- the mean energy per ionisation W of Geant4-DNA option 4 (Geant4 11.4, example ``wvalue``), 20 eV to 1 keV;
- the mean path of slow electrons of option 4 (its regression suite), 50 to 200 eV;
- sum rules: the strength of all channels (by construction), the mean excitation energy I = 78 eV, and the
  square of the refractive index, 1.78;
- the ridge of binary collisions, which lies at E = Q at large momentum transfers;
- the maximum of the optical energy-loss function of liquid water, 1.0 at 22 eV (Hayashi et al., Proc. Natl.
  Acad. Sci. USA 97 (2000) 6264).

A prior keeps every parameter near its start, so that ill-determined ones do not drift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from isodose.track.dielectric import RecoilIntegrals, build_recoil_integrals, density_effect
from isodose.track.electron_inelastic import rates_and_losses
from isodose.track.electron_yield import electron_yield
from isodose.track.k_shell import k_shell_strength
from isodose.track.liquid_water import (
    ELECTRON_REST_EV,
    ELECTRONS_PER_MOLECULE,
    EXCITATION_EV,
    PLASMON_EV,
    Dispersion,
    Oscillators,
)

MEAN_EXCITATION_EV = 78.0
"""Mean excitation energy of liquid water, eV (ICRU Report 90)."""

OPTION4_W_EV = {20: 44.44, 30: 30.74, 50: 26.88, 100: 24.54, 200: 23.40, 500: 22.96, 1000: 22.88}
"""Mean energy per ionisation of electrons by energy, eV (Geant4-DNA option 4)."""

OPTION4_PATH_NM = {50: 11.58, 100: 14.12, 200: 18.98}
"""Mean path of the primary to 10 eV by energy, nm (Geant4-DNA option 4, its regression suite)."""

_PATH_REST_EV, _PATH_TOLERANCE = 10.0, 0.04
_W_TOLERANCE = {20: 0.05, 30: 0.02, 50: 0.01, 100: 0.007, 200: 0.007, 500: 0.007, 1000: 0.007}

# keV/um: aims between option 4 and ICRU 90 at 1 to 5 keV, option 4 below. Electrons of 100 to 500 eV make
# most of the clusters around an ion's path, hence the small tolerances there.
_SLOW_STOPPING = {50: 13.6, 100: 20.2, 200: 20.6, 500: 15.5, 1000: 11.1, 2000: 7.15, 5000: 3.72}
_SLOW_TOLERANCE = {50: 0.06, 100: 0.015, 200: 0.015, 500: 0.015, 1000: 0.006, 2000: 0.006, 5000: 0.008}
_FAST_EV = (1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6)
_FAST_TOLERANCE = 0.005

_INDEX_SQUARED, _PEAK, _PEAK_EV = 1.78, 1.0, 22.0

_RIDGE_Q, _RIDGE_TOLERANCE = np.array([5.0, 10.0, 20.0]), np.array([0.20, 0.10, 0.04])

START = Oscillators(
    shell_ev=np.array([17.4475, 17.4462, 28.2636, 39.7374]),
    shell_width_ev=np.array([8.6932, 7.1941, 28.9694, 44.8612]),
    shell_strength=np.array([0.249965, 0.218234, 0.153048, 0.203994]),
    state_ev=EXCITATION_EV,
    state_width_ev=np.array([1.6354, 2.1490, 2.1327, 2.0112, 2.0216]),
    state_strength=np.array([0.001420, 0.001788, 0.006529, 0.002196, 0.002704]),
    dispersion=Dispersion(1.5, 0.4, 0.735, 0.441, 3.0),
)
"""Where the fit begins: an earlier fit to option 4, the dispersion of Emfietzoglou et al. 2017."""

_PRIOR = np.concatenate([np.full(4, 0.1), np.full(4, 0.3), np.full(4, 0.3), [0.5], np.full(5, 0.5)])


def collision_stopping_power(energy_ev: ArrayLike) -> NDArray[np.float64]:
    """Collision stopping power of electrons in water, keV/um: Berger and Seltzer's formula with I = 78 eV."""
    tau = np.asarray(energy_ev, dtype=np.float64) / ELECTRON_REST_EV
    beta2 = tau * (tau + 2.0) / (tau + 1.0) ** 2
    delta = np.array([density_effect(t * (t + 2.0)) for t in np.atleast_1d(tau)]).reshape(tau.shape)
    f = (1.0 - beta2) * (1.0 + tau**2 / 8.0 - (2.0 * tau + 1.0) * np.log(2.0))
    logarithm = 2.0 * np.log(tau * ELECTRON_REST_EV / MEAN_EXCITATION_EV) + np.log1p(tau / 2.0)
    return np.asarray(0.1 * 0.153536 * 0.555087 / beta2 * (logarithm + f - delta))


def optical_figures(integrals: RecoilIntegrals) -> tuple[float, float, float, float]:
    """Sum of strengths, mean excitation energy in eV, maximum of the loss function and its energy in eV."""
    energy, loss = integrals.transfer_ev, integrals.optical.sum(0)
    moment = np.trapezoid(energy * loss, energy)
    mean = np.exp(np.trapezoid(energy * loss * np.log(energy), energy) / moment)
    peak = int(loss[energy < 100.0].argmax())
    return 2.0 / np.pi / PLASMON_EV**2 * moment, float(mean), float(loss[peak]), float(energy[peak])


def _oscillators(logs: NDArray[np.float64]) -> Oscillators:
    factor = np.exp(logs)
    strength = START.shell_strength * factor[8:12]
    states = START.state_strength * factor[12]
    valence = 1.0 - float(k_shell_strength(0.0)) / ELECTRONS_PER_MOLECULE
    rule = START.dispersion
    return Oscillators(
        START.shell_ev * factor[:4],
        START.shell_width_ev * factor[4:8],
        strength / strength.sum() * (valence - states.sum()),
        START.state_ev,
        START.state_width_ev,
        states,
        Dispersion(
            rule.shift_rate * factor[13],
            rule.shift_power * factor[14],
            rule.width_linear * factor[15],
            rule.width_square * factor[16],
            rule.width_turn * factor[17],
        ),
    )


def deviations(oscillators: Oscillators) -> NDArray[np.float64]:
    """Deviations from all aims over their tolerances."""
    integrals = build_recoil_integrals(oscillators)
    slow, fast = np.array(list(_SLOW_STOPPING), dtype=np.float64), np.array(_FAST_EV)
    stopping = rates_and_losses(integrals, np.concatenate([slow, fast]))[1].sum(0)
    aim = np.concatenate([list(_SLOW_STOPPING.values()), collision_stopping_power(fast)])
    tolerance = np.concatenate([list(_SLOW_TOLERANCE.values()), np.full(fast.size, _FAST_TOLERANCE)])
    electrons = electron_yield(integrals, 1000.0, _PATH_REST_EV)
    wanted = np.array(list(OPTION4_W_EV), dtype=np.float64)
    w = wanted / np.interp(wanted, electrons.energy_ev, electrons.ionisations)
    w_deviation = np.log(w / list(OPTION4_W_EV.values())) / list(_W_TOLERANCE.values())
    path = np.interp(list(OPTION4_PATH_NM), electrons.energy_ev, electrons.path_nm)
    path_deviation = np.log(path / list(OPTION4_PATH_NM.values())) / _PATH_TOLERANCE
    _, mean, peak, peak_ev = optical_figures(integrals)
    strengths = np.concatenate([oscillators.shell_strength, oscillators.state_strength])
    centres = np.concatenate([oscillators.shell_ev, oscillators.state_ev])
    index = 1.0 + PLASMON_EV**2 * float((strengths / centres**2).sum())
    optical = [
        (mean - MEAN_EXCITATION_EV) / 0.2,
        (index - _INDEX_SQUARED) / 0.1,
        (peak - _PEAK) / 0.03,
        (peak_ev - _PEAK_EV) / 1.0,
    ]
    rule = oscillators.dispersion
    off_ridge = np.exp(-rule.shift_rate * _RIDGE_Q**rule.shift_power) / _RIDGE_TOLERANCE
    stopping_deviation = np.log(stopping / aim) / tolerance
    return np.concatenate([stopping_deviation, w_deviation, path_deviation, optical, off_ridge])


def fit(evaluations: int = 14) -> Oscillators:
    """Fit the oscillators (a few minutes)."""

    def residuals(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([deviations(_oscillators(logs)), logs / _PRIOR])

    begin = np.zeros(_PRIOR.size)
    result = least_squares(residuals, begin, x_scale=_PRIOR, diff_step=1e-3, max_nfev=evaluations, verbose=2)
    return _oscillators(result.x)


if __name__ == "__main__":
    print(fit())
