"""Figures of a comparison against doses whose difference is known."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.evaluate.comparison import compare
from isodose.evaluate.gamma import GammaCriteria
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume


@pytest.fixture
def reference():
    grid = Grid((0, 0, 0), (2, 2, 2), (12, 12, 12))
    x = grid.axis_mm("x")
    return Volume(grid, np.broadcast_to(1.0 + 0.02 * x, grid.shape))


def test_a_scaled_dose_differs_by_its_scale(reference):
    scaled = Volume(reference.grid, 1.03 * reference.values)
    result = compare(reference, scaled)
    # float32 keeps seven digits
    assert result.mean_difference_percent == pytest.approx(3.0, abs=1e-3)
    assert result.largest_difference_gy == pytest.approx(0.03 * reference.values.max(), rel=1e-4)


def test_the_sign_of_the_largest_difference_is_kept(reference):
    lower = reference.values.copy()
    lower[3, 3, 3] -= 0.5
    assert compare(reference, Volume(reference.grid, lower)).largest_difference_gy == pytest.approx(
        -0.5, abs=1e-5
    )


def test_every_criterion_gets_its_gamma(reference):
    scaled = Volume(reference.grid, 1.015 * reference.values)
    criteria = (GammaCriteria(2.0, 1.0), GammaCriteria(1.0, 0.1))
    loose, strict = compare(reference, scaled, criteria).gammas
    assert loose.pass_rate == 100.0
    assert strict.pass_rate < 100.0


def test_doses_that_do_not_overlap_are_refused(reference):
    elsewhere = Volume(Grid((500, 0, 0), (2, 2, 2), (12, 12, 12)), reference.values)
    with pytest.raises(InputError, match="overlaps the reference"):
        compare(reference, elsewhere)
