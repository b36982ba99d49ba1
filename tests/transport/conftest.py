from __future__ import annotations

import numpy as np
import pytest

from isodose.machine.machine import BeamOptics, Machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.plan import Beam, Layer, Plan, RangeShifter, Spots


def make_machine(ion="proton", energy=100.0, sigma_mm=3.0, divergence_rad=0.0, spread_percent=0.0):
    energies = np.array([energy - 5.0, energy + 5.0])
    optics = BeamOptics(
        energies,
        np.full((2, 2), sigma_mm),
        np.full((2, 2), divergence_rad),
        np.zeros((2, 2)),
        np.full(2, spread_percent),
        np.full(2, 1e8),
    )
    return Machine("test", ion, "", (energies[0], energies[1]), (), optics, (1e4, 1e4), 1.0)


def make_patient(shape=(20, 100, 20), spacing=(2.0, 1.0, 2.0), hu=0.0):
    nz, _, nx = shape
    origin = (-(nx - 1) * spacing[0] / 2, spacing[1] / 2, -(nz - 1) * spacing[2] / 2)
    values = np.full(shape, hu, dtype=np.float32)
    return Patient("water", Volume(Grid(origin, spacing, shape), values), calibration="phantom")


def make_plan(ion="proton", energy=100.0, spots=((0.0, 0.0, 1.0),), shifter: RangeShifter | None = None):
    x, y, n = (np.array(column) for column in zip(*spots, strict=True))
    beam = Beam("1", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(energy, Spots(x, y, n)),), shifter)
    return Plan("test", ion, "test", (beam,))


@pytest.fixture
def proton_machine():
    return make_machine()


@pytest.fixture(scope="session")
def machine_of():
    """Machine of an ion, with one spot size around one energy."""
    return make_machine


@pytest.fixture(scope="session")
def patient_of():
    """Water of so many voxels."""
    return make_patient


@pytest.fixture(scope="session")
def plan_of():
    """Plan of a few spots of one energy."""
    return make_plan
