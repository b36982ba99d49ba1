"""Pencil-beam doses against pyRadPlan's with its own machine files.

``python benchmarks/pyradplan_dose.py MACHINES RUN.npz ...``, where MACHINES is the folder of pyRadPlan's
``protons_Generic.mat`` and so on, and each RUN a file of ``pyradplan_peer.py``. Both programs then have the
same base data, spots and stopping power. What stays different by design:

- pyRadPlan gives doses of points in the middle of voxels, isodose means over voxels (here it gives points);
- pyRadPlan keeps the width that a spot has at the skin, isodose lets it diverge on;
- pyRadPlan takes for each voxel the depth of that voxel, isodose the depths of the rays whose particles come
  there: all of a spot along its central ray (``split`` False) or each part along its own (True). They differ
  where neighbouring rays have different depths, as in TG119 from the side;
- pyRadPlan cuts a spot off at a part of its dose, and gives what is lost to the rest.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isodose.dose.quantity import Quantity
from isodose.evaluate.gamma import GammaCriteria, gamma
from isodose.machine.machine import AIR_RSP, Machine
from isodose.machine.matrad import read_matrad
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import Above, HounsfieldCalibration
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.resolution import Resolution
from isodose.plan.plan import Beam, Layer, Plan, Spots

GAUSSIANS = {"single": 1, "double": 2, "multi": 3}
LINEAR = HounsfieldCalibration(
    "stopping power", rsp_knots=((-1000.0, 1e-9), (2000.0, 3.0)), above=Above.CLAMP
)
"""CT numbers that are stopping powers: 1000 (RSP - 1)."""


class PointDose(PencilBeam):
    """The engine without the mean over voxels."""

    def resolution(self, beam: Beam, machine: Machine, grid: Grid) -> Resolution:
        """As of the engine, for points."""
        return replace(super().resolution(beam, machine, grid), voxel_mm=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machines", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(
        f"{'run':28} {'split':5} {'spots':>6} {'largest':>8} {'rms':>6} {'gamma 1/1':>9} {'mean':>7} {'s':>5}"
    )
    for path in options.runs:
        run = dict(np.load(path))
        asked = json.loads(str(run["figures"]))["options"]
        machine = read_matrad(options.machines / f"{asked['ion']}_Generic.mat", model=asked["model"]).machine
        for split in (False, True):
            print(f"{path.stem:28} {split!s:5} {compared(run, machine, asked, split, options.threads)}")


def compared(run: dict[str, Any], machine: Machine, asked: dict[str, Any], split: bool, threads: int) -> str:
    """Figures of a run: differences in percent of the largest dose, where there is 10 % of it and more."""
    grid = Grid(tuple(run["dose_origin"]), tuple(run["dose_spacing"]), run["rsp"].shape)
    # pyRadPlan has no matter outside of structures, but counts air up to the skin.
    hu = 1000.0 * (np.maximum(run["rsp"], AIR_RSP) - 1.0)
    patient = Patient("peer", Volume(grid, hu.astype(np.float32)))
    engine = PointDose(
        machine=machine, calibration=LINEAR, gaussians=GAUSSIANS[asked["model"]], split=split, threads=threads
    )
    dose = engine.compute(patient, plan_of(run, machine), (Quantity.DOSE_TO_WATER,))
    found, expected = dose.values[Quantity.DOSE_TO_WATER], run["dose"]
    inside = run["rsp"] > 0.0
    found = np.where(inside, found, 0.0).astype(np.float32)
    high = inside & (expected > 0.1 * expected.max())
    off = 100.0 * (found - expected)[high] / expected.max()
    lower = np.array(grid.position_mm(np.argwhere(high).min(axis=0))) - 6.0
    upper = np.array(grid.position_mm(np.argwhere(high).max(axis=0))) + 6.0
    small, cut = grid.cropped(lower, upper)
    passed = gamma(Volume(small, expected[cut]), Volume(small, found[cut]), GammaCriteria(1.0, 1.0, 10.0))
    return (
        f"{run['energy'].size:6d} {np.abs(off).max():7.2f}% {np.sqrt(np.mean(off**2)):5.2f}% "
        f"{passed.pass_rate:8.2f}% {off.mean():+6.2f}% {dose.provenance['seconds']:5.1f}"
    )


def plan_of(run: dict[str, Any], machine: Machine) -> Plan:
    beams = []
    for i, gantry in enumerate(run["gantry_deg"]):
        mine = run["beam"] == i
        layers = []
        for energy in np.unique(run["energy"][mine]):
            at = mine & (run["energy"] == energy) & (run["weight"] > 0.0)
            if at.any():
                spots = Spots(run["x"][at], run["y"][at], 1e6 * run["weight"][at])
                layers.append(Layer(machine.nearest_energy_mev_u(float(energy)), spots))
        x, y, z = (float(v) for v in run["isocentre"][i])
        beams.append(Beam(f"{i}", float(gantry), 0.0, (x, y, z), tuple(layers)))
    return Plan("peer", machine.ion, machine.name, tuple(beams))


if __name__ == "__main__":
    main()
