"""Selectors of energy layers for proton arcs compared: ``python benchmarks/arc_selectors.py FOLDER``.

Nasopharynx-like heads of OpenKBP (PTV70 closer than 15 mm to the brainstem), one arc of 72 control points,
about 100 energies, 5.5 s for a switch up and 0.6 s for one down. Every selector's layers go through the same
optimiser with the same objectives and iterations. FOLDER keeps the results of each case, so that a run that
was stopped goes on where it was; the table is of all that is there. Printed for every selector: switching
time, its plan objective over that of the particle swarm, time to select (CPU, from the problem of all spots
on), conformity and homogeneity of the target, mean dose of the brainstem, and the probability of Wilcoxon's
signed-rank test that the difference from the swarm is chance; then every target with what was reached.

What a figure needs is kept beside: NAME is the case with "_" for "/", "_" and the iterations.

NAME.json: numbers of the case, ``gantry_deg`` of the control points, ``energies_mev_u``, and by selector in
``selectors`` its figures, and the control point (``point``) and number of the energy (``energy``) of every
slot in the order of delivery. Doses are per fraction of 2 Gy.

NAME.npz, for S selectors in the order of ``selectors`` (S,): ``dose_gy`` (n,) and ``dvh_target``,
``dvh_stem`` (S, n), the part that gets at least so much; ``slice_gy`` float16 (S, y, x), dose of the axial
slice through the target's centre, NaN for selectors other than those in SLICES; ``ct_hu``, ``target``,
``stem`` (y, x) and ``x_mm``, ``y_mm`` of that slice; ``dose_ref_gy``.
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
from isodose.arc.arc_influence import RAYS_MM, ArcInfluence, arc_influence
from isodose.arc.arc_plan import arc_plan
from isodose.arc.control_points import arc
from isodose.arc.coverage import CoverageDriven
from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.grouped_pruner import GroupedPruner
from isodose.arc.layer_counting import layer_image
from isodose.arc.learned_layers import LearnedLayers
from isodose.arc.particle_swarm import ParticleSwarm
from isodose.arc.selection import Selection, SelectionTask, Selector, count_cost
from isodose.arc.shortest_path import EQUAL_S
from isodose.arc.spot_counts import SpotCounts, SpotLattice, count_spots
from isodose.arc.switch_table import SwitchTable
from isodose.arc.voxel_depths import target_depths
from isodose.errors import IsodoseWarning
from isodose.learn.layer_weights import shipped_weights
from isodose.machine.machine_file import machine
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.solver import Result, SolverSettings, optimise
from isodose.optimise.squared import SquaredOverdosing, SquaredUnderdosing
from isodose.patient.files import atomic_path
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Layer, Plan

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
SLICES = (BASELINE, "joint, 51 s")
"""Selectors whose dose in a slice is kept."""
DVH_GY = np.linspace(0.0, 1.3 * DOSE_GY, 261, dtype=np.float32)
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
        Goal(SquaredUnderdosing(DOSE_GY), at(r.target), 200.0, TARGET),
        Goal(SquaredOverdosing(1.02 * DOSE_GY), at(r.target), 200.0, TARGET),
        Goal(SquaredOverdosing(0.0), at(r.stem), 30.0, STEM),
        Goal(SquaredOverdosing(0.85 * DOSE_GY), at(near), 10.0, "near"),
        Goal(SquaredOverdosing(0.4 * DOSE_GY), at(far), 5.0, "far"),
    ]
    return goals + ([Goal(SquaredOverdosing(0.0), at(r.cord), 0.5, CORD)] if r.cord.any() else [])


def selectors(
    counts: SpotCounts, depth: NDArray[np.float32], inf: ArcInfluence, problem: Problem
) -> dict[str, tuple[Callable[[], Selector], SelectionTask]]:
    """Selectors with their tasks."""
    table = SwitchTable.preset("cyclotron", counts.energies_mev_u)
    both, alone = (SelectionTask(count_cost(counts, o), table) for o in (None, {}))

    def joint() -> GroupedPruner:
        return GroupedPruner.of_arc(inf, problem)

    def unet(loss: str = "spread") -> LearnedLayers:
        return LearnedLayers(layer_image(counts), shipped_weights(loss))

    def coverage() -> CoverageDriven:
        return CoverageDriven(depth, counts.range_mm)

    return {
        BASELINE: (lambda: ParticleSwarm(counts.max_wet_mm), alone),  # it knows no organs
        "exact": (ExactProgramme, both),
        "exact, 51 s": (ExactProgramme, replace(both, budget_s=51.0)),
        "coverage, 51 s": (coverage, replace(both, budget_s=51.0)),
        "unet": (unet, both),
        "unet, 51 s": (unet, replace(both, budget_s=51.0)),
        "unet, aligned": (lambda: unet("aligned"), both),
        "joint, 51 s": (joint, replace(both, budget_s=51.0)),
        "joint, 25 s": (joint, replace(both, budget_s=25.0)),
    }


def planned(
    selection: Selection, inf: ArcInfluence, problem: Problem, iterations: int
) -> tuple[Result, NDArray[np.float64]]:
    """Plan of a selection by the common optimiser: its result, and weights of all spots."""
    columns = inf.columns(selection.chosen())
    result = optimise(
        problem.restricted_to(columns), settings=SolverSettings(iterations, value_tolerance=1e-4)
    )
    weights = np.zeros(problem.spots)
    weights[columns] = result.weights
    return result, weights


def figures(selection: Selection, value: float, dose: NDArray[np.float32], r: Regions) -> dict[str, Any]:
    """Figures of a plan, and its layers."""
    hot = dose >= 0.95 * DOSE_GY
    covered, of_hot = float((hot & r.target).sum()), float(r.stands_for[hot].sum())
    d5, d95, d2, d98 = np.percentile(dose[r.target], [95.0, 5.0, 98.0, 2.0])
    up, down, unchanged = selection.transitions
    return {
        "switching_s": selection.switching_s,
        "total_cost": selection.total_cost,
        "up": up,
        "down": down,
        "unchanged": unchanged,
        "objective": value,
        "ci": covered**2 / (float(r.target.sum()) * of_hot) if of_hot else 0.0,
        "hi": float(d5 - d95) / DOSE_GY,
        "hi_2_98": float(d2 - d98) / DOSE_GY * 100.0,
        "stem_gy": float(dose[r.stem].mean()),
        "point": selection.task.slots.tolist(),
        "energy": selection.energies.tolist(),
    }


def curve(dose: NDArray[np.float32]) -> NDArray[np.float32]:
    """Part of the voxels that get at least the doses of `DVH_GY`."""
    below = np.searchsorted(np.sort(dose), DVH_GY, side="left")
    return (1.0 - below / dose.size).astype(np.float32)


def weighted(plan: Plan, weights: NDArray[np.float64]) -> Plan:
    """Plan with weights in the order of its spots, without the control points that have none."""
    rest = iter(weights)

    def layer_of(layer: Layer) -> Layer:
        particles = np.array([next(rest) for _ in range(len(layer.spots))])
        return replace(layer, spots=replace(layer.spots, particles=particles))

    beams = [replace(beam, layers=tuple(map(layer_of, beam.layers))) for beam in plan.beams]
    return replace(plan, beams=tuple(beam for beam in beams if beam.particles > 0.0))


def slice_dose(
    patient: Patient, inf: ArcInfluence, selection: Selection, weights: NDArray[np.float64], plane: int
) -> NDArray[np.float16]:
    """Dose of a plan in a plane of the grid, with all that the matrix leaves out."""
    beam_line = machine("generic_proton")
    chosen = selection.chosen()
    plan = weighted(arc_plan(inf.counts, beam_line, chosen), weights[inf.columns(chosen)])
    engine = PencilBeam(machine=beam_line, gaussians=1, split=False, ray_spacing_mm=RAYS_MM, threads=1)
    return engine.compute(patient, plan).volume().on(patient.grid).values[plane].astype(np.float16)


def measured(
    case: str, folder: Path, threads: int, iterations: int
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Figures of a case, and the arrays that its pictures need."""
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
    begun = time.process_time()
    problem = Problem(inf.influence, goals_of(r), threads=threads)
    times["problem_cpu_s"] = time.process_time() - begun
    found: dict[str, Any] = {
        "target_cm3": float(r.target.sum()) * patient.grid.voxel_volume_cm3,
        "layers": int(counts.allowed.sum()),
        "spots": inf.influence.spots,
        "nonzeros": inf.influence.nonzeros,
        "memory_gib": inf.influence.memory_bytes / 2**30,
        "gantry_deg": [point.gantry_angle_deg for point in counts.points],
        "energies_mev_u": counts.energies_mev_u.tolist(),
        **times,
        "selectors": {},
    }
    arrays, plane = around(patient, r)
    curves: dict[str, list[NDArray[Any]]] = {"dvh_target": [], "dvh_stem": [], "slice_gy": []}
    for name, (make, task) in selectors(counts, depth, inf, problem).items():
        if name not in _COMPILED:
            make().select(task)
            _COMPILED.add(name)
        started, begun = time.perf_counter(), time.process_time()
        selection = make().select(task)
        took = {"select_cpu_s": time.process_time() - begun, "select_s": time.perf_counter() - started}
        begun = time.process_time()
        result, weights = planned(selection, inf, problem, iterations)
        took["optimise_cpu_s"] = time.process_time() - begun
        dose = inf.influence.weighted(weights, threads=threads)
        found["selectors"][name] = took | figures(selection, result.value, dose, r)
        line(case, name, found["selectors"][name], found["selectors"][BASELINE])
        curves["dvh_target"].append(curve(dose[r.target]))
        curves["dvh_stem"].append(curve(dose[r.stem]))
        in_slice = np.full(arrays["ct_hu"].shape, np.nan, dtype=np.float16)
        if name in SLICES:
            in_slice = slice_dose(patient, inf, selection, weights, plane)
        curves["slice_gy"].append(in_slice)
    stacked = {key: np.stack(each) for key, each in curves.items()}
    return found, arrays | stacked | {"selectors": np.array(list(found["selectors"]))}


