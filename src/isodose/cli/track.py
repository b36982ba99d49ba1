"""``isodose track``: follow tracks, and build the nanodosimetric database."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isodose.cli.options import INTERRUPTED, Out, Seed, result_folder
from isodose.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from isodose.report.figures import Picture
    from isodose.track.database import ClusterDatabase
    from isodose.track.database_build import Key

ENTRIES, RAW_FILE, DATABASE_FILE = "entries", "raw.npz", "database.npz"
EVENTS_FILE = "tracks.npz"

track_app = typer.Typer(
    help="Track structure in liquid water, and the nanodosimetric database.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@track_app.command(
    epilog=(
        "Examples:\n\n`isodose track run --ion C12 --energy 10`\n\n"
        "`isodose track run --ion p --energy 0.3 --path 500 --tracks 5000 --out protons`\n\n"
        "`isodose track run --electron 1000`"
    )
)
def run(
    ion: Annotated[str | None, typer.Option(help="Ion: p, d, t, He4, C12 and others.")] = None,
    energy: Annotated[float | None, typer.Option(help="Its energy, MeV/u.")] = None,
    electron: Annotated[
        float | None, typer.Option(metavar="EV", help="Electrons of this energy, eV.")
    ] = None,
    path: Annotated[float, typer.Option(help="Path of the ion, nm; inf follows it to rest.")] = 1000.0,
    tracks: Annotated[int, typer.Option(help="Tracks.")] = 1000,
    keep: Annotated[int, typer.Option(help="Tracks of which all interactions are written.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    seed: Seed = 1,
    out: Out = None,
) -> None:
    """Follow tracks of an ion or of electrons: yields, cluster sizes, and a few tracks with all positions."""
    from rich.console import Console
    from rich.table import Table

    from isodose.report.figures import Picture
    from isodose.report.run_folder import opened, write_record
    from isodose.report.track_figures import cluster_size_figure, track_figure
    from isodose.track.ion_tracks import Segment
    from isodose.track.track_run import run_electrons, run_ions, write_events

    begun = datetime.now(UTC)
    folder = result_folder(out, "track")
    with opened(folder):
        if electron is not None and ion is None and energy is None:
            done = run_electrons(electron, tracks, keep, seed=seed, threads=threads)
        elif electron is None and ion is not None and energy is not None:
            done = run_ions(Segment(ion, energy, path), tracks, keep, seed=seed, threads=threads)
        else:
            given = {"--ion": ion, "--energy": energy, "--electron": electron}
            found = ", ".join(name for name, value in given.items() if value is not None) or "none of them"
            raise InputError(
                "--ion, --energy, --electron", found, "an ion and its energy, or --electron alone"
            )
        write_events(folder / EVENTS_FILE, done.events)
        pictures = [
            Picture("track", track_figure(done), "Track", "The first track."),
            Picture("cluster_sizes", cluster_size_figure(done), "Cluster sizes", "Of all tracks."),
        ]
        files = [EVENTS_FILE, *_draw(folder, pictures)]
        inputs = {"ion": ion, "energy_mev_u": energy, "electron_ev": electron}
        options = {"path_nm": path, "tracks": tracks, "seed": seed}
        write_record(folder, "track run", inputs, options, begun, files, done.provenance)
    table = Table(title=done.title)
    for column in ("quantity", "value", "uncertainty"):
        table.add_column(column, justify="left" if column == "quantity" else "right")
    for name, (value, error) in done.yields.items():
        table.add_row(name, f"{value:.5g}", f"{error:.2g}")
    Console().print(table)
    typer.echo(f"Results: {folder}")


def _draw(folder: Path, pictures: Sequence[Picture]) -> list[str]:
    """Write pictures to a folder; return their names."""
    names = [f"{picture.key}.png" for picture in pictures]
    for name, picture in zip(names, pictures, strict=True):
        picture.figure.savefig(folder / name, dpi=150)
    return names


@track_app.command(
    epilog=(
        "Examples:\n\n`isodose track database --out database`\n\n"
        "`isodose track database --out rough --uncertainty 0.04`\n\n"
        "`isodose track database --out database --dask tcp://cluster:8786`\n\n"
        "A build that was cut off goes on with the same command. `database.npz` in the folder is there after "
        "the first, rough stage, and gets better with every stage."
    )
)
def database(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that keeps the entries and the database.")],
    uncertainty: Annotated[
        float, typer.Option(help="Relative standard uncertainty of F4 in every entry, before smoothing.")
    ] = 0.01,
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler that computes instead.")
    ] = None,
    seed: Seed = 1,
) -> None:
    """Build the database of cluster frequencies of all ions, or refine one that is there."""
    from rich.console import Console

    from isodose.report.database_figures import database_pictures
    from isodose.report.progress_line import progress_line
    from isodose.report.run_folder import write_record
    from isodose.track.database_build import (
        SMOOTHED_PART,
        all_entries,
        build_database,
        database_of_folder,
        rough_entries,
        stages,
    )
    from isodose.track.database_fit import smooth_database
    from isodose.track.executors import dask_cluster, threads

    begun = datetime.now(UTC)
    command = {"command": f"isodose track database --uncertainty {uncertainty:g} --seed {seed}"}
    console = Console(highlight=False, soft_wrap=True)

    def built(keys: list[Key], stage: float, executor: Executor) -> ClusterDatabase:
        with progress_line(console) as line:
            report = _stage_progress(line)
            return build_database(out / ENTRIES, keys, executor, stage, seed=seed, progress=report)

    def smoothed(raw: ClusterDatabase, entries: int, stage: float) -> ClusterDatabase:
        raw.save(out / RAW_FILE)
        smooth = smooth_database(raw).with_provenance(command)
        smooth.save(out / DATABASE_FILE)
        console.print(f"{out / DATABASE_FILE}: {entries} entries, F4 to {stage:.1%} and better")
        return smooth

    try:
        with dask_cluster(dask) if dask else threads(workers) as executor:
            for stage in stages(uncertainty):
                raw = built(all_entries(), stage, executor)
                smooth = smoothed(raw, len(raw.entries), stage)
            last = SMOOTHED_PART * uncertainty
            if rough := rough_entries(out / ENTRIES, smooth, last):
                built(rough, last, executor)
                raw = database_of_folder(out / ENTRIES, all_entries(), seed)
                smooth = smoothed(raw, len(rough), last)
    except KeyboardInterrupt:
        typer.echo(f"isodose: interrupted; the same command goes on from {out}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    options = {"uncertainty": uncertainty, "workers": workers, "dask": dask, "seed": seed}
    files = [DATABASE_FILE, RAW_FILE, *_draw(out, database_pictures(smooth, raw))]
    write_record(out, "track database", {}, options, begun, files, smooth.provenance)


def _stage_progress(line: Callable[..., None]) -> Callable[[float, int, int], None]:
    from isodose.dose.progress import Progress

    begun = time.monotonic()
    first: list[int] = []

    def report(stage: float, done: int, total: int) -> None:
        first.append(done)
        elapsed = time.monotonic() - begun
        left = elapsed * (total - done) / (done - first[0]) if done > first[0] else float("nan")
        line(Progress(done, total, elapsed, left, unit=f"entries to {stage:.1%}"))

    return report
