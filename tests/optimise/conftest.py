"""Small random problems whose matrices are known in full."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csc_array

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.patient.grid import Grid

SPOTS = 12


def _influence(seed=0, spots=SPOTS, shape=(4, 5, 6), density=0.4, quantities=()):
    """Influence matrix of random entries, and its matrices in full by quantity (voxels by spots, float64)."""
    rng = np.random.default_rng(seed)
    grid = Grid((0.0, 0.0, 0.0), (3.0, 3.0, 3.0), shape)
    pattern = rng.random((grid.size, spots)) < density
    values, full = {}, {}
    for quantity, high in ((Quantity.DOSE, 1.0), *quantities):
        entries = np.where(pattern, rng.uniform(0.1, high, pattern.shape), 0.0).astype(np.float32)
        full[quantity] = entries.astype(np.float64)
        values[quantity] = entries.T[pattern.T]
    matrix = csc_array(pattern.astype(np.float32))
    matrix.sort_indices()
    indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    return Influence(grid, indptr, indices, values), full


@pytest.fixture(scope="session")
def make_influence():
    """Function that makes an influence matrix and its matrices in full."""
    return _influence


@pytest.fixture
def small():
    """Dose only."""
    return _influence()


@pytest.fixture
def with_more():
    """Dose and LETd x dose, alpha x dose and root of beta x dose."""
    more = ((Quantity.LETD, 8.0), (Quantity.ALPHA, 0.8), (Quantity.SQRT_BETA, 0.4))
    return _influence(1, quantities=more)
