"""``isodose demo``: the main job on a built-in patient."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isodose.cli.options import Gantry, Histories, Ion, Out, Seed, Threads, result_folder, target_of
from isodose.cli.run import Run, close

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.dose.dose import Dose
    from isodose.patient.patient import Patient


def demo(
    patient: Annotated[str, typer.Option(help="A built-in patient.")] = "head",
    ion: Annotated[Ion, typer.Option(help="What the beams are made of.")] = Ion.CARBON,
    gantry: Gantry = [90.0, 270.0],  # noqa: B006  (typer reads the default, nobody changes it)
    spacing: Annotated[float, typer.Option(help="Voxel size of the dose, mm.")] = 3.0,
    histories: Histories = 500_000,
    seed: Seed = 0,
    threads: Threads = None,
    out: Out = None,
) -> None:
    """Plan, compute with the pencil beam, check with Monte Carlo and report on a built-in patient."""
    from rich.console import Console

    import isodose
    from isodose.evaluate.normalisation import normalised
    from isodose.patient.load import write_patient_dicom
    from isodose.plan.dicom_ion_plan import write_ion_plan
    from isodose.report import run_folder

    folder = result_folder(out, "demo")
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]1. Patient[/bold]: {patient}, built from shapes with seed {seed}")
    person = isodose.builtin_patient(patient, spacing_mm=spacing, seed=seed)
    target = target_of(person, None)
    console.print(
        f"   {len(person.structures)} structures; target {target.name}, {target.volume_cm3:.0f} cm3"
    )
    console.print(
        f"[bold]2. Plan[/bold]: {ion.value}, gantry {', '.join(f'{g:g}' for g in gantry)} degrees, 2 Gy"
    )
    plan = isodose.simple_plan(person, target.name, ion.value, gantry_angles=gantry, prescription_gy=2.0)
    spots = sum(beam.spot_count for beam in plan.beams)
    console.print(f"   {sum(len(b.layers) for b in plan.beams)} energy layers, {spots} spots")
    console.print(
        "[bold]3. Dose[/bold]: pencil beam; the first run on a machine compiles it, which takes a while"
    )
    inputs = {"patient": patient, "plan": "simple_plan"}
    settings = {"seed": seed, "threads": threads, "spacing_mm": spacing}
    with run_folder.opened(folder):
        run = Run("demo", inputs, settings, "pencilbeam", ["letd"])
        result = run.compute(console, folder, person, plan)
        plan, result = normalised(plan, result, target, 2.0)
        console.print(f"   {result.provenance['normalised']}")
        dicom = folder / "dicom"
        shutil.rmtree(dicom, ignore_errors=True)  # of an earlier demo in the same folder
        write_patient_dicom(person, dicom)
        uid = write_ion_plan(plan, dicom / "RTIONPLAN.dcm", person)
        page = run.write(folder, person, plan, result, uid)
        console.print("[bold]4. Check[/bold]: the same plan by Monte Carlo")
        check = Run("demo", inputs, settings | {"histories": histories}, "montecarlo", ["letd"])
        with run_folder.opened(folder / "montecarlo"):
            reference = check.compute(console, folder / "montecarlo", person, plan)
            check.write(folder / "montecarlo", person, plan, reference, uid)
        _compare(console, folder / "compare", person, reference, result)
    _suggest(console, dicom)
    close(console, reference, page)


def _compare(console: Console, folder: Path, person: Patient, reference: Dose, result: Dose) -> None:
    from datetime import UTC, datetime

    from isodose.evaluate.comparison import compare
    from isodose.evaluate.gamma import GammaCriteria
    from isodose.report import run_folder
    from isodose.report.comparison import write_comparison

    started = datetime.now(UTC)
    criteria = (GammaCriteria(2.0, 2.0, 10.0), GammaCriteria(3.0, 3.0, 10.0))
    found = compare(reference.volume(), result.volume(), criteria)
    inputs = {"reference": "Monte Carlo", "evaluation": "pencil beam"}
    with run_folder.opened(folder):
        page = write_comparison(folder, found, person, ("Monte Carlo", "pencil beam"), inputs)
        passed = {str(g.criteria): g.pass_rate for g in found.gammas}
        run_folder.write_record(
            folder, "compare", inputs, {}, started, [page.name], {"gamma_pass_percent": passed}
        )
    for gamma in found.gammas:
        console.print(f"   gamma {gamma.criteria}: {gamma.pass_rate:.1f} % pass")
    console.print(f"   {page}")


def _suggest(console: Console, dicom: Path) -> None:
    """Say where the DICOM files lie, and what to try with them."""
    console.print(f"   patient and plan as DICOM: {dicom}")
    console.print("[bold]Next[/bold], for example:")
    files = f"{dicom} {dicom / 'RTIONPLAN.dcm'}"
    console.print(f"   isodose dose {files} --engine pencilbeam --spacing 2 --rbe mkm --rbe lem1 --out run1")
    console.print(f"   isodose dose {files} --spacing 2 --uncertainty 2 --out run2")
    console.print("   isodose compare run2 run1 --gamma 2/2")
