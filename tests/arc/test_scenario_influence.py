"""Displaced spots stand for displaced isocentres."""

import numpy as np
import pytest

from isodose.arc.arc_plan import ArcSpots, arc_plan, layer_columns
from isodose.arc.control_points import arc
from isodose.arc.scenario_influence import by_range, displaced, displaced_influences
from isodose.arc.spot_counts import SpotLattice, count_spots
from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.optimise.scenarios import NOMINAL, Scenario, scenario_influences, scenario_set
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.influence.matrix import KEPT
from isodose.plan.beam_frame import beam_axes

PROTON = machine("generic_proton")
ENGINE = PencilBeam(machine=PROTON, gaussians=1, split=False, ray_spacing_mm=3.0, threads=1)
SOME = (
    NOMINAL,
    Scenario("x", (4.0, 0.0, 0.0)),
    Scenario("y", (0.0, -4.0, 0.0)),
    Scenario("z and range", (0.0, 0.0, 4.0), 3.5),
)


@pytest.fixture(scope="module")
def spots(ball):
    lattice = SpotLattice(spacing_mm=10.0)
    counts = count_spots(
        ball, "CTV", PROTON, [arc("a", 0.0, 150.0, 75.0)], (), lattice, energies_mev_u=[115.0, 125.0]
    )
    return ArcSpots(arc_plan(counts, PROTON), counts, *layer_columns(counts))


def test_doses_are_those_of_displaced_isocentres(ball, spots):
    target, organ = ball.structure("CTV").mask, ball.structure("organ").mask
    weights = np.linspace(1e6, 2e6, spots.point.size)
    found = displaced_influences(ENGINE, ball, spots.plan, SOME, mask=target | organ, kept=KEPT)
    exact = scenario_influences(ENGINE, ball, spots.plan, SOME, mask=target | organ)
    doses = [m.weighted(weights) for m in found]
    nominal = doses[0]
    for scenario, dose, matrix in zip(SOME, doses, exact, strict=True):
        expected = matrix.weighted(weights)
        error, moved = (np.sqrt(np.mean((d - expected)[target] ** 2)) for d in (dose, nominal))
        # Rays of other fans pass the voxels elsewhere, which is most of the error of an eighth at 4 mm.
        assert error < max(0.15 * moved, 1e-3 * nominal[target].mean()), scenario.name
        assert scenario is NOMINAL or moved > 0.04 * nominal[target].mean(), scenario.name


def test_shifts_across_the_beam_move_spots_and_shifts_along_it_do_not(ball, spots):
    beam = spots.plan.beams[0]
    ex, ey, along = beam_axes(beam, ball.position)
    moved = displaced(spots.plan, np.array([3.0 * ex + 2.0 * ey, 5.0 * along]), ball.position).beams[0]
    for layer, before in zip(moved.layers, beam.layers, strict=True):
        n = len(before.spots)
        np.testing.assert_allclose(layer.spots.x_mm[:n], before.spots.x_mm + 3.0)
        np.testing.assert_allclose(layer.spots.y_mm[:n], before.spots.y_mm + 2.0)
        np.testing.assert_allclose(layer.spots.x_mm[n:], before.spots.x_mm, atol=1e-9)
        np.testing.assert_allclose(layer.spots.y_mm[n:], before.spots.y_mm, atol=1e-9)


def test_beams_are_followed_once_per_range_error_and_others_than_the_nominal_on_fewer_voxels(ball, spots):
    plans = []

    class Watched(PencilBeam):
        def influence(self, patient, plan, quantities=(), kept=0.98, mask=None):
            plans.append((self.stopping_factor, plan.beams[0].spot_count, int(mask.sum())))
            return super().influence(patient, plan, quantities, kept, mask)

    engine = Watched(machine=PROTON, gaussians=1, split=False, ray_spacing_mm=3.0, threads=1)
    target = ball.structure("CTV").mask
    ordered = by_range(scenario_set(21))
    assert ordered[0] == NOMINAL
    matrices = list(displaced_influences(engine, ball, spots.plan, ordered, (), target, target & False))
    assert [m.spots for m in matrices] == [spots.point.size] * 21
    n, wide = spots.plan.beams[0].spot_count, int(target.sum())
    assert sorted(plans) == [(0.965, 7 * n, 0), (1.0, n, wide), (1.0, 6 * n, 0), (1.035, 7 * n, 0)]
    assert [m.nonzeros > 0 for m in matrices] == [True] + [False] * 20


def test_shifts_past_the_patient_are_refused(ball, spots):
    with pytest.raises(InputError, match="miss the patient"):
        next(displaced_influences(ENGINE, ball, spots.plan, [Scenario("far", (0.0, 0.0, 80.0))]))


def test_some_of_the_spots_keep_their_places_and_layers(spots):
    columns = np.arange(0, spots.point.size, 3)
    part = spots.only(columns)
    whole, some = ([la.spots for b in s.plan.beams for la in b.layers] for s in (spots, part))
    np.testing.assert_array_equal(
        np.concatenate([s.x_mm for s in some]), np.concatenate([s.x_mm for s in whole])[columns]
    )
    energies = [la.energy_mev_u for b in part.plan.beams for la in b.layers for _ in range(len(la.spots))]
    np.testing.assert_array_equal(part.counts.energies_mev_u[part.energy], energies)
    chosen = np.zeros(spots.counts.target.shape, dtype=bool)
    chosen[1, 1] = True
    layer = spots.of_layers(chosen)
    assert layer.point.size == spots.counts.target[1, 1]
    assert len(layer.plan.beams) == 1
