"""Run matrices against full ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.optimise.run_matrix import row_order, run_matrix

# Sums of some hundred float32 numbers of order 1.
TOLERANCE = 1e-5
ALL = np.arange(12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), density=st.floats(0.02, 1.0), share=st.floats(0.05, 1.0))
def test_products_are_those_of_the_full_matrix(make_influence, seed, density, share):
    matrix, full = make_influence(seed, density=density, quantities=((Quantity.LETD, 5.0),))
    rng = np.random.default_rng(seed)
    voxels = np.flatnonzero(rng.random(matrix.grid.size) < share)
    voxels = voxels if voxels.size else np.array([7])
    ordered = row_order(matrix, voxels)
    assert np.array_equal(np.sort(ordered), voxels)
    runs = run_matrix(matrix, ordered, (Quantity.DOSE, Quantity.LETD))
    columns = np.flatnonzero(rng.random(12) < 0.7)
    weights, by_row = rng.random(columns.size), rng.normal(size=voxels.size)
    for quantity in (Quantity.DOSE, Quantity.LETD):
        rows = full[quantity][ordered][:, columns]
        found = runs.product(weights.astype(np.float32), quantity, columns, 1)
        np.testing.assert_allclose(found, rows @ weights, rtol=TOLERANCE, atol=TOLERANCE)
        back = runs.adjoint(by_row.astype(np.float32), quantity, columns, 1)
        np.testing.assert_allclose(back, by_row @ rows, rtol=TOLERANCE, atol=20 * TOLERANCE)
        squares = runs.squares((by_row**2).astype(np.float32), quantity, columns, 1)
        np.testing.assert_allclose(squares, by_row**2 @ rows**2, rtol=TOLERANCE, atol=TOLERANCE)


def test_a_part_has_the_rows_and_columns_that_are_wanted(small):
    matrix, full = small
    ordered = row_order(matrix, np.arange(matrix.grid.size))
    runs = run_matrix(matrix, ordered, (Quantity.DOSE,))
    wanted = np.random.default_rng(3).random(ordered.size) < 0.4
    columns = np.array([1, 4, 5])
    part = runs.part(wanted, columns)
    weights = np.array([1.0, 2.0, 0.5], dtype=np.float32)
    expected = full[Quantity.DOSE][ordered[wanted]][:, columns] @ weights
    np.testing.assert_allclose(part.product(weights, Quantity.DOSE, columns, 1), expected, rtol=TOLERANCE)
    assert part.rows == wanted.sum()
    assert part.memory_bytes < runs.memory_bytes
    assert not part.product(np.ones(9, np.float32), Quantity.DOSE, np.setdiff1d(ALL, columns), 1).any()


def test_rows_that_are_not_wanted_have_no_entries(small):
    matrix, full = small
    ordered = row_order(matrix, np.arange(matrix.grid.size))
    wanted = np.arange(ordered.size) % 3 == 0
    runs = run_matrix(matrix, ordered, (Quantity.DOSE,), wanted)
    found = runs.product(np.ones(12, np.float32), Quantity.DOSE, ALL, 1)
    np.testing.assert_allclose(
        found, np.where(wanted, full[Quantity.DOSE][ordered].sum(axis=1), 0.0), rtol=1e-5
    )


def test_threads_give_the_same(make_influence):
    matrix, _ = make_influence(shape=(40, 50, 60), spots=12)  # enough entries for two threads
    ordered = row_order(matrix, np.arange(matrix.grid.size))
    runs = run_matrix(matrix, ordered, (Quantity.DOSE,))
    weights = np.random.default_rng(0).random(12).astype(np.float32)
    one, two = (runs.product(weights, Quantity.DOSE, ALL, n) for n in (1, 2))
    np.testing.assert_allclose(one, two, rtol=TOLERANCE)
    by_row = np.random.default_rng(1).random(ordered.size).astype(np.float32)
    assert np.array_equal(*(runs.adjoint(by_row, Quantity.DOSE, ALL, n) for n in (1, 2)))


def test_rows_follow_the_axis_of_the_fewest_runs(make_influence):
    matrix, _ = make_influence()
    z, _, x = np.unravel_index(np.arange(matrix.grid.size), matrix.grid.shape)
    line = (z == 1) & (x == 2)  # a beam along y
    column = np.flatnonzero(line).astype(np.int32)
    beam = type(matrix)(
        matrix.grid, np.array([0, column.size]), column, {Quantity.DOSE: np.ones(column.size, np.float32)}
    )
    runs = run_matrix(beam, row_order(beam, np.arange(matrix.grid.size)), (Quantity.DOSE,))
    assert runs.run_row.size == 1


def test_a_quantity_that_is_not_there_is_refused(small):
    matrix, _ = small
    with pytest.raises(InputError, match="letd"):
        run_matrix(matrix, np.arange(5), (Quantity.LETD,))