def around(patient: Patient, r: Regions) -> tuple[dict[str, NDArray[Any]], int]:
    """What all selectors' pictures share, and the plane of their slice."""
    plane = round(float(np.flatnonzero(r.target.any(axis=(1, 2))).mean()))
    arrays = {
        "dose_gy": DVH_GY,
        "dose_ref_gy": np.float32(DOSE_GY),
        "ct_hu": patient.ct.values[plane].astype(np.int16),
        "target": r.target[plane],
        "stem": r.stem[plane],
        "x_mm": patient.grid.axis_mm("x").astype(np.float32),
        "y_mm": patient.grid.axis_mm("y").astype(np.float32),
    }
    return {key: np.asarray(value) for key, value in arrays.items()}, plane


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


def targets(results: Sequence[dict[str, Any]]) -> None:
    """What issue 4 asks of the selectors, and what was reached."""

    def column(name: str, key: str) -> NDArray[np.float64]:
        return np.array([r["selectors"][name][key] for r in results])

    def show(what: str, found: float, limit: float, below: bool = True, more: str = "") -> None:
        met = found <= limit if below else found >= limit
        sign = "<=" if below else ">="
        print(f"{what:52s}{found:10.4f}  {sign} {limit:<8g}{'met' if met else 'MISSED'}  {more}")

    print(f"\n{len(results)} heads (15 wanted)")
    show("exact programme: CPU s to select, mean", column("exact", "select_cpu_s").mean(), 1e-3)
    gap = column("unet, aligned", "total_cost") / column("exact", "total_cost") - 1.0
    show("unet, aligned: surrogate gap, mean", gap.mean(), 0.01, more=f"largest {gap.max():.4f}")
    for name in ("unet", "unet, 51 s"):
        relative = column(name, "objective") / column(BASELINE, "objective")
        spread = f"{relative.min():.3f} to {relative.max():.3f}, {chance(relative)}"
        show(f"{name}: objective over the swarm's, mean", relative.mean(), 1.0, more=spread)
    for name in ("unet", "unet, 51 s", "unet, aligned"):
        show(f"{name}: CPU s to select, mean", column(name, "select_cpu_s").mean(), 0.02)
    for name, budget, ratio in (("joint, 51 s", 51.0, 0.65), ("joint, 25 s", 25.0, 0.75)):
        relative = column(name, "objective") / column(BASELINE, "objective")
        show(f"{name}: switching time s, largest", column(name, "switching_s").max(), budget + EQUAL_S)
        spread = f"{relative.min():.3f} to {relative.max():.3f}, {chance(relative)}"
        show(f"{name}: objective over the swarm's, mean", relative.mean(), ratio, more=spread)
        took, cpu = column(name, "select_s"), column(name, "select_cpu_s")
        more = f"largest {took.max():.1f}, CPU {cpu.mean():.1f}"
        show(f"{name}: s of wall clock to select, mean", took.mean(), 10.0, more=more)
    best = "joint, 51 s"
    show(f"{best}: HI (D5-D95)/Dref, mean", column(best, "hi").mean(), 0.10)
    show(f"{best}: CI, mean", column(best, "ci").mean(), 0.90, below=False)
    for key, sign, label in (("ci", 1.0, "CI"), ("hi", -1.0, "HI"), ("stem_gy", -1.0, "brainstem mean Gy")):
        ours, theirs = column(best, key), column(BASELINE, key)
        better = sign * (ours.mean() - theirs.mean()) > 0.0
        p = wilcoxon(ours - theirs).pvalue if ours.size > 1 else 1.0
        verdict = "met" if better and p < 0.01 else "MISSED"
        print(f"{best}: {label} {ours.mean():.3f}, swarm {theirs.mean():.3f}, p {p:.2g} (< 0.01)  {verdict}")
    wall, memory = (np.array([r[key] for r in results]) for key in ("influence_s", "memory_gib"))
    show("influence matrix: s of wall clock, largest", wall.max(), 60.0, more=f"mean {wall.mean():.0f}")
    show("influence matrix: GiB, largest", memory.max(), 8.0)


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
            found, arrays = measured(case, options.folder, options.threads, options.iterations)
            with atomic_path(kept.with_suffix(".npz")) as path:
                np.savez_compressed(path, **arrays)
            with atomic_path(kept) as path:
                path.write_text(json.dumps(found, indent=1))
        results.append(json.loads(kept.read_text()))
    table(results)
    targets(results)


if __name__ == "__main__":
    main()
