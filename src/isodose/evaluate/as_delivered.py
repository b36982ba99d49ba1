"""The dose of every fraction as it was delivered, their mean, and the dose at other spot sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.dose.compute import compute_dose
from isodose.dose.dose import Dose
from isodose.dose.quantity import CLUSTER_DOSES, Quantity
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.patient import Patient
from isodose.plan.plan import Plan
from isodose.plan.spot_size import with_spot_size
from isodose.plan.treatment_log import TreatmentLog
from isodose.plan.treatment_log_delivered import POSITION_TOLERANCE_MM, delivered_plans

_ADDITIVE = (Quantity.DOSE, Quantity.DOSE_TO_WATER, Quantity.RBE_DOSE, Quantity.FLUENCE, *CLUSTER_DOSES)
_WEIGHT = {
    Quantity.LETD: Quantity.DOSE,
    Quantity.ALPHA: Quantity.DOSE,
    Quantity.SQRT_BETA: Quantity.DOSE,
    Quantity.LETT: Quantity.FLUENCE,
}
"""What each averaged quantity is averaged by."""


@dataclass(frozen=True, slots=True)
class Recalculation:
    """Doses of the fractions of a treatment.

    Parameters
    ----------
    numbers
        Of the fractions.
    fractions
        Dose of each, as delivered.
    accumulated
        Mean over the fractions, per fraction.
    """

    numbers: tuple[int, ...]
    fractions: tuple[Dose, ...]
    accumulated: Dose


def recalculate(
    patient: Patient,
    plan: Plan,
    log: TreatmentLog,
    quantities: Iterable[str | Quantity] = (Quantity.DOSE,),
    engine: str = "pencilbeam",
    *,
    within_mm: float = POSITION_TOLERANCE_MM,
    **options: Any,
) -> Recalculation:
    """Compute each fraction of a treatment from what its log measured.

    Parameters
    ----------
    patient, plan
        As planned; the patient is taken to be the same in every fraction.
    log
        What was measured. It is checked whole before the first dose is computed.
    quantities, engine, **options
        As of :func:`isodose.dose.compute.compute_dose`.
    within_mm
        How far a delivered spot may be from where it was planned.

    Raises
    ------
    InputError
        If the log does not fit the plan, or for what the engine refuses.
    """
    plans = delivered_plans(plan, log, within_mm)
    wanted = tuple(quantities)
    doses = tuple(compute_dose(patient, delivered, wanted, engine, **options) for delivered in plans)
    return Recalculation(tuple(f.number for f in log.fractions), doses, accumulated(doses))


def spot_size_doses(
    patient: Patient,
    plan: Plan,
    factors: Sequence[float] = (0.9, 1.0, 1.1),
    quantities: Iterable[str | Quantity] = (Quantity.DOSE,),
    engine: str = "pencilbeam",
    *,
    machine: Machine | None = None,
    **options: Any,
) -> tuple[Dose, ...]:
    """Compute a plan with its spots wider or narrower, one dose a factor.

    Parameters
    ----------
    patient, plan
        As planned.
    factors
        Of the spots' standard deviation at the isocentre.
    quantities, engine, **options
        As of :func:`isodose.dose.compute.compute_dose`.
    machine
        Gives the planned spot size, by default the plan's machine.

    Raises
    ------
    InputError
        For a factor that is not positive, or what the engine refuses.
    """
    plans = [with_spot_size(plan, factor, machine) for factor in factors]
    wanted = tuple(quantities)
    return tuple(compute_dose(patient, changed, wanted, engine, **options) for changed in plans)


def accumulated(doses: Sequence[Dose]) -> Dose:
    """Mean of the doses of fractions, per fraction.

    Parameters
    ----------
    doses
        Of the fractions, on one grid and of the same quantities.

    Returns
    -------
    Dose
        Doses and fluence are means. LET and biological parameters, which are averages themselves, are
        weighted with what they are averaged by (dose; fluence for the track average), and left out where that
        was not computed; so are spectra. The uncertainty of a mean is that of fully correlated fractions, an
        upper limit: engines may use the same random numbers in each.

    Raises
    ------
    InputError
        If there is no dose, or the grids or quantities differ.
    """
    if not doses:
        raise InputError("doses", "none", "at least one fraction")
    first = doses[0]
    for i, dose in enumerate(doses):
        if dose.grid != first.grid:
            raise InputError(f"doses[{i}].grid", dose.grid, f"{first.grid}, as of the first fraction")
        if set(dose.values) != set(first.values):
            have = ", ".join(q.key for q in dose.values)
            expected = f"{', '.join(q.key for q in first.values)}, as of the first fraction"
            raise InputError(f"doses[{i}]", have, expected)
    values = {q: _mean([d.values[q] for d in doses]) for q in first.values if q in _ADDITIVE}
    for quantity, by in _WEIGHT.items():
        if quantity in first.values and by in first.values:
            pairs = [(d.values[quantity], d.values[by]) for d in doses]
            values[quantity] = _weighted([v for v, _ in pairs], [w for _, w in pairs])
    known = [q for q in values if q in _ADDITIVE and all(q in d.uncertainty for d in doses)]
    uncertainty = {q: _mean([d.uncertainty[q] for d in doses]) for q in known}
    provenance = {**first.provenance, "accumulated_fractions": len(doses)}
    return Dose(first.grid, values, uncertainty, provenance=provenance)


def _mean(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = np.zeros(arrays[0].shape)
    for array in arrays:
        total += array
    return (total / len(arrays)).astype(np.float32)


def _weighted(
    values: Sequence[NDArray[np.float32]], weights: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    top, total = np.zeros(values[0].shape), np.zeros(values[0].shape)
    for value, weight in zip(values, weights, strict=True):
        top += value.astype(np.float64) * weight
        total += weight
    return np.divide(top, total, out=np.zeros_like(top), where=total > 0).astype(np.float32)
