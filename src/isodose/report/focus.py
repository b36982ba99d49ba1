"""What a report looks at: the body, the target, the point where planes meet, and the dose that is 100 %."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.dose.dose import Dose
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.plan.plan import Plan

TISSUE_FROM_HU = -500.0
"""Without an outline, voxels from here up are taken as body."""


def body_mask(patient: Patient, grid: Grid) -> NDArray[np.bool_]:
    """Voxels ``[z, y, x]`` of a grid inside the body.

    Dose in the air around is real, but noisy and of no interest.
    """
    if patient.external is not None and not patient.external.is_empty:
        outline = Volume(patient.grid, patient.external.occupancy).on(grid)
        return np.asarray(outline.values >= 0.5)
    return np.asarray(patient.ct.on(grid, outside=-1000.0).values >= TISSUE_FROM_HU)


def reference_gy(patient: Patient, plan: Plan, dose: Dose) -> float:
    """Dose that is 100 %: the prescription, or else what 0.1 % of the body's voxels exceed."""
    if plan.prescription_gy:
        return plan.prescription_gy
    values = dose.volume().values[body_mask(patient, dose.grid)]
    level = float(np.quantile(values, 0.999)) if values.size else 0.0
    return level if level > 0.0 else 1.0


def target_of(patient: Patient, plan: Plan) -> Structure | None:
    """Find the structure the plan is meant for, or else the patient's first target."""
    if plan.target is not None and plan.target in patient.structures:
        return patient.structure(plan.target)
    return next((s for s in patient.targets if not s.is_empty), None)


def point_of_interest_mm(patient: Patient, plan: Plan, dose: Dose) -> NDArray[np.float64]:
    """Where planes and profiles cross: the target's centre of mass or else the highest dose in the body."""
    target = target_of(patient, plan)
    if target is not None:
        return np.array(target.centre_mm)
    values = np.where(body_mask(patient, dose.grid), dose.volume().values, 0.0)
    at = np.unravel_index(int(np.argmax(values)), dose.grid.shape)
    return dose.grid.position_mm(np.array(at))
