"""Two doses side by side: gamma, differences, DVHs and Bragg-peak figures, as data for a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.evaluate.bragg import DepthProfile, depth_profile
from isodose.evaluate.dvh import Dvh, dvh
from isodose.evaluate.gamma import Gamma, GammaCriteria, gamma
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True)
class Difference:
    """Evaluated minus reference dose over the points at or above the threshold of the criteria, in Gy.

    Parameters
    ----------
    mean, rms
        Over the points.
    largest
        The difference of largest magnitude, with its sign.
    largest_at_mm
        Where it is, (x, y, z).
    points
        How many points.
    """

    mean: float
    rms: float
    largest: float
    largest_at_mm: tuple[float, float, float]
    points: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a comparison: a figure of both doses."""

    subject: str
    name: str
    unit: str
    reference: float
    evaluation: float

    @property
    def difference(self) -> float:
        """Evaluation minus reference."""
        return self.evaluation - self.reference


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two doses have in common and what not.

    Parameters
    ----------
    gamma
        Index at the points of the reference.
    difference
        Dose differences at the same points.
    dvhs
        DVH of the reference and of the evaluation by structure.
    depth
        Integral depth profile of both, where a beam axis was given.
    """

    gamma: Gamma
    difference: Difference
    dvhs: Mapping[str, tuple[Dvh, Dvh]]
    depth: tuple[DepthProfile, DepthProfile] | None = None

    def figures(self) -> list[Figure]:
        """All figures of both doses, in the order of a report: structures, then the depth profile."""
        rows = []
        for name, (a, b) in self.dvhs.items():
            for label, read in _DVH_FIGURES.items():
                rows.append(Figure(name, label, "Gy", read(a), read(b)))
        if self.depth is not None:
            for label, (unit, figure) in _DEPTH_FIGURES.items():
                rows.append(Figure("depth profile", label, unit, *(figure(p) for p in self.depth)))
        return rows


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


def compare(
    reference: Dose | Volume,
    evaluation: Dose | Volume,
    structures: Iterable[Structure] = (),
    *,
    criteria: GammaCriteria | None = None,
    quantity: Quantity = Quantity.DOSE,
    beam_axis: str | None = None,
    towards_lower: bool = False,
) -> Comparison:
    """Compare an evaluated dose with a reference.

    Parameters
    ----------
    reference, evaluation
        Doses in Gy, on the same or on different grids.
    structures
        For which DVHs are made; empty ones are passed over.
    criteria
        Of the gamma index; its threshold also selects the points of the dose differences.
    quantity
        Which quantity of a ``Dose``.
    beam_axis, towards_lower
        Axis along which a single beam runs, and whether towards smaller coordinates; without an axis there
        are no depth profiles.

    Raises
    ------
    InputError
        If the doses cannot be compared: no dose, or grids that do not overlap.
    """
    a, b = (d.volume(quantity) if isinstance(d, Dose) else d for d in (reference, evaluation))
    if np.any(np.asarray(a.grid.lower_mm) >= b.grid.upper_mm) or np.any(
        np.asarray(b.grid.lower_mm) >= a.grid.upper_mm
    ):
        found = f"from {b.grid.lower_mm} to {b.grid.upper_mm} mm"
        raise InputError("evaluation grid", found, "a grid that overlaps the reference's")
    index = gamma(a, b, criteria)
    depth = None
    if beam_axis is not None:
        profiles = [depth_profile(d, axis=beam_axis, towards_lower=towards_lower) for d in (a, b)]
        depth = (profiles[0], profiles[1])
    dvhs = {s.name: (dvh(a, s), dvh(b, s)) for s in structures if s.contours or not s.is_empty}
    return Comparison(index, _difference(a, b, index), dvhs, depth)


def _difference(a: Volume, b: Volume, index: Gamma) -> Difference:
    """Differences at the points of the gamma index."""
    points = np.argwhere(np.isfinite(index.values))
    if not len(points):
        raise InputError("reference dose", "no point above the threshold", "a lower threshold")
    positions = a.grid.position_mm(points)
    delta = b.sample(positions).astype(np.float64) - a.values[tuple(points.T)]
    at = int(np.argmax(np.abs(delta)))
    x, y, z = (float(v) for v in positions[at])
    return Difference(
        float(delta.mean()), float(np.sqrt(np.mean(delta**2))), float(delta[at]), (x, y, z), delta.size
    )
