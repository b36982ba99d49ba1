"""Plans of arcs: spots counted, layers chosen, and the weights of their spots optimised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.arc.arc_influence import RAYS_MM, arc_influence
from isodose.arc.arc_plan import ArcSpots, arc_plan, layer_columns
from isodose.arc.control_points import Arc, arc
from isodose.arc.coverage import CoverageDriven
from isodose.arc.delivery_time import DeliveryTime, GantryMotion, SpotDelivery, delivery_time
from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.grouped_pruner import GroupedPruner
from isodose.arc.joint_pruner import JointPruner, PruningStep
from isodose.arc.layer_counting import layer_image
from isodose.arc.learned_layers import LearnedLayers
from isodose.arc.pareto import ParetoFrontier, pareto_frontier
from isodose.arc.particle_swarm import ParticleSwarm
from isodose.arc.robust_pruner import ROBUST_ITERATIONS, RobustPruner
from isodose.arc.scenario_influence import by_range, displaced_influences
from isodose.arc.selection import Selection, SelectionTask, Selector, count_cost
from isodose.arc.shortest_path import EQUAL_S, cheapest_path
from isodose.arc.spot_counts import SpotCounts, SpotLattice, count_spots
from isodose.arc.switch_table import SwitchTable
from isodose.arc.switch_table_file import read_switch_table, table_file
from isodose.arc.voxel_depths import target_depths
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.optimise.config import ArcEntry, DeliveryEntry, PlanConfig, SpotsEntry
from isodose.optimise.config_shifter import shifter_of
from isodose.optimise.field_plan import (
    FieldPlan,
    PlanningTask,
    planning_task,
    voxels_of,
    watched_scenarios,
    weighted_plan,
)
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.solver import Watcher
from isodose.optimise.weighted_plan import Say
from isodose.patient.patient import Patient
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.simple_plan import check_inside

_BYTES_PER_GIB = 2**30
_COVERED_VOXELS = 3000
"""About so many of the target's voxels tell how well layers cover it."""
_SAID_EVERY_S = 5.0
_OUTLINE_LINES = 3
"""Of so many lines of voxels, goals for the body's outline keep one while layers are chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class ArcPlan:
    """A plan of arcs, and how it came about.

    Parameters
    ----------
    fields
        The plan with its optimised weights, a beam per control point, as that of fixed fields.
    selection
        Layers that the selector chose.
    delivered
        Those of them that have weight.
    counts
        Control points, and the spots of all layers.
    time, speed
        Of the delivery of one fraction, and what the machine can do.
    frontier
        Least costs of the layers at every switching time, for the selectors ``exact`` and ``joint``.
    """

    fields: FieldPlan
    selection: Selection
    delivered: Selection
    counts: SpotCounts
    time: DeliveryTime
    speed: DeliveryEntry
    frontier: ParetoFrontier | None


def plan_arc(
    patient: Patient,
    config: PlanConfig,
    threads: int | None = None,
    progress: Watcher | None = None,
    say: Say = lambda _: None,
) -> ArcPlan:
    """Plan arcs.

    Layers are chosen in the nominal scenario, and by the joint selector in all scenarios once few are left.
    The weights of their spots are then optimised as those of fixed fields, in all scenarios.

    Parameters
    ----------
    patient, config, threads, progress, say
        As of `isodose.optimise.field_plan.plan_fields`.

    Raises
    ------
    InputError
        If the configuration has no arc, or does not go with the patient or the machine; if no sequence of
        layers keeps to the budget, or matrices need too much memory.
    """
    if config.arc is None:
        raise InputError("arc", "nothing", "where the arc begins and ends")
    measured = _measured_switching(config.arc)
    lattice = _lattice(config.spots)
    check_inside(patient, patient.structure(config.target))
    task = planning_task(patient, config, threads)
    arcs = _arcs(config.arc, task.machine)
    energies = None if measured is None else _deliverable(measured, task.machine, config.arc)
    say("counting spots")
    counts = count_spots(
        patient, config.target, task.machine, arcs, config.arc.organs, lattice, energies_mev_u=energies
    )
    table = measured or SwitchTable.preset(config.arc.switching, counts.energies_mev_u)
    layers = _layers_to_choose_from(counts, table, config.arc)
    say(f"choosing layers at {layers.delivered.size} control points ({config.arc.selector})")
    selection = _selector(task, config.arc, counts, threads, say).select(layers)
    say(f"{selection.energies.size} layers, {selection.switching_s:.1f} s of switching")
    frontier = _frontier(layers, config.arc.selector)
    plan = arc_plan(
        counts,
        task.machine,
        selection.chosen(),
        name=config.name or f"{patient.name} {config.ion} arc",
        fractions=config.fractions,
        prescription_gy=config.prescription_gy,
        target=patient.structure(config.target).name,
    )
    fields = weighted_plan(task, plan, threads, progress, say)
    delivered, time = _delivery(selection, counts, fields.result.weights, task.machine, config.arc.delivery)
    return ArcPlan(fields, selection, delivered, counts, time, config.arc.delivery, frontier)


def _measured_switching(entry: ArcEntry) -> SwitchTable | None:
    path = table_file(entry.switching)
    return None if path is None else read_switch_table(path)


def _deliverable(table: SwitchTable, machine: Machine, entry: ArcEntry) -> list[float]:
    """Energies of a measured table, which are all that the arc may use."""
    for i, energy in enumerate(table.energies_mev_u):
        machine.check_energy(float(energy), f"arc.switching: {entry.switching}: energies_mev_u[{i}]")
    return [float(energy) for energy in table.energies_mev_u]


def _arcs(entry: ArcEntry, machine: Machine) -> list[Arc]:
    shifter = shifter_of(entry.range_shifter, machine, "arc.range_shifter")
    first = arc("arc 1", entry.start_deg, entry.stop_deg, entry.spacing_deg, entry.couch_deg, shifter)
    return [first] if entry.arcs == 1 else [first, first.reversed("arc 2")]


def _lattice(spots: SpotsEntry) -> SpotLattice:
    if spots.proximal_margin_mm != spots.distal_margin_mm:
        expected = f"{spots.distal_margin_mm:g}, as distal_margin_mm, for an arc"
        raise InputError("spots.proximal_margin_mm", spots.proximal_margin_mm, expected)
    given = {
        "spacing_mm": spots.spacing_mm,
        "lateral_margin_mm": spots.lateral_margin_mm,
        "layer_spacing_mm": spots.layer_spacing_mm,
        "depth_margin_mm": spots.distal_margin_mm,
    }
    return SpotLattice(**{name: value for name, value in given.items() if value is not None})


def _layers_to_choose_from(counts: SpotCounts, table: SwitchTable, entry: ArcEntry) -> SelectionTask:
    task = SelectionTask(count_cost(counts), table, entry.layers_per_point, budget_s=entry.budget_s)
    if entry.budget_s is not None:
        least = cheapest_path(task, np.inf).switching_s
        if entry.budget_s < least - EQUAL_S:
            expected = f"at least {least:.4g} s, the least that any sequence of the layers needs"
            raise InputError("arc.budget_s", f"{entry.budget_s:g} s", expected)
    return task


def _selector(
    task: PlanningTask, entry: ArcEntry, counts: SpotCounts, threads: int | None, say: Say
) -> Selector:
    if entry.selector == "exact":
        return ExactProgramme()
    if entry.selector == "swarm":
        return ParticleSwarm(counts.max_wet_mm)
    if entry.selector == "unet":
        return LearnedLayers(layer_image(counts))
    if entry.selector == "coverage":
        voxels = np.flatnonzero(task.patient.structure(task.config.target).mask)
        some = voxels[:: max(1, voxels.size // _COVERED_VOXELS)]
        depth = target_depths(
            task.patient, task.machine, counts, some, task.engine, threads or task.engine.threads
        )
        return CoverageDriven(depth, counts.range_mm)
    return _joint(task, counts, threads, say)


def _joint(task: PlanningTask, counts: SpotCounts, threads: int | None, say: Say) -> Selector:
    """Selector by the dose, with wider spots and a quick pencil beam; robust if there are scenarios."""
    engine = PencilBeam(
        task.engine.spacing_mm,
        task.machine,
        gaussians=1,
        split=False,
        ray_spacing_mm=RAYS_MM,
        weightings=task.engine.weightings,
        threads=threads,
    )
    goals = [_sparser(goal, task) for goal in task.terms]
    mask = voxels_of(task, goals)
    assert mask is not None  # a configuration has an objective
    robust, most = len(task.scenarios) > 1, int(task.config.scenarios.memory_gib * _BYTES_PER_GIB)
    found = arc_influence(
        task.patient,
        task.machine,
        counts,
        mask,
        engine=engine,
        quantities=task.needs,
        most_bytes=most,
        wide=robust,
    )
    say(f"{counts.allowed.sum()} layers, {found.influence.spots} spots to choose them by")
    said = _said_now_and_then(say)
    pruner = GroupedPruner.of_arc(found, Problem(found.influence, goals, threads=threads), said)
    if not robust:
        return pruner
    spots = ArcSpots(found.plan, counts, found.point, found.energy)
    return RobustPruner(pruner, lambda left: _in_scenarios(task, engine, goals, spots.of_layers(left), say))


def _in_scenarios(
    task: PlanningTask, engine: PencilBeam, goals: list[Goal], spots: ArcSpots, say: Say
) -> JointPruner:
    """Selector that sees all scenarios of the layers that are left."""
    wanted, scenarios = task.config.scenarios, by_range(task.scenarios)
    masks = voxels_of(task, goals), voxels_of(task, [goal for goal in goals if goal.robust])
    say(f"{spots.point.size} spots left to choose layers by in {len(scenarios)} scenarios")
    matrices = displaced_influences(engine, task.patient, spots.plan, scenarios, task.needs, *masks)
    watched = watched_scenarios(matrices, scenarios, wanted.memory_gib, say)
    problem = Problem(watched, goals, wanted.robustness, engine.threads)
    said = _said_now_and_then(say)
    return JointPruner(problem, spots.point, spots.energy, ROBUST_ITERATIONS, progress=said)


def _said_now_and_then(say: Say) -> Callable[[PruningStep], None]:
    said = 0.0

    def progress(step: PruningStep) -> None:
        nonlocal said
        if step.seconds - said >= _SAID_EVERY_S:
            said = step.seconds
            say(f"{step.layers} layers: objective {step.value:.4g} after {step.seconds:.0f} s")

    return progress


def _sparser(goal: Goal, task: PlanningTask) -> Goal:
    """Goal for the body's outline with a part of its voxels; others as they are."""
    outline = task.patient.external
    if outline is None or goal.structure != outline.name:
        return goal
    _, rows, columns = task.engine.grid(task.patient).shape
    line = goal.voxels // columns
    some = (line // rows + line % rows) % _OUTLINE_LINES == 0
    if not some.any():
        return goal
    return replace(goal, voxels=goal.voxels[some], objective=goal.objective.part(some))


def _frontier(task: SelectionTask, selector: str) -> ParetoFrontier | None:
    """Frontier up to twice the budget, or as far as time brings anything."""
    if selector not in ("exact", "joint") or task.table.constants is None:
        return None
    return pareto_frontier(task, None if task.budget_s is None else 2.0 * task.budget_s)


def _delivery(
    selection: Selection,
    counts: SpotCounts,
    weights: NDArray[np.float64],
    machine: Machine,
    speed: DeliveryEntry,
) -> tuple[Selection, DeliveryTime]:
    """Layers that have weight, and the time that their delivery takes."""
    task, count = selection.task, counts.energies_mev_u.size
    # Both are in the order of delivery, in which energies fall at each control point.
    slots = task.slots * count - selection.energies
    point, energy = layer_columns(counts, selection.chosen())
    slot = np.searchsorted(slots, point * count - energy)
    spots = np.bincount(slot[weights > 0.0], minlength=slots.size)
    particles = np.bincount(slot, weights, slots.size)
    per_mu = np.array([machine.particles_per_mu(float(e)) for e in selection.energies_mev_u])
    used = spots > 0
    cost = np.full(task.cost.shape, np.inf)
    at = task.slots[used], selection.energies[used]
    cost[at] = task.cost[at]
    delivered = replace(task, cost=cost).selection(selection.energies[used], selection.selector)
    gantry = GantryMotion(speed.gantry_speed_deg_s, speed.gantry_acceleration_deg_s2)
    scanning = SpotDelivery(speed.spot_switch_s, speed.s_per_mu)
    mu = (particles / per_mu)[used]
    return delivered, delivery_time(delivered, counts.points, spots[used], mu, gantry, scanning)
