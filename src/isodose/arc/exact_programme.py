"""The exact programme as a selector."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isodose.arc.pareto import pareto_frontier
from isodose.arc.selection import Selection, SelectionTask
from isodose.arc.shortest_path import cheapest_path, path_within

NAME = "exact"


@dataclass(frozen=True, slots=True)
class ExactProgramme:
    """The selection of least cost and weighted switching time, or of least cost within the task's budget.

    It is the global optimum, but for a budget and a switch table of more than one time up and one down: then
    it is the best on the convex hull of cost against time, and `Selection.bound` tells how far the optimum
    can lie from it. The least cost of a surrogate is not the best plan.
    """

    def select(self, task: SelectionTask) -> Selection:
        """Choose the layers of a task; see `isodose.arc.selection.Selector`."""
        if task.budget_s is None:
            path = cheapest_path(task, task.time_weight)
            return task.selection(path.energies, NAME, path.cost + task.time_weight * path.switching_s)
        if task.table.constants is not None:
            return pareto_frontier(task, task.budget_s).within(task.budget_s)
        path, _, bound = path_within(task, task.budget_s)
        return task.selection(path.energies, NAME, bound)


def best_start(task: SelectionTask) -> tuple[int, Selection]:
    """Best beginning of a whole turn, whose control points can be delivered from any of them on.

    Returns
    -------
    tuple
        The control point that is delivered first, and the selection; its task has the control points in the
        order of delivery.
    """
    best: tuple[int, Selection] | None = None
    for start in task.delivered:
        turned = replace(task, cost=np.roll(task.cost, -int(start), axis=0))
        found = ExactProgramme().select(turned)
        if best is None or found.total_cost < best[1].total_cost:
            best = int(start), found
    assert best is not None  # a task has a control point
    return best
