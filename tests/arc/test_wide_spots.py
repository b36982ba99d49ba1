"""Wide spots stand for groups of four with equal weights."""

import numpy as np
import pytest

from isodose.arc.arc_influence import arc_influence
from isodose.arc.control_points import arc
from isodose.arc.spot_counts import SpotLattice, count_spots
from isodose.arc.wide_spots import spot_groups
from isodose.machine.machine_file import machine

PROTON = machine("generic_proton")


@pytest.fixture(scope="module")
def both(ball):
    lattice = SpotLattice(spacing_mm=6.0)
    counts = count_spots(
        ball, "CTV", PROTON, [arc("a", 0.0, 120.0, 60.0)], (), lattice, energies_mev_u=[115.0, 125.0]
    )
    mask = ball.structure("CTV").mask | ball.structure("organ").mask
    return [arc_influence(ball, PROTON, counts, mask, threads=1, wide=wide) for wide in (False, True)]


def test_there_is_one_for_each_group_in_its_layer(both):
    single, wide = both
    groups = spot_groups(single)
    assert wide.influence.spots == wide.point.size == groups.max() + 1
    assert wide.point.size < 0.4 * single.point.size
    layers = [
        (g, la.energy_mev_u) for g, b in enumerate(wide.plan.beams) for la in b.layers for _ in la.spots.x_mm
    ]
    energies = wide.counts.energies_mev_u[wide.energy]
    assert layers == list(zip(wide.point.tolist(), energies.tolist(), strict=True))
    single_particles, wide_particles = (a.plan.particles for a in both)
    assert wide_particles == pytest.approx(single_particles)


def test_groups_of_wide_spots_are_the_wide_spots(both):
    _, wide = both
    assert np.array_equal(np.unique(spot_groups(wide)), np.arange(wide.point.size))


def test_dose_is_that_of_the_groups(both, ball):
    single, wide = both
    inside = ball.structure("CTV").mask
    doses = []
    for found in both:
        particles = [la.spots.particles for b in found.plan.beams for la in b.layers]
        doses.append(found.influence.weighted(np.concatenate(particles))[inside])
    # Of all spots together, and of a group of four alone.
    assert np.sqrt(np.mean((doses[1] - doses[0]) ** 2)) < 0.03 * doses[0].mean()
    groups = spot_groups(single)
    four = np.flatnonzero(np.bincount(groups) == 4)[5]
    x, y = (
        np.concatenate([getattr(la.spots, n) for b in single.plan.beams for la in b.layers])[groups == four]
        for n in ("x_mm", "y_mm")
    )
    wide_x, wide_y = (
        np.concatenate([getattr(la.spots, n) for b in wide.plan.beams for la in b.layers])
        for n in ("x_mm", "y_mm")
    )
    member = np.flatnonzero(groups == four)[0]
    mine = (wide.point == single.point[member]) & (wide.energy == single.energy[member])
    mine &= (wide_x == x.mean()) & (wide_y == y.mean())
    assert mine.sum() == 1
    alone = single.influence.weighted((groups == four).astype(float)), wide.influence.weighted(4.0 * mine)
    assert np.abs(alone[1] - alone[0]).max() < 0.08 * alone[0].max()
