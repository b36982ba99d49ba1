"""The report of two doses compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from isodose.evaluate.comparison import HIGH_DOSE, Comparison
from isodose.evaluate.depth_figures import FigurePair
from isodose.evaluate.dvh import Dvh, dvh
from isodose.evaluate.gamma import Gamma
from isodose.patient.patient import Patient
from isodose.patient.structure import Role
from isodose.patient.volume import Volume
from isodose.report.colours import BEAM_COLOURS, ISODOSES, dose_wash
from isodose.report.curves import Line, dvh_figure, style
from isodose.report.figures import LOW_DOSE_PERCENT, Picture
from isodose.report.html import Fact, write_page
from isodose.report.planes import Wash, three_planes
from isodose.report.tables import Table, provenance_table

AIR_HU = -1000.0


def write_comparison(
    folder: str | Path,
    comparison: Comparison,
    patient: Patient | None = None,
    labels: tuple[str, str] = ("reference", "evaluation"),
    provenance: Mapping[str, Any] | None = None,
    depth: Sequence[FigurePair] = (),
) -> Path:
    """Write ``report.html`` and the figures of a comparison.

    Parameters
    ----------
    folder
        Where; made if it is not there.
    comparison
        Of two doses in Gy.
    patient
        Shown below the doses, and source of the structures of the DVHs, if given.
    labels
        Short names of reference and evaluation.
    provenance
        Shown at the end.
    depth
        Bragg-peak figures of both, shown below the profiles.

    Returns
    -------
    Path
        The HTML file.
    """
    shown = patient or Patient("no patient", _air(comparison.reference))
    pictures = _pictures(shown, comparison, labels)
    tables = {"gamma": _gamma_table(comparison)}
    if depth:
        tables["profiles"] = _depth_table(depth, labels)
    if patient is not None:
        histograms = [_histograms(patient, v) for v in (comparison.reference, comparison.evaluation)]
        if histograms[0]:
            pictures.append(
                Picture(
                    "dvh",
                    dvh_figure(histograms, patient.structures, None, labels),
                    "Dose-volume histograms",
                    f"Solid: {labels[0]}; dashed: {labels[1]}.",
                )
            )
            tables["dvh"] = _dvh_table(histograms, labels)
    return write_page(
        Path(folder),
        f"{labels[1]} against {labels[0]}",
        "comparison of two doses",
        _facts(comparison),
        pictures,
        tables,
        provenance_table(provenance or {}),
    )


def _facts(comparison: Comparison) -> list[Fact]:
    facts = [Fact(f"Gamma {g.criteria}", f"{g.pass_rate:.2f}", "% pass") for g in comparison.gammas]
    facts += [
        Fact(
            f"Mean difference above {100 * HIGH_DOSE:.0f} %",
            f"{comparison.mean_difference_percent:+.2f}",
            "%",
        ),
        Fact("RMS difference there", f"{comparison.rms_difference_percent:.2f}", "% of maximum"),
        Fact("Largest difference", f"{comparison.largest_difference_gy:+.3g}", "Gy"),
    ]
    return facts


def _air(volume: Volume) -> Volume:
    return Volume(volume.grid, np.full(volume.grid.shape, AIR_HU, dtype=np.float32))


def _histograms(patient: Patient, volume: Volume) -> dict[str, Dvh]:
    return {
        name: dvh(volume, structure)
        for name, structure in patient.structures.items()
        if not structure.is_empty and structure.role is not Role.EXTERNAL
    }


def _pictures(patient: Patient, comparison: Comparison, labels: tuple[str, str]) -> list[Picture]:
    reference = comparison.reference
    top = float(reference.values.max())
    point = reference.grid.position_mm(
        np.array(np.unravel_index(reference.values.argmax(), reference.grid.shape))
    )
    if patient.targets:
        inside = Volume(patient.targets[0].grid, patient.targets[0].occupancy).on(reference.grid).values > 0.5
        if inside.any():
            point = reference.grid.position_mm(np.argwhere(inside).mean(axis=0))
    pictures = []
    colours, scale = dose_wash()
    for key, volume, label in (
        ("reference", reference, labels[0]),
        ("evaluation", comparison.evaluation, labels[1]),
    ):
        percent = Volume(volume.grid, volume.values * np.float32(100.0 / top))
        wash = Wash(percent, colours, scale, f"Dose / % of {top:.3g} Gy", LOW_DOSE_PERCENT, ISODOSES)
        pictures.append(
            Picture(
                key,
                three_planes(patient, wash, point),
                f"Dose: {label}",
                "In percent of the reference's maximum.",
            )
        )
    pictures.append(_difference(patient, comparison, point, top))
    pictures += [_gamma_picture(patient, g, point, i) for i, g in enumerate(comparison.gammas)]
    pictures.append(
        Picture(
            "profiles",
            _profiles(comparison, point, labels),
            "Profiles",
            "Along the patient's axes through the point where the planes meet.",
        )
    )
    return pictures


def _difference(patient: Patient, comparison: Comparison, point: np.ndarray, top: float) -> Picture:
    percent = Volume(comparison.reference.grid, comparison.difference.values * np.float32(100.0 / top))
    end = max(1.0, float(np.quantile(np.abs(percent.values[comparison.reference.values > 0.1 * top]), 0.995)))
    wash = Wash(
        percent,
        mpl.colormaps["RdBu_r"],
        Normalize(-end, end),
        "Difference / % of the maximum",
        visible=-np.inf,
        magnitude_from=0.2 * end,
    )
    caption = (
        f"Evaluation minus reference, in percent of the maximum: red is more, blue less, {0.2 * end:.1f} up."
    )
    return Picture("difference", three_planes(patient, wash, point), "Difference", caption)


def _gamma_picture(patient: Patient, index: Gamma, point: np.ndarray, number: int) -> Picture:
    colours = LinearSegmentedColormap.from_list(
        "gamma", [(0.0, "#eef6ff"), (0.5, "#3f8fe0"), (0.5, "#ffb36b"), (1.0, "#a30016")]
    )
    evaluated = np.isfinite(index.values)
    wash = Wash(
        Volume(index.grid, np.where(evaluated, index.values, 0.0)),
        colours,
        Normalize(0.0, 2.0),
        "Gamma",
        per=Volume(index.grid, evaluated.astype(np.float32)),
        per_from=0.5,
    )
    caption = f"{index.criteria}: {index.pass_rate:.2f} % of {index.evaluated.size} points pass, blue ones."
    key = "gamma" if number == 0 else f"gamma_{number + 1}"
    return Picture(key, three_planes(patient, wash, point), f"Gamma {index.criteria}", caption)


def _profiles(comparison: Comparison, point: np.ndarray, labels: tuple[str, str]) -> Figure:
    figure = Figure(figsize=(12.5, 3.6), layout="constrained", facecolor="white")
    grid = comparison.reference.grid
    for i, axis in enumerate(figure.subplots(1, 3)):
        direction = np.eye(3)[i]
        line = Line.through(point, direction, point[i] - grid.lower_mm[i], grid.upper_mm[i] - point[i])
        x = line.positions_mm[:, i]
        axis.plot(x, comparison.reference.sample(line.positions_mm), color=BEAM_COLOURS[0], label=labels[0])
        axis.plot(
            x,
            comparison.evaluation.sample(line.positions_mm),
            color=BEAM_COLOURS[1],
            ls="--",
            label=labels[1],
        )
        style(axis, f"{'xyz'[i]} / mm", "Dose / Gy")
        axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize=8.5)
    return figure


def _gamma_table(comparison: Comparison) -> Table:
    rows = tuple(
        (
            str(g.criteria),
            f"{g.pass_rate:.2f}",
            f"{g.mean:.3f}",
            f"{float(np.max(g.evaluated)):.2f}",
            f"{g.evaluated.size}",
        )
        for g in comparison.gammas
    )
    return Table(("Criteria", "Pass / %", "Mean", "Largest", "Points"), rows)


def _depth_table(depth: Sequence[FigurePair], labels: tuple[str, str]) -> Table:
    rows = tuple(
        (
            f"{p.name} / {p.unit}" if p.unit else p.name,
            f"{p.reference:.3f}",
            f"{p.evaluation:.3f}",
            f"{p.difference:+.3f}",
        )
        for p in depth
    )
    return Table(("Depth dose", *labels, "Difference"), rows, "Of the dose integrated across the beam.")


def _dvh_table(histograms: list[dict[str, Dvh]], labels: tuple[str, str]) -> Table:
    rows = []
    for name in histograms[0]:
        a, b = (table[name] for table in histograms)
        pairs = ((a.mean, b.mean), (a.d(98), b.d(98)), (a.d(50), b.d(50)), (a.d(2), b.d(2)))
        rows.append((name, *(f"{x:.3f} / {y:.3f}" for x, y in pairs)))
    headings = ("Structure", "Mean / Gy", "D98 / Gy", "D50 / Gy", "D2 / Gy")
    return Table(headings, tuple(rows), f"{labels[0]} / {labels[1]}.")
