"""``isodose dose --rbe A --rbe B``: RBE models side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from isodose.cli.run import Run

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.cli.run import Section
    from isodose.dose.dose import Dose
    from isodose.patient.patient import Patient
    from isodose.plan.plan import Plan


def compare_rbe_models(
    run: Run,
    models: tuple[str, ...],
    first: Dose,
    console: Console,
    folder: Path,
    patient: Patient,
    plan: Plan,
) -> Section:
    """RBE-weighted dose by several models; ``first`` is the dose with the first of them."""
    from isodose.biology.model_comparison import compare_models
    from isodose.dose.quantity import Quantity
    from isodose.patient.structure import Role
    from isodose.report.figures import Picture
    from isodose.report.focus import point_of_interest_mm
    from isodose.report.rbe_models import rbe_models_figure, rbe_models_table

    weighted = {models[0]: first.volume(Quantity.RBE_DOSE)}
    for name in models[1:]:
        console.print(f"RBE model {name}")
        dose = replace(run, rbe=name).compute(console, folder, patient, plan)
        weighted[name] = dose.volume(Quantity.RBE_DOSE)
    shown = {
        name: structure
        for name, structure in patient.structures.items()
        if not structure.is_empty and structure.role is not Role.EXTERNAL
    }
    point = point_of_interest_mm(patient, plan, first)
    physical = first.volume()
    picture = Picture(
        "rbe_models",
        rbe_models_figure(physical, weighted, shown, plan.beams[0], point, patient.position),
        "RBE models",
        "RBE-weighted dose by several models along the first beam, and in the structures.",
    )
    return picture, rbe_models_table(compare_models({"physical": physical, **weighted}, shown))
