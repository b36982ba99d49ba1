"""How an optimisation went: the objective by iteration, and what each goal still costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isodose.optimise.goal import Goal
from isodose.optimise.solver import Result
from isodose.report.colours import INK
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
