"""``isodose plan``: spots and weights of fixed fields, arcs and photon fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isodose.cli.options import Gantry, Ion, PatientArgument, Threads, result_folder, target_of
from isodose.errors import InputError

_OF_THE_CONFIG = ("target", "ion", "gantry", "dose", "fractions", "machine")


def plan(
    context: typer.Context,
    patient: PatientArgument,
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="[CONFIG]",
            help="Objectives and beams or an arc (YAML), or a template: head, thorax, pelvis, arc_head, "
            "photon_head.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for the results; without CONFIG the file, .dcm (RT Ion Plan) or .yaml.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Structure to cover.", show_default="the first target")
    ] = None,
    ion: Annotated[Ion, typer.Option(help="What the beams are made of.")] = Ion.PROTON,
    gantry: Gantry = [0.0],  # noqa: B006
    dose: Annotated[float, typer.Option(help="Prescribed physical dose per fraction, Gy.")] = 2.0,
    fractions: Annotated[int, typer.Option(min=1, help="Number of fractions.")] = 1,
    machine: Annotated[
        str | None, typer.Option(help="Machine: a name or a YAML file.", show_default="the ion's generic one")
    ] = None,
    threads: Threads = None,
) -> None:
    """Place spots over a target, and optimise their weights for the objectives of a configuration.

    Without a configuration they get the analytic weights of a flat spread-out Bragg peak.
    """
    if config is not None:
        from rich.console import Console

        from isodose.cli.field_plan import plan_ions
        from isodose.cli.photon_plan import plan_photon_fields
        from isodose.optimise.config import PhotonConfig, read_config

        for name in _OF_THE_CONFIG:
            source = context.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                raise InputError(f"--{name}", "an option beside a CONFIG", "it in the configuration")
        folder, console = result_folder(out, "plan"), Console(highlight=False, soft_wrap=True)
        wanted = read_config(config)
        if isinstance(wanted, PhotonConfig):
            plan_photon_fields(patient, config, wanted, folder, threads, console)
        else:
            plan_ions(patient, config, wanted, folder, threads, console)
        return
    if out is None:
        raise InputError("--out", "nothing", "a file that ends in .dcm or .yaml, or a CONFIG")
    _write_simple_plan(patient, out, target, ion, gantry, dose, fractions, machine)


def _write_simple_plan(
    patient: str,
    out: Path,
    target: str | None,
    ion: Ion,
    gantry: list[float],
    dose: float,
    fractions: int,
    machine: str | None,
) -> None:
    import isodose
    from isodose.machine.machine_file import machine as machine_of
    from isodose.plan.dicom_ion_plan import write_ion_plan
    from isodose.plan.yaml_plan import write_plan

    if out.suffix.lower() not in (".dcm", ".yaml", ".yml"):
        raise InputError("--out", out.name, "a file that ends in .dcm or .yaml")
    person = isodose.load_patient(patient)
    wanted = target_of(person, target).name
    chosen = machine_of(machine or f"generic_{ion.value}")
    made = isodose.simple_plan(person, wanted, ion.value, chosen, gantry, dose, fractions=fractions)
    if out.suffix.lower() == ".dcm":
        write_ion_plan(made, out, person, machine=chosen)
    else:
        write_plan(made, out)
    spots = sum(beam.spot_count for beam in made.beams)
    typer.echo(f"{out}: {len(made.beams)} beams, {spots} spots, {made.particles:.3g} particles per fraction")
