"""How an optimisation went: the objective by iteration, what each goal costs, which constraints hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isodose.optimise.constrained import Kept
from isodose.optimise.constraint import TOLERANCE
from isodose.optimise.goal import Goal
from isodose.optimise.solver import Result
from isodose.report.colours import HELD, INK, MISSED
from isodose.report.curves import style
from isodose.report.figures import Picture
from isodose.report.tables import Table


def optimisation_section(
    result: Result, goals: Sequence[Goal], goal_values: NDArray[np.float64]
) -> tuple[Picture, Table]:
    """Figure of the objective by iteration, and a table of the goals.

    Parameters
    ----------
    result
        Of the solver.
    goals
        What was to be reached.
    goal_values
        Value of each goal in each scenario, ``(goals, scenarios)``; NaN where it does not count.
    """
    figure = Figure(figsize=(12.5, 3.6), layout="constrained", facecolor="white")
    axis = figure.subplots()
    axis.plot([step.value for step in result.history], color=INK, linewidth=1.4)
    if all(step.value > 0.0 for step in result.history):
        axis.set_yscale("log")
    style(axis, "Iteration", "Objective")
    last = result.history[-1]
    caption = (
        f"Objective {result.value:.4g} after {len(result.history) - 1} iterations and {last.seconds:.0f} s; "
        f"stopped for: {result.stopped}."
    )
    return Picture("optimisation", figure, "Optimisation", caption), _goal_table(goals, goal_values)


def constraint_section(kept: Sequence[Kept]) -> tuple[Picture, Table]:
    """Figure of what constraints allow and what the plan has, and the table of them.

    Parameters
    ----------
    kept
        At least one.
    """
    figure = Figure(figsize=(12.5, 0.9 + 0.42 * len(kept)), layout="constrained", facecolor="white")
    axis = figure.subplots()
    part = [100.0 * result.value / result.constraint.limit for result in kept]
    axis.barh(range(len(kept)), part, color=[HELD if r.holds else MISSED for r in kept], height=0.55)
    axis.axvline(100.0, color=INK, linewidth=1.2)
    labels = [f"{r.constraint.label} {_sign(r)} {r.constraint.limit:g}" for r in kept]
    axis.set_yticks(range(len(kept)), labels)
    axis.invert_yaxis()
    style(axis, "Reached / % of the limit", "")
    missed = sum(not result.holds for result in kept)
    outcome = "All hold." if not missed else f"Not kept: {missed} of {len(kept)}."
    caption = (
        f"{outcome} A constraint holds if it is missed by at most {100 * TOLERANCE:g} % of its limit. Values "
        "are those of the influence matrix; the dose above is computed anew and may differ in single voxels."
    )
    rows = tuple(
        (
            result.constraint.structure,
            str(result.constraint.kind),
            result.constraint.quantity.label,
            f"{_sign(result)} {result.constraint.limit:g}",
            f"{result.value:.4g}",
            "yes" if result.holds else f"no, off by {result.beyond:.3g}",
        )
        for result in kept
    )
    table = Table(("Structure", "Constraint", "Of", "Limit", "Reached", "Holds"), rows)
    return Picture("constraints", figure, "Constraints", caption), table


def _sign(result: Kept) -> str:
    return (
        "\N{LESS-THAN OR EQUAL TO}" if result.constraint.kind.from_above else "\N{GREATER-THAN OR EQUAL TO}"
    )


def _goal_table(goals: Sequence[Goal], values: NDArray[np.float64]) -> Table:
    rows = []
    for goal, row in zip(goals, values, strict=True):
        cells = [
            goal.structure,
            str(goal.objective),
            goal.quantity.label,
            f"{goal.priority:g}",
            f"{row[0]:.4g}",
        ]
        if values.shape[1] > 1:
            cells.append(f"{np.nanmax(row):.4g}" if goal.robust else "")
        rows.append(tuple(cells))
    headings = ["Structure", "Objective", "Of", "Priority", "Cost"]
    if values.shape[1] > 1:
        headings.append("Worst of the scenarios")
    return Table(tuple(headings), tuple(rows), "Cost: priority times objective, in the nominal scenario.")
