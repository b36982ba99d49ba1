"""Figures of arcs: which energy at which angle, switching time step by step, and the Pareto frontier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from isodose.arc.control_points import ControlPoint
from isodose.arc.pareto import ParetoFrontier
from isodose.arc.selection import Selection
from isodose.errors import InputError
from isodose.report.colours import BEAM_COLOURS, FAINT
from isodose.report.curves import style


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
    for i, (name, selection) in enumerate(selections.items()):
        if selection.task.cost.shape[0] != len(points):
            found = f"{selection.task.cost.shape[0]} control points"
            raise InputError(f"selection {name!r}", found, f"{len(points)}")
        colour = BEAM_COLOURS[i % len(BEAM_COLOURS)]
        at = angle[selection.task.slots]
        energy_axis.plot(at, selection.energies_mev_u, "o-", color=colour, markersize=3.5, linewidth=0.9)
        passed = np.concatenate([[0.0], np.cumsum(selection.steps_s)])
        up, down, same = selection.transitions
        label = f"{name}: {selection.switching_s:.1f} s, {up} up, {down} down, {same} unchanged"
        time_axis.plot(at, passed, color=colour, linewidth=1.4, label=label, drawstyle="steps-post")
    style(energy_axis, "", "Energy / (MeV/u)")
    style(time_axis, "Gantry angle / degree", "Switching time / s")
    time_axis.set_ylim(bottom=0)
    time_axis.legend(frameon=False, fontsize=8, loc="upper left")
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
    style(axis, "Switching time / s", "Cost of the layers")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize=8)
    return figure
