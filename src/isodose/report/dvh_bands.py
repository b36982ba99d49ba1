"""Dose-volume histograms with bands, over fractions or spot sizes, and the table that goes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from isodose.evaluate.dvh import Dvh, dvh
from isodose.evaluate.dvh_bands import DOSES, DvhBand, Spread, dvh_band, dvh_spread
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.report.colours import FAINT
from isodose.report.curves import style
from isodose.report.figures import Picture
from isodose.report.tables import Table

QUANTILES = (0.05, 0.95)
ENOUGH_FOR_QUANTILES = 10
"""Below so many doses, the quantiles are the extremes and are not drawn."""

RELATIVE_FROM = 0.01
"""Figures below this part of the largest planned dose are too small to be given relative to."""

_FAINT, _STRONG = 0.28, 0.35


@dataclass(frozen=True, slots=True)
class Histograms:
    """Dose-volume histograms of a plan and of doses that differ from it, by structure.

    Parameters
    ----------
    structures
        All that are shown.
    planned
        As planned.
    others
        One a dose.
    """

    structures: Mapping[str, Structure]
    planned: Mapping[str, Dvh]
    others: Mapping[str, Sequence[Dvh]]

    @classmethod
    def of(cls, patient: Patient, planned: Volume, doses: Sequence[Volume]) -> Histograms:
        """Histograms of all structures with voxels but the body's outline."""
        shown = {
            name: structure
            for name, structure in patient.structures.items()
            if not structure.is_empty and structure.role is not Role.EXTERNAL
        }
        as_planned = {name: dvh(planned, structure) for name, structure in shown.items()}
        others = {name: [dvh(dose, structure) for dose in doses] for name, structure in shown.items()}
        return cls(shown, as_planned, others)


def bands_section(
    key: str,
    title: str,
    caption: str,
    label: str,
    histograms: Histograms,
    prescription_gy: float | None = None,
) -> tuple[Picture, Table]:
    """Histograms of a plan's dose with bands of others, and the table that goes with them.

    Parameters
    ----------
    key, title, caption
        As of `Picture`.
    label
        What the bands are of.
    histograms
        As planned, and of the others.
    prescription_gy
        Drawn as a line, if known.
    """
    bands = {name: dvh_band(several) for name, several in histograms.others.items()}
    figure = dvh_band_figure(bands, histograms.structures, histograms.planned, prescription_gy, label)
    return Picture(key, figure, title, caption), dvh_spread_table(histograms.others, histograms.planned)


def dvh_band_figure(
    bands: Mapping[str, DvhBand],
    structures: Mapping[str, Structure],
    planned: Mapping[str, Dvh] | None = None,
    prescription_gy: float | None = None,
    band_label: str = "all",
) -> Figure:
    """Cumulative histograms: the planned one as a line, the others as a band from smallest to largest.

    Parameters
    ----------
    bands
        By structure.
    structures
        For colours and roles.
    planned
        Histograms of the plan, for all structures; without them the lines are means of the bands.
    prescription_gy
        Drawn as a line, if known.
    band_label
        What the band is of, such as ``30 fractions`` or ``spot size ± 10 %``.
    """
    figure = Figure(figsize=(12.5, 5.2), layout="constrained", facecolor="white")
    axis = figure.subplots()
    for name, band in bands.items():
        structure = structures[name]
        colour = tuple(c / 255 for c in structure.colour)
        axis.fill_between(band.dose_gy, band.lowest, band.highest, color=colour, alpha=_FAINT, linewidth=0)
        if _has_quantiles(band):
            low, high = band.quantile(QUANTILES)
            axis.fill_between(band.dose_gy, low, high, color=colour, alpha=_STRONG, linewidth=0)
        dose, volume = planned[name].curve() if planned else (band.dose_gy, band.mean)
        width = 1.8 if structure.role.is_target else 1.3
        axis.plot(dose, volume, color=colour, linewidth=width, label=name)
    if prescription_gy:
        axis.axvline(prescription_gy, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
    style(axis, "Dose per fraction / Gy", "Volume / %")
    axis.set_xlim(left=0)
    axis.set_ylim(0, 105)
    meanings: list[Artist] = [
        Line2D([], [], color=FAINT, label="planned" if planned else f"mean of {band_label}")
    ]
    meanings.append(Patch(color=FAINT, alpha=_FAINT, linewidth=0, label=band_label))
    if any(_has_quantiles(band) for band in bands.values()):
        text = f"{100 * QUANTILES[0]:g} to {100 * QUANTILES[1]:g} % of {band_label}"
        meanings.append(Patch(color=FAINT, alpha=_FAINT + _STRONG, linewidth=0, label=text))
    figure.legend(
        handles=[*axis.lines[: len(bands)], *meanings], loc="outside right upper", frameon=False, fontsize=9
    )
    return figure


def _has_quantiles(band: DvhBand) -> bool:
    return len(band.volume_percent) >= ENOUGH_FOR_QUANTILES


def dvh_spread_table(
    histograms: Mapping[str, Sequence[Dvh]],
    planned: Mapping[str, Dvh] | None = None,
    percents: Sequence[float] = DOSES,
) -> Table:
    """One row a structure and figure: planned, mean, standard deviation, smallest, largest.

    Parameters
    ----------
    histograms
        By structure, one a dose.
    planned
        Histograms of the plan for the same structures, if known; the extremes are then also given relative
        to them.
    percents
        Parts of the volume.
    """
    rows = []
    least = RELATIVE_FROM * max((h.max for h in (planned or {}).values()), default=0.0)
    for name, several in histograms.items():
        for percent, spread in zip(percents, dvh_spread(several, percents), strict=True):
            row = [name, spread.name]
            row += [f"{v:.3f}" for v in (spread.mean, spread.deviation, spread.min, spread.max)]
            if planned:
                reference = planned[name].d(percent)
                row.insert(2, f"{reference:.3f}")
                row.append(_from_planned(spread, reference) if reference > least else "")
            rows.append(tuple(row))
    headings = ["Structure", "Figure", "Mean / Gy", "SD / Gy", "Min / Gy", "Max / Gy"]
    if planned:
        headings.insert(2, "Planned / Gy")
        headings.append("From planned / %")
    note = "Dose per fraction; Dx is the dose that x % of the volume receives at least."
    return Table(tuple(headings), tuple(rows), note)


def _from_planned(spread: Spread, reference: float) -> str:
    low, high = (100.0 * (value / reference - 1.0) for value in (spread.min, spread.max))
    return f"{low:+.1f} to {high:+.1f}"
