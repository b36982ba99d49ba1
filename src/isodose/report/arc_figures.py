"""Figures of arcs: energies by angle, switching time step by step, time of delivery, Pareto frontier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from isodose.arc.control_points import ControlPoint
from isodose.arc.delivery_time import DeliveryTime
from isodose.arc.pareto import ParetoFrontier
from isodose.arc.selection import Selection
from isodose.errors import InputError
from isodose.report.colours import BEAM_COLOURS, FAINT, INK
from isodose.report.curves import style

_LINES = ("-", "--")
"""Of the first arc and the second."""
_WIDE_DEG, _TICKS_DEG = 180.0, 30.0
_WIDE = 10.0
"""Costs that reach so far above their median are drawn on a logarithmic axis."""


def energy_figure(selections: Mapping[str, Selection], points: tuple[ControlPoint, ...]) -> Figure:
    """Energy against gantry angle, and the switching time that has gone by, of one or more selections.

    Parameters
    ----------
    selections
        By the name for the legend.
    points
        Control points of all of them.

    Raises
    ------
    InputError
        If there is no selection, or one of other control points.
    """
    if not selections:
        raise InputError("selections", "none", "at least one")
    figure = Figure(figsize=(9.5, 6.4), layout="constrained", facecolor="white")
    energy_axis, time_axis = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    angle = np.array([point.gantry_angle_deg for point in points])
    number = np.array([point.arc for point in points])
    for i, (name, selection) in enumerate(selections.items()):
        if selection.task.cost.shape[0] != len(points):
            found = f"{selection.task.cost.shape[0]} control points"
            raise InputError(f"selection {name!r}", found, f"{len(points)}")
        colour = BEAM_COLOURS[i % len(BEAM_COLOURS)]
        slots = selection.task.slots
        passed = np.concatenate([[0.0], np.cumsum(selection.steps_s)])
        up, down, same = selection.transitions
        label = f"{name}: {selection.switching_s:.1f} s, {up} up, {down} down, {same} unchanged"
        for k, one in enumerate(np.unique(number)):
            mine = number[slots] == one
            at, line = angle[slots[mine]], _LINES[k % len(_LINES)]
            energies = selection.energies_mev_u[mine]
            energy_axis.plot(at, energies, "o", linestyle=line, color=colour, markersize=3.5, linewidth=0.9)
            shown = label if k == 0 else f"arc {one + 1}, back"
            time_axis.plot(
                at,
                passed[mine],
                color=colour,
                linestyle=line,
                linewidth=1.4,
                label=shown,
                drawstyle="steps-post",
            )
    style(energy_axis, "", "Energy / (MeV/u)")
    style(time_axis, "Gantry angle / degree", "Switching time / s")
    if np.ptp(angle) > _WIDE_DEG:
        time_axis.xaxis.set_major_locator(MultipleLocator(_TICKS_DEG))
    time_axis.set_ylim(bottom=0)
    time_axis.legend(frameon=False, fontsize=8, loc="best")
    return figure


def delivery_figure(selection: Selection, time: DeliveryTime) -> Figure:
    """What the time of a delivery is made of, and how long it takes in all.

    Parameters
    ----------
    selection
        Layers that are delivered.
    time
        Of their delivery.
    """
    figure = Figure(figsize=(9.5, 2.9), layout="constrained", facecolor="white")
    axis = figure.subplots()
    jump = np.diff(selection.energies)
    up, down, _ = selection.transitions
    rows = [
        (f"{up} switches up", float(selection.steps_s[jump > 0].sum()), FAINT),
        (f"{down} switches down", float(selection.steps_s[jump < 0].sum()), FAINT),
        ("spots", time.spots_s, FAINT),
        ("turning of the gantry", time.gantry_s, FAINT),
        ("delivery, gantry stops at control points", time.static_s, BEAM_COLOURS[0]),
        ("delivery, gantry turns all the time", time.dynamic_s, BEAM_COLOURS[0]),
    ]
    bars = axis.barh(range(len(rows)), [r[1] for r in rows], color=[r[2] for r in rows], height=0.6)
    axis.bar_label(bars, [f"{r[1]:.1f} s" for r in rows], padding=3, fontsize=8.5, color=INK)
    axis.set_yticks(range(len(rows)), [r[0] for r in rows])
    axis.invert_yaxis()
    axis.margins(x=0.12)
    style(axis, "Time / s", "")
    axis.grid(axis="y", visible=False)
    return figure


def pareto_figure(frontier: ParetoFrontier, selections: Mapping[str, Selection] | None = None) -> Figure:
    """Frontier of switching time against the cost of the layers, and where selections lie.

    Parameters
    ----------
    frontier
        Exact frontier of the layers' costs.
    selections
        Others of the same costs, by the name for the legend.
    """
    figure = Figure(figsize=(6.6, 4.6), layout="constrained", facecolor="white")
    axis = figure.subplots()
    axis.plot(
        frontier.switching_s, frontier.cost, color=FAINT, drawstyle="steps-post", label="exact frontier"
    )
    for i, (name, selection) in enumerate((selections or {}).items()):
        colour = BEAM_COLOURS[i % len(BEAM_COLOURS)]
        axis.plot(selection.switching_s, selection.cost, "o", color=colour, label=name)
    if frontier.task.budget_s is not None:
        line = axis.axvline(frontier.task.budget_s, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
        line.set_label("budget")
    style(axis, "Switching time / s", "Cost of the layers")
    axis.set_xlim(left=0)
    costs = np.concatenate([frontier.cost, [s.cost for s in (selections or {}).values()]])
    if costs.min() > 0.0 and costs.max() > _WIDE * np.median(costs):
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize=8)
    return figure
