"""Monte Carlo of one narrow pencil beam in water: the raw material of base data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isodose.dose.quantity import Quantity
from isodose.machine.machine import Machine
from isodose.patient.files import atomic_path
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.plan.depth_dose import range_mm
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.transport.engine import MonteCarlo

_NARROW_MM = 1e-6
_BREADTH_MM = 1200.0
"""Width of the water across which the lateral profile is summed."""
_TAIL = {"proton": 1.12, "helium": 1.35, "carbon": 1.7, "oxygen": 1.7}
"""Depth of the water in ranges: fragments fly on behind the peak."""


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What a narrow beam leaves in water, per particle.

    Parameters
    ----------
    energy_mev_u
        Nominal energy.
    spacing_mm
        Depth and lateral width of the bins.
    dose
        Dose summed over one lateral direction, MeV cm2/g per mm, ``(depth, lateral)`` float32; the beam
        enters in the middle of the middle bin.
    error
        Its standard uncertainty.
    letd
        Dose-averaged LET in keV/um, ``(depth, lateral)`` float32.
    track_length
        mm of track per mm of depth, ``(depth, classes, bins)`` float32, at a coarser spacing.
    spectrum_spacing_mm
        Spacing of ``track_length`` in depth.
    classes, energy_edges_mev
        What the spectra are sorted by.
    """

    energy_mev_u: float
    spacing_mm: tuple[float, float]
    dose: NDArray[np.float32]
    error: NDArray[np.float32]
    letd: NDArray[np.float32]
    track_length: NDArray[np.float32]
    spectrum_spacing_mm: float
    classes: tuple[str, ...]
    energy_edges_mev: NDArray[np.float64]

    def write(self, path: Path) -> None:
        """Write to an ``.npz``, beside and then renamed."""
        with atomic_path(path) as beside, beside.open("wb") as stream:
            arrays = {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}
            np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_simulation(path: Path) -> Simulation:
    """Simulation of a file that `Simulation.write` wrote."""
    with np.load(path) as file:
        return Simulation(
            float(file["energy_mev_u"]),
            (float(file["spacing_mm"][0]), float(file["spacing_mm"][1])),
            file["dose"],
            file["error"],
            file["letd"],
            file["track_length"],
            float(file["spectrum_spacing_mm"]),
            tuple(str(c) for c in file["classes"]),
            file["energy_edges_mev"],
        )


def simulate(
    machine: Machine, energy_mev_u: float, histories: int, seed: int, threads: int | None = None
) -> Simulation:
    """Shoot a beam without width or divergence, with the machine's energy spread, into water.

    Parameters
    ----------
    machine
        Gives ion and energy spread.
    energy_mev_u
        Nominal energy.
    histories
        Particles for the dose; a third as many again give the spectra.
    seed, threads
        As in `isodose.transport.engine.MonteCarlo`.
    """
    reach = float(range_mm(machine.ion, energy_mev_u))
    depth_spacing = max(reach / 800.0, 0.1)
    width_spacing = 0.25 + 0.0025 * reach
    depth = int(np.ceil((_TAIL[machine.ion] * reach + 10.0) / depth_spacing))
    width = 2 * int(np.ceil((30.0 + 0.35 * reach) / width_spacing)) + 1
    optics = machine.optics
    narrow = replace(
        machine,
        optics=replace(
            optics,
            sigma_mm=np.full_like(optics.sigma_mm, _NARROW_MM),
            divergence_rad=np.zeros_like(optics.divergence_rad),
            correlation=np.zeros_like(optics.correlation),
        ),
        monitor=None,
    )
    spots = Spots(np.zeros(1), np.zeros(1), np.ones(1))
    beam = Beam("narrow", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(energy_mev_u, spots),))
    plan = Plan("narrow beam", machine.ion, machine.name, (beam,))

    patient = water_tank((1, depth, width), (width_spacing, depth_spacing, _BREADTH_MM))
    engine = MonteCarlo(histories, seed=seed, threads=threads, machine=narrow)
    dose = engine.compute(patient, plan, (Quantity.DOSE, Quantity.LETD))
    # Gy of a bin 1.2 m broad to MeV cm2/g per mm of width.
    area_cm2 = 0.01 * width_spacing * _BREADTH_MM
    scale = area_cm2 / GY_PER_MEV_PER_G / width_spacing

    spectrum_spacing = 2.0 * depth_spacing
    slab = water_tank((1, depth // 2, 1), (_BREADTH_MM, spectrum_spacing, _BREADTH_MM))
    engine = MonteCarlo(max(histories // 3, 20), seed=seed + 1, threads=threads, machine=narrow)
    spectra = engine.compute(slab, plan, (Quantity.TRACK_LENGTH,)).spectra[Quantity.TRACK_LENGTH]
    tracks = spectra.dense(np.arange(depth // 2)) / spectrum_spacing
    return Simulation(
        energy_mev_u,
        (depth_spacing, width_spacing),
        dose.values[Quantity.DOSE][0] * np.float32(scale),
        dose.uncertainty[Quantity.DOSE][0] * np.float32(scale),
        dose.values[Quantity.LETD][0],
        tracks.astype(np.float32),
        spectrum_spacing,
        spectra.classes,
        spectra.energy_edges_mev,
    )


def water_tank(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Patient:
    """Water with its surface at y = 0 and its middle at x = z = 0.

    Parameters
    ----------
    shape
        Voxels in z, y, x.
    spacing_mm
        Their size in x, y, z.
    """
    origin = (
        -(shape[2] - 1) * spacing_mm[0] / 2.0,
        spacing_mm[1] / 2.0,
        -(shape[0] - 1) * spacing_mm[2] / 2.0,
    )
    hu = np.zeros(shape, dtype=np.float32)
    return Patient("water", Volume(Grid(origin, spacing_mm, shape), hu), calibration="phantom")
