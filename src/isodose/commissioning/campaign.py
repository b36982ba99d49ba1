"""The simulations of a machine's base data: one file an energy, so that a run that was cut off goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isodose.commissioning.simulation import Simulation, read_simulation, simulate
from isodose.dose.progress import Progress
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.plan.depth_dose import energy_for_range, range_mm

DEFAULT_HISTORIES = {"proton": 300_000, "helium": 150_000, "carbon": 80_000, "oxygen": 60_000}
GAUSSIANS = {"proton": 3, "helium": 3, "carbon": 4, "oxygen": 4}
"""Gaussians of lateral profiles: one more for ions with heavy fragments, which lie between the core and the
halo of light ones."""
DEFAULT_ENERGIES = 64


@dataclass(frozen=True, slots=True)
class Campaign:
    """Energies and statistics of base data.

    Parameters
    ----------
    machine
        Gives ion, energy range and energy spread.
    folder
        Keeps the simulations; those that are there are not repeated.
    energies
        Number of energies, evenly spaced in range.
    histories
        Particles an energy.
    seed
        Of the random numbers.
    threads
        All processors by default.
    """

    machine: Machine
    folder: Path
    energies: int = DEFAULT_ENERGIES
    histories: int | None = None
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.energies <= 1000:
            raise InputError("energies", self.energies, "2 to 1000")
        if self.histories is not None and not self.histories >= 100:
            raise InputError("histories", self.histories, "at least 100")

    @property
    def particles(self) -> int:
        """Histories an energy."""
        return self.histories or DEFAULT_HISTORIES[self.machine.ion]

    @property
    def energies_mev_u(self) -> NDArray[np.float64]:
        """Energies from the machine's lowest to its highest, at even distances in range."""
        ends = np.array(self.machine.energy_range_mev_u)
        low, high = (float(r) for r in range_mm(self.machine.ion, ends))
        ranges = np.linspace(low, high, self.energies)
        inner = np.round(energy_for_range(self.machine.ion, ranges[1:-1]), 2)
        return np.concatenate([ends[:1], inner, ends[1:]])

    def run(self, progress: Callable[[Progress], None] | None = None) -> list[Simulation]:
        """Simulate what is not there yet; ``progress`` is told how many are done, of how many."""
        self.folder.mkdir(parents=True, exist_ok=True)
        energies = self.energies_mev_u
        results = []
        started = time.perf_counter()
        for i, energy in enumerate(energies):
            path = self._path(i, float(energy))
            if not path.exists():
                simulate(
                    self.machine, float(energy), self.particles, self.seed + 1000 * i, self.threads
                ).write(path)
            results.append(read_simulation(path))
            if progress is not None:
                done, elapsed = i + 1, time.perf_counter() - started
                left = elapsed * (len(energies) - done) / done
                progress(Progress(done, len(energies), elapsed, left, unit="energies"))
        return results

    def _path(self, index: int, energy_mev_u: float) -> Path:
        """File of one energy, whose name holds what decides its content."""
        spread = self.machine.energy_spread_percent(energy_mev_u)
        content = (
            f"{self.machine.ion} {energy_mev_u:.4f} {spread:.5f} {self.particles} {self.seed + 1000 * index}"
        )
        digest = hashlib.sha256(content.encode()).hexdigest()[:10]
        return self.folder / f"{self.machine.ion}_{energy_mev_u:07.2f}_{digest}.npz"
