"""Robust choice of energy layers for proton arcs: ``python benchmarks/arc_robust.py FOLDER``.

The heads, objectives and switching times of `arc_selectors.py`. Layers are chosen by the particle swarm, by
the joint pruner in the nominal scenario, and by the joint pruner that goes on in 21 scenarios (3 mm to both
sides of three axes, 3.5 % of the range, and both), the latter two within 51 s. The weights of each choice are
then optimised by the same robust optimiser in the same 21 scenarios: target and brainstem count in all of
them, the rest in the nominal one. Printed for each selector: D95 of the target, nominal and in the worst
scenario; area under the RVH (the mean over the voxels of the root of the mean squared deviation from the
nominal dose) of target and brainstem; and the probability of Wilcoxon's signed-rank test that the difference
from the swarm is chance. Doses are those of all spots in all voxels of target and brainstem. FOLDER keeps
results and curves of each case, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from arc_selectors import (
    BASELINE,
    CASES,
    DOSE_GY,
    STEM,
    TARGET,
    Regions,
    chance,
    goals_of,
    patient_of,
    regions_of,
)
from numpy.typing import NDArray

from isodose.arc.arc_influence import RAYS_MM, arc_influence
from isodose.arc.arc_plan import ArcSpots, arc_plan, layer_columns
from isodose.arc.control_points import arc
from isodose.arc.grouped_pruner import GroupedPruner
from isodose.arc.joint_pruner import JointPruner
from isodose.arc.particle_swarm import ParticleSwarm
from isodose.arc.robust_pruner import ROBUST_ITERATIONS, RobustPruner
from isodose.arc.scenario_influence import by_range, displaced_influences
from isodose.arc.selection import Selection, SelectionTask, count_cost
from isodose.arc.spot_counts import SpotCounts, SpotLattice, count_spots
from isodose.arc.switch_table import SwitchTable
from isodose.errors import IsodoseWarning
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.robustness import Robustness
from isodose.optimise.scenarios import scenario_set
from isodose.optimise.solver import SolverSettings, optimise
from isodose.patient.files import atomic_path
from isodose.patient.patient import Patient
from isodose.pencilbeam.engine import PencilBeam

BUDGET_S = 51.0
SETUP_MM, RANGE_PERCENT = 3.0, 3.5
SCENARIOS = by_range(scenario_set(21, SETUP_MM, RANGE_PERCENT))
POINTS = 400
"""On the axes of the curves that are kept."""
FIGURES = {
    "worst_d95_gy": "worst D95 Gy",
    "nominal_d95_gy": "nominal D95 Gy",
    "target_rvh_gy": "RVH target Gy",
    "stem_rvh_gy": "RVH stem Gy",
}
LOWER_IS_BETTER = {"worst_d95_gy": False, "nominal_d95_gy": False, "target_rvh_gy": True, "stem_rvh_gy": True}


@dataclass(frozen=True)
class Case:
    """A head, and what serves to plan it."""

    patient: Patient
    regions: Regions
    beam_line: Machine
    engine: PencilBeam
    goals: tuple[Goal, ...]
    threads: int
    robustness: Robustness

    @property
    def robust_mask(self) -> NDArray[np.bool_]:
        """Voxels that count in all scenarios."""
        return self.regions.target | self.regions.stem

    def problem(self, spots: ArcSpots) -> Problem:
        """All scenarios of some spots."""
        matrices = displaced_influences(
            self.engine, self.patient, spots.plan, SCENARIOS, (), self.regions.kept, self.robust_mask
        )
        return Problem(matrices, self.goals, self.robustness, self.threads)


def robust_goals(r: Regions) -> tuple[Goal, ...]:
    """Goals of `arc_selectors.py`; what lies within a setup error of the target may have its dose."""
    allowed = np.flatnonzero(r.distance_mm > SETUP_MM)
    goals = []
    for goal in goals_of(r):
        if goal.structure == "near":
            goals.append(replace(goal, voxels=np.intersect1d(goal.voxels, allowed)))
        else:
            goals.append(replace(goal, robust=goal.structure in (TARGET, STEM)))
    return tuple(goals)


class Clock:
    """CPU time of the steps of a case."""

    def __init__(self, case: str) -> None:
        self.case, self.seconds = case, dict[str, float]()

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        """Do some work; times of one name add up."""
        begun = time.process_time()
        done = work()
        took = time.process_time() - begun
        self.seconds[name] = self.seconds.get(name, 0.0) + took
        print(f"{self.case:20s}{name}: {took:.1f} CPU-s", flush=True)
        return done


def selections(case: Case, counts: SpotCounts, clock: Clock) -> dict[str, Selection]:
    """Choices of layers by wide spots."""
    inf = clock.timed(
        "nominal influence",
        lambda: arc_influence(
            case.patient,
            case.beam_line,
            counts,
            case.regions.kept,
            engine=case.engine,
            threads=case.threads,
            wide=True,
        ),
    )
    spots = ArcSpots(inf.plan, counts, inf.point, inf.energy)
    pruner = GroupedPruner.of_arc(inf, Problem(inf.influence, case.goals, threads=case.threads))
    del inf
    unbounded = SelectionTask(count_cost(counts, {}), SwitchTable.preset("cyclotron", counts.energies_mev_u))
    task = replace(unbounded, budget_s=BUDGET_S)

    def robust(left: NDArray[np.bool_]) -> JointPruner:
        part = spots.of_layers(left)
        problem = clock.timed("scenarios of 6 layers", lambda: case.problem(part))
        return JointPruner(problem, part.point, part.energy, ROBUST_ITERATIONS)

    chosen = {
        BASELINE: clock.timed("swarm", lambda: ParticleSwarm(counts.max_wet_mm).select(unbounded)),
        "joint": clock.timed("joint", lambda: pruner.select(task)),
        "robust joint": clock.timed("robust joint", lambda: RobustPruner(pruner, robust).select(task)),
    }
    clock.seconds["robust joint"] -= clock.seconds["scenarios of 6 layers"]
    return chosen


def measured(name: str, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and curves of a case."""
    clock, beam_line, threads = Clock(name), machine("generic_proton"), options.threads
    patient = patient_of(name, options.folder)
    r = regions_of(patient)
    engine = PencilBeam(machine=beam_line, gaussians=1, split=False, ray_spacing_mm=RAYS_MM, threads=threads)
    robustness = Robustness(options.robustness)
    case = Case(patient, r, beam_line, engine, robust_goals(r), threads, robustness)
    counts = clock.timed(
        "counts",
        lambda: count_spots(patient, TARGET, beam_line, [arc()], [STEM], SpotLattice(spacing_mm=6.0)),
    )
    chosen = selections(case, counts, clock)
    any_chosen = np.any([selection.chosen() for selection in chosen.values()], axis=0)
    plan, layers = arc_plan(counts, beam_line, any_chosen), layer_columns(counts, any_chosen)
    spots = ArcSpots(plan, counts, *layers)
    problem = clock.timed("scenarios of the plans", lambda: case.problem(spots))
    found: dict[str, Any] = {
        "spots": spots.point.size,
        "matrices_gib": problem.memory_bytes / 2**30,
        "selectors": {},
    }
    curves: dict[str, Any] = {}
    for selector, selection in chosen.items():
        doses, value = clock.timed(
            "weights", lambda s=selection: planned(problem, spots, s, options.iterations)
        )
        on_grid = np.zeros((len(doses), patient.grid.size), dtype=np.float32)
        on_grid[:, problem.voxels] = doses
        found["selectors"][selector] = figures(selection, value, on_grid, r)
        curves |= curves_of(selector, on_grid, r)
        line(name, selector, found["selectors"][selector])
    found["cpu_s"] = clock.seconds
    found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return found, curves


