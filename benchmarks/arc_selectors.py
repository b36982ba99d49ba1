"""Selectors of energy layers for proton arcs compared: ``python benchmarks/arc_selectors.py FOLDER``.

Nasopharynx-like heads of OpenKBP (PTV70 closer than 15 mm to the brainstem), one arc of 72 control points,
about 100 energies, 5.5 s for a switch up and 0.6 s for one down. Every selector's layers go through the same
optimiser with the same objectives and iterations. FOLDER keeps the results of each case, so that a run that
was stopped goes on where it was; the table is of all that is there. Printed for every selector: switching
time, its plan objective over that of the particle swarm, time to select (CPU, with a part of the spots for
the joint pruner), conformity and homogeneity of the target, mean dose of the brainstem, and the probability
of Wilcoxon's signed-rank test that the difference from the swarm is chance.
"""

from __future__ import annotations

import argparse
import json
import runpy
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from beams import SHARED
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.stats import wilcoxon

import isodose
from isodose.arc.arc_influence import ArcInfluence, arc_influence
from isodose.arc.control_points import arc
from isodose.arc.coverage import CoverageDriven
from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.joint_pruner import JointPruner
from isodose.arc.particle_swarm import ParticleSwarm
from isodose.arc.selection import Selection, SelectionTask, Selector, count_cost
from isodose.arc.spot_counts import SpotCounts, SpotLattice, count_spots
from isodose.arc.switch_table import SwitchTable
from isodose.arc.thinned_spots import thinned_spots
from isodose.arc.voxel_depths import target_depths
from isodose.errors import IsodoseWarning
from isodose.machine.machine_file import machine
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.solver import SolverSettings, optimise
from isodose.optimise.squared import SquaredOverdosing, SquaredUnderdosing
from isodose.patient.files import atomic_path
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume

OPENKBP = SHARED / "data" / "openkbp"
CASES = (
    "validation/pt_203", "validation/pt_207", "validation/pt_208", "validation/pt_219", "validation/pt_222",
    "validation/pt_239", "train/pt_108", "train/pt_11", "train/pt_122", "train/pt_157", "train/pt_164",
    "train/pt_165", "train/pt_166", "train/pt_196", "train/pt_200",
)  # fmt: skip
TARGET, STEM, CORD = "PTV70", "Brainstem", "SpinalCord"
DOSE_GY = 2.0
HIGHEST_HU = 3071.0
"""End of the calibration; metal beyond it is cut off."""
NEAREST_MM = 15.0
SHELL_MM, RING_MM, RING_LINES = 6.0, 25.0, 4
"""Around the target all voxels up to the first distance, and of those up to the second one in so many."""
BASELINE = "swarm"
_COMPILED: set[str] = set()
"""Selectors that have run once in this process, so that their time holds no compilation."""
FIGURES = ("objective", "ci", "hi", "stem_gy")


