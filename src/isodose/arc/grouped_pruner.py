"""The joint pruner on two smaller problems: voxels averaged and spots in groups first, then spots alone.

Four neighbouring spots of a layer with one weight are a wider spot. Which layers serve the dose together does
not change by that, while leaving three of four out makes gaps, and the pruner would choose layers that fill
them. Averages over voxels tell which layers are useless, but not which few are best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.arc.arc_influence import ArcInfluence
from isodose.arc.joint_pruner import JointPruner, PruningStep
from isodose.arc.selection import Selection, SelectionTask
from isodose.arc.wide_spots import spot_groups
from isodose.optimise.grouped_matrix import voxel_groups
from isodose.optimise.problem import Problem

LAYERS = 10.0
"""Layers per control point and layer wanted that are looked at with all voxels, in the mean."""

_LEAST = 0.04
"""Dose below this part of a spot's largest is given to where the spot gives more."""

_FINE, _ROUGH = (2, 1, 1), (2, 2, 2)
"""Blocks of voxels (z, y, x) that are averaged in targets and elsewhere: ranges end in its plane."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupedPruner:
    """Selector by the dose of wider spots: the default of isodose.

    Parameters
    ----------
    problem
        Objective of all spots of all layers, nominal or robust.
    point, energy
        Control point and energy of each of the problem's spots, ``(spots,)``.
    spots, rows
        Groups of spots and voxels, as of `Problem.grouped`.
    progress
        Called after every optimisation.
    """

    problem: Problem
    point: NDArray[np.int64]
    energy: NDArray[np.int64]
    spots: NDArray[np.int64]
    rows: NDArray[np.int64]
    progress: Callable[[PruningStep], object] | None = None

    @classmethod
    def of_arc(
        cls, arc: ArcInfluence, problem: Problem, progress: Callable[[PruningStep], object] | None = None
    ) -> GroupedPruner:
        """Pruner with two by two spots of a layer, and voxels that belong to the same goals, in groups."""
        rows = voxel_groups(problem.voxels, problem.goals, arc.influence.grid.shape, _FINE, _ROUGH)
        return cls(problem, arc.point, arc.energy, spot_groups(arc), rows, progress)

    def select(self, task: SelectionTask) -> Selection:
        """Choose the layers of a task; see `JointPruner.select`."""
        pruner, rest = self._without_the_useless(task)
        found = pruner.select(rest)
        return task.selection(found.energies, found.selector)

    def remaining(self, task: SelectionTask, mean: float) -> NDArray[np.bool_]:
        """Layers that stay until there are `mean` per layer wanted; see `JointPruner.remaining`."""
        pruner, rest = self._without_the_useless(task)
        return pruner.remaining(rest, mean)

    def _without_the_useless(self, task: SelectionTask) -> tuple[JointPruner, SelectionTask]:
        """Pruner with all voxels for what averages over voxels leave, and the task of choosing from that."""
        left = np.isfinite(task.cost)
        if left.sum() > LAYERS * task.slots.size:
            left = self._pruner(np.arange(self.problem.spots), self.rows).remaining(task, LAYERS)
        some = np.flatnonzero(left[self.point, self.energy])
        return self._pruner(some, None), replace(task, cost=np.where(left, task.cost, np.inf))

    def _pruner(self, some: NDArray[np.int64], rows: NDArray[np.int64] | None) -> JointPruner:
        """Pruner of groups of some of the spots."""
        _, first, group = np.unique(self.spots[some], return_index=True, return_inverse=True)
        problem = self.problem.restricted_to(some).grouped(group, rows, _LEAST)
        return JointPruner(problem, self.point[some][first], self.energy[some][first], progress=self.progress)
