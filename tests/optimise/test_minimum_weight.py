"""Spots that can be delivered: none, or at least so many particles."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.optimise.goal import Goal
from isodose.optimise.minimum_weight import least_particles, optimise_deliverable
from isodose.optimise.problem import Problem
from isodose.optimise.solver import optimise
from isodose.optimise.squared import SquaredDeviation
from isodose.plan.plan import Beam, Layer, Plan, Spots

TARGET, ORGAN = np.arange(30, 60), np.arange(60, 120)


@pytest.fixture
def problem(make_influence):
    matrix, _ = make_influence(4, spots=30, density=0.25)
    return Problem(matrix, [Goal(SquaredDeviation(2.0), TARGET, 3.0), Goal(SquaredDeviation(0.5), ORGAN)])


def test_weights_are_nothing_or_enough(problem):
    free = optimise(problem)
    least = 0.3 * free.weights.max()
    assert np.any((free.weights > 0.0) & (free.weights < least))  # else there is nothing to test
    found = optimise_deliverable(problem, least)
    used = found.weights > 0.0
    assert np.all(found.weights[used] >= least)
    assert free.value <= found.value * (1.0 + 1e-4)
    assert found.value == pytest.approx(problem.value(found.weights), rel=1e-5)
    # Cutting off at the limit what the free optimum has would cost more.
    cut = np.where(free.weights >= 0.5 * least, np.maximum(free.weights, least), 0.0)
    assert found.value < problem.value(cut)


def test_without_a_limit_it_is_the_optimum(problem):
    assert optimise_deliverable(problem, 0.0).value == pytest.approx(optimise(problem).value, rel=1e-3)


def test_a_limit_that_no_spot_reaches_is_refused(problem):
    with pytest.raises(InputError, match="minimum spot weight"):
        optimise_deliverable(problem, 1e6)


def test_least_particles_follow_the_machine():
    chosen = machine("generic_proton")
    spots = Spots([0.0, 5.0], [0.0, 0.0], [1.0, 1.0])
    beam = Beam("1", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(100.0, spots), Layer(150.0, spots)))
    found = least_particles(Plan("p", "proton", "generic_proton", (beam,)), chosen, 0.02)
    expected = [0.02 * chosen.particles_per_mu(e) for e in (100.0, 100.0, 150.0, 150.0)]
    assert found.tolist() == pytest.approx(expected)
