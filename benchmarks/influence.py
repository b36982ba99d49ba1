"""Influence matrices against pyRadPlan's on TG119: ``python benchmarks/influence.py PEER MACHINES``.

PEER is the interpreter of an environment with pyRadPlan (see ``pyradplan_peer.py``), MACHINES the folder of
its ``protons_Generic.mat`` and so on. Both programs run one after the other, each in a process of its own:
same machine, CT, spots, voxels of 3 mm, one Gaussian without splitting spots, 99.5 % of the dose kept. Here
one thread runs, compiled before the clock starts; the time begins with the CT and ends with the matrix. The
dose is that of pyRadPlan's weights. Carbon runs a second time with what RBE needs: alpha and root of beta
times dose beside the dose, from the tables of pyRadPlan's machine and from the particle spectra of isodose's
(modified MKM). ``--full`` adds isodose's matrix with spots split over rays, which
pyRadPlan has not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pyradplan_dose import PointDose, plan_of

from isodose.biology.mixed_field import model_depth_weightings
from isodose.biology.models import model
from isodose.biology.radiation_model import RadiationModel
from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.evaluate.gamma import GammaCriteria, gamma
from isodose.machine.base_data import DepthWeighting
from isodose.machine.machine_file import machine as machine_named
from isodose.machine.matrad import read_matrad
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import Above, HounsfieldCalibration
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.plan.plan import Plan

KEPT = 0.995
NOT_NEEDED = ("dose_of_spot", "dose_uniform", "let_dose", "depth_")
HLUT = ((-1024.0, 0.001), (-999.0, 0.001), (-90.0, 0.95), (-45.0, 0.99), (0.0, 1.0), (100.0, 1.095))
"""Start of pyRadPlan's default table of stopping powers; the phantom has nothing denser."""


class OnGrid(PointDose):
    """The engine on pyRadPlan's dose grid, with its rays as far apart as the voxels."""

    def __init__(self, grid: Grid, **options: Any) -> None:
        super().__init__(ray_spacing_mm=min(grid.spacing_mm), **options)
        self._on = grid

    def grid(self, patient: Patient) -> Grid:
        """The grid that was given."""
        return self._on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", type=Path, help="interpreter with pyRadPlan")
    parser.add_argument("machines", type=Path)
    parser.add_argument("--cases", nargs="+", default=["protons", "carbon", "carbon-rbe"])
    parser.add_argument("--runs", type=int, default=3, help="of each program in turn; the median counts")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=["single", "full"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measured(options.peer, options.machines, options.only == "single")))
        return
    print(f"{'':32} {'nonzeros':>9} {'CPU s':>7} {'ratio':>6} {'peak GiB':>8} {'M/CPU s':>7}  dose")
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases:
            run = Path(folder) / f"{case}.npz"
            script = Path(__file__).with_name("pyradplan_peer.py")
            ion, _, rbe = case.partition("-")
            command = [options.peer, script, run, "--ion", ion, *(["--biology"] if rbe else [])]
            modes = ("single", "full") if options.full else ("single",)
            peers: list[dict[str, Any]] = []
            found: dict[str, list[dict[str, Any]]] = {mode: [] for mode in modes}
            for _ in range(options.runs):
                subprocess.run(command, check=True, capture_output=True, text=True)
                peer = json.loads(str(np.load(run)["figures"]))
                peer |= {"cpu_s": peer["influence_cpu_s"], "peak_gib": peer["influence_peak_gib"], "dose": ""}
                peers.append(peer)
                for mode in modes:
                    ours = [sys.executable, __file__, run, options.machines, "--only", mode]
                    done = subprocess.run(ours, check=True, capture_output=True, text=True)
                    found[mode].append(json.loads(done.stdout))
            peer = median(peers)
            line(f"{case} pyRadPlan, {peer['spots']} spots", peer, peer)
            for mode in modes:
                line(f"{case} isodose, {mode}", median(found[mode]), peer)


