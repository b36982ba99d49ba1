"""The solver: spot weights of at least 0 that make a problem's value small.

Weights are scaled by the inverse root of the diagonal of the second derivative (Jacobi), since spots of one
plan differ in it by orders of magnitude. In scaled weights it takes quasi-Newton steps among the weights that
are free to move (L-BFGS with two metrics: weights at 0 that would go below stay there), cuts them off at 0,
and goes along what is left to where the slope vanishes. Sums over spots are linear, so that such a search
needs no further products: an iteration takes one product and one adjoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError
from isodose.optimise.line_search import Found, search
from isodose.optimise.problem import Problem
from isodose.optimise.quasi_newton import QuasiNewton, dot

Doubles = NDArray[np.float64]

_FIRST_LOOK, _RARELY = 10, 50
"""Iterations before the first look at the whole problem, and most between two."""
_WINDOW = 10
"""Iterations over which the fall of the value is judged."""
_LEAST_DESCENT = 1e-12
_LEAST_CURVATURE = 1e-6
"""Spots that hardly act on any goal are scaled as if they had this part of the largest second derivative."""


@dataclass(frozen=True, slots=True)
class SolverSettings:
    """When the solver stops, and how much it remembers.

    Parameters
    ----------
    iterations
        At most so many.
    value_tolerance
        It stops where the value fell by less than this part of it over ten iterations.
    optimality_tolerance
        It stops where a step against the preconditioned gradient promises to lower the value by less than
        this part of it.
    seconds
        Time after which it stops, if any.
    memory
        Pairs of the quasi-Newton method.
    """

    iterations: int = 500
    value_tolerance: float = 1e-4
    optimality_tolerance: float = 1e-8
    seconds: float | None = None
    memory: int = 20

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError("solver.iterations", self.iterations, "at least 1")
        if self.memory < 1:
            raise InputError("solver.memory", self.memory, "at least 1")
        for name in ("value_tolerance", "optimality_tolerance"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"solver.{name}", getattr(self, name), "from 0 to less than 1")
        if self.seconds is not None and not self.seconds > 0.0:
            raise InputError("solver.seconds", self.seconds, "a positive time in s")


@dataclass(frozen=True, slots=True)
class Iteration:
    """Where the solver is.

    Parameters
    ----------
    number, total
        Iterations done and allowed.
    value
        Of the problem.
    optimality
        Decrease that a step against the preconditioned gradient promises, as a part of the value.
    seconds, cpu_seconds
        Since the start.
    """

    number: int
    total: int
    value: float
    optimality: float
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Weights, and how they were found.

    Parameters
    ----------
    weights
        Particles per spot and fraction, ``(spots,)``.
    value
        Of the problem.
    history
        All iterations, the start among them.
    stopped
        Why: ``"value"``, ``"optimality"``, ``"iterations"``, ``"seconds"``, ``"no descent"`` or
        ``"interrupted"``.
    """

    weights: Doubles
    value: float
    history: tuple[Iteration, ...] = field(repr=False)
    stopped: str


Watcher = Callable[[Iteration], Any]


def joined(first: tuple[Iteration, ...], then: tuple[Iteration, ...]) -> tuple[Iteration, ...]:
    """History of two optimisations, of which the second begins where the first one ended."""
    return (*first, *(after(first[-1], step) for step in then[1:])) if first else then


def after(last: Iteration, step: Iteration) -> Iteration:
    """Iteration of an optimisation that goes on from the last one of another."""
    return replace(
        step,
        number=last.number + step.number,
        seconds=last.seconds + step.seconds,
        cpu_seconds=last.cpu_seconds + step.cpu_seconds,
    )


def optimise(
    problem: Problem,
    start: ArrayLike | None = None,
    settings: SolverSettings = SolverSettings(),  # immutable
    progress: Watcher | None = None,
    least: ArrayLike = 0.0,
) -> Result:
    """Spot weights that make a problem's value small.

    Parameters
    ----------
    problem
        What to make small.
    start
        Weights to start from, ``(spots,)``; none by default.
    settings
        When to stop.
    progress
        Called after every iteration; where it returns False, or on Ctrl-C, the solver stops and gives what it
        has.
    least
        Smallest weight, one or one a spot; the start is lifted to it.

    Raises
    ------
    InputError
        If the start or the least weights have another size, or hold what is negative or not finite.
    """
    lowest = _checked("least", np.broadcast_to(least, (problem.spots,)), problem.spots)
    weights = np.zeros(problem.spots) if start is None else _checked("start", start, problem.spots)
    run = _Run(problem, np.maximum(weights, lowest), lowest, settings, progress)
    try:
        run.start()
        while run.stopped is None:
            run.iterate()
    except KeyboardInterrupt:
        run.stopped = "interrupted"
    run.finish()
    return Result(run.weights, run.value, tuple(run.history), run.stopped or "")


def _checked(name: str, weights: ArrayLike, spots: int) -> Doubles:
    numbers = np.array(weights, dtype=np.float64)
    if numbers.shape != (spots,) or not np.all(np.isfinite(numbers)) or np.any(numbers < 0.0):
        found = f"shape {numbers.shape}, smallest {numbers.min(initial=np.inf):g}"
        raise InputError(name, found, f"{spots} finite weights of at least 0")
    return numbers