def planned(
    problem: Problem, spots: ArcSpots, selection: Selection, iterations: int
) -> tuple[NDArray[np.float32], float]:
    """Doses in all scenarios ``(scenarios, rows)`` with the weights that the robust optimiser finds."""
    columns = np.flatnonzero(selection.chosen()[spots.point, spots.energy])
    part = problem.restricted_to(columns)
    result = optimise(part, settings=SolverSettings(iterations, value_tolerance=1e-4))
    return part.sums(result.weights)[:, 0], result.value


def figures(
    selection: Selection, value: float, dose: NDArray[np.float32], r: Regions
) -> dict[str, float | list[float]]:
    target, stem = dose[:, r.target.ravel()], dose[:, r.stem.ravel()]
    d95, d5 = np.percentile(target, [5.0, 95.0], axis=1)
    up, down, same = selection.transitions
    return {
        "switching_s": selection.switching_s,
        "up": up,
        "down": down,
        "unchanged": same,
        "objective": value,
        "nominal_d95_gy": float(d95[0]),
        "worst_d95_gy": float(d95.min()),
        "nominal_hi": float(d5[0] - d95[0]) / DOSE_GY,
        "worst_d5_gy": float(d5.max()),
        "target_rvh_gy": float(deviation(target).mean()),
        "stem_rvh_gy": float(deviation(stem).mean()),
        "nominal_stem_gy": float(stem[0].mean()),
        "worst_stem_gy": float(stem.mean(axis=1).max()),
        "d95_gy": d95.tolist(),
    }


