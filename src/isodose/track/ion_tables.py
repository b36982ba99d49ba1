"""Interaction tables of an ion in liquid water, in the form that the transport samples from."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.species import species
from isodose.track.charge_exchange import equilibrium
from isodose.track.dielectric import transfer_grid
from isodose.track.ion_spectra import ion_spectra
from isodose.track.transfer_controls import control_weights

ION_NAMES = (
    *("p", "d", "t", "He3", "He4", "Li6", "Li7", "Be7", "Be9", "B10", "B11"),
    *("C10", "C11", "C12", "N14", "N15", "O16"),
)
"""Ions that have tables."""

MINIMUM_ENERGY_MEV_U = 1e-3
"""Energy at which an ion is taken to be at rest, MeV/u."""

MAXIMUM_ENERGY_MEV_U = 430.0
"""Highest energy of the tables, MeV/u."""

_PER_DECADE = 32


class IonTables(NamedTuple):
    """Interactions of one ion by energy.

    Attributes
    ----------
    log_energy
        ``[energies]`` ln of the energy per nucleon in eV, evenly spaced.
    cumulative
        ``[states, energies, channels]``: running sum of the rates in 1/nm over five shells, five excited
        states, and the changes into each charge state.
    spectra
        ``[states, energies, 5, bins + 1]``: cumulative share of the energy transfers of a shell.
    transfer_ev
        ``[bins + 1]`` borders of those bins.
    stopping_ev_nm
        ``[energies]`` stopping power.
    start_share
        ``[energies, states]`` cumulative share of the charge states in equilibrium.
    control_weights
        ``[bins, controls]`` weight of a transfer in each control variate (:mod:`transfer_controls`).
    control_rates
        ``[states, energies, controls]`` their mean sum per nm of path.
    nucleons, rest_ev
        Mass number and rest energy of the ion.
    """

    log_energy: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    spectra: NDArray[np.float64]
    transfer_ev: NDArray[np.float64]
    stopping_ev_nm: NDArray[np.float64]
    start_share: NDArray[np.float64]
    control_weights: NDArray[np.float64]
    control_rates: NDArray[np.float64]
    nucleons: int
    rest_ev: float


@cache
def ion_tables(name: str) -> IonTables:
    """Tables of an ion, built once in a process (about a second).

    Raises
    ------
    InputError
        If the ion is not one of :data:`ION_NAMES`.
    """
    if name not in ION_NAMES:
        raise InputError("ion", repr(name), f"one of {', '.join(ION_NAMES)}")
    ion = species(name)
    decades = np.log10(MAXIMUM_ENERGY_MEV_U / MINIMUM_ENERGY_MEV_U)
    nodes = int(np.ceil(decades * _PER_DECADE)) + 1
    energies = np.geomspace(MINIMUM_ENERGY_MEV_U, MAXIMUM_ENERGY_MEV_U, nodes)
    every = [ion_spectra(ion, float(energy)) for energy in energies]
    ionisation = np.stack([s.ionisation for s in every], axis=1)
    excitation = np.stack([s.excitation for s in every], axis=1)
    exchange = np.stack([s.exchange for s in every], axis=1)
    rates = np.concatenate([ionisation.sum(axis=-1), excitation, exchange], axis=-1)
    spectra = np.zeros((*ionisation.shape[:-1], ionisation.shape[-1] + 1))
    np.cumsum(ionisation, axis=-1, out=spectra[..., 1:])
    weights = control_weights(transfer_grid())
    total = np.maximum(spectra[..., -1:], np.finfo(np.float64).tiny)
    return IonTables(
        log_energy=np.log(energies * 1e6),
        cumulative=np.cumsum(rates, axis=-1),
        spectra=spectra / total,
        transfer_ev=transfer_grid(),
        stopping_ev_nm=np.array([s.stopping_ev_nm for s in every]),
        start_share=np.cumsum([equilibrium(s.exchange) for s in every], axis=-1),
        control_weights=weights,
        control_rates=ionisation.sum(axis=-2) @ weights,
        nucleons=ion.nucleons,
        rest_ev=ion.mass_mev * 1e6,
    )


def mean_control_rates(name: str, energy_mev_u: float) -> NDArray[np.float64]:
    """Mean sum of each control's weights per nm of path ``[controls]``, in charge equilibrium.

    Parameters
    ----------
    name
        Ion, one of :data:`ION_NAMES`.
    energy_mev_u
        Its energy, MeV/u; the nearest energy of the tables is taken.
    """
    tables = ion_tables(name)
    node = int(np.argmin(np.abs(tables.log_energy - np.log(energy_mev_u * 1e6))))
    shares = np.diff(tables.start_share[node], prepend=0.0)
    return np.asarray(shares @ tables.control_rates[:, node])
