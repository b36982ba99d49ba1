"""The 6 MV beam: figures of its fields, and pyRadPlan's on TG119: ``python benchmarks/photons.py [PEER]``.

PEER is the interpreter of an environment with pyRadPlan (see ``pyradplan_peer.py``). Both programs compute
the influence matrix of the same bixels with the same cut-off on the same dose grid, one after the other, each
in a process of its own; here one thread runs, compiled before the clock starts, and the time begins with the
CT. Doses are compared after scaling to the same mean in the target, as pyRadPlan's weight has no unit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.photon.engine import PhotonBeams
from isodose.photon.generic_6mv import GENERIC_6MV
from isodose.photon.photon_plan import PHOTON, PhotonPlan
from isodose.plan.plan import Beam, Layer, Spots


class OnGrid(PhotonBeams):
    """The engine on pyRadPlan's dose grid."""

    def __init__(self, grid: Grid) -> None:
        super().__init__(threads=1)
        self._on = grid

    def grid(self, patient: Patient) -> Grid:
        """The grid that was given."""
        return self._on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", type=Path, nargs="?", help="interpreter with pyRadPlan")
    parser.add_argument("--angles", default="0")
    parser.add_argument("--grids", type=float, nargs="+", default=[5.0, 3.0])
    options = parser.parse_args()
    fields()
    if options.peer is None:
        print("no pyRadPlan given, no comparison")
        return
    print(f"\n{'TG119, dose grid':18} {'nonzeros, M':>16} {'CPU s':>14} {'ratio':>6}  dose")
    with tempfile.TemporaryDirectory() as folder:
        for grid in options.grids:
            out = Path(folder) / "peer.npz"
            script = Path(__file__).with_name("pyradplan_photons.py")
            command = [options.peer, script, out, "--angles", options.angles, "--grid", str(grid)]
            subprocess.run(command, check=True, capture_output=True)
            compare(dict(np.load(out)), grid)


def fields() -> None:
    """Depth doses and output factors of square fields on water, 1000 mm from the source."""
    depth = np.arange(0.0, 320.0, 0.5)
    largest = GENERIC_6MV.on_axis_gy(depth, 100.0).max()
    print(
        f"{'field, mm':>9} {'maximum, mm':>12} {'at 50':>6} {'100':>6} {'200':>6} {'300 mm':>7} {'output':>7}"
    )
    for side in (30.0, 50.0, 100.0, 200.0, 300.0):
        dose = GENERIC_6MV.on_axis_gy(depth, side)
        percent = 100.0 * np.interp([50.0, 100.0, 200.0, 300.0], depth, dose) / dose.max()
        figures = " ".join(f"{p:6.1f}" for p in percent)
        print(f"{side:9.0f} {depth[dose.argmax()]:12.1f} {figures} {dose.max() / largest:8.3f}")


def compare(peer: dict[str, np.ndarray], spacing_mm: float) -> None:
    theirs = json.loads(str(peer["figures"]))
    ct = Grid(tuple(peer["ct_origin"]), tuple(peer["ct_spacing"]), peer["ct_hu"].shape)
    body = Structure("body", Role.EXTERNAL, ct, peer["body"].astype(np.float32))
    target = Structure("target", Role.PTV, ct, peer["target"].astype(np.float32))
    hu = np.maximum(peer["ct_hu"], -1000.0)
    patient = Patient("TG119", Volume(ct, hu), {"body": body, "target": target})
    plan = plan_of(peer)
    engine = OnGrid(Grid(tuple(peer["dose_origin"]), tuple(peer["dose_spacing"]), peer["dose"].shape))
    engine.influence(patient, plan, cutoff_mm=5.0)
    begun = sum(os.times()[:2])
    matrix = engine.influence(patient, plan, cutoff_mm=theirs["cutoff_mm"])
    seconds = sum(os.times()[:2]) - begun
    ours = matrix.weighted(np.ones(matrix.spots), threads=1)
    inside = target_on(engine, patient, target)
    other = peer["dose"] * ours[inside].mean() / peer["dose"][inside].mean()
    deep = target_on(engine, patient, body) & (other > 0.5 * other[inside].mean())
    away = 100.0 * (ours - other)[deep] / other[inside].mean()
    worst = 100.0 * np.abs(ours[inside] / other[inside] - 1.0).max()
    print(
        f"{spacing_mm:15.0f} mm {matrix.nonzeros / 1e6:7.2f} / {theirs['nonzeros'] / 1e6:5.2f} "
        f"{seconds:6.2f} / {theirs['cpu_s']:5.2f} {theirs['cpu_s'] / seconds:6.1f}  "
        f"target within {worst:.1f} %; above half of its dose: mean {away.mean():+.1f} %, "
        f"95 % within {np.percentile(np.abs(away), 95):.1f} %"
    )


def target_on(engine: OnGrid, patient: Patient, structure: Structure) -> np.ndarray:
    occupancy = Volume(structure.grid, structure.occupancy).on(engine.grid(patient)).values
    return occupancy >= 0.99


def plan_of(peer: dict[str, np.ndarray]) -> PhotonPlan:
    beams = []
    for i, gantry in enumerate(peer["gantry_deg"]):
        of_beam = peer["beam"] == i
        spots = Spots(peer["x"][of_beam], peer["y"][of_beam], np.ones(int(of_beam.sum())))
        isocentre = tuple(float(v) for v in peer["isocentre"][i])
        beams.append(Beam(f"{gantry:g}", float(gantry), 0.0, isocentre, (Layer(6.0, spots),)))
    return PhotonPlan("TG119", PHOTON, GENERIC_6MV.name, tuple(beams))


if __name__ == "__main__":
    main()
