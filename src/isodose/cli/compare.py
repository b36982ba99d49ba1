"""``isodose compare``: two doses of one patient."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isodose.cli.options import Out, result_folder
from isodose.errors import InputError

if TYPE_CHECKING:
    from isodose.evaluate.gamma import GammaCriteria


def compare(
    reference: Annotated[Path, typer.Argument(metavar="A", help="Reference: RTDOSE, image or run folder.")],
    evaluation: Annotated[Path, typer.Argument(metavar="B", help="Evaluated dose: the same kinds.")],
    gamma: Annotated[list[str], typer.Option(help="Criteria as percent/mm; repeat for more.")] = ["2/2"],  # noqa: B006
    local: Annotated[bool, typer.Option("--local", help="Dose difference relative to each point.")] = False,
    threshold: Annotated[float, typer.Option(help="Lowest dose that counts, percent of the maximum.")] = 10.0,
    patient: Annotated[
        str | None,
        typer.Option(help="CT and structures to show.", show_default="that of run A, if it is one"),
    ] = None,
    along: Annotated[
        str | None,
        typer.Option(help="Direction of a single beam (x, y, z, -x, -y, -z): adds R80, fall-off and others."),
    ] = None,
    out: Out = None,
) -> None:
    """Compare a dose with a reference: gamma, differences, DVH, profiles, Bragg-peak figures."""
    from isodose.evaluate.comparison import compare as compare_doses
    from isodose.evaluate.depth_figures import depth_figures
    from isodose.patient.load import load_patient
    from isodose.report import run_folder
    from isodose.report.comparison import write_comparison

    started = datetime.now(UTC)
    criteria = tuple(_criteria(text, local, threshold) for text in gamma)
    folder = result_folder(out, "compare")
    if patient is None and (reference / run_folder.RUN_FILE).exists():
        patient = run_folder.read_record(reference)["inputs"].get("patient")
    person = None if patient is None else load_patient(patient)
    doses = _dose_volume(reference), _dose_volume(evaluation)
    result = compare_doses(*doses, criteria)
    depth = depth_figures(*doses, *_axis(along)) if along is not None else []
    inputs = {"reference": str(reference), "evaluation": str(evaluation), "patient": patient}
    options = {"gamma": gamma, "local": local, "threshold_percent": threshold}
    numbers = {str(g.criteria): g.pass_rate for g in result.gammas}
    with run_folder.opened(folder):
        labels = (reference.resolve().name, evaluation.resolve().name)
        page = write_comparison(folder, result, person, labels, {**inputs, **options}, depth)
        outcome = {
            "gamma_pass_percent": numbers,
            "depth_dose": {p.name: [p.reference, p.evaluation] for p in depth},
        }
        run_folder.write_record(folder, "compare", inputs, options, started, [page.name], outcome)
    for name, rate in numbers.items():
        typer.echo(f"gamma {name}: {rate:.2f} % pass")
    for pair in depth:
        typer.echo(f"{pair.name}: {pair.reference:.2f} and {pair.evaluation:.2f} {pair.unit}".rstrip())
    typer.echo(f"mean difference above half of the maximum: {result.mean_difference_percent:+.2f} %")
    typer.echo(f"report: {page}")


def _axis(along: str) -> tuple[str, bool]:
    """Axis of a direction, and whether it runs towards lower coordinates."""
    axis = along.removeprefix("-")
    if axis not in ("x", "y", "z"):
        raise InputError("--along", repr(along), "x, y, z, -x, -y or -z")
    return axis, along.startswith("-")


def _criteria(text: str, local: bool, threshold: float) -> GammaCriteria:
    from isodose.evaluate.gamma import GammaCriteria

    try:
        percent, distance = (float(part) for part in text.split("/"))
    except ValueError:
        raise InputError("--gamma", repr(text), "percent/mm, such as 2/1") from None
    return GammaCriteria(percent, distance, threshold, local)


def _dose_volume(path: Path) -> Any:
    """Dose in Gy of a file or a run's folder."""
    from isodose.patient.dicom_dose import DoseUnits, read_dose
    from isodose.patient.images import READABLE, has_suffix, read_image
    from isodose.report.run_folder import dose_file

    file = dose_file(path)
    if has_suffix(file, READABLE):
        return read_image(file)
    found = read_dose(file)
    if found.units is not DoseUnits.GY:
        raise InputError("DoseUnits", found.units, "GY", file)
    return found.volume
