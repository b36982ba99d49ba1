"""One computation of a dose from the command line: progress, files, report, record."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from isodose.cli.options import INTERRUPTED, Format

if TYPE_CHECKING:
    from rich.console import Console

    from isodose.biology.tissue import TissueMap
    from isodose.dose.dose import Dose
    from isodose.patient.patient import Patient
    from isodose.plan.plan import Plan
    from isodose.report.figures import Picture
    from isodose.report.tables import Table

    Section = tuple[Picture, Table]


@dataclass(frozen=True)
class Run:
    """What a verb that computes was asked for.

    Parameters
    ----------
    verb
        Its name.
    inputs
        Patient, plan and machine, for the record.
    settings
        Options of the engine; None stands for its default.
    engine
        Its name.
    quantities
        Beside the dose.
    formats
        File formats of the results.
    rbe
        RBE model, if any.
    tissues
        Photon response of the voxels, for it.
    clusters
        Database of ionisation clusters for cluster doses; the package's by default.
    """

    verb: str
    inputs: dict[str, Any]
    settings: dict[str, Any]
    engine: str
    quantities: list[str]
    formats: Sequence[str] = (Format.DICOM.value,)
    rbe: str | None = None
    tissues: TissueMap | None = None
    clusters: Path | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def compute(self, console: Console, folder: Path, patient: Patient, plan: Plan) -> Dose:
        """Compute while showing progress; an interruption is kept in the folder."""
        from isodose.dose.engine import options_of
        from isodose.report.progress_line import progress_line
        from isodose.report.run_folder import CHECKPOINT_FILE

        given = {key: value for key, value in self.settings.items() if value is not None}
        known = options_of(self.engine)
        if "seed" not in known:
            given.pop("seed", None)  # every verb has a seed, and not every engine a use for it
        with progress_line(console) as line:
            automatic = {"checkpoint": folder / CHECKPOINT_FILE, "progress": line}
            given |= {key: value for key, value in automatic.items() if key in known}
            try:
                return self._compute(patient, plan, given)
            except KeyboardInterrupt:
                typer.echo("isodose: interrupted before there was anything to write", err=True)
                raise typer.Exit(INTERRUPTED) from None

    def _compute(self, patient: Patient, plan: Plan, given: dict[str, Any]) -> Dose:
        from isodose.biology.cluster_dose import compute_cluster_dose
        from isodose.track.database import load_database

        if self.clusters is not None:
            given = given | {"database": load_database(self.clusters)}
        if self.rbe is None:
            return compute_cluster_dose(patient, plan, self.quantities, self.engine, **given)
        from isodose.biology.biological_dose import compute_biological_dose
        from isodose.biology.models import model
        from isodose.biology.tissue import TissueMap, tissue

        tissues = self.tissues or TissueMap(tissue("chordoma"))
        return compute_biological_dose(
            patient, plan, model(self.rbe), tissues, self.quantities, self.engine, **given
        )

    def write(
        self,
        folder: Path,
        patient: Patient,
        plan: Plan,
        dose: Dose,
        plan_uid: str,
        sections: Sequence[Section] = (),
    ) -> Path:
        """Write results, report and record; returns the report."""
        from isodose.report import run_folder
        from isodose.report.html import write_report

        with _uninterrupted():
            files = run_folder.write_results(folder, patient, plan, dose, tuple(self.formats), plan_uid)
            page = write_report(folder, patient, plan, dose, more=sections)
            options = {
                key: value for key, value in self.settings.items() if value is not None and key != "machine"
            }
            options |= {"engine": self.engine, "quantities": [q.key for q in dose.values], "rbe": self.rbe}
            names = [*files, page.name]
            run_folder.write_record(
                folder, self.verb, self.inputs, options, self.started, names, dose.provenance
            )
            if not dose.provenance.get("partial"):
                (folder / run_folder.CHECKPOINT_FILE).unlink(missing_ok=True)
        return page


def close(console: Console, dose: Dose, page: Path, goes_on: str = "") -> None:
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