@dataclass(frozen=True)
class Regions:
    """Voxels of the dose grid, ``[z, y, x]``, and how many each of those that are kept stands for."""

    target: NDArray[np.bool_]
    stem: NDArray[np.bool_]
    cord: NDArray[np.bool_]
    distance_mm: NDArray[np.float64]
    stands_for: NDArray[np.float32]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Voxels that matter."""
        return self.stands_for > 0.0


def patient_of(case: str, folder: Path) -> Patient:
    expanded = folder / "cases" / Path(case).name
    if not expanded.exists():
        runpy.run_path(str(OPENKBP / "expand.py"))["expand"](OPENKBP / f"{case}.kbp.xz", expanded)
    patient = isodose.load_patient(expanded)
    metal = np.minimum(patient.ct.values, HIGHEST_HU)
    return replace(patient, ct=Volume(patient.grid, metal))


def regions_of(patient: Patient) -> Regions:
    spacing = patient.grid.spacing_mm[::-1]
    target = patient.structure(TARGET).mask
    distance = distance_transform_edt(~target, sampling=spacing)
    stem = patient.structure(STEM).mask & ~target
    nearest = distance[patient.structure(STEM).mask].min()
    if nearest >= NEAREST_MM:
        raise SystemExit(f"{patient.name}: {nearest:.1f} mm from the brainstem, not nasopharynx-like")
    cord = patient.structures[CORD].mask & ~target if CORD in patient.structures else np.zeros_like(target)
    plane, line = np.indices(patient.grid.shape[:2])
    thin = ((plane + line) % RING_LINES == 0)[:, :, None]
    body = patient.external.mask if patient.external is not None else np.ones_like(target)
    stands_for = np.where((distance <= RING_MM) & thin & body, np.float32(RING_LINES), np.float32(0.0))
    stands_for[(distance <= SHELL_MM) & body] = 1.0
    stands_for[target] = 1.0
    stands_for[(stem | cord) & (stands_for == 0.0)] = 1e-6  # kept, but no part of the ring
    return Regions(target, stem, cord, distance, stands_for)


def goals_of(r: Regions) -> list[Goal]:
    """Objectives of a plan: the target's dose, organs as little as can be, a fall-off around the target."""

    def at(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.flatnonzero(mask & r.kept)

    plane, line = np.indices(r.target.shape[:2])
    half = ((plane + line) % 2 == 0)[:, :, None]
    near = (r.distance_mm > 0.0) & (r.distance_mm <= SHELL_MM) & half
    far = (r.distance_mm > SHELL_MM) & (r.stands_for > 0.5)
    goals = [
        Goal(SquaredUnderdosing(DOSE_GY), at(r.target), 100.0, TARGET),
        Goal(SquaredOverdosing(1.03 * DOSE_GY), at(r.target), 100.0, TARGET),
        Goal(SquaredOverdosing(0.0), at(r.stem), 1.0, STEM),
        Goal(SquaredOverdosing(0.85 * DOSE_GY), at(near), 10.0, "near"),
        Goal(SquaredOverdosing(0.4 * DOSE_GY), at(far), 5.0, "far"),
    ]
    return goals + ([Goal(SquaredOverdosing(0.0), at(r.cord), 0.5, CORD)] if r.cord.any() else [])


def selectors(
    counts: SpotCounts, depth: NDArray[np.float32], inf: ArcInfluence, problem: Problem
) -> dict[str, tuple[Callable[[], Selector], SelectionTask]]:
    """Selectors with their tasks; the joint pruner gets a part of the spots."""
    table = SwitchTable.preset("cyclotron", counts.energies_mev_u)
    both, alone = (SelectionTask(count_cost(counts, o), table) for o in (None, {}))

    def joint() -> JointPruner:
        some = thinned_spots(inf)
        return JointPruner(problem.restricted_to(some), inf.point[some], inf.energy[some])

    def coverage() -> CoverageDriven:
        return CoverageDriven(depth, counts.range_mm)

    return {
        BASELINE: (lambda: ParticleSwarm(counts.max_wet_mm), alone),  # it knows no organs
        "exact": (ExactProgramme, both),
        "exact, 51 s": (ExactProgramme, replace(both, budget_s=51.0)),
        "coverage, 51 s": (coverage, replace(both, budget_s=51.0)),
        "joint, 51 s": (joint, replace(both, budget_s=51.0)),
        "joint, 25 s": (joint, replace(both, budget_s=25.0)),
    }


def figures(
    selection: Selection, inf: ArcInfluence, problem: Problem, r: Regions, iterations: int
) -> dict[str, float]:
    """Plan of a selection by the common optimiser."""
    columns = inf.columns(selection.chosen())
    part = problem.restricted_to(columns)
    begun = time.process_time()
    result = optimise(part, settings=SolverSettings(iterations, value_tolerance=1e-4))
    weights = np.zeros(problem.spots)
    weights[columns] = result.weights
    dose = inf.influence.weighted(weights, threads=problem.threads)
    in_target = dose[r.target]
    hot = dose >= 0.95 * DOSE_GY
    covered, of_hot = float((hot & r.target).sum()), float(r.stands_for[hot].sum())
    d5, d95, d2, d98 = np.percentile(in_target, [95.0, 5.0, 98.0, 2.0])
    return {
        "switching_s": selection.switching_s,
        "up": selection.transitions[0],
        "down": selection.transitions[1],
        "unchanged": selection.transitions[2],
        "objective": result.value,
        "ci": covered**2 / (float(r.target.sum()) * of_hot) if of_hot else 0.0,
        "hi": float(d5 - d95) / DOSE_GY,
        "hi_2_98": float(d2 - d98) / DOSE_GY * 100.0,
        "stem_gy": float(dose[r.stem].mean()),
        "optimise_cpu_s": time.process_time() - begun,
    }


def measured(case: str, folder: Path, threads: int, iterations: int) -> dict[str, Any]:
    patient, beam_line = patient_of(case, folder), machine("generic_proton")
    r = regions_of(patient)
    begun = time.process_time()
    counts = count_spots(patient, TARGET, beam_line, [arc()], [STEM], SpotLattice(spacing_mm=6.0))
    times = {"count_cpu_s": time.process_time() - begun}
    voxels = np.flatnonzero(r.target)
    begun = time.process_time()
    depth = target_depths(patient, beam_line, counts, voxels[:: max(1, voxels.size // 3000)])
    times["depths_cpu_s"] = time.process_time() - begun
    started, begun = time.perf_counter(), time.process_time()
    inf = arc_influence(patient, beam_line, counts, r.kept, threads=threads)
    times |= {"influence_cpu_s": time.process_time() - begun, "influence_s": time.perf_counter() - started}
    problem = Problem(inf.influence, goals_of(r), threads=threads)
    found: dict[str, Any] = {
        "target_cm3": float(r.target.sum()) * patient.grid.voxel_volume_cm3,
        "layers": int(counts.allowed.sum()),
        "spots": inf.influence.spots,
        "nonzeros": inf.influence.nonzeros,
        "memory_gib": inf.influence.memory_bytes / 2**30,
        **times,
        "selectors": {},
    }
    for name, (make, task) in selectors(counts, depth, inf, problem).items():
        if name not in _COMPILED:
            make().select(task)
            _COMPILED.add(name)
        started, begun = time.perf_counter(), time.process_time()
        selection = make().select(task)
        took = {"select_cpu_s": time.process_time() - begun, "select_s": time.perf_counter() - started}
        found["selectors"][name] = took | figures(selection, inf, problem, r, iterations)
        line(case, name, found["selectors"][name], found["selectors"][BASELINE])
    return found


def line(case: str, name: str, f: dict[str, float], base: dict[str, float]) -> None:
    print(
        f"{case:20s}{name:16s}{f['switching_s']:7.1f} s{f['objective'] / base['objective']:7.3f}"
        f"{f['select_cpu_s']:9.4f} s  CI {f['ci']:.3f}  HI {f['hi']:.3f}  stem {f['stem_gy']:.3f} Gy",
        flush=True,
    )


def table(results: Sequence[dict[str, Any]]) -> None:
    """Means over the cases, and the tests against the baseline."""
    print(f"\n{len(results)} cases, means (probability that the difference from the swarm is chance)")
    print(f"{'':16s}{'switching s':>22s}{'objective':>20s}{'select CPU s':>14s}", end="")
    print("".join(f"{name:>20s}" for name in ("CI", "HI (D5-D95)", "stem Gy")))
    for name in results[0]["selectors"]:

        def column(key: str, of: str = name) -> NDArray[np.float64]:
            return np.array([r["selectors"][of][key] for r in results])

        ratio = column("objective") / column("objective", BASELINE)
        time_s, base_s = column("switching_s"), column("switching_s", BASELINE)
        cells = [f"{time_s.mean():8.1f} ({chance(time_s, base_s)})", f"{ratio.mean():6.3f} ({chance(ratio)})"]
        print(f"{name:16s}{cells[0]:>22s}{cells[1]:>20s}{column('select_cpu_s').mean():14.4f}", end="")
        for key in FIGURES[1:]:
            cell = f"{column(key).mean():9.3f} ({chance(column(key), column(key, BASELINE))})"
            print(f"{cell:>20s}", end="")
        print()


def chance(values: NDArray[np.float64], others: NDArray[np.float64] | float = 1.0) -> str:
    difference = values - others
    if difference.size < 2 or np.allclose(difference, 0.0):
        return "-"
    return f"p {wilcoxon(difference).pvalue:.1g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="keeps the results of each case")
    parser.add_argument("--cases", type=int, default=len(CASES), help="how many of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=150, help="of the common optimiser")
    options = parser.parse_args()
    warnings.simplefilter("ignore", IsodoseWarning)
    options.folder.mkdir(parents=True, exist_ok=True)
    results = []
    for case in CASES[: options.cases]:
        kept = options.folder / f"{case.replace('/', '_')}_{options.iterations}.json"
        if not kept.exists():
            found = measured(case, options.folder, options.threads, options.iterations)
            with atomic_path(kept) as path:
                path.write_text(json.dumps(found, indent=1))
        results.append(json.loads(kept.read_text()))
    table(results)


if __name__ == "__main__":
    main()
