"""One number for a structure: its mean, and its equivalent uniform dose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isodose.errors import InputError
from isodose.optimise.objective import Objective, Values, Worse, check_dose

_LEAST_GY = 1e-3
"""Smaller values count as this one in a power, which has no finite value or slope at 0."""


@dataclass(frozen=True, slots=True)
class MeanDose(Objective):
    """Square of ``mean(d) - d_ref``, or its absolute value.

    Parameters
    ----------
    d_ref
        Wanted mean, as a rule 0.
    f_diff
        ``"quadratic"`` or ``"linear"``.
    """

    name: ClassVar[str] = "mean_dose"
    worse: ClassVar[Worse] = Worse.HIGH
    d_ref: float = 0.0
    f_diff: str = "quadratic"

    def __post_init__(self) -> None:
        check_dose(self.name, "d_ref", self.d_ref)
        _check_difference(self.name, self.f_diff)

    @property
    def reference(self) -> float:
        """Wanted mean."""
        return self.d_ref

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative."""
        value, slope = _of_difference(float(values.mean(dtype=np.float64)) - self.d_ref, self.f_diff)
        return value, np.full_like(values, slope / values.size)

    def curvature(self, values: Values) -> Values:
        """Diagonal of the second derivative."""
        return np.full_like(values, 2.0 / values.size**2)


@dataclass(frozen=True, slots=True)
class Eud(Objective):
    """Square of ``(mean(d^(1/k)))^k - eud_ref``, or its absolute value: the generalised EUD of Niemierko.

    Parameters
    ----------
    eud_ref
        Wanted value.
    k
        As in matRad the inverse of the volume parameter a: small and positive for serial organs, 1 for the
        mean, negative for targets.
    f_diff
        ``"quadratic"`` or ``"linear"``.

    References
    ----------
    Niemierko, Med Phys 26 (1999) 1100.
    """

    name: ClassVar[str] = "eud"
    worse: ClassVar[Worse] = Worse.HIGH
    eud_ref: float = 0.0
    k: float = 1.0
    f_diff: str = "quadratic"

    def __post_init__(self) -> None:
        check_dose(self.name, "eud_ref", self.eud_ref)
        _check_difference(self.name, self.f_diff)
        if not np.isfinite(self.k) or abs(self.k) < 0.01:
            raise InputError("eud.k", self.k, "a number that is not 0, of at least 0.01 without its sign")

    @property
    def reference(self) -> float:
        """Wanted value."""
        return self.eud_ref

    def evaluate(self, values: Values) -> tuple[float, Values]:
        """Value and derivative; values below 1 mGy count as 1 mGy."""
        lifted = np.maximum(values.astype(np.float64), _LEAST_GY)
        # Relative to the largest value, so that high powers stay in range.
        top = lifted.max() if self.k > 0 else lifted.min()
        part = (lifted / top) ** (1.0 / self.k)
        mean = part.mean()
        value, slope = _of_difference(float(top * mean**self.k) - self.eud_ref, self.f_diff)
        by_value = slope * mean ** (self.k - 1.0) * part * (top / lifted) / values.size
        return value, np.where(values > _LEAST_GY, by_value, 0.0).astype(values.dtype)


def _check_difference(owner: str, kind: str) -> None:
    if kind not in ("linear", "quadratic"):
        raise InputError(f"{owner}.f_diff", repr(kind), "'linear' or 'quadratic'")


def _of_difference(difference: float, kind: str) -> tuple[float, float]:
    """Square or absolute value, and derivative."""
    if kind == "linear":
        return abs(difference), float(np.sign(difference))
    return difference**2, 2.0 * difference
