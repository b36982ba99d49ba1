"""Goals: objectives in the voxels of a patient's structures, where structures overlap by rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.optimise.objective import Objective
from isodose.optimise.voxel_quantity import PhysicalDose, VoxelQuantity
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """One term of the function that the solver makes small: priority times objective.

    Parameters
    ----------
    objective
        The function.
    voxels
        Flat C-order voxels of the dose grid, ascending and each once, int64 ``(n,)``.
    priority
        Factor of the objective, positive.
    structure
        Name for reports.
    quantity
        What the objective looks at.
    robust
        Whether it is to hold in all scenarios, or only in the nominal one.

    Raises
    ------
    InputError
        If there is no voxel, or the priority is not positive.
    """

    objective: Objective
    voxels: NDArray[np.int64]
    priority: float = 1.0
    structure: str = ""
    quantity: VoxelQuantity = field(default_factory=PhysicalDose)
    robust: bool = False

    def __post_init__(self) -> None:
        voxels = np.ascontiguousarray(self.voxels, dtype=np.int64)
        if voxels.ndim != 1 or not voxels.size or np.any(np.diff(voxels) <= 0):
            raise InputError(
                f"goal {self.label}", f"{voxels.size} voxels", "at least one, ascending and each once"
            )
        if not 0.0 < self.priority < np.inf:
            raise InputError(f"goal {self.label}: priority", self.priority, "a positive number")
        object.__setattr__(self, "voxels", voxels)

    @property
    def label(self) -> str:
        """Structure and objective."""
        return f"{self.structure or '(unnamed)'}: {self.objective.name}"


def voxels_by_structure(
    patient: Patient, grid: Grid, ranks: Mapping[str, int]
) -> dict[str, NDArray[np.int64]]:
    """Voxels of structures, those of a lower rank without what belongs to one of a higher rank.

    Parameters
    ----------
    patient
        Has the structures.
    grid
        Dose grid.
    ranks
        By structure: 1 goes before 2, and so on. Structures of one rank share voxels.

    Returns
    -------
    dict
        Flat voxels of the grid that a structure fills at least half, int64, by name.

    Raises
    ------
    InputError
        If a structure is not there, or nothing is left of it.
    """
    whole = {name: voxels_of(patient.structure(name), grid) for name in ranks}
    taken: dict[int, NDArray[np.bool_]] = {}
    for rank in sorted(set(ranks.values())):
        taken[rank] = np.zeros(grid.size, dtype=np.bool_)
        for name, voxels in whole.items():
            if ranks[name] < rank:
                taken[rank][voxels] = True
    left = {name: voxels[~taken[ranks[name]][voxels]] for name, voxels in whole.items()}
    for name, voxels in left.items():
        if not voxels.size:
            found = "no voxel that does not belong to a structure of a higher rank"
            raise InputError(f"structure {name!r}", found, "at least one")
    return left


def voxels_of(structure: Structure, grid: Grid) -> NDArray[np.int64]:
    """Flat voxels of a grid that a structure fills at least half, int64.

    Raises
    ------
    InputError
        If there is none.
    """
    filled = Volume(structure.grid, structure.occupancy).on(grid).values
    voxels = np.flatnonzero(filled >= 0.5)
    if not voxels.size:
        raise InputError(
            f"structure {structure.name!r}", "no voxel of the dose grid at least half inside", "some"
        )
    return voxels


def goals_at(goals: Sequence[Goal]) -> NDArray[np.int64]:
    """All voxels that any goal looks at, ascending."""
    return np.unique(np.concatenate([goal.voxels for goal in goals]))
