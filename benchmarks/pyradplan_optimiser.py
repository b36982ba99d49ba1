"""Optimise TG119 with pyRadPlan and keep the problem: ``PEER benchmarks/pyradplan_optimiser.py OUT``.

PEER is the interpreter of an environment of its own (see ``pyradplan_peer.py``), so that this imports neither
isodose nor anything from this folder. The solver is pyRadPlan's own choice with SciPy (L-BFGS-B from zero, at
most 500 iterations). It writes one ``.npz`` with

- ``indptr``, ``indices``, ``dose`` and, with ``--rbe``, ``alpha_dose`` and ``sqrt_beta_dose``: the influence
  matrices by columns, and ``shape``, that of the dose grid [z, y, x];
- ``voxels_I`` and the entry of ``objectives`` (JSON) with the same number: name, parameters and priority;
- ``alpha_x`` and ``beta_x`` of the voxels, with ``--rbe``;
- ``weights``, and ``history``: CPU seconds since the start of the optimisation and the objective value, one
  row an evaluation;
- ``figures``: CPU seconds of the influence matrix and of the optimisation, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from pyRadPlan import IonPlan, calc_dose_influence, generate_stf, load_tg119, settings
from pyRadPlan.optimization.objectives import MeanDose, SquaredDeviation, SquaredOverdosing
from pyRadPlan.optimization.problems import get_problem_from_pln
from scipy.sparse import csc_array


def main() -> None:
    options = parse()
    settings.xp.prefer_gpu = False
    settings.xp.preferred_cpu_array_backend = "numpy"
    ct, structures = load_tg119()
    angles = [float(a) for a in options.angles.split(",")]
    plan = IonPlan(radiation_mode=options.ion, machine="Generic")
    plan.prop_stf = {"gantry_angles": angles, "couch_angles": [0.0] * len(angles), "bixel_width": 5.0}
    plan.prop_dose_calc["dose_grid"] = {"resolution": dict.fromkeys("xyz", options.grid)}
    plan.prop_opt = {"solver": "scipy", "max_iter": options.iterations}
    if options.rbe:
        plan.prop_dose_calc["calc_bio_dose"] = True
        objectives_of_its_carbon_example(structures)
    steering = generate_stf(ct, structures, plan)
    began = cpu()
    influence = calc_dose_influence(ct, structures, steering, plan)
    figures = {"influence_cpu_s": cpu() - began}
    problem = get_problem_from_pln(plan)
    began, history = cpu(), []
    evaluate = problem._objective_function

    def watched(x: Any) -> Any:
        value = evaluate(x)
        history.append((cpu() - began, float(value)))
        return value

    problem._objective_function = watched
    weights, found = problem.solve(ct, structures, steering, influence)
    figures |= {"optimise_cpu_s": cpu() - began, "iterations": int(found["num_iter"])}
    out = matrices(influence, options.rbe) | goals(problem)
    out |= {"weights": weights, "history": np.array(history), "figures": np.array(json.dumps(figures))}
    np.savez(options.out, **out)
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Optimise with pyRadPlan, as a peer of isodose.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--ion", default="protons", choices=["protons", "helium", "carbon"])
    parser.add_argument("--angles", default="0", help="gantry angles, degree")
    parser.add_argument("--grid", type=float, default=3.0, help="of the dose, mm")
    parser.add_argument("--iterations", type=int, default=500, help="at most")
    parser.add_argument("--rbe", action="store_true", help="RBE-weighted dose, with the example's objectives")
    return parser.parse_args()


def cpu() -> float:
    return sum(os.times()[:2])


def objectives_of_its_carbon_example(structures: Any) -> None:
    """Core, target and body, per fraction."""
    structures.vois[0].objectives = [SquaredOverdosing(priority=10.0, d_max=1.0)]
    structures.vois[1].objectives = [SquaredDeviation(priority=100.0, d_ref=3.0)]
    structures.vois[2].objectives = [
        MeanDose(priority=1.0, d_ref=0.0),
        SquaredOverdosing(priority=10.0, d_max=2.0),
    ]


def matrices(influence: Any, rbe: bool) -> dict[str, Any]:
    dose = csc_array(influence.physical_dose.flat[0])
    dose.sort_indices()
    out = {"indptr": dose.indptr.astype(np.int64), "indices": dose.indices.astype(np.int32)}
    out |= {"dose": dose.data.astype(np.float32), "shape": np.array(influence.dose_grid.dimensions)[::-1]}
    for name in ("alpha_dose", "sqrt_beta_dose") if rbe else ():
        matrix = csc_array(getattr(influence, name).flat[0])
        matrix.sort_indices()
        if not (np.array_equal(matrix.indptr, dose.indptr) and np.array_equal(matrix.indices, dose.indices)):
            raise SystemExit(f"{name} has another pattern than the dose")
        out[name] = matrix.data.astype(np.float32)
    if rbe:
        out |= {"alpha_x": np.asarray(influence.alphax), "beta_x": np.asarray(influence.betax)}
    return out


def goals(problem: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    described = []
    for mask, objectives in problem._objective_list:
        for objective in objectives:
            out[f"voxels_{len(described)}"] = np.flatnonzero(mask).astype(np.int32)
            parameters = dict(zip(objective.parameter_names, objective.parameters, strict=True))
            described.append(
                {"name": objective.name, "parameters": parameters, "priority": objective.priority}
            )
    return out | {"objectives": np.array(json.dumps(described))}


if __name__ == "__main__":
    main()
