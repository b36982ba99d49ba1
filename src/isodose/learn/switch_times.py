"""What networks know of a machine's energy switches."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isodose.errors import InputError


@dataclass(frozen=True, slots=True)
class SwitchTimes:
    """Time of switches, and what a second costs.

    Parameters
    ----------
    up_s, down_s
        To a higher and to a lower energy, s.
    weight
        Cost of a second.
    """

    up_s: float
    down_s: float
    weight: float

    def __post_init__(self) -> None:
        for name in ("up_s", "down_s", "weight"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise InputError(f"switch_times.{name}", value, "a finite number of at least 0")
