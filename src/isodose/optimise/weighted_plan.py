"""Plans whose weights are found for goals and constraints, whatever their beams are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.config import GoalsConfig
from isodose.optimise.constrained import Kept, optimise_constrained, penalties
from isodose.optimise.constraint import Constraint
from isodose.optimise.goal import Goal, goals_at
from isodose.optimise.minimum_weight import optimise_deliverable
from isodose.optimise.problem import Problem
from isodose.optimise.solver import Result, SolverSettings, Watcher, optimise
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.plan.plan import Plan

Say = Callable[[str], object]
AnyPlan = TypeVar("AnyPlan", bound=Plan)


@dataclass(frozen=True, slots=True, eq=False)
class GoalTask:
    """What a configuration asks for in a patient.

    Parameters
    ----------
    patient, config
        Whom to treat, and what to reach.
    goals, constraints
        On the dose grid.
    """

    patient: Patient
    config: GoalsConfig
    goals: tuple[Goal, ...]
    constraints: tuple[Constraint, ...]

    @property
    def needs(self) -> tuple[Quantity, ...]:
        """Quantities that the goals and constraints look at."""
        return tuple(dict.fromkeys(q for goal in self.terms for q in goal.quantity.needs))

    @property
    def terms(self) -> tuple[Goal, ...]:
        """Goals, and after them a quadratic penalty for each constraint."""
        return (*self.goals, *penalties(self.constraints, self.goals))


@dataclass(frozen=True, slots=True, eq=False)
class WeightedPlan:
    """A plan, and how its weights came about.

    Parameters
    ----------
    plan
        With optimised weights; spots without weight are left out.
    task
        What it was to reach.
    goal_values
        Value of each goal in each scenario, ``(goals, scenarios)``, as of `Problem.goal_values`.
    kept
        What became of the constraints.
    result
        Of the solver.
    """

    plan: Plan
    task: GoalTask
    goal_values: NDArray[np.float64]
    kept: tuple[Kept, ...]
    result: Result


def voxels_seen(goals: Sequence[Goal], grid: Grid) -> NDArray[np.bool_] | None:
    """Voxels of the dose grid that goals look at, ``[z, y, x]``; None for no goal."""
    if not goals:
        return None
    mask = np.zeros(grid.size, dtype=np.bool_)
    mask[goals_at(goals)] = True
    return mask.reshape(grid.shape)


def optimised_weights(
    problem: Problem,
    plan: Plan,
    task: GoalTask,
    progress: Watcher | None = None,
    least: NDArray[np.float64] | None = None,
) -> Result:
    """Weights for the goals and within the constraints of a task.

    Parameters
    ----------
    problem
        Of the task's `terms`.
    plan
        Spots with the weights to start from.
    task, progress
        What to reach, and whom to tell.
    least
        Weight of the smallest spot that can be delivered, ``(spots,)``, if there is such a limit.
    """
    solve: Callable[..., Result] = optimise
    if task.constraints:
        solve = partial(optimise_constrained, constraints=task.constraints)
    start = np.concatenate([layer.spots.particles for beam in plan.beams for layer in beam.layers])
    settings = SolverSettings(**task.config.solver.model_dump())
    if least is None:
        return solve(problem, start, settings, progress)
    return optimise_deliverable(problem, least, start, settings, progress, solve)


def with_weights(plan: AnyPlan, weights: NDArray[np.float64]) -> AnyPlan:
    """Plan with other weights, without spots, layers and beams that have none.

    Raises
    ------
    InputError
        If nothing has weight.
    """
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
