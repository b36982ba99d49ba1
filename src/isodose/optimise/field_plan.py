"""Plans of fixed fields: spots placed, influence computed, weights optimised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from isodose.biology.biological_dose import weightings_of
from isodose.biology.cluster_dose import cluster_weightings
from isodose.biology.mixed_field import spectra_of
from isodose.biology.models import model
from isodose.dose.dose import Dose
from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_named
from isodose.optimise.cluster_quantity import cluster_quantity
from isodose.optimise.config import PlanConfig
from isodose.optimise.config_goals import constraints_of, goals_of
from isodose.optimise.config_shifter import shifter_of
from isodose.optimise.constrained import Kept, kept, optimise_constrained, penalties
from isodose.optimise.constraint import Constraint
from isodose.optimise.goal import Goal, goals_at
from isodose.optimise.minimum_weight import least_particles, optimise_deliverable
from isodose.optimise.problem import Problem
from isodose.optimise.scenarios import Scenario, engine_of, scenario_influences, scenario_set, shifted
from isodose.optimise.solver import Result, SolverSettings, Watcher, optimise
from isodose.patient.patient import Patient
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.placement import Placement
from isodose.plan.plan import Plan
from isodose.plan.simple_plan import simple_plan
from isodose.track.database import cluster_database

_BYTES_PER_GIB = 2**30
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, eq=False)
class FieldPlan:
    """A plan, and how it came about.

    Parameters
    ----------
    plan
        With optimised weights; spots without weight are left out.
    goals
        What it was to reach.
    scenarios
        In which it was to reach it, the nominal one first.
    goal_values
        Value of each goal in each scenario, ``(goals, scenarios)``, as of `Problem.goal_values`.
    kept
        What became of the constraints.
    result
        Of the solver.
    machine
        That delivers it.
    engine
        That computed the influence, for the dose.
    """

    plan: Plan
    goals: tuple[Goal, ...]
    scenarios: tuple[Scenario, ...]
    goal_values: NDArray[np.float64]
    kept: tuple[Kept, ...]
    result: Result
    machine: Machine
    engine: PencilBeam

    def doses(self, patient: Patient, quantities: Sequence[Quantity] = ()) -> Iterator[Dose]:
        """Dose per fraction in each scenario, the nominal one first, with further quantities if wanted."""
        for scenario in self.scenarios:
            engine = engine_of(self.engine, scenario)
            yield engine.compute(patient, shifted(self.plan, scenario), (Quantity.DOSE, *quantities))


def plan_fields(
    patient: Patient,
    config: PlanConfig,
    threads: int | None = None,
    progress: Watcher | None = None,
    say: Say = lambda _: None,
) -> FieldPlan:
    """Plan fixed fields.

    Parameters
    ----------
    patient
        Whom to treat.
    config
        What to reach, and how.
    threads
        Number of threads; all processors by default.
    progress
        As of `isodose.optimise.solver.optimise`.
    say
        Called with a line before each step.

    Raises
    ------
    InputError
        If the configuration does not go with the patient or the machine, or scenarios need too much memory.
    """
    task = planning_task(patient, config, threads)
    say("placing spots")
    return weighted_plan(task, _placed(patient, config, task.machine), threads, progress, say)


@dataclass(frozen=True, slots=True, eq=False)
class PlanningTask:
    """What a configuration asks for in a patient, whatever spots are to do it.

    Parameters
    ----------
    patient, config
        Whom to treat, and what to reach.
    machine, engine
        What delivers it, and what computes the influence.
    goals, constraints
        On the engine's grid.
    scenarios
        The nominal one first.
    """

    patient: Patient
    config: PlanConfig
    machine: Machine
    engine: PencilBeam
    goals: tuple[Goal, ...]
    constraints: tuple[Constraint, ...]
    scenarios: tuple[Scenario, ...]

    @property
    def needs(self) -> tuple[Quantity, ...]:
        """Quantities that the goals and constraints look at."""
        return tuple(dict.fromkeys(q for goal in self.terms for q in goal.quantity.needs))

    @property
    def terms(self) -> tuple[Goal, ...]:
        """Goals, and after them a quadratic penalty for each constraint."""
        return (*self.goals, *penalties(self.constraints, self.goals))


def planning_task(patient: Patient, config: PlanConfig, threads: int | None = None) -> PlanningTask:
    """Machine, engine, goals and scenarios of a configuration; errors as of `plan_fields`."""
    machine = machine_named(config.machine or f"generic_{config.ion}")
    weightings = {} if config.rbe is None else weightings_of(model(config.rbe.model), config.ion, machine)
    if clusters := clusters_of(config):
        weightings |= cluster_weightings(spectra_of(machine), clusters, cluster_database())
    engine = PencilBeam(config.dose_spacing_mm, machine, weightings=weightings, threads=threads)
    grid = engine.grid(patient)
    goals, constraints = goals_of(config, patient, grid), constraints_of(config, patient, grid)
    scenarios = scenario_set(
        config.scenarios.count, config.scenarios.setup_mm, config.scenarios.range_percent
    )
    _check_robust((*goals, *constraints), scenarios)
    return PlanningTask(patient, config, machine, engine, goals, constraints, scenarios)


def clusters_of(config: PlanConfig) -> tuple[Quantity, ...]:
    """Cluster doses that objectives look at."""
    found = (cluster_quantity(entry.quantity) for entry in config.objectives)
    return tuple(dict.fromkeys(q for q in found if q is not None))


def weighted_plan(
    task: PlanningTask,
    plan: Plan,
    threads: int | None = None,
    progress: Watcher | None = None,
    say: Say = lambda _: None,
) -> FieldPlan:
    """Optimise the weights of a plan's spots.

    Parameters
    ----------
    task
        What to reach.
    plan
        Spots with the weights to start from.
    threads, progress, say
        As of `plan_fields`; errors too.
    """
    engine, patient, config, terms = task.engine, task.patient, task.config, task.terms
    masks = voxels_of(task, terms), voxels_of(task, [g for g in terms if g.robust])
    matrices = scenario_influences(engine, patient, plan, task.scenarios, task.needs, *masks)
    watched = _watched(matrices, task.scenarios, config.scenarios.memory_gib, say)
    problem = Problem(watched, terms, config.scenarios.robustness, threads)
    limits = f" and {len(task.constraints)} constraints" if task.constraints else ""
    say(f"optimising {problem.spots} spots for {len(task.goals)} objectives{limits}")
    result = _optimised(problem, plan, task, progress)
    done = _with_weights(plan, result.weights)
    values = problem.goal_values(result.weights)[: len(task.goals)]
    held = kept(problem, task.constraints, result.weights)
    return FieldPlan(done, task.goals, task.scenarios, values, held, result, task.machine, engine)


def voxels_of(task: PlanningTask, goals: Sequence[Goal]) -> NDArray[np.bool_] | None:
    """Voxels of the dose grid that goals look at, ``[z, y, x]``; None for no goal."""
    if not goals:
        return None
    grid = task.engine.grid(task.patient)
    mask = np.zeros(grid.size, dtype=np.bool_)
    mask[goals_at(goals)] = True
    return mask.reshape(grid.shape)


def _placed(patient: Patient, config: PlanConfig, machine: Machine) -> Plan:
    spots = config.spots
    return simple_plan(
        patient,
        config.target,
        config.ion,
        machine,
        [beam.gantry_deg for beam in config.beams],
        config.prescription_gy,
        couch_angles=[beam.couch_deg for beam in config.beams],
        range_shifters=[
            shifter_of(beam.range_shifter, machine, f"beams[{i}].range_shifter")
            for i, beam in enumerate(config.beams)
        ],
        fractions=config.fractions,
        placement=Placement(
            spots.spacing_mm,
            spots.layer_spacing_mm,
            spots.lateral_margin_mm,
            spots.proximal_margin_mm,
            spots.distal_margin_mm,
        ),
        name=config.name,
    )


def _check_robust(terms: Sequence[Goal | Constraint], scenarios: Sequence[Scenario]) -> None:
    if len(scenarios) > 1 and not any(term.robust for term in terms):
        expected = "1, or at least one objective or constraint with `robust: true`"
        raise InputError("scenarios.count", len(scenarios), expected)
    if len(scenarios) == 1 and any(term.robust for term in terms):
        expected = "9 or 21 under scenarios.count for what is robust"
        raise InputError("objectives, constraints: robust", True, expected)


def _watched(
    matrices: Iterator[Influence], scenarios: Sequence[Scenario], memory_gib: float, say: Say
) -> Iterator[Influence]:
    """Matrices one by one, with a line before each, as long as all of them are going to fit."""
    used = 0
    for k, scenario in enumerate(scenarios):
        say(f"influence matrix {k + 1} of {len(scenarios)}: {scenario.name}")
        matrix = next(matrices)
        used += matrix.memory_bytes
        # Later matrices hold no more voxels than the last one.
        expected = (used + matrix.memory_bytes * (len(scenarios) - k - 1) * (k > 0)) / _BYTES_PER_GIB
        if expected > memory_gib:
            raise InputError(
                "scenarios.memory_gib",
                memory_gib,
                f"about {expected:.1f} for {matrix.spots} spots in {len(scenarios)} scenarios; or fewer "
                "spots, scenarios or robust objectives, or a larger dose_spacing_mm",
            )
        yield matrix


def _optimised(problem: Problem, plan: Plan, task: PlanningTask, progress: Watcher | None) -> Result:
    config = task.config
    solve: Callable[..., Result] = optimise
    if task.constraints:
        solve = partial(optimise_constrained, constraints=task.constraints)
    start = np.concatenate([layer.spots.particles for beam in plan.beams for layer in beam.layers])
    settings = SolverSettings(**config.solver.model_dump())
    if config.spots.minimum_mu == 0.0:
        return solve(problem, start, settings, progress)
    least = least_particles(plan, task.machine, config.spots.minimum_mu)
    return optimise_deliverable(problem, least, start, settings, progress, solve)


def _with_weights(plan: Plan, weights: NDArray[np.float64]) -> Plan:
    """Plan with other weights, without spots, layers and beams that have none."""
    beams, at = [], 0
    for beam in plan.beams:
        layers = []
        for layer in beam.layers:
            particles = weights[at : at + len(layer.spots)]
            at += len(layer.spots)
            used = particles > 0.0
            if used.any():
                x, y = layer.spots.x_mm[used], layer.spots.y_mm[used]
                layers.append(replace(layer, spots=type(layer.spots)(x, y, particles[used])))
        if layers:
            beams.append(replace(beam, layers=tuple(layers)))
    if not beams:
        raise InputError("objectives", "an optimum without any dose", "at least one that asks for dose")
    return replace(plan, beams=tuple(beams))
