"""``isodose dose --log`` and ``--spot-size``: the plan as it was, or might be, delivered."""

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
    from isodose.plan.treatment_log_delivered import delivered_plans
    from isodose.plan.treatment_log_load import load_treatment_log

    treatment = load_treatment_log(log, plan, machine)
    plans = delivered_plans(plan, treatment)
    planned = run.compute(console, folder, patient, plan)
    doses = []
    for i, delivered in enumerate(plans):
        console.print(f"fraction {treatment.fractions[i].number}, {i + 1} of {len(plans)}")
        doses.append(run.compute(console, folder, patient, delivered))
    label = f"{len(doses)} fraction{'s' if len(doses) > 1 else ''}"
    caption = "Every fraction from the spots that its log measured: lines are the plan, bands the fractions."
    section = _section("delivered", "As delivered", caption, label, patient, plan, planned, doses)
    return accumulated(doses), section


def compare_spot_sizes(
    run: Run,
    factors: tuple[float, ...],
    planned: Dose,
    console: Console,
    folder: Path,
    patient: Patient,
    plan: Plan,
    machine: Machine | None,
) -> Section:
    """Dose with spots wider or narrower by factors, beside the planned one."""
    from isodose.plan.spot_size import with_spot_size

    doses = []
    for factor in factors:
        console.print(f"spots {factor:g} times as wide")
        doses.append(run.compute(console, folder, patient, with_spot_size(plan, factor, machine)))
    label = "spot size " + ", ".join(f"{100 * (f - 1):+.3g} %" for f in factors)
    caption = "The plan with spots of other sizes: lines are the plan, bands the other sizes."
    return _section("spot_sizes", "Spot size", caption, label, patient, plan, planned, doses)


def _section(
    key: str,
    title: str,
    caption: str,
    label: str,
    patient: Patient,
    plan: Plan,
    planned: Dose,
    doses: list[Dose],
) -> Section:
    from isodose.report.dvh_bands import Histograms, bands_section

    histograms = Histograms.of(patient, planned.volume(), [dose.volume() for dose in doses])
    return bands_section(key, title, caption, label, histograms, plan.prescription_gy)
