"""How far a dose strays over scenarios: the deviation of each voxel, its histogram, and the worst figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from isodose.errors import InputError
from isodose.evaluate.dvh import Dvh
from isodose.evaluate.dvh_bands import Spread, dvh_spread
from isodose.patient.volume import Volume

_LOWEST_OF_A_TARGET, _HIGHEST = 95.0, 2.0


@dataclass(frozen=True, slots=True)
class WorstCase:
    """A figure as planned, and where it is worst.

    Parameters
    ----------
    figure
        Such as ``D95``.
    nominal, worst
        As planned, and the worst of it and the scenarios, Gy.
    scenario
        Number of the scenario in which it is worst; None as planned.
    """

    figure: str
    nominal: float
    worst: float
    scenario: int | None


def root_mean_square_deviation(nominal: Volume, scenarios: Iterable[Volume]) -> Volume:
    """Root of the mean squared deviation of scenarios from the nominal dose, voxel by voxel.

    Its `isodose.evaluate.dvh.dvh` in a structure is the root-mean-square dose-volume histogram (RVH), and the
    mean of that the area under it, volumes being parts of 1. Yang et al. (arXiv 2506.15803, 2.4.3) show RVHs
    of the "root-mean-square deviation across scenarios" without saying from what; here it is from the nominal
    dose and not from the scenarios' mean, so that a dose that all scenarios shift counts as deviation. The
    mean is over the scenarios that are given: leave out the nominal one, whose deviation is 0.

    Parameters
    ----------
    nominal
        Dose as planned.
    scenarios
        Doses on the same grid, taken one by one.

    Raises
    ------
    InputError
        If there is no scenario, or one on another grid.
    """
    total, count = np.zeros(nominal.grid.shape), 0
    for dose in scenarios:
        if not dose.grid.matches(nominal.grid):
            raise InputError(f"scenarios[{count}].grid", dose.grid, f"{nominal.grid}, as of the nominal dose")
        total += np.square(dose.values.astype(np.float64) - nominal.values)
        count += 1
    if count == 0:
        raise InputError("scenarios", "none", "at least one beside the nominal one")
    return Volume(nominal.grid, np.sqrt(total / count).astype(np.float32))


def worst_cases(nominal: Dvh, scenarios: Sequence[Dvh], is_target: bool) -> tuple[WorstCase, ...]:
    """Figures of a structure in the worst of the scenarios, each by itself.

    Parameters
    ----------
    nominal, scenarios
        Histograms of one structure.
    is_target
        A target is worst where its D95 is lowest and its D2 highest, an organ where its mean and its D2 are
        highest.

    Raises
    ------
    InputError
        If there is no scenario, or a histogram is of another structure.
    """
    if not scenarios:
        raise InputError("scenarios", "none", "at least one beside the nominal one")
    every = [nominal, *scenarios]
    highest = _worst(dvh_spread(every, [_HIGHEST])[0], lowest=False)
    if is_target:
        return _worst(dvh_spread(every, [_LOWEST_OF_A_TARGET])[0], lowest=True), highest
    return _worst(Spread("mean", np.array([h.mean for h in every])), lowest=False), highest


def _worst(spread: Spread, lowest: bool) -> WorstCase:
    """Worst of the values, the first of which is nominal."""
    at = int(spread.values.argmin() if lowest else spread.values.argmax())
    return WorstCase(spread.name, float(spread.values[0]), float(spread.values[at]), at - 1 if at else None)
