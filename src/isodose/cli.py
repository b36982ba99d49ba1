"""The command line: one function a verb. Rooms are imported when a verb runs, so that ``--help`` is quick."""

from __future__ import annotations

import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from isodose import __version__
from isodose.errors import InputError, IsodoseError, IsodoseWarning

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.dose.dose import Dose
    from isodose.evaluate.gamma import GammaCriteria
    from isodose.patient.patient import Patient
    from isodose.patient.structure import Structure
    from isodose.plan.plan import Plan

app = typer.Typer(
    name="isodose",
    help="Ion-therapy dose, from a CT and a plan to a report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
BAD_INPUT = 2
"""Exit code after an input that cannot be used."""


class Ion(StrEnum):
    """What beams are made of."""

    PROTON = "proton"
    HELIUM = "helium"
    CARBON = "carbon"
    OXYGEN = "oxygen"


class Format(StrEnum):
    """File formats of results."""

    DICOM = "dicom"
    MHA = "mha"
    NRRD = "nrrd"
    NIFTI = "nifti"


PatientArgument = Annotated[
    str, typer.Argument(metavar="PATIENT", help="DICOM folder, OpenKBP folder, or a built-in patient's name.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="a new one")
]
Seed = Annotated[int, typer.Option(help="Seed of the random numbers; the same seed gives the same result.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="all processors")]
Histories = Annotated[
    int | None, typer.Option(help="Primary particles to follow.", show_default="the engine's")
]
Gantry = Annotated[
    list[float], typer.Option(help="Gantry angle of a beam, degrees (IEC); repeat for more beams.")
]


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


@app.command(epilog="Examples:\n\n`isodose demo`\n\n`isodose demo --patient thorax --ion proton --gantry 0`")
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
    """Plan, compute and report on a built-in patient."""
    from rich.console import Console

    import isodose
    from isodose.evaluate.normalisation import normalised
    from isodose.patient.load import write_patient_dicom
    from isodose.plan.dicom_ion_plan import write_ion_plan
    from isodose.report import run_folder

    folder = _folder(out, "demo")
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]1. Patient[/bold]: {patient}, built from shapes with seed {seed}")
    person = isodose.builtin_patient(patient, spacing_mm=spacing, seed=seed)
    target = _target(person, None)
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
        "[bold]3. Dose[/bold]: Monte Carlo; the first run on a machine compiles it, which takes a while"
    )
    settings = {"histories": histories, "seed": seed, "threads": threads, "spacing_mm": spacing}
    with run_folder.opened(folder):
        run = _Run("demo", {"patient": patient, "plan": "simple_plan"}, settings, "montecarlo", ["letd"])
        result = run.compute(console, folder, person, plan)
        plan, result = normalised(plan, result, target, 2.0)
        console.print(f"   {result.provenance['normalised']}")
        dicom = folder / "dicom"
        shutil.rmtree(dicom, ignore_errors=True)  # of an earlier demo in the same folder
        write_patient_dicom(person, dicom)
        uid = write_ion_plan(plan, dicom / "RTIONPLAN.dcm", person)
        page = run.write(folder, person, plan, result, uid)
    console.print(f"   patient and plan as DICOM: {dicom}")
    console.print("[bold]Next[/bold], for example:")
    more = f"isodose dose {dicom} {dicom / 'RTIONPLAN.dcm'} --spacing 2 --uncertainty 2 --out run1"
    console.print(f"   {more}")
    console.print(f"   isodose compare {folder} run1 --gamma 2/2")
    _close(console, result, page)


@app.command(
    epilog=(
        "Examples:\n\n`isodose dose head plan.dcm --histories 1000000`\n\n"
        "`isodose dose ct_folder/ plan.dcm --quantity letd --uncertainty 1 --spacing 2 --out run1`\n\n"
        "`isodose dose ct_folder/ plan.dcm --quantity letd --uncertainty 1 --spacing 2 --out run1 --resume`"
    )
)
def dose(
    patient: PatientArgument,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="RT Ion Plan (DICOM) or plan in YAML.")],
    engine: Annotated[str, typer.Option(help="Engine, by the name it is registered under.")] = "montecarlo",
    quantity: Annotated[
        list[str],
        typer.Option(help="What to compute beside the dose: letd, lett, dose_to_water, fluence, ..."),
    ] = [],  # noqa: B006
    machine: Annotated[
        str | None, typer.Option(help="Machine: a name or a YAML file.", show_default="the plan's")
    ] = None,
    histories: Histories = None,
    uncertainty: Annotated[
        float | None, typer.Option(help="Stop at this mean uncertainty above half of the maximum, percent.")
    ] = None,
    spacing: Annotated[
        float | None, typer.Option(help="Voxel size of the dose, mm.", show_default="the CT's")
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")] = False,
    format: Annotated[  # noqa: A002  (the name of the option)
        list[Format], typer.Option(help="File format of the results; repeat for more.")
    ] = [Format.DICOM],  # noqa: B006
) -> None:
    """Compute the dose of a plan in a patient."""
    from rich.console import Console

    from isodose.machine.machine_file import machine as machine_of
    from isodose.patient.load import load_patient
    from isodose.plan.load import load_plan
    from isodose.report import run_folder

    if resume and out is None:
        raise InputError("--resume", "no --out", "the folder of the run to go on with, as --out")
    folder = _folder(out, "dose")
    console = Console(highlight=False, soft_wrap=True)
    chosen = None if machine is None else machine_of(machine)
    what, person = load_plan(plan, chosen), load_patient(patient)
    part = None if uncertainty is None else uncertainty / 100.0
    settings: dict[str, Any] = {
        "histories": histories,
        "uncertainty": part,
        "seed": seed,
        "threads": threads,
        "spacing_mm": spacing,
    }
    settings |= {"machine": chosen, "resume": resume or None}
    inputs = {"patient": patient, "plan": str(plan), "machine": machine or what.machine}
    with run_folder.opened(folder, resume):
        run = _Run("dose", inputs, settings, engine, quantity, [f.value for f in format])
        result = run.compute(console, folder, person, what)
        page = run.write(folder, person, what, result, what.metadata.get("sop_instance_uid", ""))
    goes_on = (
        f"the same command with --out {folder} --resume goes on" if result.provenance.get("partial") else ""
    )
    _close(console, result, page, goes_on)


@app.command(
    epilog=(
        "Examples:\n\n`isodose plan head --ion carbon --gantry 90 --gantry 270 --out plan.dcm`"
        "\n\n`isodose plan ct_folder/ --target PTV70 --gantry 0 --dose 2 --out plan.yaml`"
    )
)
def plan(
    patient: PatientArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: .dcm (RT Ion Plan) or .yaml.")],
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
) -> None:
    """Place spots over a target and give them the analytic weights of a flat spread-out Bragg peak."""
    import isodose
    from isodose.machine.machine_file import machine as machine_of
    from isodose.plan.dicom_ion_plan import write_ion_plan
    from isodose.plan.yaml_plan import write_plan

    if out.suffix.lower() not in (".dcm", ".yaml", ".yml"):
        raise InputError("--out", out.name, "a file that ends in .dcm or .yaml")
    person = isodose.load_patient(patient)
    wanted = _target(person, target).name
    chosen = machine_of(machine or f"generic_{ion.value}")
    made = isodose.simple_plan(person, wanted, ion.value, chosen, gantry, dose, fractions=fractions)
    if out.suffix.lower() == ".dcm":
        write_ion_plan(made, out, person, machine=chosen)
    else:
        write_plan(made, out)
    spots = sum(beam.spot_count for beam in made.beams)
    typer.echo(f"{out}: {len(made.beams)} beams, {spots} spots, {made.particles:.3g} particles per fraction")


@app.command(
    epilog=(
        "Examples:\n\n`isodose compare reference_run/ other_run/ --gamma 2/2 --gamma 1/1`\n\n"
        "`isodose compare tps.dcm run/dose.dcm --gamma 2/1 --patient ct_folder/`\n\n"
        "`isodose compare pencil_a/ pencil_b/ --along y`"
    )
)
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
    folder = _folder(out, "compare")
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


@dataclass(frozen=True)
class _Run:
    """What a verb that computes was asked for."""

    verb: str
    inputs: dict[str, Any]
    settings: dict[str, Any]
    engine: str
    quantities: list[str]
    formats: Sequence[str] = (Format.DICOM.value,)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def compute(self, console: Console, folder: Path, patient: Patient, plan: Plan) -> Dose:
        """Compute while showing progress; an interruption is kept in the folder."""
        from isodose.dose.compute import compute_dose
        from isodose.report.progress_line import progress_line
        from isodose.report.run_folder import CHECKPOINT_FILE

        given = {key: value for key, value in self.settings.items() if value is not None}
        with progress_line(console) as line:
            given |= {"checkpoint": folder / CHECKPOINT_FILE, "progress": line}
            try:
                return compute_dose(patient, plan, self.quantities, self.engine, **given)
            except KeyboardInterrupt:
                typer.echo("isodose: interrupted before there was anything to write", err=True)
                raise typer.Exit(INTERRUPTED) from None

    def write(self, folder: Path, patient: Patient, plan: Plan, dose: Dose, plan_uid: str) -> Path:
        """Write results, report and record; returns the report."""
        from isodose.report import run_folder
        from isodose.report.html import write_report

        with _uninterrupted():
            files = run_folder.write_results(folder, patient, plan, dose, tuple(self.formats), plan_uid)
            page = write_report(folder, patient, plan, dose)
            options = {
                key: value for key, value in self.settings.items() if value is not None and key != "machine"
            }
            options |= {"engine": self.engine, "quantities": [q.key for q in dose.values]}
            names = [*files, page.name]
            run_folder.write_record(
                folder, self.verb, self.inputs, options, self.started, names, dose.provenance
            )
            if not dose.provenance.get("partial"):
                (folder / run_folder.CHECKPOINT_FILE).unlink(missing_ok=True)
        return page


def _close(console: Console, dose: Dose, page: Path, goes_on: str = "") -> None:
    """Say how certain the result is and where the report lies."""
    uncertainty = dose.provenance.get("relative_uncertainty")
    if uncertainty is not None:
        console.print(f"Mean uncertainty above half of the maximum: {100 * uncertainty:.2f} %")
    console.print(f"Report: {page}")
    if dose.provenance.get("partial"):
        console.print(f"Interrupted, so the result is partial; {goes_on}".rstrip("; "))
        raise typer.Exit(INTERRUPTED)


class _uninterrupted:  # noqa: N801  (read as a statement)
    """Ctrl-C waits while results are written."""

    def __enter__(self) -> None:
        self._before: Any = signal.signal(signal.SIGINT, signal.SIG_IGN)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)


def _folder(out: Path | None, verb: str) -> Path:
    """Folder of the results: the one asked for, or a new one that says verb and time."""
    return out or Path(f"isodose-{verb}-{datetime.now():%Y%m%d-%H%M%S}")


def _target(patient: Patient, name: str | None) -> Structure:
    """Structure to cover: the named one, or else the patient's first planning target, or first target."""
    from isodose.patient.structure import Role

    if name is not None:
        return patient.structure(name)
    for structure in sorted(patient.targets, key=lambda s: s.role is not Role.PTV):
        return structure
    raise InputError("--target", "nothing", f"one of {', '.join(patient.structures) or '(no structures)'}")


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
