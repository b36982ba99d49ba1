"""``isodose plan PATIENT CONFIG`` for photons: fields with optimised fluence, their dose and report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isodose.cli.run import Run, close
from isodose.cli.weights import iterations_shown, say_how_it_went, weight_notes, weight_sections

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.optimise.config import PhotonConfig

PLAN_FILE = "plan.yaml"


def plan_photon_fields(
    patient: str, config: str, wanted: PhotonConfig, folder: Path, threads: int | None, console: Console
) -> None:
    """Plan, compute and report into a folder."""
    from isodose.optimise.photon_fields import plan_photons
    from isodose.patient.load import load_patient
    from isodose.photon.photon_plan_file import write_photon_plan
    from isodose.report import run_folder

    person = load_patient(patient)
    with run_folder.opened(folder):
        with iterations_shown(console) as progress:
            made = plan_photons(person, wanted, threads, progress, console.print)
        console.print("computing the dose")
        extra: dict[str, Any] = {"optimisation": weight_notes(made)}
        if made.result.stopped == "interrupted":
            extra["partial"] = True
        dose = made.dose(person)
        dose = replace(dose, provenance={**dose.provenance, **extra})
        write_photon_plan(made.plan, folder / PLAN_FILE)
        settings = {"threads": threads, **wanted.model_dump(mode="json")}
        inputs = {"patient": patient, "config": config, "machine": made.plan.machine}
        run = Run("plan", inputs, settings, "photon", [])
        page = run.write(folder, person, made.plan, dose, "", weight_sections(made))
    bixels = sum(beam.spot_count for beam in made.plan.beams)
    console.print(f"{folder / PLAN_FILE}: {len(made.plan.beams)} beams, {bixels} bixels")
    say_how_it_went(console, made)
    close(console, dose, page)
