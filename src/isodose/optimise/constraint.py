"""Constraints: limits that a plan must keep, and their terms in an augmented Lagrangian.

A limit of the largest or smallest value is one constraint a voxel. With excesses c over a limit (negative
where it is kept), multipliers m and a penalty p, a term is ``mean(max(m + p c, 0)^2) / (2 p)``: the function
of Powell, Hestenes and Rockafellar but for a part that does not depend on the weights (Nocedal and Wright,
Numerical Optimization (2006), section 17.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.optimise.goal import Goal
from isodose.optimise.objective import Objective, Values, Worse
from isodose.optimise.voxel_quantity import PhysicalDose, VoxelQuantity

TOLERANCE = 1e-3
"""A constraint holds if it is missed by at most this part of its limit."""

_NEAR = 0.8
"""Values above this part of an upper limit may soon be above it."""

Doubles = NDArray[np.float64]


class Kind(StrEnum):
    """What of a structure is limited, and from which side."""

    MAX = "max_dose"
    MIN = "min_dose"
    MAX_MEAN = "max_mean"
    MIN_MEAN = "min_mean"

    @property
    def from_above(self) -> bool:
        """Whether values may not be larger than the limit."""
        return self in (Kind.MAX, Kind.MAX_MEAN)

    @property
    def of_mean(self) -> bool:
        """Whether the mean is limited, or each voxel."""
        return self in (Kind.MAX_MEAN, Kind.MIN_MEAN)


@dataclass(frozen=True, slots=True, eq=False)
class Constraint:
    """A limit that a plan must keep.

    Parameters
    ----------
    kind
        What is limited.
    limit
        In the unit of the quantity, per fraction; positive.
    voxels
        Flat C-order voxels of the dose grid, ascending and each once, int64 ``(n,)``.
    structure
        Name for reports.
    quantity
        What is limited.
    robust
        Whether every voxel is to keep to it in all scenarios, or in the nominal one only; not for means.

    Raises
    ------
    InputError
        If there is no voxel, the limit is not positive, or a mean is to be robust.
    """

    kind: Kind
    limit: float
    voxels: NDArray[np.int64]
    structure: str = ""
    quantity: VoxelQuantity = field(default_factory=PhysicalDose)
    robust: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.limit < np.inf:
            raise InputError(f"constraint {self.label}: limit", self.limit, "a positive number")
        if self.robust and self.kind.of_mean:
            raise InputError(f"constraint {self.label}: robust", True, "false for a mean")

    @property
    def label(self) -> str:
        """Structure and kind."""
        return f"{self.structure or '(unnamed)'}: {self.kind}"

    def goal(self, penalty: float) -> Goal:
        """Term of the augmented Lagrangian with multipliers of 0: a quadratic penalty.

        Raises
        ------
        InputError
            If there is no voxel.
        """
        kind = UpperLimit if self.kind.from_above else LowerLimit
        multipliers = np.zeros(1 if self.kind.of_mean else np.size(self.voxels))
        term = kind(self.limit, self.kind.of_mean, penalty, multipliers)
        return Goal(term, self.voxels, 1.0, self.structure, self.quantity, self.robust)


@dataclass(frozen=True, slots=True, eq=False)
class Limit(Objective):
    """Term of the augmented Lagrangian of one constraint.

    Parameters
    ----------
    limit
        What the values, or their mean, are to keep to.
    of_mean
        Whether it is the mean.
    penalty
        Positive.
    multipliers
        One a voxel, in the order of the values, or one for the mean; at least 0.
    """

    name: ClassVar[str] = "constraint"
    holds_in_all: ClassVar[bool] = True
    limit: float
    of_mean: bool
    penalty: float
    multipliers: Doubles

    @property
    def reference(self) -> float:
        """The limit."""
        return self.limit

    def excess(self, values: Values) -> Doubles:
        """How far the values, or their mean, lie beyond the limit: one a multiplier, negative within it."""
        wide = values.astype(np.float64)
        found = np.array([wide.mean()]) if self.of_mean else wide
        return float(self.worse) * (found - self.limit)

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        pushed = np.maximum(self.multipliers + self.penalty * self.excess(values), 0.0)
        slope = np.broadcast_to(float(self.worse) * pushed / values.size, values.shape)
        return float(np.mean(pushed**2)) / (2.0 * self.penalty), slope.astype(values.dtype)

    def idle(self, values: Values) -> NDArray[np.bool_] | None:
        """Voxels well within the limit that have no multiplier."""
        if self.of_mean:
            return None
        far = values < _NEAR * self.limit if self.worse is Worse.HIGH else _NEAR * values > self.limit
        return np.asarray(far & (self.multipliers == 0.0))

    def part(self, kept: NDArray[np.bool_ | np.int64]) -> Self:
        """Same for some of the voxels."""
        return self if self.of_mean else replace(self, multipliers=self.multipliers[kept])

    def curvature(self, values: Values) -> Values:
        """Diagonal of the second derivative: only of voxels that are beyond the limit or near it."""
        if self.of_mean:
            return np.full_like(values, self.penalty / values.size**2)
        counts = ~np.asarray(self.idle(values))
        return np.asarray(self.penalty / values.size * counts, dtype=values.dtype)

    def updated(self, values: Values, penalty_factor: float = 1.0) -> Self:
        """Same with the multipliers that the values ask for, and another penalty."""
        multipliers = np.maximum(self.multipliers + self.penalty * self.excess(values), 0.0)
        return replace(self, multipliers=multipliers, penalty=self.penalty * penalty_factor)

    def residual(self, values: Values) -> float:
        """Largest excess, or slack where a multiplier still pushes, in the unit of the values."""
        return float(np.abs(np.maximum(self.excess(values), -self.multipliers / self.penalty)).max())


@dataclass(frozen=True, slots=True, eq=False)
class UpperLimit(Limit):
    """Term of a limit from above."""

    worse: ClassVar[Worse] = Worse.HIGH


@dataclass(frozen=True, slots=True, eq=False)
class LowerLimit(Limit):
    """Term of a limit from below."""

    worse: ClassVar[Worse] = Worse.LOW
