"""Base data of a machine: from its simulations to what engines read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import isodose
from isodose.commissioning.campaign import Campaign
from isodose.commissioning.fit import fit_kernels
from isodose.commissioning.simulation import Simulation
from isodose.dose.progress import Progress
from isodose.machine.base_data import BaseData, DepthSpectra, PencilKernel

_EVERY = 2
"""One energy in so many gets spectra, which change slowly at equal parts of the range."""
_PARTS = np.concatenate(
    [np.arange(0.0, 0.9, 0.05), np.arange(0.9, 1.05, 0.005), [1.06, 1.08, 1.1, 1.2, 1.35, 1.5, 1.65]]
)
"""Depths of spectra, as parts of the range."""


def build_base_data(
    campaign: Campaign, command: str = "", progress: Callable[[Progress], None] | None = None
) -> BaseData:
    """Simulate what is missing, fit, and give the base data.

    Parameters
    ----------
    campaign
        What to simulate.
    command
        The command line, for the provenance.
    progress
        Told how many energies are done, of how many.
    """
    simulations = campaign.run(progress)
    fits = {k: fit_kernels(simulations, campaign.machine.ion, k) for k in (3, 2, 1)}
    provenance = {
        "command": command,
        "version": isodose.__version__,
        "machine": campaign.machine.name,
        "seed": campaign.seed,
        "energies": campaign.energies,
        "histories_per_energy": campaign.particles,
        "engine": "montecarlo",
    }
    spectra = depth_spectra(simulations, fits[3])
    return BaseData(campaign.machine.ion, fits[3], spectra, provenance, (fits[2], fits[1]))


def depth_spectra(simulations: Sequence[Simulation], kernels: Sequence[PencilKernel]) -> DepthSpectra:
    """Spectra of some of the simulations on common parts of the range.

    Parameters
    ----------
    simulations, kernels
        Of the same energies.
    """
    chosen = sorted({*range(0, len(simulations), _EVERY), len(simulations) - 1})
    first = simulations[0]
    tail = min(
        s.track_length.shape[0] * s.spectrum_spacing_mm / k.range_mm
        for s, k in zip(simulations, kernels, strict=True)
    )
    parts = _PARTS[tail > _PARTS]
    gaps = np.gradient(parts)
    table = np.zeros((len(chosen), parts.size, *first.track_length.shape[1:]), dtype=np.float32)
    for row, i in enumerate(chosen):
        simulation, range_mm = simulations[i], kernels[i].range_mm
        step = simulation.spectrum_spacing_mm
        for column, (part, gap) in enumerate(zip(parts, gaps, strict=True)):
            # The mean over what lies nearer to this depth than to its neighbours, at least one bin.
            begin = int(
                np.clip((part - 0.5 * gap) * range_mm / step, 0, simulation.track_length.shape[0] - 1)
            )
            end = max(int(np.ceil((part + 0.5 * gap) * range_mm / step)), begin + 1)
            table[row, column] = simulation.track_length[begin:end].mean(axis=0)
    return DepthSpectra(
        first.classes,
        first.energy_edges_mev,
        np.array([simulations[i].energy_mev_u for i in chosen]),
        np.array([kernels[i].range_mm for i in chosen]),
        parts,
        table,
    )
