"""Bragg-peak figures of two doses side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isodose.evaluate.bragg import DepthProfile, depth_profile
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True)
class FigurePair:
    """One figure of a reference and of an evaluated dose.

    Parameters
    ----------
    name, unit
        What was read and its unit.
    reference, evaluation
        The two values; not a number where a dose has no such figure.
    """

    name: str
    unit: str
    reference: float
    evaluation: float

    @property
    def difference(self) -> float:
        """Evaluation minus reference."""
        return self.evaluation - self.reference


_DEPTH_FIGURES: dict[str, tuple[str, Callable[[DepthProfile], float]]] = {
    "peak depth": ("mm", lambda p: p.peak_mm),
    "R90": ("mm", lambda p: p.r90_mm),
    "R80": ("mm", lambda p: p.r80_mm),
    "R50": ("mm", lambda p: p.r50_mm),
    "DFO80/20": ("mm", lambda p: p.dfo_mm),
    "peak to entrance": ("", lambda p: p.peak_to_entrance),
    "tail to peak": ("", lambda p: p.tail_to_peak()),
}


def depth_figures(
    reference: Volume, evaluation: Volume, axis: str, towards_lower: bool = False
) -> list[FigurePair]:
    """Ranges and fall-off of the integral depth doses of a single beam along an axis of both grids."""
    a, b = (depth_profile(v, axis=axis, towards_lower=towards_lower) for v in (reference, evaluation))
    return [FigurePair(label, unit, read(a), read(b)) for label, (unit, read) in _DEPTH_FIGURES.items()]