def deviation(dose: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root of the mean squared deviation of the other scenarios from the nominal one, by voxel."""
    return np.asarray(np.sqrt(np.mean((dose[1:] - dose[0]) ** 2, axis=0)))


def curves_of(selector: str, dose: NDArray[np.float32], r: Regions) -> dict[str, Any]:
    """Histograms in percent of the volume: of the dose by scenario, and of the deviation."""
    gy = np.linspace(0.0, 1.5 * DOSE_GY, POINTS)
    out: dict[str, Any] = {"dose_gy": gy}
    for name, mask in ((TARGET, r.target), (STEM, r.stem)):
        values = dose[:, mask.ravel()]
        key = f"{selector}/{name}"
        out[f"{key}/dvh"] = np.array([above(v, gy) for v in values], dtype=np.float32)
        out[f"{key}/rvh"] = above(deviation(values), gy).astype(np.float32)
        out[f"{key}/rvh_area"] = deviation(values).mean()
    return out


def above(values: NDArray[np.float32], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    return 100.0 * (1.0 - np.searchsorted(np.sort(values), axis, side="left") / values.size)


def line(case: str, name: str, f: dict[str, float]) -> None:
    print(
        f"{case:20s}{name:14s}{f['switching_s']:7.1f} s  objective {f['objective']:8.3f}"
        f"  D95 {f['nominal_d95_gy']:.3f} worst {f['worst_d95_gy']:.3f} Gy"
        f"  RVH target {f['target_rvh_gy']:.4f} stem {f['stem_rvh_gy']:.4f} Gy",
        flush=True,
    )


def table(results: Sequence[dict[str, Any]]) -> None:
    """Means over the cases, tests against the swarm, and in how many cases it is beaten."""
    print(f"\n{len(results)} cases, means (probability that the difference from the swarm is chance; cases")
    print("in which it is no worse than the swarm)")
    print(f"{'':14s}{'switching s':>12s}{'objective':>11s}", end="")
    print("".join(f"{title:>26s}" for title in FIGURES.values()))
    for name in results[0]["selectors"]:

        def column(key: str, of: str = name) -> NDArray[np.float64]:
            return np.array([r["selectors"][of][key] for r in results])

        ratio = column("objective") / column("objective", BASELINE)
        print(f"{name:14s}{column('switching_s').mean():12.1f}{ratio.mean():11.3f}", end="")
        for key in FIGURES:
            ours, base = column(key), column(key, BASELINE)
            good = int(((ours <= base) if LOWER_IS_BETTER[key] else (ours >= base)).sum())
            cell = f"{ours.mean():.4f} ({chance(ours, base)}; {good}/{len(results)})"
            print(f"{cell:>26s}", end="")
        print()
    seconds = {step: np.mean([r["cpu_s"][step] for r in results]) for step in results[0]["cpu_s"]}
    print("\nMean CPU seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in seconds.items()))
    total = np.mean([sum(r["cpu_s"].values()) for r in results])
    print(f"in all {total:.0f}; peak {max(r['peak_gib'] for r in results):.2f} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="keeps the results of each case")
    parser.add_argument("--cases", type=int, default=len(CASES), help="how many of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=60, help="of the common optimiser")
    parser.add_argument("--robustness", default=Robustness.EXPECTATION.value, choices=list(Robustness))
    options = parser.parse_args()
    warnings.simplefilter("ignore", IsodoseWarning)
    options.folder.mkdir(parents=True, exist_ok=True)
    results = []
    for case in CASES[: options.cases]:
        stem = f"{case.replace('/', '_')}_{options.robustness}_{options.iterations}"
        kept = options.folder / f"{stem}.json"
        if not kept.exists():
            found, curves = measured(case, options)
            with atomic_path(options.folder / f"{stem}.npz") as path:
                np.savez_compressed(path.open("wb"), **curves)
            with atomic_path(kept) as path:
                path.write_text(json.dumps(found, indent=1))
        results.append(json.loads(kept.read_text()))
    table(results)


if __name__ == "__main__":
    main()
