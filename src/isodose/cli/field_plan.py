"""``isodose plan PATIENT CONFIG``: fixed fields or arcs with optimised weights, their dose and report."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isodose.cli.run import Run, close
from isodose.cli.weights import iterations_shown, say_how_it_went, weight_notes, weight_sections

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.arc.plan_arc import ArcPlan
    from isodose.dose.dose import Dose
    from isodose.optimise.config import PlanConfig
    from isodose.optimise.field_plan import FieldPlan
    from isodose.optimise.solver import Watcher
    from isodose.patient.patient import Patient


def plan_ions(
    patient: str, config: str, wanted: PlanConfig, folder: Path, threads: int | None, console: Console
) -> None:
    """Plan, compute and report into a folder."""
    from isodose.patient.load import load_patient
    from isodose.report import run_folder

    person = load_patient(patient)
    with run_folder.opened(folder):
        with iterations_shown(console) as progress:
            made, arc = _planned(person, wanted, threads, progress, console)
        doses = made.doses(person, _quantities(wanted))
        console.print("computing the dose")
        nominal = _finished(next(doses), made, wanted, person, {} if arc is None else _arc_notes(arc))
        sections = weight_sections(made)
        if arc is not None:
            from isodose.report.arc_sections import arc_sections

            sections += arc_sections(arc)
        if len(made.task.scenarios) > 1:
            from isodose.report.scenarios import scenario_sections

            names = [scenario.name for scenario in made.task.scenarios[1:]]
            sections += scenario_sections(person, made.plan, names, nominal, list(doses))
        uid = _write_plan(made, folder / "plan.dcm", person, arc is not None)
        settings = {"threads": threads, **wanted.model_dump(mode="json")}
        inputs = {"patient": patient, "config": config, "machine": made.plan.machine}
        rbe = None if wanted.rbe is None else wanted.rbe.model
        run = Run("plan", inputs, settings, "pencilbeam", [], rbe=rbe)
        page = run.write(folder, person, made.plan, nominal, uid, sections)
    spots = sum(beam.spot_count for beam in made.plan.beams)
    beams = f"{len(made.plan.beams)} {'beams' if arc is None else 'control points'}"
    console.print(f"{folder / 'plan.dcm'}: {beams}, {spots} spots")
    if arc is not None:
        console.print(_times(arc))
    say_how_it_went(console, made)
    close(console, nominal, page)


def _planned(
    person: Patient, config: PlanConfig, threads: int | None, progress: Watcher, console: Console
) -> tuple[FieldPlan, ArcPlan | None]:
    """Plan with its weights, and its arc if it has one."""
    if config.arc is None:
        from isodose.optimise.field_plan import plan_fields

        return plan_fields(person, config, threads, progress, console.print), None
    from isodose.arc.plan_arc import plan_arc

    arc = plan_arc(person, config, threads, progress, console.print)
    return arc.fields, arc


def _write_plan(made: FieldPlan, path: Path, person: Patient, is_arc: bool) -> str:
    from isodose.arc.ion_arc_writer import write_ion_arc
    from isodose.plan.dicom_ion_plan import write_ion_plan

    write = write_ion_arc if is_arc else write_ion_plan
    return write(made.plan, path, person, machine=made.task.machine)


def _times(arc: ArcPlan) -> str:
    time = arc.time
    return (
        f"Switching {time.switching_s:.1f} s, delivery {time.static_s:.1f} s with a gantry that stops, "
        f"{time.dynamic_s:.1f} s with one that does not"
    )


def _arc_notes(arc: ArcPlan) -> dict[str, Any]:
    up, down, same = arc.delivered.transitions
    return {
        "arc": {
            "selector": arc.delivered.selector,
            "layers": int(arc.delivered.energies.size),
            "switches": {"up": up, "down": down, "none": same},
            "seconds": asdict(arc.time),
        }
    }


def _quantities(config: PlanConfig) -> list[Any]:
    """What the dose is wanted with, for the RBE model and the objectives in LET and cluster dose."""
    from isodose.biology.models import model, needed_quantities
    from isodose.dose.quantity import Quantity
    from isodose.optimise.field_plan import clusters_of

    wanted = list(needed_quantities(model(config.rbe.model))) if config.rbe is not None else []
    looked_at = {entry.quantity for entry in config.objectives} | {e.quantity for e in config.constraints}
    if looked_at & {"letd", "let_dose"}:
        wanted.append(Quantity.LETD)
    if clusters := clusters_of(config):
        wanted += [*clusters, Quantity.DOSE_TO_WATER]
    return list(dict.fromkeys(wanted))


def _finished(dose: Dose, made: FieldPlan, config: PlanConfig, person: Patient, more: dict[str, Any]) -> Dose:
    """Dose with its RBE-weighted companion and its cluster doses, and with how it was planned."""
    from isodose.biology.cluster_dose import of_weighted_dose
    from isodose.optimise.field_plan import clusters_of

    notes = weight_notes(made) | {"scenarios": [scenario.name for scenario in made.task.scenarios]}
    extra: dict[str, Any] = {"optimisation": notes, **more}
    if made.result.stopped == "interrupted":
        extra["partial"] = True
    dose = replace(dose, provenance={**dose.provenance, **extra})
    if clusters_of(config):
        dose = of_weighted_dose(dose, person)
    if config.rbe is None:
        return dose
    from isodose.biology.models import model
    from isodose.biology.rbe_dose import with_rbe_dose
    from isodose.optimise.config_goals import tissues_of

    return with_rbe_dose(dose, model(config.rbe.model), config.ion, person, tissues_of(config))
