"""The same figures read off two doses: structures and depth profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from isodose.evaluate.bragg import DepthProfile, depth_profile
from isodose.evaluate.dvh import Dvh, dvh
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True)
class FigurePair:
    """One figure of a reference and of an evaluated dose.

    Parameters
    ----------
    subject
        Structure, or ``"depth profile"``.
    name, unit
        What was read and its unit.
    reference, evaluation
        The two values; not a number where a dose has no such figure.
    """

    subject: str
    name: str
    unit: str
    reference: float
    evaluation: float

    @property
    def difference(self) -> float:
        """Evaluation minus reference."""
        return self.evaluation - self.reference


_DVH_FIGURES: dict[str, Callable[[Dvh], float]] = {
    "mean": lambda h: h.mean,
    "D98": lambda h: h.d(98),
    "D95": lambda h: h.d(95),
    "D50": lambda h: h.d(50),
    "D5": lambda h: h.d(5),
    "D2": lambda h: h.d(2),
}

_DEPTH_FIGURES: dict[str, tuple[str, Callable[[DepthProfile], float]]] = {
    "peak depth": ("mm", lambda p: p.peak_mm),
    "R90": ("mm", lambda p: p.r90_mm),
    "R80": ("mm", lambda p: p.r80_mm),
    "R50": ("mm", lambda p: p.r50_mm),
    "DFO80/20": ("mm", lambda p: p.dfo_mm),
    "peak to entrance": ("", lambda p: p.peak_to_entrance),
    "tail to peak": ("", lambda p: p.tail_to_peak()),
}


def dvh_figures(reference: Volume, evaluation: Volume, structures: Iterable[Structure]) -> list[FigurePair]:
    """Mean and D_x of two doses in Gy, structure by structure; empty structures are passed over."""
    pairs = []
    for structure in structures:
        if not structure.contours and structure.is_empty:
            continue
        a, b = dvh(reference, structure), dvh(evaluation, structure)
        pairs += [
            FigurePair(structure.name, label, "Gy", read(a), read(b)) for label, read in _DVH_FIGURES.items()
        ]
    return pairs


def depth_figures(
    reference: Volume, evaluation: Volume, axis: str, *, towards_lower: bool = False
) -> list[FigurePair]:
    """Ranges and fall-off of the integral depth doses of a single beam along an axis of both grids."""
    a, b = (depth_profile(v, axis=axis, towards_lower=towards_lower) for v in (reference, evaluation))
    return [
        FigurePair("depth profile", label, unit, read(a), read(b))
        for label, (unit, read) in _DEPTH_FIGURES.items()
    ]
