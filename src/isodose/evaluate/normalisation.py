"""Scaling a plan so that its target gets what is prescribed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isodose.dose.dose import Dose
from isodose.dose.quantity import CLUSTER_DOSES, Quantity
from isodose.errors import InputError
from isodose.evaluate.dvh import dvh
from isodose.patient.structure import Structure
from isodose.plan.plan import Plan

PROPORTIONAL = (Quantity.DOSE, Quantity.DOSE_TO_WATER, Quantity.FLUENCE, *CLUSTER_DOSES)
"""Quantities that grow with the number of particles; the others are averages or per particle."""


def normalised(plan: Plan, dose: Dose, target: Structure, prescription_gy: float) -> tuple[Plan, Dose]:
    """Scale a plan and its dose so that the median dose of the target (D50) is the prescription.

    Parameters
    ----------
    plan, dose
        A plan and what an engine computed for it, per fraction.
    target
        The structure that is treated.
    prescription_gy
        Wanted D50 in Gy.

    Raises
    ------
    InputError
        If the target gets no dose.
    """
    median = dvh(dose.volume(), target).d(50.0)
    if not median > 0.0:
        raise InputError(f"target {target.name!r}", f"D50 of {median:g} Gy", "a target that gets dose")
    factor = prescription_gy / median
    provenance = dict(dose.provenance)
    provenance["normalised"] = f"D50 of {target.name} to {prescription_gy:g} Gy, factor {factor:.4f}"
    provenance["particles_per_fraction"] = plan.particles * factor

    single = np.float32(factor)
    values, errors = (
        {q: v * single if q in PROPORTIONAL else v for q, v in table.items()}
        for table in (dose.values, dose.uncertainty)
    )
    return plan.scaled(factor), replace(dose, values=values, uncertainty=errors, provenance=provenance)
