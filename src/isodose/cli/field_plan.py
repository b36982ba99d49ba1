"""``isodose plan PATIENT CONFIG``: fixed fields with optimised weights, their dose and report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isodose.cli.run import Run, close

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.cli.run import Section
    from isodose.dose.dose import Dose
    from isodose.optimise.config import PlanConfig
    from isodose.optimise.field_plan import FieldPlan
    from isodose.optimise.solver import Iteration
    from isodose.patient.patient import Patient


def plan_from_config(patient: str, config: str, folder: Path, threads: int | None, console: Console) -> None:
    """Plan, compute and report into a folder."""
    from isodose.optimise.config import read_config
    from isodose.optimise.field_plan import plan_fields
    from isodose.patient.load import load_patient
    from isodose.plan.dicom_ion_plan import write_ion_plan
    from isodose.report import run_folder
    from isodose.report.optimisation import optimisation_section
    from isodose.report.progress_line import progress_line

    wanted, person = read_config(config), load_patient(patient)
    with run_folder.opened(folder):
        with progress_line(console) as line:

            def progress(step: Iteration) -> None:
                line(_progress(step))

            made = plan_fields(person, wanted, threads, progress, console.print)
        doses = made.doses(person, _quantities(wanted))
        console.print("computing the dose")
        nominal = _finished(next(doses), made, wanted, person)
        sections: list[Section] = [optimisation_section(made.result, made.goals, made.goal_values)]
        if len(made.scenarios) > 1:
            sections.append(_scenario_section(made, person, nominal, list(doses)))
        uid = write_ion_plan(made.plan, folder / "plan.dcm", person, machine=made.machine)
        settings = {"threads": threads, **wanted.model_dump(mode="json")}
        inputs = {"patient": patient, "config": config, "machine": made.plan.machine}
        run = Run(
            "plan", inputs, settings, "pencilbeam", [], rbe=None if wanted.rbe is None else wanted.rbe.model
        )
        page = run.write(folder, person, made.plan, nominal, uid, sections)
    spots = sum(beam.spot_count for beam in made.plan.beams)
    console.print(f"{folder / 'plan.dcm'}: {len(made.plan.beams)} beams, {spots} spots")
    console.print(f"Objective {made.result.value:.4g}, stopped for: {made.result.stopped}")
    close(console, nominal, page)


def _progress(step: Iteration) -> Any:
    from isodose.dose.progress import Progress

    left = step.seconds * (step.total - step.number) / max(step.number, 1)
    unit = f"iterations (objective {step.value:.4g})"
    return Progress(step.number, step.total, step.seconds, left, unit=unit)


def _quantities(config: PlanConfig) -> list[Any]:
    """What the dose is wanted with, for the RBE model and the objectives in LET."""
    from isodose.biology.models import model, needed_quantities
    from isodose.dose.quantity import Quantity

    wanted = list(needed_quantities(model(config.rbe.model))) if config.rbe is not None else []
    if any(entry.quantity in ("letd", "let_dose") for entry in config.objectives):
        wanted.append(Quantity.LETD)
    return list(dict.fromkeys(wanted))


def _finished(dose: Dose, made: FieldPlan, config: PlanConfig, person: Patient) -> Dose:
    """Dose with its RBE-weighted companion, and with how it was planned."""
    notes: dict[str, Any] = {
        "objective": made.result.value,
        "iterations": len(made.result.history) - 1,
        "stopped": made.result.stopped,
        "scenarios": [scenario.name for scenario in made.scenarios],
    }
    extra: dict[str, Any] = {"optimisation": notes}
    if made.result.stopped == "interrupted":
        extra["partial"] = True
    dose = replace(dose, provenance={**dose.provenance, **extra})
    if config.rbe is None:
        return dose
    from isodose.biology.models import model
    from isodose.biology.rbe_dose import with_rbe_dose
    from isodose.optimise.config_goals import tissues_of

    return with_rbe_dose(dose, model(config.rbe.model), config.ion, person, tissues_of(config))


def _scenario_section(made: FieldPlan, person: Patient, nominal: Dose, others: list[Dose]) -> Section:
    from isodose.cli.delivered import bands_section

    caption = "Lines are the nominal scenario, bands reach from the lowest to the highest of the others."
    label = f"{len(others)} scenarios"
    return bands_section("scenarios", "Scenarios", caption, label, person, made.plan, nominal, others)
