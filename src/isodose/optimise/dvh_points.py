"""Points of a dose-volume histogram: so much of the volume at least, or at most, above a dose.

As in matRad and pyRadPlan, only the voxels between the wanted dose and the dose that the volume has now are
pushed, each by its squared distance from the wanted dose; the derivative ignores that the quantile moves,
which is exact but where a voxel passes it. The function jumps there, so it is not convex.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from isodose.optimise.objective import Objective, Values, Worse, check_dose, check_percent


@dataclass(frozen=True, slots=True)
class MinDvh(Objective):
    """At least ``v_min`` percent of the volume should receive ``d``.

    Parameters
    ----------
    d
        Value.
    v_min
        Percent of the volume.
    """

    name: ClassVar[str] = "min_dvh"
    worse: ClassVar[Worse] = Worse.LOW
    d: float
    v_min: float = 95.0

    def __post_init__(self) -> None:
        check_dose(self.name, "d", self.d)
        check_percent(self.name, "v_min", self.v_min)

    @property
    def reference(self) -> float:
        """Value of the point."""
        return self.d

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        now = np.quantile(values, 1.0 - self.v_min / 100.0)
        return _between(values, self.d, (values <= self.d) & (values >= now))


@dataclass(frozen=True, slots=True)
class MaxDvh(Objective):
    """At most ``v_max`` percent of the volume should receive ``d``.

    Parameters
    ----------
    d
        Value.
    v_max
        Percent of the volume.
    """

    name: ClassVar[str] = "max_dvh"
    worse: ClassVar[Worse] = Worse.HIGH
    d: float
    v_max: float = 50.0

    def __post_init__(self) -> None:
        check_dose(self.name, "d", self.d)
        check_percent(self.name, "v_max", self.v_max)

    @property
    def reference(self) -> float:
        """Value of the point."""
        return self.d

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        now = np.quantile(values, 1.0 - self.v_max / 100.0)
        return _between(values, self.d, (values >= self.d) & (values <= now))


def _between(values: Values, wanted: float, counted: NDArray[np.bool_]) -> tuple[float, Values]:
    off = np.where(counted, values - values.dtype.type(wanted), values.dtype.type(0.0))
    square = float(np.dot(off.astype(np.float64), off)) / values.size
    return square, np.asarray(2.0 / values.size * off, dtype=values.dtype)
