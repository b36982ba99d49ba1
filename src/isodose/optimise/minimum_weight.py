"""Spots that a machine can deliver: none, or at least so many particles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.optimise.problem import Problem
from isodose.optimise.solver import Result, SolverSettings, Watcher, joined, optimise
from isodose.plan.plan import Plan

_ROUNDS = 3
_DROPPED_BELOW = 0.5
"""Part of the least weight below which a spot goes rather than be raised."""


def optimise_deliverable(
    problem: Problem,
    least: ArrayLike,
    start: ArrayLike | None = None,
    settings: SolverSettings = SolverSettings(),  # noqa: B008  # immutable
    progress: Watcher | None = None,
    solve: Callable[..., Result] = optimise,
) -> Result:
    """Spot weights that are 0 or at least a least weight, and make a problem's value small.

    After an optimisation without that limit, spots of less than half of it are dropped and the others
    optimised again, up to three times; what remains is raised to the limit and optimised with it as a bound.

    Parameters
    ----------
    problem, start, settings, progress
        As of `isodose.optimise.solver.optimise`.
    least
        Smallest number of particles of a spot, one or one a spot, ``(spots,)``.
    solve
        `optimise`, or what takes its place.

    Raises
    ------
    InputError
        As of `optimise`, or if no spot is left.
    """
    bound = np.array(np.broadcast_to(least, (problem.spots,)), dtype=np.float64)
    found = solve(problem, start, settings, progress)
    weights, history = found.weights, found.history
    for _ in range(_ROUNDS):
        kept = weights >= _DROPPED_BELOW * bound
        kept &= weights > 0.0
        if not kept.any():
            raise InputError("minimum spot weight", float(bound.max()), "one that at least one spot reaches")
        if found.stopped == "interrupted" or np.all(weights[kept] >= bound[kept]):
            break
        found = solve(problem.restricted_to(kept), weights[kept], settings, progress)
        weights = _whole(found.weights, kept)
        history = joined(history, found.history)
    kept = (weights > 0.0) & (weights >= _DROPPED_BELOW * bound)
    part, bounds = problem.restricted_to(kept), bound[kept]
    found = solve(part, np.maximum(weights[kept], bounds), settings, progress, bounds)
    return replace(found, weights=_whole(found.weights, kept), history=joined(history, found.history))


def least_particles(plan: Plan, machine: Machine, minimum_mu: float) -> NDArray[np.float64]:
    """Particles of the smallest deliverable spot, one a spot of a plan, ``(spots,)``.

    Parameters
    ----------
    plan, machine
        What is delivered, by what.
    minimum_mu
        Monitor units of the smallest spot in one fraction.
    """
    return np.concatenate(
        [
            np.full(len(layer.spots), minimum_mu * machine.particles_per_mu(layer.energy_mev_u))
            for beam in plan.beams
            for layer in beam.layers
        ]
    )


def _whole(weights: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    out = np.zeros(kept.size)
    out[kept] = weights
    return out
