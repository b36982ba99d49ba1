"""All objectives by name."""

from __future__ import annotations

from collections.abc import Mapping

from isodose.optimise.dvh_points import MaxDvh, MinDvh
from isodose.optimise.effective_dose import Eud, MeanDose
from isodose.optimise.extremes import MaxDose, MinDose
from isodose.optimise.objective import Objective
from isodose.optimise.squared import SquaredDeviation, SquaredOverdosing, SquaredUnderdosing

OBJECTIVES: Mapping[str, type[Objective]] = {
    kind.name: kind
    for kind in (
        SquaredDeviation,
        SquaredUnderdosing,
        SquaredOverdosing,
        MeanDose,
        Eud,
        MinDose,
        MaxDose,
        MinDvh,
        MaxDvh,
    )
}
"""Objectives by the name they have in configuration files."""
