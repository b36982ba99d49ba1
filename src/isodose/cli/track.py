"""``isodose track``: follow tracks, and build the nanodosimetric database."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from isodose.cli.options import INTERRUPTED, Seed

ENTRIES, RAW_FILE, DATABASE_FILE = "entries", "raw.npz", "database.npz"

track_app = typer.Typer(
    help="Track structure in liquid water, and the nanodosimetric database.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


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

    from isodose.report.progress_line import progress_line
    from isodose.report.run_folder import write_record
    from isodose.track.database_build import all_entries, build_database, stages
    from isodose.track.database_fit import smooth_database
    from isodose.track.executors import dask_cluster, threads

    begun = datetime.now(UTC)
    command = {"command": shlex.join(["isodose", *sys.argv[1:]])}
    console = Console(highlight=False, soft_wrap=True)
    try:
        with dask_cluster(dask) if dask else threads(workers) as executor:
            for stage in stages(uncertainty):
                with progress_line(console) as line:
                    raw = build_database(
                        out / ENTRIES,
                        all_entries(),
                        executor,
                        stage,
                        seed=seed,
                        progress=_stage_progress(line),
                    )
                raw.save(out / RAW_FILE)
                smooth = smooth_database(raw).with_provenance(command)
                smooth.save(out / DATABASE_FILE)
                console.print(
                    f"{out / DATABASE_FILE}: {len(raw.entries)} entries, F4 to {stage:.1%} and better"
                )
    except KeyboardInterrupt:
        typer.echo(f"isodose: interrupted; the same command goes on from {out}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    options = {"uncertainty": uncertainty, "workers": workers, "dask": dask, "seed": seed}
    write_record(out, "track database", {}, options, begun, [DATABASE_FILE, RAW_FILE], smooth.provenance)


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
