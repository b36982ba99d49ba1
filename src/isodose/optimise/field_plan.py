"""Plans of fixed fields: spots placed, influence computed, weights optimised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
from isodose.optimise.constrained import kept
from isodose.optimise.constraint import Constraint
from isodose.optimise.goal import Goal
from isodose.optimise.minimum_weight import least_particles
from isodose.optimise.problem import Problem
from isodose.optimise.scenarios import (
    Scenario,
    check_shifts,
    engine_of,
    scenario_influences,
    scenario_set,
    shifted,
)
from isodose.optimise.solver import Watcher
from isodose.optimise.weighted_plan import (
    GoalTask,
    Say,
    WeightedPlan,
    optimised_weights,
    voxels_seen,
    with_weights,
)
from isodose.patient.patient import Patient
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.placement import Placement
from isodose.plan.plan import Plan
from isodose.plan.simple_plan import simple_plan
from isodose.track.database import cluster_database

_BYTES_PER_GIB = 2**30


@dataclass(frozen=True, slots=True, eq=False)
class PlanningTask(GoalTask):
    """What a configuration asks for in a patient, whatever spots are to do it.

    Parameters
    ----------
    patient, config
        Whom to treat, and what to reach.
    goals, constraints
        On the engine's grid.
    machine, engine
        What delivers it, and what computes the influence.
    scenarios
        The nominal one first.
    """

    config: PlanConfig
    machine: Machine
    engine: PencilBeam
    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FieldPlan(WeightedPlan):
    """A plan of ions, and how it came about."""

    task: PlanningTask

    def doses(self, patient: Patient, quantities: Sequence[Quantity] = ()) -> Iterator[Dose]:
        """Dose per fraction in each scenario, the nominal one first, with further quantities if wanted."""
        for scenario in self.task.scenarios:
            engine = engine_of(self.task.engine, scenario)
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
    check_shifts(scenarios, patient.structure(config.target), patient)
    return PlanningTask(patient, config, goals, constraints, machine, engine, scenarios)


def clusters_of(config: PlanConfig) -> tuple[Quantity, ...]:
    """Cluster doses that objectives and constraints look at."""
    names = [entry.quantity for entry in config.objectives] + [e.quantity for e in config.constraints]
    found = (cluster_quantity(name) for name in names)
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
    watched = watched_scenarios(matrices, task.scenarios, config.scenarios.memory_gib, say)
    problem = Problem(watched, terms, config.scenarios.robustness, threads)
    limits = f" and {len(task.constraints)} constraints" if task.constraints else ""
    say(f"optimising {problem.spots} spots for {len(task.goals)} objectives{limits}")
    least = None
    if config.spots.minimum_mu > 0.0:
        least = least_particles(plan, task.machine, config.spots.minimum_mu)
    result = optimised_weights(problem, plan, task, progress, least)
    values = problem.goal_values(result.weights)[: len(task.goals)]
    held = kept(problem, task.constraints, result.weights)
    return FieldPlan(with_weights(plan, result.weights), task, values, held, result)


def voxels_of(task: PlanningTask, goals: Sequence[Goal]) -> NDArray[np.bool_] | None:
    """Voxels of the dose grid that goals look at, ``[z, y, x]``; None for no goal."""
    return voxels_seen(goals, task.engine.grid(task.patient))


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


def watched_scenarios(
    matrices: Iterator[Influence], scenarios: Sequence[Scenario], memory_gib: float, say: Say
) -> Iterator[Influence]:
    """Matrices one by one, with a line before each, as long as all of them are going to fit.

    Raises
    ------
    InputError
        As soon as they are not.
    """
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
