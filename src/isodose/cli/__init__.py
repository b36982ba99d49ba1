"""The command line: one function a verb. Rooms are imported when a verb runs, so that ``--help`` is quick."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer

from isodose import __version__
from isodose.cli.compare import compare
from isodose.cli.demo import demo
from isodose.cli.dose import dose
from isodose.cli.learn import learn_app
from isodose.cli.machine import machine_app
from isodose.cli.options import BAD_INPUT, INTERRUPTED
from isodose.cli.plan import plan
from isodose.cli.track import track_app
from isodose.errors import IsodoseError, IsodoseWarning

__all__ = ["BAD_INPUT", "INTERRUPTED", "app", "main"]

app = typer.Typer(
    name="isodose",
    help="Ion-therapy dose, from a CT and a plan to a report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog="Examples:\n\n`isodose demo`\n\n`isodose demo --patient thorax --ion proton --gantry 0`")(
    demo
)
app.command(
    epilog=(
        "Examples:\n\n`isodose dose head plan.dcm --histories 1000000`\n\n"
        "`isodose dose ct_folder/ plan.dcm --engine pencilbeam --spacing 2 --quantity letd`\n\n"
        "`isodose dose ct_folder/ plan.dcm --engine pencilbeam --rbe mkm --rbe lem1`\n\n"
        "`isodose dose ct_folder/ plan.dcm --engine pencilbeam --log records/ --out delivered`\n\n"
        "`isodose dose ct_folder/ plan.dcm --engine pencilbeam --spot-size 0.9 --spot-size 1.1`\n\n"
        "`isodose dose ct_folder/ plans/ --engine pencilbeam --out all` (a folder of plans)\n\n"
        "`isodose dose ct_folder/ plan.yaml --engine photon` (a plan of photons)\n\n"
        "`isodose dose runs.csv --engine pencilbeam --out all` (a table with columns patient, plan)\n\n"
        "`isodose dose ct_folder/ plan.dcm --uncertainty 1 --out run1 --resume`"
    )
)(dose)
app.command(
    epilog=(
        "Examples:\n\n`isodose plan head --ion carbon --gantry 90 --gantry 270 --out plan.dcm`"
        "\n\n`isodose plan ct_folder/ --target PTV70 --gantry 0 --dose 2 --out plan.yaml`"
        "\n\n`isodose plan head head --out run1` (optimised as the template says)"
        "\n\n`isodose plan ct_folder/ objectives.yaml --out run1`"
        "\n\n`isodose plan head arc_head --out run1` (a proton arc)"
        "\n\n`isodose plan head photon_head --out run1` (intensity-modulated photons)"
    )
)(plan)
app.command(
    epilog=(
        "Examples:\n\n`isodose compare reference_run/ other_run/ --gamma 2/2 --gamma 1/1`\n\n"
        "`isodose compare tps.dcm run/dose.dcm --gamma 2/1 --patient ct_folder/`\n\n"
        "`isodose compare pencil_a/ pencil_b/ --along y`"
    )
)(compare)
app.add_typer(machine_app, name="machine")
app.add_typer(track_app, name="track")
app.add_typer(learn_app, name="learn")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isodose {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; an input that cannot be used ends it with one line and exit code 2."""
    warnings.showwarning = _show_warning
    try:
        app(args=arguments, prog_name="isodose")
    except IsodoseError as error:
        print(f"isodose: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    sys.exit(0)


_default_showwarning: Callable[..., None] = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
    if issubclass(category, IsodoseWarning):
        print(f"isodose: warning: {message}", file=sys.stderr)
    else:
        _default_showwarning(message, category, *rest, **more)
