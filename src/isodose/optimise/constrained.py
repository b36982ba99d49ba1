"""Optimisation within constraints: an augmented Lagrangian around the solver of bound-constrained problems.

Each round the solver makes the goals and the terms of the constraints small; multipliers and, where they
settle too slowly, penalties then grow, as in the bound-constrained Lagrangian method of Nocedal and Wright
(Numerical Optimization (2006), section 17.4), but that multipliers are updated in every round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from isodose.optimise.constraint import TOLERANCE, Constraint, Limit
from isodose.optimise.goal import Goal
from isodose.optimise.problem import Problem
from isodose.optimise.solver import Iteration, Result, SolverSettings, Watcher, after, joined, optimise

_FIRST_PART, _LATER_PART = 3, 10
"""The first round may take a third of the iterations, every other a tenth."""
_LEAST_ITERATIONS, _LEAST_SECONDS = 20, 1e-3
_ROUNDS = 40
_ENOUGH, _GROWTH = 0.25, 4.0
"""Where a residual has not fallen to this part of that of the round before, the penalty grows by this."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a constraint.

    Parameters
    ----------
    constraint
        The constraint.
    value
        Largest or smallest value or mean that it limits, the worst of the scenarios if it is robust.
    """

    constraint: Constraint
    value: float

    @property
    def beyond(self) -> float:
        """How far the value lies beyond the limit; negative within it."""
        sign = 1.0 if self.constraint.kind.from_above else -1.0
        return sign * (self.value - self.constraint.limit)

    @property
    def holds(self) -> bool:
        """Whether it is missed by at most `TOLERANCE` of the limit."""
        return self.beyond <= TOLERANCE * self.constraint.limit


def penalties(constraints: Sequence[Constraint], goals: Sequence[Goal]) -> list[Goal]:
    """Terms of constraints to begin with, which weigh as much as the goal of the highest priority."""
    penalty = 2.0 * max((goal.priority for goal in goals), default=1.0)
    return [constraint.goal(penalty) for constraint in constraints]


def optimise_constrained(
    problem: Problem,
    start: ArrayLike | None = None,
    settings: SolverSettings = SolverSettings(),  # noqa: B008  # immutable
    progress: Watcher | None = None,
    least: ArrayLike = 0.0,
    *,
    constraints: Sequence[Constraint],
) -> Result:
    """Spot weights that make a problem's value small among those that keep to constraints.

    Constraints that no weights keep end in a compromise; `kept` says how far off it is.

    Parameters
    ----------
    problem
        Its last goals are the `penalties` of the constraints.
    start, settings, progress, least
        As of `isodose.optimise.solver.optimise`; the iterations are those of all rounds together.
    constraints
        At least one.

    Returns
    -------
    Result
        The value is that of the goals alone; the history holds that of the augmented Lagrangian. It may also
        have stopped for ``"rounds"``: penalties have grown and grown, as where constraints contradict.
    """
    numbers = _numbers(problem, constraints)
    terms = [_limit(problem.goals[n]) for n in numbers]
    tolerances = TOLERANCE * np.array([term.limit for term in terms])
    residuals = np.full(len(terms), np.inf)
    found, history = None, tuple[Iteration, ...]()
    for _ in range(_ROUNDS):
        now = problem.with_objectives(dict(zip(numbers, terms, strict=True)))
        inner, watcher = _round(settings, history), _continued(progress, history, settings.iterations)
        found = optimise(now, start if found is None else found.weights, inner, watcher, least)
        history = joined(history, found.history)
        values = [problem.values_of(n, found.weights) for n in numbers]
        before = residuals
        residuals = np.array([term.residual(v) for term, v in zip(terms, values, strict=True)])
        stopped = _stopped(found, history[-1], settings)
        if stopped is None and found.stopped != "iterations" and np.all(residuals <= tolerances):
            stopped = found.stopped
        if stopped is not None:
            break
        slow = residuals > np.maximum(_ENOUGH * before, tolerances)
        terms = [
            term.updated(v, _GROWTH if grows else 1.0)
            for term, v, grows in zip(terms, values, slow, strict=True)
        ]
    assert found is not None  # there is a round
    goals = problem.with_objectives(dict.fromkeys(numbers))
    return Result(found.weights, goals.value(found.weights), history, stopped or "rounds")


def kept(problem: Problem, constraints: Sequence[Constraint], weights: ArrayLike) -> tuple[Kept, ...]:
    """What became of constraints; the problem is that of `optimise_constrained`."""
    found = []
    for number, constraint in zip(_numbers(problem, constraints), constraints, strict=True):
        values = problem.values_of(number, weights)
        if constraint.kind.of_mean:
            value = float(values.mean(dtype=np.float64))
        else:
            value = float(values.max() if constraint.kind.from_above else values.min())
        found.append(Kept(constraint, value))
    return tuple(found)


def _numbers(problem: Problem, constraints: Sequence[Constraint]) -> range:
    """Numbers of the goals that stand for constraints."""
    return range(len(problem.goals) - len(constraints), len(problem.goals))


def _limit(goal: Goal) -> Limit:
    assert isinstance(goal.objective, Limit)  # see `penalties`
    return goal.objective


def _round(settings: SolverSettings, history: tuple[Iteration, ...]) -> SolverSettings:
    """Settings of the next round: a part of the iterations, and of the time what is left."""
    done, spent = (history[-1].number, history[-1].seconds) if history else (0, 0.0)
    usual = settings.iterations // (_LATER_PART if history else _FIRST_PART)
    most = max(1, min(max(usual, _LEAST_ITERATIONS), settings.iterations - done))
    left = None if settings.seconds is None else max(settings.seconds - spent, _LEAST_SECONDS)
    return replace(settings, iterations=most, seconds=left)


def _stopped(found: Result, last: Iteration, settings: SolverSettings) -> str | None:
    """Why the rounds end whatever the constraints are."""
    if found.stopped in ("interrupted", "seconds"):
        return found.stopped
    return "iterations" if last.number >= settings.iterations else None


def _continued(watcher: Watcher | None, history: tuple[Iteration, ...], total: int) -> Watcher | None:
    """Watcher that goes on counting where the rounds before ended."""
    if watcher is None:
        return None
    return lambda step: watcher(replace(after(history[-1], step) if history else step, total=total))
