"""Pencil beams on phantoms, as the benchmarks need them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isodose.machine.machine import BeamOptics, Machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.plan import Beam, Layer, Plan, Spots

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"
"""Folder beside the checkout with the reference results; not part of the project."""


def pencil_machine(
    ion: str,
    energies: Sequence[float],
    sigma_mm: float,
    divergence_rad: float = 0.0,
    spread_percent: float = 0.0,
) -> Machine:
    """Machine whose spots have one size and energy spread at every energy; sources 10 m away."""
    lowest, highest = min(energies) - 1.0, max(energies) + 1.0
    optics = BeamOptics(
        np.array([lowest, highest]),
        np.full((2, 2), sigma_mm),
        np.full((2, 2), divergence_rad),
        np.zeros((2, 2)),
        np.full(2, spread_percent),
        np.full(2, 1e8),
    )
    return Machine("pencil", ion, "one pencil beam", (lowest, highest), (), optics, (1e4, 1e4), 1.0)


def pencil_plan(
    ion: str, energy_mev_u: float, isocentre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Plan:
    """One particle at gantry 0, which goes along +y."""
    spots = Spots(np.zeros(1), np.zeros(1), np.ones(1))
    beam = Beam("pencil", 0.0, 0.0, isocentre_mm, (Layer(energy_mev_u, spots),))
    return Plan("pencil", ion, "pencil", (beam,))


def phantom_patient(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> Patient:
    """Phantom of exact materials, array ``[z, y, x]``: middle at x = z = 0, surface at y = 0."""
    nz, _, nx = hu.shape
    sx, sy, sz = spacing_mm
    origin = (-(nx - 1) * sx / 2, sy / 2, -(nz - 1) * sz / 2)
    return Patient("phantom", Volume(Grid(origin, spacing_mm, hu.shape), hu), calibration="phantom")


def water(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Patient:
    """Water of so many voxels ``(nz, ny, nx)``, depth along y."""
    return phantom_patient(np.zeros(shape, dtype=np.float32), spacing_mm)
