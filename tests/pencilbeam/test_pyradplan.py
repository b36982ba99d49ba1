"""Doses of pyRadPlan with a machine file of its format: position of spots, air gap, offset of depths.

`DOSES` are those of pyRadPlan 0.5.0 (its Hong pencil beam, two Gaussians, no cut-off) with the machine below:
water whose surface lies 160 mm above (gantry 0) or 80 mm to the left (gantry 90) of the frame's origin,
isocentre at (0, -25, 0) mm, one spot of 120 MeV and a million protons, at (-20, 0) and at (20, -20) mm in the
beam's eye view.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from isodose.dose.quantity import Quantity
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine
from isodose.machine.machine_writer import write_machine
from isodose.machine.matrad import read_matrad
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Beam, Layer, Plan, Spots

DOSES: dict[float, list[tuple[tuple[float, float, float], float]]] = {
    0.0: [
        ((-27.0, -57.0, 3.0), 5.84439e-04),
        ((-25.0, -99.0, 1.0), 2.33969e-04),
        ((-19.0, -105.0, 5.0), 3.47136e-04),
        ((-27.0, -53.0, 3.0), 3.50461e-04),
        ((-15.0, -139.0, -5.0), 1.41064e-04),
        ((-21.0, -73.0, -7.0), 1.41227e-04),
        ((-19.0, -53.0, -5.0), 1.04826e-03),
        ((-19.0, -129.0, -5.0), 3.21176e-04),
        ((-13.0, -121.0, -3.0), 1.18850e-04),
        ((-19.0, -55.0, -1.0), 4.53265e-03),
    ],
    90.0: [
        ((71.0, -11.0, -15.0), 9.29730e-05),
        ((27.0, -3.0, -19.0), 8.96530e-04),
        ((-23.0, -3.0, -15.0), 1.62166e-03),
        ((-17.0, -11.0, -23.0), 1.88804e-04),
        ((3.0, -9.0, -15.0), 1.95416e-04),
        ((79.0, -9.0, -25.0), 1.01594e-04),
        ((23.0, -5.0, -27.0), 9.92607e-05),
        ((15.0, -7.0, -25.0), 2.86518e-04),
        ((55.0, -7.0, -23.0), 5.42676e-04),
        ((-25.0, -5.0, -21.0), 4.60018e-03),
    ],
}
SPOT = {0.0: (-20.0, 0.0), 90.0: (20.0, -20.0)}
CORNERS = {0.0: ((-49, -159, -29), (9, -41, 29)), 90.0: ((-39, -45, -49), (79, 35, 9))}
"""Centres of the first and last voxel of the water, mm; pyRadPlan had more of it."""


def entry(energy: float) -> dict[str, Any]:
    """Invented kernels behind an offset, and a spot of 3 mm that does not diverge."""
    reach = 0.022 * energy**1.77
    depth = np.concatenate([np.arange(0.0, 0.8, 0.02), np.arange(0.8, 1.15, 0.005)]) * reach
    part = depth / reach
    dose = 4.0 + 2.0 * part + 30.0 * np.exp(-0.5 * ((part - 0.98) / 0.02) ** 2)
    narrow = 0.01 * depth + 0.015 * reach * part**2
    distance = np.array([[1500.0, 1700.0, 2000.0, 2300.0]])
    return {
        "energy": energy,
        "offset": 1.5,
        "depths": depth,
        "Z": dose / (1.0 + np.exp((part - 1.02) / 0.01)),
        "sigma1": narrow,
        "sigma2": 2.0 + 5.0 * narrow,
        "weight": 0.05 + 0.1 * part,
        "initFocus": {"dist": distance, "sigma": np.full((1, 4), 3.0), "SisFWHMAtIso": 7.06},
    }


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Machine of a matRad file, written as isodose's own and read back."""
    folder = tmp_path_factory.mktemp("parallel")
    meta = {"radiationMode": "protons", "name": "Parallel"}
    meta |= {"SAD": 2000, "BAMStoIsoDist": 500, "fitAirOffset": 100}
    rows = [entry(energy) for energy in (80.0, 90.0, 100.0, 110.0, 120.0)]
    data = np.zeros((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        for name, value in row.items():
            data[name][0, i] = value
    savemat(folder / "protons_Parallel.mat", {"machine": {"meta": meta, "data": data}})
    return machine(write_machine(read_matrad(folder / "protons_Parallel.mat").machine, folder))


def dose_at(of: Machine, gantry_deg: float) -> np.ndarray:
    """Doses at the points of `DOSES`, in voxels of 2/3 mm, as pyRadPlan gives doses of points."""
    lower, upper = (np.array(corner, dtype=np.float64) for corner in CORNERS[gantry_deg])
    shape = tuple(int(n) for n in (upper - lower)[::-1] / 2.0 + 1.0)
    water = Volume(Grid(tuple(lower), (2.0, 2.0, 2.0), shape), np.zeros(shape, dtype=np.float32))
    patient = Patient("water", water, calibration="phantom")
    x, y = SPOT[gantry_deg]
    layer = Layer(120.0, Spots(np.array([x]), np.array([y]), np.array([1e6])))
    plan = Plan("spot", "proton", of.name, (Beam("b", gantry_deg, 0.0, (0.0, -25.0, 0.0), (layer,)),))
    engine = PencilBeam(spacing_mm=2.0 / 3.0, machine=of, gaussians=2, threads=1)
    dose = engine.compute(patient, plan, (Quantity.DOSE_TO_WATER,))
    index = np.rint(dose.grid.index([place for place, _ in DOSES[gantry_deg]])).astype(int)
    return dose.values[Quantity.DOSE_TO_WATER][tuple(index.T)]


@pytest.mark.physics
@pytest.mark.parametrize("gantry_deg", [0.0, 90.0])
def test_doses_are_those_of_pyradplan(imported: Machine, gantry_deg: float) -> None:
    expected = np.array([dose for _, dose in DOSES[gantry_deg]])
    # Planes are 0.5 mm and rays 0.8 mm apart, between which a Gaussian of 3 mm is interpolated; at the distal
    # edge the dose falls by a tenth in 0.1 mm, so that 3 % are 0.03 mm of depth.
    np.testing.assert_allclose(dose_at(imported, gantry_deg), expected, rtol=0.03)
    # 0.26 and 0.35 mm of water stand for the air gap; without them the doses behind the peak are far off.
    no_air = dose_at(replace(imported, fit_air_offset_mm=None), gantry_deg)
    assert np.abs(no_air / expected - 1.0).max() > 0.06
