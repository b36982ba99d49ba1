"""``isodose dose``: forward dose of one plan or many, as planned or as delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isodose.cli.options import (
    BAD_INPUT,
    INTERRUPTED,
    Format,
    Histories,
    Out,
    Seed,
    Threads,
    result_folder,
)
from isodose.cli.run import Run, close
from isodose.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.cli.run import Section
    from isodose.dose.batch import TableRow

_PHOTONS = "photon"
"""Engine whose plans are files of their own."""


def dose(
    patient: Annotated[
        str,
        typer.Argument(
            metavar="PATIENT",
            help="DICOM folder, OpenKBP folder, built-in patient, or a table of runs (.csv).",
        ),
    ],
    plan: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLAN",
            help="RT Ion Plan (DICOM), plan in YAML, or a folder of plans; none with a table.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Engine, by the name it is registered under: montecarlo, pencilbeam, photon.")
    ] = "montecarlo",
    quantity: Annotated[
        list[str],
        typer.Option(help="What to compute beside the dose: letd, dose_to_water, fluence, cluster:F4, ..."),
    ] = [],  # noqa: B006
    machine: Annotated[
        str | None, typer.Option(help="Machine: a name or a YAML file.", show_default="the plan's")
    ] = None,
    rbe: Annotated[
        list[str],
        typer.Option(
            help="RBE model: constant, mcnamara, wedenberg, carabe, mairani, mkm, lem1; repeat to compare."
        ),
    ] = [],  # noqa: B006
    tissues: Annotated[
        Path | None,
        typer.Option(
            help="Photon response of structures (YAML), for --rbe.", show_default="alpha/beta of 2 Gy"
        ),
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(
            help="Database of ionisation clusters (.npz), for cluster:F1 to cluster:F10.",
            show_default="the package's",
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="Treatment log (CSV, YAML, DICOM record, or a folder): computes what was delivered."
        ),
    ] = None,
    spot_size: Annotated[
        list[float],
        typer.Option(
            help="Also compute with spots so many times as wide, such as 0.9 and 1.1: adds DVH bands."
        ),
    ] = [],  # noqa: B006
    histories: Histories = None,
    uncertainty: Annotated[
        float | None, typer.Option(help="Stop at this mean uncertainty above half of the maximum, percent.")
    ] = None,
    spacing: Annotated[
        float | None, typer.Option(help="Voxel size of the dose, mm.", show_default="the CT's")
    ] = None,
    gaussians: Annotated[
        int | None,
        typer.Option(min=1, help="Gaussians of the pencil beam.", show_default="all of the base data"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Where the pencil beam computes: cpu or cuda.", show_default="cpu"),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    jobs: Annotated[int, typer.Option(min=1, help="Plans computed side by side, of a folder or table.")] = 1,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")] = False,
    format: Annotated[  # noqa: A002  (the name of the option)
        list[Format], typer.Option(help="File format of the results; repeat for more.")
    ] = [Format.DICOM],  # noqa: B006
) -> None:
    """Compute the dose of a plan in a patient."""
    from rich.console import Console

    from isodose.dose.batch import run_table

    if resume and out is None:
        raise InputError("--resume", "no --out", "the folder of the run to go on with, as --out")
    settings: dict[str, Any] = {
        "histories": histories,
        "uncertainty": None if uncertainty is None else uncertainty / 100.0,
        "seed": seed,
        "threads": threads,
        "spacing_mm": spacing,
        "gaussians": gaussians,
        "device": device,
        "resume": resume or None,
    }
    request = Request(
        machine,
        engine,
        tuple(quantity),
        tuple(rbe),
        tissues,
        clusters,
        log,
        tuple(spot_size),
        settings,
        tuple(f.value for f in format),
    )
    folder = result_folder(out, "dose")
    console = Console(highlight=False, soft_wrap=True)
    if plan is not None and not plan.is_dir():
        compute_one(request, patient, plan, folder, console)
        return
    table = run_table(patient, plan)
    if resume:
        raise InputError(
            "--resume", "a folder or table of plans", "one plan (finished plans are skipped anyway)"
        )
    raise typer.Exit(_compute_many(request, table, folder, jobs, console))


@dataclass(frozen=True)
class Request:
    """What every plan of a call is computed with; plain values, so that it can be sent to another process.

    Parameters
    ----------
    machine
        Name or YAML file, None for the plan's.
    engine, quantities, rbe, tissues, clusters, log, spot_sizes, settings, formats
        As on the command line.
    """

    machine: str | None
    engine: str
    quantities: tuple[str, ...]
    rbe: tuple[str, ...]
    tissues: Path | None
    clusters: Path | None
    log: Path | None
    spot_sizes: tuple[float, ...]
    settings: dict[str, Any]
    formats: tuple[str, ...]


def compute_one(request: Request, patient: str, plan: Path, folder: Path, console: Console) -> None:
    """Compute one plan and write its folder."""
    from isodose.biology.tissue import read_tissue_map
    from isodose.machine.machine_file import machine as machine_of
    from isodose.patient.load import load_patient
    from isodose.photon.photon_plan_file import read_photon_plan
    from isodose.plan.load import load_plan
    from isodose.report import run_folder

    chosen = None if request.machine is None else machine_of(request.machine)
    what = read_photon_plan(plan) if request.engine == _PHOTONS else load_plan(plan, chosen)
    person = load_patient(patient)
    inputs = {"patient": patient, "plan": str(plan), "machine": request.machine or what.machine}
    settings = request.settings | {"machine": chosen}
    tissues = None if request.tissues is None else read_tissue_map(request.tissues)
    first = request.rbe[0] if request.rbe else None
    resume = bool(settings["resume"])
    with run_folder.opened(folder, resume):
        run = Run(
            "dose",
            inputs,
            settings,
            request.engine,
            list(request.quantities),
            request.formats,
            first,
            tissues,
            request.clusters,
        )
        sections: list[Section] = []
        if request.log is not None:
            from isodose.cli.delivered import compute_delivered

            result, section = compute_delivered(run, console, folder, person, what, request.log, chosen)
            sections.append(section)
        else:
            result = run.compute(console, folder, person, what)
        if len(request.rbe) > 1:
            from isodose.cli.rbe_comparison import compare_rbe_models

            sections.append(compare_rbe_models(run, request.rbe, result, console, folder, person, what))
        if request.spot_sizes:
            from isodose.cli.delivered import compare_spot_sizes

            sizes = request.spot_sizes
            sections.append(compare_spot_sizes(run, sizes, result, console, folder, person, what, chosen))
        uid = what.metadata.get("sop_instance_uid", "")
        page = run.write(folder, person, what, result, uid, sections)
    goes_on = (
        f"the same command with --out {folder} --resume goes on" if result.provenance.get("partial") else ""
    )
    close(console, result, page, goes_on)


def _compute_many(
    request: Request, table: Sequence[TableRow], folder: Path, jobs: int, console: Console
) -> int:
    """Compute the rows of a table in processes of their own; the exit code says whether all went well."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from isodose.report.run_folder import RUN_FILE

    folder.mkdir(parents=True, exist_ok=True)
    waiting = [row for row in table if not (folder / row.name / RUN_FILE).exists()]
    done = len(table) - len(waiting)
    if done:
        console.print(f"{done} of {len(table)} plans are there already")
    failed = 0
    # A process ends after each plan, so that memory is bounded by the plans at work.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = {
            pool.submit(_in_process, request, row.patient, row.plan, folder / row.name): row
            for row in waiting
        }
        try:
            for future in as_completed(futures):
                done += 1
                problem = future.result()
                failed += problem is not None
                console.print(f"{done} of {len(table)}: {futures[future].name}: {problem or 'done'}")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            console.print("interrupted; the same command goes on with the plans that are left")
            return INTERRUPTED
    if failed:
        console.print(f"{failed} of {len(table)} plans could not be computed")
    return BAD_INPUT if failed else 0


def _in_process(request: Request, patient: str, plan: Path, folder: Path) -> str | None:
    """Compute one plan quietly; what was wrong with its input, if anything."""
    from rich.console import Console

    from isodose.errors import IsodoseError

    try:
        compute_one(request, patient, plan, folder, Console(quiet=True))
    except IsodoseError as error:
        return str(error)
    return None
