"""``isodose dose --log``: every fraction as it was delivered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from isodose.cli.run import Run

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.cli.run import Section
    from isodose.dose.dose import Dose
    from isodose.machine.machine import Machine
    from isodose.patient.patient import Patient
    from isodose.plan.plan import Plan


def compute_delivered(
    run: Run, console: Console, folder: Path, patient: Patient, plan: Plan, log: Path, machine: Machine | None
) -> tuple[Dose, Section]:
    """Mean dose of the fractions of a log, and how they and the plan differ."""
    from isodose.evaluate.as_delivered import accumulated
    from isodose.evaluate.dvh import dvh
    from isodose.evaluate.dvh_bands import dvh_band
    from isodose.patient.structure import Role
    from isodose.plan.treatment_log_delivered import delivered_plans
    from isodose.plan.treatment_log_load import load_treatment_log
    from isodose.report.dvh_bands import dvh_band_figure, dvh_spread_table
    from isodose.report.figures import Picture

    treatment = load_treatment_log(log, plan, machine)
    plans = delivered_plans(plan, treatment)
    planned = run.compute(console, folder, patient, plan)
    doses = []
    for i, delivered in enumerate(plans):
        console.print(f"fraction {treatment.fractions[i].number}, {i + 1} of {len(plans)}")
        doses.append(run.compute(console, folder, patient, delivered))
    shown = {
        name: structure
        for name, structure in patient.structures.items()
        if not structure.is_empty and structure.role is not Role.EXTERNAL
    }
    histograms = {name: [dvh(d.volume(), structure) for d in doses] for name, structure in shown.items()}
    as_planned = {name: dvh(planned.volume(), structure) for name, structure in shown.items()}
    bands = {name: dvh_band(several) for name, several in histograms.items()}
    label = f"{len(doses)} fraction{'s' if len(doses) > 1 else ''}"
    picture = Picture(
        "delivered",
        dvh_band_figure(bands, shown, as_planned, plan.prescription_gy, label),
        "As delivered",
        "Every fraction from the spots that its log measured: lines are the plan, bands the fractions.",
    )
    return accumulated(doses), (picture, dvh_spread_table(histograms, planned=as_planned))
