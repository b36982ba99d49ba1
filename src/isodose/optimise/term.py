"""A goal within a problem: which rows of the matrices it looks at, and how values go in and out of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.optimise.goal import Goal

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A goal, its rows, its quantity's number, its factor (the priority, less where rows are left out)."""

    goal: Goal
    rows: NDArray[np.int64]
    quantity: int
    factor: float


def take(values: Floats, rows: NDArray[np.int64]) -> Floats:
    """Values of rows; without a copy where they are all."""
    return values if rows.size == values.size else values[rows]


def put(into: Floats, rows: NDArray[np.int64], slope: Floats, factor: float) -> None:
    """Add a factor times slopes to rows."""
    _scatter(into, rows, np.ascontiguousarray(slope, dtype=into.dtype), into.dtype.type(factor))


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(into, rows, slope, factor):  # type: ignore[no-untyped-def]
    for i in range(rows.size):
        into[rows[i]] += factor * slope[i]
