"""Sections of a report that only plans of arcs have: energies by angle, delivery time, and the frontier."""

from __future__ import annotations

import numpy as np

from isodose.arc.plan_arc import ArcPlan
from isodose.report.arc_figures import delivery_figure, energy_figure, pareto_figure
from isodose.report.figures import Picture
from isodose.report.tables import Table

Section = tuple[Picture, Table]

_PARTS_OF_THE_TIME = (0.25, 0.5, 1.0, 2.0)


def arc_sections(made: ArcPlan) -> list[Section]:
    """Energy against angle, the time of delivery, and the frontier where there is one."""
    sections = [_energy_section(made), _delivery_section(made)]
    if made.frontier is not None:
        sections.append(_frontier_section(made))
    return sections


def _energy_section(made: ArcPlan) -> Section:
    delivered = made.delivered
    figure = energy_figure({delivered.selector: delivered}, made.counts.points)
    caption = (
        "Energy of each layer by the angle at which it is delivered, and the switching time up to there. "
        f"Selector: {delivered.selector}."
    )
    up, down, same = delivered.transitions
    empty = made.selection.energies.size - delivered.energies.size
    used = np.unique(delivered.task.slots).size
    energies = delivered.energies_mev_u
    rows = (
        ("Control points with layers", f"{used} of {len(made.counts.points)}"),
        ("Layers", f"{delivered.energies.size}"),
        (
            "Energies / (MeV/u)",
            f"{energies.min():.1f} to {energies.max():.1f}, {np.unique(energies).size} of them",
        ),
        ("Switches up, down, none", f"{up}, {down}, {same}"),
    )
    note = ""
    if empty:
        note = f"The optimiser gave {empty} of the chosen layers no weight; they are not delivered."
    return Picture("arc", figure, "Energies along the arc", caption), Table(("What", "Value"), rows, note)


def _delivery_section(made: ArcPlan) -> Section:
    time, speed, source = made.time, made.speed, made.delivered.task.table.source
    ramp = speed.gantry_acceleration_deg_s2
    turning = f"{speed.gantry_speed_deg_s:g} deg/s" + (
        "" if ramp is None else f", reached at {ramp:g} deg/s²"
    )
    spots = f"{1000 * speed.spot_switch_s:g} ms between two, {1000 * speed.s_per_mu:g} ms per monitor unit"
    rows = (
        ("Switching / s", f"{time.switching_s:.1f}", source),
        ("Spots / s", f"{time.spots_s:.1f}", spots),
        ("Turning of the gantry / s", f"{time.gantry_s:.1f}", turning),
        ("Delivery, gantry stops at control points / s", f"{time.static_s:.1f}", "switches while it turns"),
        (
            "Delivery, gantry turns all the time / s",
            f"{time.dynamic_s:.1f}",
            "slower where a layer needs longer",
        ),
    )
    caption = (
        "Time of one fraction: its parts by themselves (grey), and the whole (blue), in which they overlap."
    )
    picture = Picture("delivery", delivery_figure(made.delivered, time), "Time of delivery", caption)
    return picture, Table(("What", "Time", "With"), rows)


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
