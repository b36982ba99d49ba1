"""An invented proton machine with smooth base data of short range, and boxes small enough for a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from isodose.machine.base_data import BaseData, PencilKernel
from isodose.machine.machine import BeamOptics, Machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.plan import Beam, Layer, Plan, Spots

WEIGHTS = (0.8, 0.15, 0.05)
Box = Callable[..., Patient]
SpotPlan = Callable[..., Plan]


def kernel(energy: float, gaussians: int) -> PencilKernel:
    """A broad peak, cores that widen with the depth, and a halo; as wide as protons are, but for the peak."""
    reach = 0.022 * energy**1.77
    depth = np.arange(0.0, 1.2 * reach + 12.0, 0.2)
    peak = 20.0 * np.exp(-0.5 * ((depth - reach) / 4.0) ** 2)
    dose = (6.0 + 2.0 * depth / reach) / (1.0 + np.exp((depth - reach) / 2.0)) + peak
    core = 0.1 + 0.022 * reach * (np.minimum(depth / reach, 1.1)) ** 1.5
    sigma = np.stack([core, 1.0 + 2.5 * core, 4.0 + 4.0 * core], axis=1)[:, :gaussians]
    weight = np.tile(np.array(WEIGHTS[:gaussians]) / sum(WEIGHTS[:gaussians]), (depth.size, 1))
    letd = np.stack([2.0 + 0.1 * depth, 3.0 + 0.0 * depth, 8.0 + 0.0 * depth], axis=1)[:, :gaussians]
    return PencilKernel(energy, depth, dose, sigma, weight, letd)


@pytest.fixture(scope="session")
def toy() -> Machine:
    """Spots of 4 mm from two sources at different distances; three Gaussians, or fewer."""
    energies = (50.0, 60.0, 70.0, 80.0)
    three, two, one = (tuple(kernel(e, n) for e in energies) for n in (3, 2, 1))
    rows = len(energies)
    optics = BeamOptics(
        np.array(energies),
        np.full((rows, 2), 4.0),
        np.full((rows, 2), 0.003),
        np.zeros((rows, 2)),
        np.full(rows, 0.8),
        np.full(rows, 1e8),
    )
    data = BaseData("proton", three, provenance={"made": "for tests"}, simpler=(two, one))
    return Machine(
        "toy", "proton", "Invented.", (50.0, 80.0), (), optics, (1900.0, 2300.0), 400.0, base_data=data
    )


@pytest.fixture(scope="session")
def parallel(toy: Machine) -> Machine:
    """The same without divergence, from sources so far away that rays are parallel."""
    optics = replace(toy.optics, divergence_rad=np.zeros_like(toy.optics.divergence_rad))
    return replace(toy, optics=optics, source_distance_mm=(1e7, 1e7))


@pytest.fixture(scope="session")
def box() -> Box:
    """A phantom of CT numbers ``[z, y, x]``, its middle in the frame's origin."""

    def made(hu: np.ndarray, spacing_mm: float | tuple[float, float, float] = 2.0) -> Patient:
        spacing = np.broadcast_to(spacing_mm, (3,))
        origin = -(np.array(hu.shape[::-1]) - 1) * spacing / 2
        grid = Grid(tuple(origin), tuple(spacing), hu.shape)
        return Patient("box", Volume(grid, hu.astype(np.float32)), calibration="phantom")

    return made


@pytest.fixture(scope="session")
def spot_plan() -> SpotPlan:
    """Plan of one beam: spots (x, y, particles) in a layer for each energy."""

    def made(
        *energies: float,
        spots: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 1e6),),
        gantry: float = 0.0,
        couch: float = 0.0,
        isocentre: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Plan:
        x, y, n = (np.array(column) for column in zip(*spots, strict=True))
        layers = tuple(Layer(energy, Spots(x, y, n)) for energy in energies)
        return Plan("spots", "proton", "toy", (Beam("b", gantry, couch, isocentre, layers),))

    return made


@pytest.fixture(scope="session")
def mixed(box: Box) -> Patient:
    """Bone and lung in water, not symmetric in any way; 44 x 60 x 44 mm."""
    hu = np.zeros((22, 30, 22))
    hu[4:12, 5:9, 3:10] = 1525.0
    hu[8:20, 12:18, 10:20] = -740.0
    hu[14:, 8:10, :8] = -1000.0
    return box(hu)
