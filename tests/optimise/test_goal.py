"""Goals, and structures that overlap."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.optimise.goal import Goal, goals_at, voxels_by_structure, voxels_of
from isodose.optimise.squared import SquaredDeviation
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

GRID = Grid((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (1, 1, 10))


def _box(name, first, last, role=Role.ORGAN):
    occupancy = np.zeros(GRID.shape, np.float32)
    occupancy[..., first:last] = 1.0
    return Structure(name, role, GRID, occupancy)


PATIENT = Patient(
    "row",
    Volume(GRID, np.zeros(GRID.shape, np.float32)),
    {s.name: s for s in (_box("PTV", 2, 6, Role.PTV), _box("cord", 5, 8), _box("skin", 0, 10))},
)


def test_lower_ranks_lose_what_higher_ones_have():
    left = voxels_by_structure(PATIENT, GRID, {"skin": 3, "PTV": 1, "cord": 2})
    assert left["PTV"].tolist() == [2, 3, 4, 5]
    assert left["cord"].tolist() == [6, 7]
    assert left["skin"].tolist() == [0, 1, 8, 9]


def test_structures_of_one_rank_share():
    left = voxels_by_structure(PATIENT, GRID, {"PTV": 1, "cord": 1})
    assert left["PTV"].tolist() == [2, 3, 4, 5]
    assert left["cord"].tolist() == [5, 6, 7]


def test_a_structure_with_nothing_left_is_refused():
    with pytest.raises(InputError, match="PTV"):
        voxels_by_structure(PATIENT, GRID, {"PTV": 2, "skin": 1})


def test_a_structure_off_the_dose_grid_is_refused():
    away = Grid((500.0, 0.0, 0.0), (2.0, 2.0, 2.0), (1, 1, 4))
    with pytest.raises(InputError, match="cord"):
        voxels_of(PATIENT.structure("cord"), away)


def test_voxels_of_all_goals():
    goals = [Goal(SquaredDeviation(2.0), np.array(v)) for v in ([1, 4], [2, 4, 7])]
    assert goals_at(goals).tolist() == [1, 2, 4, 7]


@pytest.mark.parametrize("voxels", [[], [3, 3], [4, 2]])
def test_voxels_ascend(voxels):
    with pytest.raises(InputError, match="voxels"):
        Goal(SquaredDeviation(2.0), np.array(voxels, dtype=np.int64))


def test_priority_is_positive():
    with pytest.raises(InputError, match="priority"):
        Goal(SquaredDeviation(2.0), np.array([1]), 0.0)
