"""The treatment log: what the machine measured, spot by spot, while it delivered a plan."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.plan.plan import Spots


@dataclass(frozen=True, slots=True, eq=False)
class LoggedLayer:
    """Measured spots of one energy, in the order of the plan.

    Parameters
    ----------
    energy_mev_u
        Nominal energy in MeV/u.
    spots
        Measured positions on the isocentre plane (IEC gantry X and Y, mm) and particles delivered; a spot
        that was not delivered has none.
    sigma_mm
        Measured spot size of each spot, the standard deviation (not the full width) in x and y at the
        isocentre in air, ``(n, 2)`` mm; None where it was not measured.
    """

    energy_mev_u: float
    spots: Spots
    sigma_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.energy_mev_u) and self.energy_mev_u > 0):
            raise InputError("energy_mev_u", self.energy_mev_u, "a positive energy in MeV/u")
        if self.sigma_mm is None:
            return
        sigma = np.asarray(self.sigma_mm, dtype=np.float64)
        if sigma.shape != (len(self.spots), 2) or not np.all(np.isfinite(sigma) & (sigma > 0)):
            found = f"shape {sigma.shape}, or a size that is not positive"
            raise InputError("sigma_mm", found, f"{len(self.spots)} pairs of positive sizes in mm")
        object.__setattr__(self, "sigma_mm", sigma)

    def mean_sigma_mm(self) -> tuple[float, float] | None:
        """Size of one spot that stands for the layer: root mean square, weighted by particles."""
        if self.sigma_mm is None or not self.spots.particles.sum() > 0:
            return None
        square = np.average(np.square(self.sigma_mm), axis=0, weights=self.spots.particles)
        return float(np.sqrt(square[0])), float(np.sqrt(square[1]))


@dataclass(frozen=True, slots=True, eq=False)
class LoggedBeam:
    """Measured layers of one beam, in the order of the plan.

    Parameters
    ----------
    name
        Name of the beam in the plan.
    layers
        All layers of the plan's beam.
    """

    name: str
    layers: tuple[LoggedLayer, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LoggedFraction:
    """One fraction.

    Parameters
    ----------
    number
        Counts from 1.
    beams
        All beams of the plan, in any order.
    date
        When it was delivered, if known.
    file
        Where it was read from; named by errors.
    """

    number: int
    beams: tuple[LoggedBeam, ...]
    date: datetime.date | None = None
    file: Path | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.number >= 1 or self.number % 1:
            raise InputError("fraction", self.number, "a whole number of at least 1", self.file)
        names = [beam.name for beam in self.beams]
        if len(set(names)) != len(names):
            raise InputError(f"fraction {self.number}", f"beams {', '.join(names)}", "each once", self.file)


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentLog:
    """What was delivered of one plan.

    Parameters
    ----------
    fractions
        In increasing order of their numbers, each once; some may be missing.
    plan
        Name of the plan, or empty if the log does not say.
    """

    fractions: tuple[LoggedFraction, ...]
    plan: str = ""

    def __post_init__(self) -> None:
        if not self.fractions:
            raise InputError("treatment log", "no fraction", "at least one")
        ordered = tuple(sorted(self.fractions, key=lambda f: f.number))
        for one, other in pairwise(ordered):
            if one.number == other.number:
                where = f" (also in {one.file})" if one.file else ""
                raise InputError("fraction", f"{other.number} twice{where}", "each fraction once", other.file)
        object.__setattr__(self, "fractions", ordered)

    def fraction(self, number: int) -> LoggedFraction:
        """Fraction by its number.

        Raises
        ------
        InputError
            If it is not in the log.
        """
        for fraction in self.fractions:
            if fraction.number == number:
                return fraction
        have = ", ".join(str(f.number) for f in self.fractions)
        raise InputError("fraction", number, f"one of the log ({have})")


def joined(logs: Sequence[TreatmentLog]) -> TreatmentLog:
    """One log of several, such as of one file a fraction.

    Raises
    ------
    InputError
        If they are of several plans, or hold a fraction twice.
    """
    names = {log.plan for log in logs} - {""}
    if len(names) > 1:
        raise InputError("plan", " and ".join(sorted(names)), "logs of one plan")
    return TreatmentLog(tuple(f for log in logs for f in log.fractions), names.pop() if names else "")
