"""Base data of a machine: from its simulations to what engines read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

import isodose
from isodose.commissioning.campaign import GAUSSIANS, Campaign
from isodose.commissioning.fit import fit_kernels
from isodose.commissioning.simulation import Simulation
from isodose.dose.progress import Progress
from isodose.machine.base_data import BaseData, DepthSpectra, PencilKernel

_EVERY = 2
"""One energy in so many gets spectra, which change slowly at equal parts of the range."""
_PARTS = np.concatenate(
    [
        np.arange(0.0, 0.74, 0.05),
        np.arange(0.75, 0.89, 0.025),
        np.arange(0.9, 0.949, 0.005),
        np.arange(0.95, 1.019, 0.0025),
        np.arange(1.02, 1.049, 0.005),
        [1.06, 1.08, 1.1, 1.2, 1.35, 1.5, 1.65],
    ]
)
"""Depths of spectra, as parts of the range; in the peak as fine as the slabs of the simulation."""


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
    ion = campaign.machine.ion
    fits = [fit_kernels(simulations, ion, k) for k in range(GAUSSIANS[ion], 0, -1)]
    provenance = {
        "command": command,
        "version": isodose.__version__,
        "machine": campaign.machine.name,
        "seed": campaign.seed,
        "energies": campaign.energies,
        "histories_per_energy": campaign.particles,
        "engine": "montecarlo",
    }
    spectra = depth_spectra(simulations, fits[0])
    return BaseData(ion, fits[0], spectra, provenance, tuple(fits[1:]))


def depth_spectra(simulations: Sequence[Simulation], kernels: Sequence[PencilKernel]) -> DepthSpectra:
    """Spectra of some of the simulations on common parts of the range.

    Each is the mean over what lies nearer to its depth than halfway to the next, on both sides alike.

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
    gaps = np.diff(parts, prepend=-np.inf, append=np.inf)
    widths = np.minimum(gaps[:-1], gaps[1:])
    table = np.zeros((len(chosen), parts.size, *first.track_length.shape[1:]), dtype=np.float32)
    for row, i in enumerate(chosen):
        depths, step = parts * kernels[i].range_mm, simulations[i].spectrum_spacing_mm
        for column, (depth, width) in enumerate(zip(depths, widths * kernels[i].range_mm, strict=True)):
            table[row, column] = _mean_around(simulations[i].track_length, depth / step, width / step)
    return DepthSpectra(
        first.classes,
        first.energy_edges_mev,
        np.array([simulations[i].energy_mev_u for i in chosen]),
        np.array([kernels[i].range_mm for i in chosen]),
        parts,
        table,
    )


def _mean_around(slabs: NDArray[np.float32], centre: float, width: float) -> NDArray[np.float64]:
    """Mean over a window of a whole number of slabs, of which those at its ends count in part.

    With whole widths the mean of what is linear in depth is its value at the centre, wherever the slabs lie.

    Parameters
    ----------
    slabs
        Means over slabs, ``(n, ...)``.
    centre, width
        In slabs; at the surface and at the last slab the window is one slab and lies inside.
    """
    whole = max(round(width), 1)
    at_most = 2.0 * min(centre, slabs.shape[0] - centre)
    if whole > at_most:
        whole = max(int(at_most), 1)
    begin = float(np.clip(centre - 0.5 * whole, 0.0, slabs.shape[0] - whole))
    edges = np.arange(slabs.shape[0] + 1.0)
    part = np.diff(np.clip(edges, begin, begin + whole))
    held = np.flatnonzero(part)
    return np.tensordot(part[held] / whole, slabs[held].astype(np.float64), axes=1)
