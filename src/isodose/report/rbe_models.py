"""RBE models side by side on one plan: depth profiles, RBE and dose-volume histograms, and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from isodose.biology.model_comparison import ModelFigures
from isodose.evaluate.dvh import dvh
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam
from isodose.report.colours import BEAM_COLOURS, FAINT, INK
from isodose.report.curves import Line, style
from isodose.report.tables import Table

RBE_FROM = 0.05
"""RBE is drawn where the dose is at least this part of its maximum along the line."""

PHYSICAL = "dose without RBE"

_DASHES = ((0.0, ()), (0.0, (5.0, 2.0)), (0.0, (1.5, 1.5)), (0.0, (6.0, 2.0, 1.5, 2.0)))
_MARGIN_MM = 5.0
_LINE_FROM = 0.01  # the profile goes as far as there is this part of the highest dose


def rbe_models_figure(
    physical: Volume,
    weighted: Mapping[str, Volume],
    structures: Mapping[str, Structure],
    beam: Beam,
    point_mm: NDArray[np.float64],
    position: str = "HFS",
) -> Figure:
    """Depth profiles of dose and RBE along a beam, and dose-volume histograms, of several models.

    Parameters
    ----------
    physical
        Dose per fraction, Gy.
    weighted
        RBE-weighted dose by model, Gy (RBE).
    structures
        For the histograms, at most four; none of them empty. Targets are shaded in the profile.
    beam, point_mm
        The profile runs along this beam's axis through this point.
    position
        DICOM patient position.
    """
    figure = Figure(figsize=(12.5, 6.2), layout="constrained", facecolor="white")
    panels = figure.subplot_mosaic(
        [["dose", "dvh"], ["rbe", "dvh"]], width_ratios=(1.35, 1.0), height_ratios=(1.5, 1.0)
    )
    line = _line(physical, beam, point_mm, position)
    colours = dict(zip(weighted, _colours(len(weighted)), strict=True))
    _profiles(panels["dose"], panels["rbe"], line, physical, weighted, colours)
    _shade_targets(panels["dose"], line, structures)
    panels["dose"].set_title(f"{beam.name}, along the beam", color=INK, fontsize=10, loc="left")
    _histograms(panels["dvh"], physical, weighted, structures, colours)
    names = {PHYSICAL: FAINT, **colours}
    handles = [Line2D([], [], color=colour, linewidth=2.0, label=name) for name, colour in names.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=9)
    return figure


def rbe_models_table(rows: Sequence[ModelFigures]) -> Table:
    """One row a structure and model: mean, D95 and D2."""
    cells = [(r.structure, r.model, *(f"{v:.3f}" for v in (r.mean, r.d95, r.d2))) for r in rows]
    headings = ("Structure", "Model", "Mean / Gy (RBE)", "D95 / Gy (RBE)", "D2 / Gy (RBE)")
    return Table(
        headings, tuple(cells), "Per fraction; models differ in the cells and effect they stand for."
    )


def _colours(count: int) -> list[str]:
    return [BEAM_COLOURS[i % len(BEAM_COLOURS)] for i in range(count)]


def _line(physical: Volume, beam: Beam, point_mm: NDArray[np.float64], position: str) -> Line:
    """Line along a beam through a point, as far as there is dose; distance from its first dose."""
    along = beam_axes(beam, position)[2]
    reach = float(np.linalg.norm(np.subtract(physical.grid.upper_mm, physical.grid.lower_mm)))
    whole = Line.through(np.asarray(point_mm, dtype=np.float64), along, reach, reach)
    values = physical.sample(whole.positions_mm)
    dosed = np.flatnonzero(values > _LINE_FROM * values.max(initial=0.0))
    if not dosed.size:
        return whole
    first, last = whole.distance_mm[dosed[[0, -1]]]
    kept = (whole.distance_mm >= first - _MARGIN_MM) & (whole.distance_mm <= last + _MARGIN_MM)
    return Line(whole.distance_mm[kept] - first, whole.positions_mm[kept])


def _shade_targets(axis: Axes, line: Line, structures: Mapping[str, Structure]) -> None:
    for structure in structures.values():
        if structure.role.is_target:
            inside = Volume(structure.grid, structure.occupancy).sample(line.positions_mm) >= 0.5
            span = axis.get_xaxis_transform()
            axis.fill_between(
                line.distance_mm, 0, 1, where=inside, transform=span, color="#f3c9c9", alpha=0.6, linewidth=0
            )


def _profiles(
    upper: Axes,
    lower: Axes,
    line: Line,
    physical: Volume,
    weighted: Mapping[str, Volume],
    colours: Mapping[str, str],
) -> None:
    gy = physical.sample(line.positions_mm)
    shown = gy > RBE_FROM * gy.max(initial=0.0)
    upper.plot(line.distance_mm, gy, color=FAINT, linewidth=2.2)
    for name, volume in weighted.items():
        values = volume.sample(line.positions_mm)
        upper.plot(line.distance_mm, values, color=colours[name], linewidth=1.6)
        rbe = np.divide(values, gy, out=np.full(gy.shape, np.nan, np.float32), where=shown)
        lower.plot(line.distance_mm, rbe, color=colours[name], linewidth=1.6)
    style(upper, "", "Dose / Gy, Gy (RBE)")
    style(lower, "Distance along the beam from the first dose / mm", "RBE")
    lower.axhline(1.0, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
    for axis in (upper, lower):
        axis.set_xlim(float(line.distance_mm[0]), float(line.distance_mm[-1]))
        axis.set_ylim(bottom=0)
    upper.tick_params(labelbottom=False)


def _histograms(
    axis: Axes,
    physical: Volume,
    weighted: Mapping[str, Volume],
    structures: Mapping[str, Structure],
    colours: Mapping[str, str],
) -> None:
    handles = []
    for (name, structure), dashes in zip(structures.items(), _DASHES, strict=False):
        for model, volume in {PHYSICAL: physical, **weighted}.items():
            dose, part = dvh(volume, structure).curve()
            axis.plot(dose, part, color=colours.get(model, FAINT), linestyle=dashes, linewidth=1.6)
        handles.append(Line2D([], [], color=INK, linestyle=dashes, linewidth=1.6, label=name))
    style(axis, "Dose per fraction / Gy, Gy (RBE)", "Volume / %", "Dose-volume histograms")
    axis.set_xlim(left=0)
    axis.set_ylim(0, 105)
    axis.legend(handles=handles, frameon=False, fontsize=9, loc="upper right")
