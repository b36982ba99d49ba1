"""Squared deviations from a value: from both sides, from below, from above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.optimise.objective import Objective, Values, Worse, check_dose


@dataclass(frozen=True, slots=True)
class SquaredDeviation(Objective):
    """Mean of ``(d - d_ref)^2``.

    Parameters
    ----------
    d_ref
        Wanted value.
    """

    name: ClassVar[str] = "squared_deviation"
    worse: ClassVar[Worse] = Worse.FAR
    d_ref: float

    def __post_init__(self) -> None:
        check_dose(self.name, "d_ref", self.d_ref)

    @property
    def reference(self) -> float:
        """Wanted value."""
        return self.d_ref

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        return _evaluated(values, self.d_ref, True, True)


@dataclass(frozen=True, slots=True)
class SquaredUnderdosing(Objective):
    """Mean of ``(d_min - d)^2`` over all voxels, those above ``d_min`` counting 0.

    Parameters
    ----------
    d_min
        Smallest value that costs nothing.
    """

    name: ClassVar[str] = "squared_underdosing"
    worse: ClassVar[Worse] = Worse.LOW
    d_min: float

    def __post_init__(self) -> None:
        check_dose(self.name, "d_min", self.d_min)

    @property
    def reference(self) -> float:
        """Smallest value that costs nothing."""
        return self.d_min

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        return _evaluated(values, self.d_min, True, False)

    def idle(self, values: Values) -> NDArray[np.bool_]:
        """Voxels well above the limit."""
        return np.asarray(_NEAR * values > self.d_min)


@dataclass(frozen=True, slots=True)
class SquaredOverdosing(Objective):
    """Mean of ``(d - d_max)^2`` over all voxels, those below ``d_max`` counting 0.

    Parameters
    ----------
    d_max
        Largest value that costs nothing.
    """

    name: ClassVar[str] = "squared_overdosing"
    worse: ClassVar[Worse] = Worse.HIGH
    d_max: float

    def __post_init__(self) -> None:
        check_dose(self.name, "d_max", self.d_max)

    @property
    def reference(self) -> float:
        """Largest value that costs nothing."""
        return self.d_max

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        return _evaluated(values, self.d_max, False, True)

    def idle(self, values: Values) -> NDArray[np.bool_]:
        """Voxels well below the limit."""
        return np.asarray(values < _NEAR * self.d_max)

    def curvature(self, values: Values) -> Values:
        """Diagonal of the second derivative: only of voxels that are above the limit or near it."""
        part = (2.0 / max(values.size, 1)) * (values >= _NEAR * self.d_max)
        return np.asarray(part, dtype=values.dtype)


_NEAR = 0.8
"""Values above this part of a limit may soon be above it."""


def _evaluated(values: Values, reference: float, below: bool, above: bool) -> tuple[float, Values]:
    gradient = np.empty_like(values)
    total = _squares(values, values.dtype.type(reference), below, above, gradient)
    return float(total), gradient


@njit(cache=True, nogil=True, error_model="numpy")
def _squares(values, reference, below, above, gradient):  # type: ignore[no-untyped-def]
    """Mean square of the deviations to the sides that count; its derivative is written beside."""
    total = 0.0
    factor = values.dtype.type(2.0 / max(values.size, 1))
    for i in range(values.size):
        off = values[i] - reference
        if (off < 0 and not below) or (off > 0 and not above):
            off = values.dtype.type(0.0)
        total += np.float64(off) * off
        gradient[i] = factor * off
    return total / max(values.size, 1)
