"""Sections on scenarios: dose-volume histograms with bands, and how far each voxel's dose strays (RVH)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from isodose.dose.dose import Dose
from isodose.evaluate.dvh import Dvh, dvh
from isodose.evaluate.robustness import root_mean_square_deviation, worst_cases
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.plan.plan import Plan
from isodose.report.colours import INK
from isodose.report.curves import style
from isodose.report.dvh_bands import Histograms, bands_section
from isodose.report.figures import Picture
from isodose.report.tables import Table

Section = tuple[Picture, Table]
_POINTS = 300


def scenario_sections(
    patient: Patient, plan: Plan, names: Sequence[str], nominal: Dose, others: Sequence[Dose]
) -> list[Section]:
    """Bands, and deviations.

    Parameters
    ----------
    patient, plan
        For structures and the prescription.
    names
        Of the other scenarios.
    nominal, others
        Doses of a plan as planned and in other scenarios.
    """
    doses = [dose.volume() for dose in others]
    histograms = Histograms.of(patient, nominal.volume(), doses)
    label = f"{len(others)} scenarios"
    bands = bands_section(
        "scenarios",
        "Scenarios",
        "Lines are the nominal scenario, bands reach from the lowest to the highest of the others.",
        label,
        histograms,
        plan.prescription_gy,
    )
    deviation = root_mean_square_deviation(nominal.volume(), doses)
    rvh = {name: dvh(deviation, structure) for name, structure in histograms.structures.items()}
    caption = (
        "Volume in which the dose deviates from the nominal one by at least so much, as the root of the mean "
        f"square over {label}."
    )
    picture = Picture("rvh", rvh_figure(rvh, histograms.structures), "Robustness", caption)
    return [bands, (picture, robustness_table(histograms, rvh, names))]


def rvh_figure(rvh: Mapping[str, Dvh], structures: Mapping[str, Structure]) -> Figure:
    """Root-mean-square dose-volume histograms.

    Parameters
    ----------
    rvh
        Histograms of the deviation by structure.
    structures
        For colours and roles.
    """
    figure = Figure(figsize=(12.5, 4.4), layout="constrained", facecolor="white")
    axis = figure.subplots()
    largest = max(histogram.d(1.0) for histogram in rvh.values())
    deviation = np.linspace(0.0, max(1.1 * largest, 1e-6), _POINTS)
    for name, histogram in rvh.items():
        colour = tuple(c / 255 for c in structures[name].colour)
        width = 1.8 if structures[name].role.is_target else 1.3
        label = f"{name}: {histogram.mean:.3f} Gy"
        axis.plot(deviation, histogram.v(deviation), color=colour, linewidth=width, label=label)
    style(axis, "Root mean square deviation per fraction / Gy", "Volume / %")
    axis.set_xlim(0.0, deviation[-1])
    axis.set_ylim(0, 105)
    legend = figure.legend(loc="outside right upper", frameon=False, fontsize=9, title="Area under the RVH")
    legend.get_title().set(color=INK, fontsize=9)
    return figure


def robustness_table(histograms: Histograms, rvh: Mapping[str, Dvh], names: Sequence[str]) -> Table:
    """Worst figures of each structure, and the area under its RVH.

    Parameters
    ----------
    histograms
        As planned and in the other scenarios.
    rvh
        Histograms of the deviation, of the same structures.
    names
        Of the other scenarios.
    """
    rows = []
    for name, structure in histograms.structures.items():
        found = worst_cases(histograms.planned[name], histograms.others[name], structure.role.is_target)
        for i, case in enumerate(found):
            where = "nominal" if case.scenario is None else names[case.scenario]
            area = f"{rvh[name].mean:.3f}" if i == 0 else ""
            rows.append((name, case.figure, f"{case.nominal:.3f}", f"{case.worst:.3f}", where, area))
    headings = ("Structure", "Figure", "Nominal / Gy", "Worst / Gy", "In scenario", "Area under RVH / Gy")
    note = (
        "Dose per fraction; the worst is the lowest D95 of a target, and the highest of all else. The area "
        "is the mean over the volume of the root mean square deviation from the nominal dose."
    )
    return Table(headings, tuple(rows), note)