def median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run whose CPU time is the median one."""
    return sorted(runs, key=lambda figures: float(figures["cpu_s"]))[len(runs) // 2]


def line(name: str, figures: dict[str, Any], peer: dict[str, Any]) -> None:
    million = figures["nonzeros"] / 1e6
    print(
        f"{name:32} {million:8.1f}M {figures['cpu_s']:7.2f} {figures['cpu_s'] / peer['cpu_s']:6.3f} "
        f"{figures['peak_gib']:8.2f} {million / figures['cpu_s']:7.1f}  {figures['dose']}",
        flush=True,
    )


def measured(path: Path, machines: Path, single: bool) -> dict[str, Any]:
    """Figures of isodose on a run of pyRadPlan."""
    with np.load(path) as file:
        run = {key: file[key] for key in file.files if not key.startswith(NOT_NEEDED)}
    asked = json.loads(str(run["figures"]))["options"]
    machine = read_matrad(machines / f"{asked['ion']}_Generic.mat", model=asked["model"]).machine
    plan, patient = plan_of(run, machine), phantom(run)
    grid = Grid(tuple(run["dose_origin"]), tuple(run["dose_spacing"]), run["rsp"].shape)
    calibration = HounsfieldCalibration("pyRadPlan", rsp_knots=HLUT, above=Above.CLAMP)
    weightings = averages() if asked["biology"] else {}
    engine = OnGrid(
        grid,
        machine=machine,
        calibration=calibration,
        gaussians=1,
        split=not single,
        weightings=weightings,
        threads=1,
    )
    quantities = (Quantity.DOSE, *weightings)
    engine.influence(patient, few_spots(plan), quantities, KEPT)
    started = sum(os.times()[:2]), time.perf_counter()
    matrix = engine.influence(patient, plan, quantities, KEPT)
    figures = {
        "cpu_s": sum(os.times()[:2]) - started[0],
        "wall_s": time.perf_counter() - started[1],
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "nonzeros": matrix.nonzeros,
        "matrix_gib": matrix.memory_bytes / 2**30,
    }
    return figures | {"dose": agreement(run, plan, matrix)}


def averages() -> dict[Quantity, DepthWeighting]:
    """Alpha and root of beta along carbon beams."""
    data, mkm = machine_named("generic_carbon").base_data, model("mkm")
    assert data is not None
    assert data.spectra is not None
    assert isinstance(mkm, RadiationModel)
    return model_depth_weightings(data.spectra, mkm)


def phantom(run: dict[str, Any]) -> Patient:
    grid = Grid(tuple(run["ct_origin"]), tuple(run["ct_spacing"]), run["ct_hu"].shape)
    body = Structure("BODY", Role.EXTERNAL, grid, run["mask_BODY"].astype(np.float32))
    return Patient("TG119", Volume(grid, run["ct_hu"]), {"BODY": body})


def few_spots(plan: Plan) -> Plan:
    """One spot, so that everything is compiled."""
    beam = plan.beams[0]
    spots = beam.layers[0].spots
    one = replace(spots, x_mm=spots.x_mm[:1], y_mm=spots.y_mm[:1], particles=spots.particles[:1])
    return replace(plan, beams=(replace(beam, layers=(replace(beam.layers[0], spots=one),)),))


def agreement(run: dict[str, Any], plan: Plan, matrix: Influence) -> str:
    """Dose of pyRadPlan's weights against its own, where it is 10 % of the largest and more."""
    weights = np.concatenate([layer.spots.particles for beam in plan.beams for layer in beam.layers])
    found, expected = matrix.weighted(weights, Quantity.DOSE), run["dose"]
    high = expected > 0.1 * expected.max()
    off = 100.0 * (found - expected)[high] / expected.max()
    lower, upper = np.argwhere(high).min(axis=0) - 3, np.argwhere(high).max(axis=0) + 3
    grid, cut = matrix.grid.cropped(matrix.grid.position_mm(lower), matrix.grid.position_mm(upper))
    passed = gamma(Volume(grid, expected[cut]), Volume(grid, found[cut]), GammaCriteria(1.0, 1.0, 10.0))
    return (
        f"mean {off.mean():+.2f} %, rms {np.sqrt(np.mean(off**2)):.2f} %, gamma 1/1 {passed.pass_rate:.1f} %"
    )


if __name__ == "__main__":
    main()
