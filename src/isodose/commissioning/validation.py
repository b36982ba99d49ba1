"""Validation of a machine's base data: what each energy does, and whether both engines agree on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import isodose
from isodose.commissioning.campaign import DEFAULT_HISTORIES
from isodose.commissioning.smoothness import Smoothness, smoothness
from isodose.commissioning.spot_comparison import SpotComparison, base_data, compare_spot
from isodose.dose.progress import Progress
from isodose.errors import InputError
from isodose.evaluate.bragg import DepthProfile
from isodose.machine.base_data import PencilKernel
from isodose.machine.machine import Machine
from isodose.plan.depth_dose import range_mm

RANGE_TOLERANCE = 0.003
"""R80 may differ from the range in the slowing-down approximation by this part of it, or by
`RANGE_TOLERANCE_MM`: multiple scattering shortens it by 0.1 %, the peak is not symmetric."""
RANGE_TOLERANCE_MM = 0.3


@dataclass(frozen=True, slots=True)
class EnergyFigures:
    """Figures of the pencil beam of one energy.

    Parameters
    ----------
    energy_mev_u
        Nominal energy.
    r80_mm, csda_mm
        Depth of the distal 80 %, and range in the continuous slowing-down approximation.
    peak
        Highest dose, MeV cm2/g per particle.
    peak_to_entrance
        Over the first.
    width_mm
        Full width of the peak at half of it; not a number where the entrance is above that.
    sigma_mm
        Of the first Gaussian at the surface, at half of the range and at the peak.
    halo_percent
        Dose in each Gaussian but the first at half of the range; empty for single Gaussians.
    """

    energy_mev_u: float
    r80_mm: float
    csda_mm: float
    peak: float
    peak_to_entrance: float
    width_mm: float
    sigma_mm: tuple[float, float, float]
    halo_percent: tuple[float, ...]

    @property
    def passed(self) -> bool:
        """Whether R80 is what the stopping power makes expect."""
        tolerance = max(RANGE_TOLERANCE * self.csda_mm, RANGE_TOLERANCE_MM)
        return abs(self.r80_mm - self.csda_mm) <= tolerance


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """What was found about a machine's base data.

    Parameters
    ----------
    machine
        The machine.
    energies
        One entry an energy of the base data.
    smoothness
        One entry a column.
    spots
        Some energies, engine against engine.
    provenance
        How this was done.
    """

    machine: Machine
    energies: tuple[EnergyFigures, ...]
    smoothness: tuple[Smoothness, ...]
    spots: tuple[SpotComparison, ...]
    provenance: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        ranges = all(energy.passed for energy in self.energies)
        return ranges and all(figure.passed for spot in self.spots for figure in spot.figures)


def validate(
    machine: Machine,
    energies: int = 5,
    histories: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Validation:
    """Validate a machine's base data.

    Parameters
    ----------
    machine
        With base data.
    energies
        Number of energies at which the pencil-beam engine is compared with Monte Carlo, every second of them
        between energies of the base data; 0 for none.
    histories
        Of each comparison; by default as many as base data are made with.
    seed, threads
        Of Monte Carlo.
    progress
        Told how many comparisons are done, of how many.

    Raises
    ------
    InputError
        If the machine has no base data, or the energies are fewer than none.
    """
    data = base_data(machine)
    if not 0 <= energies <= len(data.kernels):
        raise InputError("energies", energies, f"0 to {len(data.kernels)}")
    histories = DEFAULT_HISTORIES[machine.ion] if histories is None else histories
    if histories < 100:
        raise InputError("histories", histories, "at least 100")
    spots: list[SpotComparison] = []
    started = time.perf_counter()
    for energy in _chosen(machine, energies):
        spots.append(compare_spot(machine, energy, histories, seed + 100 * len(spots), threads))
        if progress is not None:
            elapsed = time.perf_counter() - started
            left = elapsed * (energies / len(spots) - 1.0)
            progress(Progress(len(spots), energies, elapsed, left, unit="energies"))
    provenance = {
        "machine": machine.name,
        "version": isodose.__version__,
        "histories": histories,
        "seed": seed,
        "base_data": dict(data.provenance),
    }
    figures = tuple(_figures(machine.ion, kernel) for kernel in data.kernels)
    return Validation(machine, figures, smoothness(data), tuple(spots), provenance)


def _chosen(machine: Machine, count: int) -> list[float]:
    """Energies over the range, every second one halfway between neighbours of the base data."""
    have = base_data(machine).energies_mev_u
    chosen = []
    for i, at in enumerate(
        np.linspace(0, have.size - 1, count).round().astype(int) if count > 1 else [0][:count]
    ):
        between = i % 2 == 1 and at + 1 < have.size
        energy = 0.5 * (have[at] + have[at + 1]) if between else have[at]
        chosen.append(machine.nearest_energy_mev_u(float(energy)))
    return chosen


def _figures(ion: str, kernel: PencilKernel) -> EnergyFigures:
    profile = DepthProfile(kernel.depth_mm, kernel.dose)
    depths = np.array([0.0, 0.5 * kernel.range_mm, profile.peak_mm])
    sigma = np.interp(depths, kernel.depth_mm, kernel.sigma_mm[:, 0])
    halo = [100.0 * float(np.interp(depths[1], kernel.depth_mm, w)) for w in kernel.weight.T[1:]]
    return EnergyFigures(
        kernel.energy_mev_u,
        kernel.range_mm,
        float(range_mm(ion, kernel.energy_mev_u)),
        profile.peak,
        profile.peak_to_entrance,
        profile.width_mm,
        (float(sigma[0]), float(sigma[1]), float(sigma[2])),
        tuple(halo),
    )
