"""Sections of a report that only plans of arcs have: energies by angle, delivery time, and the frontier."""

from __future__ import annotations

import numpy as np

from isodose.arc.plan_arc import ArcPlan
from isodose.report.arc_figures import energy_figure, pareto_figure
from isodose.report.figures import Picture
from isodose.report.tables import Table

Section = tuple[Picture, Table]

_PARTS_OF_THE_TIME = (0.25, 0.5, 1.0, 2.0)


def arc_sections(made: ArcPlan) -> list[Section]:
    """Energy against angle with the time of delivery, and the frontier where there is one."""
    sections = [_delivery_section(made)]
    if made.frontier is not None:
        sections.append(_frontier_section(made))
    return sections


def _delivery_section(made: ArcPlan) -> Section:
    delivered, time = made.delivered, made.time
    figure = energy_figure({delivered.selector: delivered}, made.counts.points)
    caption = (
        "Energy of each layer by the angle at which it is delivered, and the switching time up to there. "
        f"Selector: {delivered.selector}."
    )
    up, down, same = delivered.transitions
    empty = made.selection.energies.size - delivered.energies.size
    used = np.unique(delivered.task.slots).size
    rows = (
        ("Control points with layers", f"{used} of {len(made.counts.points)}"),
        ("Layers", f"{delivered.energies.size}"),
        ("Switches up, down, none", f"{up}, {down}, {same}"),
        ("Switching / s", f"{time.switching_s:.1f}"),
        ("Spots / s", f"{time.spots_s:.1f}"),
        ("Turning of the gantry / s", f"{time.gantry_s:.1f}"),
        ("Delivery, gantry stops at control points / s", f"{time.static_s:.1f}"),
        ("Delivery, gantry turns all the time / s", f"{time.dynamic_s:.1f}"),
    )
    note = f"Of one fraction. Switching times: {delivered.task.table.source}."
    if empty:
        note += f" The optimiser gave {empty} of the chosen layers no weight; they are not delivered."
    return Picture("arc", figure, "Energies along the arc", caption), Table(("What", "Value"), rows, note)


def _frontier_section(made: ArcPlan) -> Section:
    frontier, chosen = made.frontier, made.selection
    assert frontier is not None  # see arc_sections
    rows = [(chosen.selector, f"{chosen.switching_s:.1f}", f"{chosen.cost:.3f}")]
    budget = chosen.task.budget_s
    whole = chosen.switching_s if budget is None else budget
    for part in _PARTS_OF_THE_TIME:
        if frontier.switching_s[0] <= part * whole:
            best = frontier.within(part * whole)
            rows.append((f"least within {part * whole:.1f} s", f"{best.switching_s:.1f}", f"{best.cost:.3f}"))
    caption = (
        "No sequence of layers lies below the line. The cost counts spots, not dose: a choice by the dose "
        "may lie above it and be the better plan."
    )
    picture = Picture("frontier", pareto_figure(frontier, {chosen.selector: chosen}), "Frontier", caption)
    return picture, Table(("Layers", "Switching time / s", "Cost"), tuple(rows))
