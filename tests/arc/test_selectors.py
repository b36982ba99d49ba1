import numpy as np
import pytest

from isodose.arc.coverage import CoverageDriven
from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.particle_swarm import ParticleSwarm, sector_starts
from isodose.arc.selection import SelectionTask
from isodose.arc.switch_table import SwitchTable
from isodose.errors import InputError

POINTS, ENERGIES = 24, 30
DEPTH = 100.0 + 30.0 * np.cos(np.arange(POINTS) / POINTS * 4.0 * np.pi)
RANGE = np.broadcast_to(60.0 + 3.0 * np.arange(ENERGIES), (POINTS, ENERGIES))


def task(**options):
    rng = np.random.default_rng(0)
    cost = np.abs(RANGE - DEPTH[:, None] + 15.0) / 30.0 + 0.1 * rng.random(RANGE.shape)
    cost[np.abs(RANGE - DEPTH[:, None] + 15.0) > 24.0] = np.inf
    return SelectionTask(cost, SwitchTable.preset("cyclotron", 70.0 + np.arange(ENERGIES)), **options)


def depths(voxels=200):
    return (DEPTH[:, None] - 30.0 * np.random.default_rng(1).random((POINTS, voxels))).astype(np.float32)


def test_sectors_begin_at_deep_places():
    depth = np.array([1.0, 2.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 7.0, 1.0, 1.0, 1.0])
    assert sector_starts(depth, 3).tolist() == [0, 4, 8]
    assert sector_starts(depth, 1).tolist() == [0]
    assert sector_starts(depth, 99).tolist() == list(range(12))


def test_swarm_falls_within_sectors_and_is_no_better_than_the_optimum():
    asked = task()
    found = ParticleSwarm(DEPTH, sectors=4, iterations=100).select(asked)
    again = ParticleSwarm(DEPTH, sectors=4, iterations=100).select(asked)
    assert found.energies.tolist() == again.energies.tolist()
    starts = set(sector_starts(DEPTH, 4).tolist())
    lowest = np.argmax(np.isfinite(asked.cost), axis=1)
    for s in range(1, POINTS):
        if s not in starts and found.energies[s] >= found.energies[s - 1]:
            assert found.energies[s] == lowest[s]  # there is none below the energy before
    assert found.total_cost >= ExactProgramme().select(asked).total_cost - 1e-9


def test_swarm_improves_with_iterations():
    few, many = (ParticleSwarm(DEPTH, 4, iterations=n).select(task()).total_cost for n in (1, 200))
    assert many < few


def test_swarm_knows_neither_budgets_nor_several_layers():
    for options in ({"budget_s": 10.0}, {"layers_per_point": 2}):
        with pytest.raises(InputError, match="neither"):
            ParticleSwarm(DEPTH).select(task(**options))


@pytest.mark.parametrize("budget", [13.0, 15.0, 40.0])
def test_coverage_keeps_its_budget_and_beats_the_spot_counts_at_covering(budget):
    depth, asked = depths(), task(budget_s=budget)
    found = CoverageDriven(depth, RANGE).select(asked)
    other = ExactProgramme().select(asked)

    def objective(selection):
        ends = RANGE[asked.slots, selection.energies]
        return np.log1p((np.abs(depth[asked.slots] - ends[:, None]) <= 3.0).sum(axis=0)).sum()

    assert found.switching_s <= budget + 1e-9
    assert objective(found) > objective(other)


def test_no_single_change_improves_a_coverage():
    depth, asked = depths(), task(budget_s=15.0)
    found = CoverageDriven(depth, RANGE).select(asked)

    def objective(energies):
        ends = RANGE[asked.slots, energies]
        return np.log1p((np.abs(depth[asked.slots] - ends[:, None]) <= 3.0).sum(axis=0)).sum()

    best = objective(found.energies)
    for s in range(POINTS):
        for e in np.flatnonzero(np.isfinite(asked.slot_cost[s])):
            other = found.energies.copy()
            other[s] = e
            if asked.selection(other, "").switching_s <= 15.0:
                assert objective(other) <= best + 1e-6


def test_coverage_needs_depths_and_ranges_of_the_same_points():
    with pytest.raises(InputError, match="range_mm"):
        CoverageDriven(depths(), RANGE[:3])
    with pytest.raises(InputError, match="reach_mm"):
        CoverageDriven(depths(), RANGE, 0.0)
