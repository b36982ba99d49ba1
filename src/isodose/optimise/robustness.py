"""How objectives in several scenarios become one number."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from isodose.optimise.objective import Values, Worse

_POWER = 16.0
"""Power of the mean that stands for the largest value: smooth, and within 21^(1/16) = 1.21 of it."""


class Robustness(StrEnum):
    """Ways to look at scenarios; those of matRad are STOCH, COWC, OWC and VWWC in this order."""

    EXPECTATION = "expectation"
    """Mean of the objectives over the scenarios."""
    COMPOSITE = "composite_worst_case"
    """Largest weighted sum of all objectives in any scenario."""
    OBJECTIVE_WISE = "objective_wise_worst_case"
    """Sum of the largest value of each objective in any scenario."""
    VOXEL_WISE = "voxel_wise_worst_case"
    """Objectives of a dose that has in each voxel the value of the worst scenario there."""


def smooth_maximum(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Smooth largest of numbers of at least 0, and its derivative by each, ``(n,)``.

    It is the mean of the 16th powers, to the 1/16: at most the largest number, and the number itself where
    all are alike.
    """
    top = float(values.max())
    if top <= 0.0:
        return 0.0, np.full(values.size, 1.0 / values.size)
    part = values / top
    mean = float(np.mean(part**_POWER))
    derivative = mean ** (1.0 / _POWER - 1.0) * part ** (_POWER - 1.0) / values.size
    return top * mean ** (1.0 / _POWER), derivative


def worst_of(values: Values, worse: Worse, reference: float) -> tuple[Values, NDArray[np.int64]]:
    """Worst value of each voxel over scenarios, and in which it is.

    Parameters
    ----------
    values
        ``(scenarios, voxels)``.
    worse
        Whether low values are worst, high ones, or those farthest from the reference.
    reference
        Of the objective.
    """
    if worse is Worse.HIGH:
        which = values.argmax(axis=0)
    elif worse is Worse.LOW:
        which = values.argmin(axis=0)
    else:
        which = np.abs(values - reference).argmax(axis=0)
    return np.take_along_axis(values, which[None], axis=0)[0], which
