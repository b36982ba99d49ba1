"""The optimiser against pyRadPlan's on identical matrices and objectives: ``benchmarks/optimiser.py PEER``.

PEER is the interpreter of an environment with pyRadPlan (see ``pyradplan_peer.py``). It computes the
influence matrices of TG119, optimises, and writes matrices, voxels, objectives and its history to a file
(``pyradplan_optimiser.py``); isodose then optimises the same numbers, also from zero, on one thread, compiled
before the clock starts. Its time includes making its own copy of the matrix; both times are CPU seconds of
runs one after the other. The table has the value of pyRadPlan at its end, when isodose had reached it, and
isodose's value in the same time or after ``--iterations``.

``--kept FOLDER`` keeps the peer's files there, and uses those that are there already.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.optimise.effective_dose import MeanDose
from isodose.optimise.goal import Goal
from isodose.optimise.objective import Objective
from isodose.optimise.problem import Problem
from isodose.optimise.rbe_quantity import RbeOfResponse
from isodose.optimise.solver import Iteration, SolverSettings, optimise
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing
from isodose.optimise.voxel_quantity import PhysicalDose, VoxelQuantity
from isodose.patient.grid import Grid

CASES = {
    "protons": [],
    "protons_two_fields": ["--angles", "90,270"],
    "carbon_rbe": ["--ion", "carbon", "--rbe"],
}
OBJECTIVES = {
    "Squared Overdosing": SquaredOverdosing,
    "Squared Deviation": SquaredDeviation,
    "Mean Dose": MeanDose,
}
PRODUCTS = {"alpha_dose": Quantity.ALPHA, "sqrt_beta_dose": Quantity.SQRT_BETA}
TARGET_RATIO = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", type=Path, help="interpreter with pyRadPlan")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--kept", type=Path, help="folder of the peer's files")
    options = parser.parse_args()
    print(
        f"{'':20}{'million':>9} {'pyRadPlan':>18} {'isodose reaches it':>26} {'at the end':>20}\n"
        f"{'':20}{'entries':>9} {'CPU s':>7} {'value':>10} {'CPU s':>9} {'iteration':>9} {'ratio':>6} "
        f"{'CPU s':>9} {'value':>10}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for case in options.cases:
            path = (options.kept or Path(scratch)) / f"{case}.npz"
            if not path.exists():
                script = Path(__file__).with_name("pyradplan_optimiser.py")
                command = [options.peer, script, path, *CASES[case]]
                subprocess.run(command, check=True, capture_output=True, text=True)
            compare(case, path, options.iterations)


def compare(case: str, path: Path, iterations: int) -> None:
    with np.load(path) as file:
        run = {key: file[key] for key in file.files}
    influence, goals = problem_of(run)
    theirs, final = (float(v) for v in run["history"][-1])
    compiled = Problem(influence, goals, threads=1)
    optimise(compiled, settings=SolverSettings(iterations=15))
    own = compiled.value(run["weights"])
    if abs(own - final) > 1e-3 * final:
        raise SystemExit(f"{case}: isodose gives pyRadPlan's weights a value of {own:g}, not {final:g}")
    started = time.process_time()
    problem = Problem(influence, goals, threads=1)
    build = time.process_time() - started

    def in_time(step: Iteration) -> bool:
        return step.cpu_seconds + build < theirs

    settings = SolverSettings(iterations=iterations, value_tolerance=0.0, optimality_tolerance=0.0)
    found = optimise(problem, settings=settings, progress=in_time)
    reached = next((step for step in found.history if step.value <= final), None)
    when = f"{'never':>26}"
    if reached is not None:
        seconds = reached.cpu_seconds + build
        mark = "" if seconds <= TARGET_RATIO * theirs else " missed"
        when = f"{seconds:9.1f} {reached.number:9d} {seconds / theirs:6.3f}{mark}"
    print(
        f"{case:20}{influence.nonzeros / 1e6:9.1f} {theirs:7.1f} {final:10.5g} {when} "
        f"{found.history[-1].cpu_seconds + build:9.1f} {found.value:10.5g}",
        flush=True,
    )


def kind(row: dict[str, Any]) -> Objective:
    return OBJECTIVES[row["name"]](**row["parameters"])


def problem_of(run: dict[str, Any]) -> tuple[Influence, list[Goal]]:
    """Influence and goals of a run of pyRadPlan; its weights are in millions of particles."""
    values = {Quantity.DOSE: run["dose"]}
    values |= {quantity: run[name] for name, quantity in PRODUCTS.items() if name in run}
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), tuple(run["shape"]))
    quantity: VoxelQuantity = PhysicalDose()
    if Quantity.ALPHA in values:
        alpha, beta = (run[name].ravel().astype(np.float64) for name in ("alpha_x", "beta_x"))
        # Voxels outside all structures have none, and no objectives either.
        quantity = RbeOfResponse(np.where(alpha > 0.0, alpha, 0.1), np.where(beta > 0.0, beta, 0.05))
    goals = [
        Goal(
            OBJECTIVES[row["name"]](**row["parameters"]),
            run[f"voxels_{i}"],
            row["priority"],
            quantity=quantity,
        )
        for i, row in enumerate(json.loads(str(run["objectives"])))
    ]
    return Influence(grid, run["indptr"], run["indices"], values), goals


if __name__ == "__main__":
    main()
