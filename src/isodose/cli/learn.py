"""``isodose learn``: data sets for networks, training, evaluation."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isodose.cli.options import INTERRUPTED, Seed
from isodose.errors import InputError

if TYPE_CHECKING:
    from isodose.arc.learned_evaluation import Comparison
    from isodose.learn.layer_weights import LayerWeights

learn_app = typer.Typer(
    help="Networks: count, train, evaluate. Needs the extra `learn`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Network(StrEnum):
    """What can be trained."""

    ENERGY_LAYERS = "energy-layers"


class Loss(StrEnum):
    """What networks that choose energy layers are trained for."""

    ALIGNED = "aligned"
    SPREAD = "spread"
    PAPER = "paper"


NetworkArgument = Annotated[Network, typer.Argument(metavar="NETWORK", help="What: energy-layers.")]
Data = Annotated[Path, typer.Option(help="Folder that `isodose learn count` wrote.")]


@learn_app.command(
    epilog=(
        "Examples:\n\n`isodose learn count head --seeds 200 --target PTV --organ Brainstem --out data`\n\n"
        "`isodose learn count pt_1/ pt_2/ --target PTV70 --organ Brainstem --out data`\n\n"
        "Patients that the folder holds are not counted again."
    )
)
def count(
    patients: Annotated[
        list[str], typer.Argument(metavar="PATIENT...", help="As `isodose dose` takes them.")
    ],
    target: Annotated[str, typer.Option(help="Structure to irradiate.")],
    organ: Annotated[list[str], typer.Option(help="Structure to avoid; repeat for more.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the counts.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many of each built-in patient.")] = 1,
    machine: Annotated[str, typer.Option(help="Gives the energies.")] = "generic_proton",
) -> None:
    """Count the spots of arcs: the data that networks choosing energy layers learn from."""
    from isodose.arc.layer_counting import count_layers
    from isodose.learn.layer_image import write_layer_image
    from isodose.machine.machine_file import machine as machine_of
    from isodose.patient.builtin import BUILTIN_PATIENTS, builtin_patient
    from isodose.patient.load import load_patient

    chosen = machine_of(machine)
    out.mkdir(parents=True, exist_ok=True)
    for name in patients:
        built_in = name in BUILTIN_PATIENTS
        for seed in range(seeds if built_in else 1):
            file = out / (f"{name}_{seed:03d}.npz" if built_in else f"{Path(name).resolve().name}.npz")
            if not file.exists():
                patient = builtin_patient(name, _BUILT_IN_MM, seed) if built_in else load_patient(name)
                write_layer_image(file, count_layers(patient, target, organ, chosen))
                typer.echo(f"{file}")


_BUILT_IN_MM = 3.0


@learn_app.command(
    epilog=(
        "Examples:\n\n`isodose learn train energy-layers --data data --out networks`\n\n"
        "`isodose learn train energy-layers --data data --out paper --loss paper --folds 0`\n\n"
        "A training that was cut off goes on with the same command."
    )
)
def train(
    network: NetworkArgument,
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the networks.")],
    loss: Annotated[Loss, typer.Option(help="What the network is to minimise.")] = Loss.ALIGNED,
    folds: Annotated[int, typer.Option(help="Parts, each held out by one network; 0 for none.")] = 5,
    epochs: Annotated[int, typer.Option(help="How often each network sees each arc.")] = 9,
    chain: Annotated[
        bool | None, typer.Option(help="Train control points as a chain.", show_default="for --loss aligned")
    ] = None,
    switching: Annotated[str, typer.Option(help="Preset of switching times up and down.")] = "cyclotron",
    time_weight: Annotated[
        float | None,
        typer.Option(help="Cost of a second of switching.", show_default="the exact programme's"),
    ] = None,
    seed: Seed = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
) -> None:
    """Train a network: one on all data, and one for each fold, which does not see it."""
    from rich.console import Console

    from isodose.arc.selection import TIME_WEIGHT
    from isodose.arc.switch_table import SWITCH_PRESETS
    from isodose.learn.layer_image import read_layer_images
    from isodose.learn.switch_times import SwitchTimes
    from isodose.learn.torch_extra import require_torch
    from isodose.report.progress_line import progress_line
    from isodose.report.run_folder import write_record

    require_torch("isodose learn train")
    import torch

    from isodose.learn.layer_training import LayerTraining, train_layers

    if switching not in SWITCH_PRESETS:
        raise InputError("--switching", repr(switching), f"one of {', '.join(SWITCH_PRESETS)}")
    preset = SWITCH_PRESETS[switching]
    weight = TIME_WEIGHT if time_weight is None else time_weight
    times = SwitchTimes(preset.up_s, preset.down_s, weight)
    chained = loss is Loss.ALIGNED if chain is None else chain
    training = LayerTraining(loss.value, times, chained, epochs, folds, seed=seed)
    images = read_layer_images(data)
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    started, command = datetime.now(UTC), shlex.join(["isodose", *sys.argv[1:]])
    console = Console(highlight=False, soft_wrap=True)
    with progress_line(console) as line:
        try:
            files = train_layers(images, training, out, command, line)
        except KeyboardInterrupt:
            typer.echo(f"isodose: interrupted; the same command goes on from {out}", err=True)
            raise typer.Exit(INTERRUPTED) from None
    options: dict[str, object] = {"loss": loss.value, "chain": chained, "folds": folds, "epochs": epochs}
    options |= {"switching": switching, "time_weight": weight, "seed": seed}
    provenance = {"torch": torch.__version__, "images": sorted(images), "threads": threads}
    names = [file.name for file in files]
    write_record(out, "learn train", {"data": str(data)}, options, started, names, provenance)
    console.print(f"{out}: {', '.join(names)}")


@learn_app.command(
    epilog=(
        "Examples:\n\n`isodose learn evaluate energy-layers --data data --networks networks`\n\n"
        "`isodose learn evaluate energy-layers --data other --loss spread`"
    )
)
def evaluate(
    network: NetworkArgument,
    data: Data,
    networks: Annotated[
        Path | None,
        typer.Option(help="Folder that `isodose learn train` wrote.", show_default="the shipped network"),
    ] = None,
    loss: Annotated[Loss, typer.Option(help="Which shipped network.")] = Loss.SPREAD,
) -> None:
    """Compare networks with the exact programme and the particle swarm on arcs that they have not seen."""
    from isodose.learn.layer_image import read_layer_images
    from isodose.learn.torch_extra import require_torch

    require_torch("isodose learn evaluate")
    from isodose.arc.learned_evaluation import compare_layers

    images = read_layer_images(data)
    found = compare_layers(images, _networks(networks, loss))
    if not found:
        raise InputError("--data", f"{len(images)} arcs that every network has seen", "arcs that one has not")
    for name in sorted({c.network for c in found}):
        _print_table(name, [c for c in found if c.network == name])
    _print_table("all", found)


def _networks(folder: Path | None, loss: Loss) -> dict[str, LayerWeights]:
    from isodose.learn.layer_weights import read_layer_weights, shipped_weights

    if folder is None:
        return {f"shipped, {loss.value}": shipped_weights(loss.value)}
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise InputError("--networks", f"{folder} without .npz files", "a folder of `isodose learn train`")
    return {file.stem: read_layer_weights(file) for file in files}


def _print_table(name: str, found: list[Comparison]) -> None:
    from rich.console import Console
    from rich.table import Table

    from isodose.arc.learned_evaluation import mean_answer

    columns = ("selector", "gap", "largest", "switching / s", "up, down, same", "spread", "CPU ms")
    table = Table(*columns, title=f"{name}: {len(found)} arcs, means")
    for selector in found[0].answers:
        mean, largest = mean_answer(found, selector)
        table.add_row(
            selector,
            f"{100.0 * mean.gap:.2f} %",
            f"{100.0 * largest:.2f} %",
            f"{mean.switching_s:.1f}",
            ", ".join(str(n) for n in mean.transitions),
            f"{mean.spread:.3f}",
            f"{mean.cpu_ms:.2f}",
        )
    Console().print(table)
