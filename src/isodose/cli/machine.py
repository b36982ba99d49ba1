"""``isodose machine``: list, build, import and validate base data."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from isodose.cli.options import INTERRUPTED, Seed, Threads, result_folder
from isodose.errors import InputError

machine_app = typer.Typer(
    help="Machines and their base data: list, build, import, report.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

MachineArgument = Annotated[
    str, typer.Argument(metavar="MACHINE", help="A built-in machine's name, or a YAML file.")
]


@machine_app.command("list")
def list_machines() -> None:
    """List the built-in machines."""
    from rich.console import Console
    from rich.table import Table

    from isodose.machine.machine_file import machine, machine_names

    table = Table("name", "ion", "energy / MeV/u", "base data", "what it is")
    for name in machine_names():
        one = machine(name)
        data = one.base_data
        low, high = one.energy_range_mev_u
        what = "none" if data is None else f"{len(data.kernels)} energies"
        table.add_row(name, one.ion, f"{low:g} to {high:g}", what, one.description)
    Console().print(table)


@machine_app.command(
    epilog=(
        "Examples:\n\n`isodose machine build generic_proton --out generic_proton.npz`\n\n"
        "`isodose machine build my_machine.yaml --energies 20 --histories 20000`\n\n"
        "A build that was cut off goes on with the same command."
    )
)
def build(
    name: MachineArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File for the base data (.npz).", show_default="MACHINE.npz"),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the simulations.", show_default="beside --out"),
    ] = None,
    energies: Annotated[int, typer.Option(min=2, help="Energies, evenly spaced in range.")] = 64,
    histories: Annotated[
        int | None, typer.Option(help="Particles an energy.", show_default="60 000 to 300 000, by ion")
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
) -> None:
    """Make base data of a machine by Monte Carlo: depth doses, lateral Gaussians, LETd, particle spectra."""
    from rich.console import Console

    from isodose.commissioning.build import build_base_data
    from isodose.commissioning.campaign import Campaign
    from isodose.machine.base_data_file import write_base_data
    from isodose.machine.machine_file import machine
    from isodose.report.progress_line import progress_line

    chosen = machine(name)
    file = out or Path(f"{chosen.name}.npz")
    if file.suffix != ".npz":
        raise InputError("--out", file.name, "a file that ends in .npz")
    folder = work or file.with_suffix(".simulations")
    campaign = Campaign(chosen, folder, energies, histories, seed, threads)
    command = shlex.join(["isodose", *sys.argv[1:]])
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{chosen.name}: {energies} energies, {campaign.particles} particles each")
    with progress_line(console) as line:
        try:
            data = build_base_data(campaign, command, line)
        except KeyboardInterrupt:
            typer.echo(f"isodose: interrupted; the same command goes on from {folder}", err=True)
            raise typer.Exit(INTERRUPTED) from None
    write_base_data(file, data)
    console.print(
        f"{file}: {file.stat().st_size / 1e6:.1f} MB; name it as `base_data:` in the machine's YAML file"
    )


@machine_app.command(
    "import",
    epilog="Example:\n\n`isodose machine import protons_Generic.mat --out my_machine`",
)
def import_machine(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Base data of matRad or pyRadPlan (.mat).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the machine.")],
) -> None:
    """Import a commissioned machine of matRad or pyRadPlan."""
    from isodose.machine.machine_writer import write_machine
    from isodose.machine.matrad import read_matrad

    made = read_matrad(file).machine
    path = write_machine(made, out)
    count = 0 if made.base_data is None else len(made.base_data.kernels)
    typer.echo(f"{path}: {made.ion}, {count} energies; use it with --machine {path}")


@machine_app.command(
    epilog="Example:\n\n`isodose machine report generic_carbon --out report`",
)
def report(
    name: MachineArgument,
    histories: Annotated[int, typer.Option(help="Particles of each check against Monte Carlo.")] = 100_000,
    seed: Seed = 0,
    threads: Threads = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the page.", show_default="a new one")
    ] = None,
) -> None:
    """Validate a machine's base data against Monte Carlo, and write a page about it."""
    from isodose.commissioning.validation import validate
    from isodose.machine.machine_file import machine
    from isodose.report.machine import write_machine_report

    folder = result_folder(out, "machine")
    chosen = machine(name)
    page = write_machine_report(
        folder, chosen, validate(chosen, histories=histories, seed=seed, threads=threads)
    )
    typer.echo(f"report: {page}")
