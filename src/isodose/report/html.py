"""The report: one HTML file that opens offline, and its figures as PNG beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2

from isodose import __version__
from isodose.dose.dose import Dose
from isodose.evaluate.dvh import Dvh, dvh
from isodose.patient.files import atomic_path
from isodose.patient.patient import Patient
from isodose.patient.structure import Role
from isodose.photon.photon_plan import PhotonPlan
from isodose.plan.plan import Plan
from isodose.report.figures import Picture, dose_pictures
from isodose.report.fluence import bixels_table
from isodose.report.focus import reference_gy, target_of
from isodose.report.tables import (
    Table,
    beams_table,
    dvh_table,
    provenance_table,
    uncertainty_table,
)

DOTS_PER_INCH = 130


@dataclass(frozen=True, slots=True)
class Fact:
    """A number worth a box of its own at the top."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the page: a picture, a table or both."""

    key: str
    title: str
    image: str = ""
    caption: str = ""
    table: Table | None = None


def write_report(
    folder: str | Path,
    patient: Patient,
    plan: Plan,
    dose: Dose,
    title: str | None = None,
    more: Sequence[tuple[Picture, Table]] = (),
) -> Path:
    """Write ``report.html`` and its figures in ``figures/``.

    Parameters
    ----------
    folder
        Where; made if it is not there.
    patient, plan
        What went into the engine.
    dose
        What came out; it needs ``Quantity.DOSE``.
    title
        Heading; by default the patient and the plan.
    more
        Further sections: a picture and the table under it.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    histograms = _histograms(patient, dose)
    pictures = dose_pictures(patient, plan, dose, histograms)
    tables = _tables(patient, plan, dose, histograms)
    for picture, table in more:
        pictures.append(picture)
        tables[picture.key] = table
    warnings = []
    if dose.provenance.get("partial"):
        warnings.append(
            "This dose is partial: the computation was interrupted before it reached what it was asked for."
        )
    return write_page(
        Path(folder),
        title or (plan.name if patient.name in plan.name else f"{patient.name}, {plan.name}"),
        f"{plan.ion} plan, machine {plan.machine}, engine {dose.provenance.get('engine', 'unknown')}",
        _facts(patient, plan, dose, histograms),
        pictures,
        tables,
        provenance_table(dose.provenance),
        warnings,
    )


def _histograms(patient: Patient, dose: Dose) -> dict[str, Dvh]:
    """DVH of every structure within the body that has voxels."""
    return {
        name: dvh(dose.volume(), structure)
        for name, structure in patient.structures.items()
        if not structure.is_empty and structure.role is not Role.EXTERNAL
    }


def _tables(patient: Patient, plan: Plan, dose: Dose, histograms: dict[str, Dvh]) -> dict[str, Table]:
    """Tables under the pictures of a dose, by the key of the picture."""
    tables = {
        "dvh": dvh_table(histograms, patient.structures, plan.prescription_gy),
        "spots": bixels_table(plan) if isinstance(plan, PhotonPlan) else beams_table(plan),
    }
    if dose.uncertainty:
        tables["uncertainty"] = uncertainty_table(patient, dose, reference_gy(patient, plan, dose))
    return tables


def write_page(
    folder: Path,
    title: str,
    kind: str,
    facts: Sequence[Fact],
    pictures: Sequence[Picture],
    tables: dict[str, Table],
    provenance: Table,
    warnings: Sequence[str] = (),
) -> Path:
    """Write a page of pictures and tables, and the pictures as PNG.

    Parameters
    ----------
    folder
        Where ``report.html`` and ``figures/`` go.
    title, kind
        Heading, and what it is about.
    facts
        Boxes at the top.
    pictures
        Sections with a figure each.
    tables
        Tables by the key of the picture they stand under, or of a section of their own.
    provenance
        Last section.
    warnings
        Above everything.
    """
    parts = _parts(folder / "figures", pictures, tables)
    parts.append(Part("provenance", "Provenance", table=provenance))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("isodose.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        title=title,
        kind=kind,
        facts=facts,
        parts=parts,
        warnings=warnings,
        version=__version__,
        written=datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z"),
    )
    path = folder / "report.html"
    with atomic_path(path) as file:
        file.write_text(page, encoding="utf-8")
    return path


def _parts(folder: Path, pictures: Sequence[Picture], tables: dict[str, Table]) -> list[Part]:
    """Write the pictures into a folder and make a section of each."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for picture in pictures:
        png = _png(picture)
        with atomic_path(folder / f"{picture.key}.png") as file:
            file.write_bytes(png)
        image = base64.b64encode(png).decode("ascii")
        parts.append(Part(picture.key, picture.title, image, picture.caption, tables.get(picture.key)))
    return parts


def _png(picture: Picture) -> bytes:
    out = io.BytesIO()
    picture.figure.savefig(out, format="png", dpi=DOTS_PER_INCH)
    return out.getvalue()


def _facts(patient: Patient, plan: Plan, dose: Dose, histograms: dict[str, Dvh]) -> list[Fact]:
    facts = []
    if plan.prescription_gy:
        facts.append(Fact("Prescription", f"{plan.prescription_gy:.3g}", f"Gy × {plan.fractions}"))
    target = target_of(patient, plan)
    if target is not None and target.name in histograms:
        h = histograms[target.name]
        facts.append(
            Fact(f"{target.name}: D98 / D50 / D2", f"{h.d(98):.2f} / {h.d(50):.2f} / {h.d(2):.2f}", "Gy")
        )
        if plan.prescription_gy:
            facts.append(Fact(f"{target.name}: V95%", f"{h.v(0.95 * plan.prescription_gy):.1f}", "%"))
    if isinstance(plan, PhotonPlan):
        bixels = sum(beam.spot_count for beam in plan.beams)
        facts.append(Fact("Beams / bixels", f"{len(plan.beams)} / {bixels}"))
    else:
        facts.append(Fact("Beams / layers / spots", _counts(plan)))
        facts.append(Fact("Particles per fraction", f"{plan.particles:.3g}", plan.ion))
    if "histories" in dose.provenance:
        facts.append(Fact("Histories", f"{int(dose.provenance['histories']):,}".replace(",", "\u202f")))
    if "relative_uncertainty" in dose.provenance:
        percent = 100.0 * float(dose.provenance["relative_uncertainty"])
        facts.append(Fact("Mean uncertainty of the dose", f"{percent:.2f}", "%, above half of the maximum"))
    spacing = " × ".join(f"{s:.3g}" for s in dose.grid.spacing_mm)
    facts.append(Fact("Dose grid", spacing, "mm"))
    return facts


def _counts(plan: Plan) -> str:
    layers = sum(len(beam.layers) for beam in plan.beams)
    return f"{len(plan.beams)} / {layers} / {sum(beam.spot_count for beam in plan.beams)}"
