"""What the electron kernel reads: rates of all interactions by energy, and quantiles of the secondary energy.

Built from the dielectric response in under two seconds, once in a process.

A quantile table holds, for a shell and an energy, the secondary energy W as a function of the survival
probability v = P(> W), in the variable ``(1/(W + B) - least) / (1/B - least)``, which is nearly linear in v
in the tail of binary collisions and runs from 0 at the largest W to 1 at W = 0 at any energy.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.track.dielectric import RecoilIntegrals, recoil_integrals
from isodose.track.electron_elastic import elastic_inverse_mean_free_path, scattering_lobes
from isodose.track.electron_inelastic import TRANSFERS, ionisation_spectrum, rates_and_losses
from isodose.track.energy_grid import ENERGIES_EV, survival_nodes
from isodose.track.liquid_water import BINDING_EV, EXCITATION_EV, SHELLS

MINIMUM_ENERGY_EV = float(EXCITATION_EV[0])
"""Electrons come to rest below this energy, that of the lowest excited state."""

IONISING_EV = float(BINDING_EV[0])
"""No electron below this energy ionises: where only ionisations are scored, none is followed further."""

MAXIMUM_ENERGY_EV = 1.0e6
"""Highest energy of an electron, eV."""


class ElectronTables(NamedTuple):
    """Rates and spectra of electrons in liquid water on the nodes of ``energy_grid.ENERGIES_EV``.

    Attributes
    ----------
    total
        ``[n]`` inverse mean free path of all interactions, 1/nm.
    cumulative
        ``[n, 11]`` running sum of the inverse mean free paths: elastic, the five shells (K last), the five
        excited states; the last column is the total.
    lobes
        ``[n, 3]`` angles of elastic scattering, see :func:`electron_elastic.scattering_lobes`.
    quantiles
        ``[5, n, 250]`` float32, reduced secondary energy by shell, energy and survival probability.
    binding_ev
        ``[5]`` binding energies.
    excitation_ev
        ``[5]`` energies of the excited states.
    rest_ev
        Energy below which electrons are taken to be at rest.
    """

    total: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    lobes: NDArray[np.float64]
    quantiles: NDArray[np.float32]
    binding_ev: NDArray[np.float64]
    excitation_ev: NDArray[np.float64]
    rest_ev: float


@njit(cache=True, error_model="numpy")
def _fill_quantiles(integrals, energies_ev, binding_ev, survival, quantiles):  # type: ignore[no-untyped-def]
    secondary, density = np.empty(TRANSFERS), np.empty(TRANSFERS)
    above, reduced = np.zeros(TRANSFERS), np.zeros(TRANSFERS)
    for shell in range(binding_ev.size):
        for i in range(energies_ev.size):
            if not ionisation_spectrum(integrals, shell, energies_ev[i], secondary, density):
                quantiles[shell, i] = survival  # never drawn from as such: the shell has no rate there
                continue
            least = 1.0 / (secondary[-1] + binding_ev[shell])
            span = 1.0 / binding_ev[shell] - least
            for k in range(TRANSFERS - 1):  # from the largest secondary energy down
                j = TRANSFERS - 2 - k
                step = 0.5 * (density[j] + density[j + 1]) * (secondary[j + 1] - secondary[j])
                above[k + 1] = above[k] + step
                reduced[k + 1] = (1.0 / (secondary[j] + binding_ev[shell]) - least) / span
            quantiles[shell, i] = np.interp(survival * above[-1], above, reduced)


def build_electron_tables(integrals: RecoilIntegrals) -> ElectronTables:
    """Tables of any response (for the fit and for tests)."""
    energies = ENERGIES_EV
    rates, _ = rates_and_losses(integrals, energies)
    elastic = elastic_inverse_mean_free_path(energies)
    cumulative = np.cumsum(np.concatenate([elastic[None], rates]), axis=0).T
    survival = survival_nodes()
    quantiles = np.zeros((len(SHELLS), energies.size, survival.size), np.float32)
    _fill_quantiles(integrals, energies, BINDING_EV, survival, quantiles)
    return ElectronTables(
        np.ascontiguousarray(cumulative[:, -1]),
        np.ascontiguousarray(cumulative),
        np.ascontiguousarray(scattering_lobes(energies)),
        quantiles,
        BINDING_EV,
        EXCITATION_EV,
        MINIMUM_ENERGY_EV,
    )


@cache
def electron_tables() -> ElectronTables:
    """The tables of electrons in liquid water."""
    return build_electron_tables(recoil_integrals())