class _Run:
    """State of one optimisation.

    It works on a part of the problem: spots that have weight or want some, voxels that cost something or may
    soon. Now and then the whole problem is looked at and another part taken. What the weights of the part are
    above their bound is divided by their scale.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Doubles,
        least: Doubles,
        settings: SolverSettings,
        progress: Watcher | None,
    ) -> None:
        self.problem, self.settings, self.progress = problem, settings, progress
        self.weights, self.value = weights, np.inf
        self._least = least
        self.memory = QuasiNewton(settings.memory)
        self.history: list[Iteration] = []
        self.stopped: str | None = None
        self._clock = time.perf_counter(), time.process_time()
        self._part, self._spots = problem, np.arange(problem.spots)

    def start(self) -> None:
        """Look at the start, and scale the spots."""
        curvature = self.problem.curvature(self.weights if self.weights.any() else None)
        floor = _LEAST_CURVATURE * float(curvature.max(initial=0.0)) or 1.0
        self._scale = 1.0 / np.sqrt(np.maximum(curvature, floor))
        self._next_look = _FIRST_LOOK
        self._look(whole=True)
        self._report()

    def iterate(self) -> None:
        """One step."""
        scale, at, gradient = self._scaled()
        free = (at > 0.0) | (gradient < 0.0)
        step = np.maximum(at + self.memory.direction(gradient, free), 0.0) - at
        slope = dot(step, gradient)
        if slope >= -_LEAST_DESCENT * np.sqrt(dot(step, step) * dot(gradient, gradient)):
            self.memory.forget()
            step = np.maximum(at - gradient, 0.0) - at
            slope = dot(step, gradient)
        found = self._search(step, at, slope) if slope < 0.0 else None
        if found is None or found.length == 0.0:
            self._fail()
            return
        moved = found.length * step
        self.weights[self._spots] = self._least[self._spots] + np.maximum(at + moved, 0.0) * scale
        self.value, self._sums = found.value, found.sums
        self._gradient = self._part.gradient(found.by_sums)
        self.memory.learn(moved, self._gradient * scale - gradient)
        self._report()
        if self.stopped is None and len(self.history) > self._next_look:
            self._look()
            self._next_look += int(np.clip(self._next_look, _FIRST_LOOK, _RARELY))

    def finish(self) -> None:
        """Value of the whole problem at the end."""
        self.value = self.problem.value(self.weights)

    def _scaled(self) -> tuple[Doubles, Doubles, Doubles]:
        """Scale of the spots of the part, their scaled weights above the bound, and the gradient by them."""
        scale = self._scale[self._spots]
        return scale, (self.weights - self._least)[self._spots] / scale, self._gradient * scale

    def _search(self, step: Doubles, at: Doubles, slope: float) -> Found:
        down = step < 0.0
        longest = float(np.min(at[down] / -step[down], initial=np.inf))
        along = self._part.sums(step * self._scale[self._spots])
        return search(self._part, self._sums, along, self.value, slope, max(longest, 1.0))

    def _fail(self) -> None:
        """No step lowers the value: once more from fresh sums without memory, then the end."""
        if self.memory.empty:
            self.stopped = "no descent"
            return
        self.memory.forget()
        self._look()

    def _look(self, whole: bool = False) -> None:
        """Look at the whole problem afresh, and choose the part to go on with."""
        problem = self.problem
        sums = problem.sums(self.weights)
        self.value, by_sums = problem.of_sums(sums)
        gradient = problem.gradient(by_sums)
        # A spot at a bound above 0 does not move but gives dose, so that it must stay.
        moving = (self.weights > 0.0) | (gradient < 0.0)
        spots = self._spots if whole else np.flatnonzero(moving)
        self._part = problem if whole else problem.focused(sums, spots)
        self.memory.move(self._spots, spots, problem.spots)
        self._spots, self._gradient = spots, gradient[spots]
        self._sums = sums if whole else self._part.sums(self.weights[spots])

    def _optimality(self) -> float:
        _, at, gradient = self._scaled()
        step = np.maximum(at - gradient, 0.0) - at
        promised = -dot(step, gradient) - 0.5 * dot(step, step)
        return promised / self.value if self.value > 0.0 else 0.0

    def _report(self) -> None:
        wall, cpu = time.perf_counter() - self._clock[0], time.process_time() - self._clock[1]
        number, settings, optimality = len(self.history), self.settings, self._optimality()
        self.history.append(Iteration(number, settings.iterations, self.value, optimality, wall, cpu))
        if number >= settings.iterations:
            self.stopped = "iterations"
        elif settings.seconds is not None and wall >= settings.seconds:
            self.stopped = "seconds"
        elif self._enough() is not None:
            before = self.value
            self._look()
            # What was left out of the part may have its own opinion.
            if self.value <= before * (1.0 + settings.value_tolerance) and (
                self._optimality() <= 2.0 * optimality + settings.value_tolerance
            ):
                self.stopped = self._enough() or "value"
        if self.progress is not None and self.progress(self.history[-1]) is False:
            self.stopped = "interrupted"

    def _enough(self) -> str | None:
        if self.value <= 0.0 or self._optimality() < self.settings.optimality_tolerance:
            return "optimality"
        before = self.history[-1 - _WINDOW].value if len(self.history) > _WINDOW else np.inf
        return "value" if before - self.value < self.settings.value_tolerance * self.value else None
