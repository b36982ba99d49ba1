"""What an objective is: a penalty on the values of one quantity in the voxels of one structure.

Names and formulas follow matRad and pyRadPlan, so that the same numbers give the same function: sums over
voxels are divided by their number, and a priority multiplies the whole. Values are per fraction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError

Values = NDArray[np.floating[Any]]
"""One value a voxel, float32 or float64 ``(n,)``."""


class Worse(IntEnum):
    """Which values are the worst ones for an objective, for voxel-wise worst cases."""

    LOW = -1
    FAR = 0
    HIGH = 1


@dataclass(frozen=True, slots=True)
class Objective(ABC):
    """A function of the values in a structure, to be made small."""

    name: ClassVar[str]
    worse: ClassVar[Worse]
    holds_in_all: ClassVar[bool] = False
    """Whether robust means the worst scenario of each voxel, whatever the problem's robustness is."""

    @property
    @abstractmethod
    def reference(self) -> float:
        """Value at which, or beyond which, nothing is left to gain."""

    @abstractmethod
    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value of the function, at least 0, and its derivative by each value, ``(n,)``."""

    def idle(self, values: Values) -> NDArray[np.bool_] | None:
        """Voxels ``(n,)`` that cost nothing and are far from costing; None where all of them always count.

        Only a mean over voxels to which each adds on its own may leave some out.
        """
        return None

    def part(self, kept: NDArray[np.bool_ | np.int64]) -> Objective:
        """Objective of some of the voxels; the same where it does not know one from another."""
        return self

    def curvature(self, values: Values) -> Values:
        """Diagonal of the second derivative by the values, ``(n,)``, or something like it, at least 0.

        It scales the spots for the solver and does not move the optimum.
        """
        return np.full_like(values, 2.0 / max(values.size, 1))


def check_dose(owner: str, field: str, value: float) -> None:
    """Refuse a value that is not a finite number of at least 0."""
    if not (np.isfinite(value) and value >= 0.0):
        raise InputError(f"{owner}.{field}", value, "a finite number of at least 0")


def check_percent(owner: str, field: str, value: float) -> None:
    """Refuse a part of the volume that is not between 0 and 100 %."""
    if not 0.0 < value < 100.0:
        raise InputError(f"{owner}.{field}", value, "a part of the volume between 0 and 100 %")
