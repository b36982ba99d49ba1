"""The largest and the smallest value of a structure, made smooth."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isodose.errors import InputError
from isodose.optimise.objective import Objective, Values, Worse, check_dose


@dataclass(frozen=True, slots=True)
class _Extreme(Objective):
    """Square of how far the smooth largest or smallest value lies beyond a limit.

    ``softness ln(sum(exp(d / softness)))`` is above the largest value, by at most softness times the
    logarithm of the number of voxels; with the opposite sign it is below the smallest.
    """

    @property
    @abstractmethod
    def _softness(self) -> float: ...

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        sign = float(self.worse)
        scaled = sign * values.astype(np.float64) / self._softness
        top = scaled.max()
        part = np.exp(scaled - top)
        total = part.sum()
        smooth = self._softness * (top + np.log(total))
        beyond = max(smooth - sign * self.reference, 0.0)
        return beyond**2, (2.0 * beyond * sign * part / total).astype(values.dtype)


@dataclass(frozen=True, slots=True)
class MaxDose(_Extreme):
    """Square of how far the largest value lies above a limit.

    Parameters
    ----------
    d_max
        Limit.
    softness_gy
        The smooth maximum exceeds the true one by at most this times the logarithm of the number of voxels.
    """

    name: ClassVar[str] = "max_dose"
    worse: ClassVar[Worse] = Worse.HIGH
    d_max: float
    softness_gy: float = 0.02

    def __post_init__(self) -> None:
        check_dose(self.name, "d_max", self.d_max)
        _check_softness(self.name, self.softness_gy)

    @property
    def reference(self) -> float:
        """Limit."""
        return self.d_max

    @property
    def _softness(self) -> float:
        return self.softness_gy


@dataclass(frozen=True, slots=True)
class MinDose(_Extreme):
    """Square of how far the smallest value lies below a limit.

    Parameters
    ----------
    d_min
        Limit.
    softness_gy
        As of `MaxDose`, below the true minimum.
    """

    name: ClassVar[str] = "min_dose"
    worse: ClassVar[Worse] = Worse.LOW
    d_min: float
    softness_gy: float = 0.02

    def __post_init__(self) -> None:
        check_dose(self.name, "d_min", self.d_min)
        _check_softness(self.name, self.softness_gy)

    @property
    def reference(self) -> float:
        """Limit."""
        return self.d_min

    @property
    def _softness(self) -> float:
        return self.softness_gy


def _check_softness(owner: str, value: float) -> None:
    if not 0.0 < value < np.inf:
        raise InputError(f"{owner}.softness_gy", value, "a positive number")
