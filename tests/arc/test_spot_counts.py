import numpy as np
import pytest

from isodose.arc.control_points import arc
from isodose.arc.selection import count_cost
from isodose.arc.spot_counts import SpotLattice, arc_energies, count_spots
from isodose.arc.voxel_depths import target_depths
from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.plan.depth_dose import range_mm

PROTON = machine("generic_proton")
ARC = arc(spacing_deg=45.0)


@pytest.fixture(scope="module")
def counts(ball):
    return count_spots(ball, "CTV", PROTON, [ARC], ["organ"], SpotLattice(spacing_mm=6.0))


def test_energies_cover_the_machine_evenly_in_range():
    energies = arc_energies(PROTON)
    ranges = range_mm("proton", energies)
    assert 90 <= energies.size <= 110
    assert energies[0] == 70.0
    assert energies[-1] == 230.0
    assert np.median(np.diff(ranges)) == pytest.approx(3.0, abs=0.1)


def test_greatest_depth_is_that_of_the_ball(counts, ball):
    # The box reaches 120 mm to each side, and its water is unit density by the phantom's calibration.
    for point, depth in zip(counts.points, counts.max_wet_mm, strict=True):
        angle = np.radians(point.gantry_angle_deg)
        if abs(np.sin(2.0 * angle)) > 0.5:
            continue  # of the four that look at a face
        upstream = np.array([np.sin(angle), -np.cos(angle)])  # IEC gantry 0 shines to posterior
        surface = 120.0 - upstream @ np.array([20.0, 0.0])
        # Voxels of 4 mm make the ball up to half a voxel larger.
        assert depth == pytest.approx(surface + 25.0, abs=4.0)


def test_spots_lie_on_rays_within_the_target(counts):
    for g in range(len(counts.points)):
        view = counts.views[g]
        for e in np.flatnonzero(counts.allowed[g]):
            used = counts.spots(g, int(e))
            assert used.sum() == counts.target[g, e]
            ends = counts.range_mm[g, e]
            assert np.all(ends >= view.proximal_mm[used] - counts.lattice.depth_margin_mm)
            assert np.all(ends <= view.distal_mm[used] + counts.lattice.depth_margin_mm)
    # A layer through the middle of a ball of 25 mm radius and 3 mm margin has pi (28/6)^2 spots.
    assert counts.target.max() == pytest.approx(np.pi * (28.0 / 6.0) ** 2, rel=0.25)


def test_organ_behind_is_met_by_none_and_in_front_by_most(counts):
    angles = np.array([p.gantry_angle_deg for p in counts.points])
    # The organ is posterior of the target: gantry 180 shines through it, gantry 0 stops before.
    before, behind = np.flatnonzero(angles == 180.0)[0], np.flatnonzero(angles == 0.0)[0]
    assert counts.organs["organ"][behind].sum() < 0.1 * counts.target[behind].sum()
    assert counts.organs["organ"][before].sum() > 0.3 * counts.target[before].sum()
    assert np.array_equal(counts.avoiding("organ"), counts.target - counts.organs["organ"])
    assert np.all(counts.avoiding("organ") >= 0)


def test_cost_prefers_layers_of_many_spots_that_avoid(counts):
    cost = count_cost(counts)
    assert np.all(np.isfinite(cost) == counts.allowed)
    for g in range(len(counts.points)):
        best = int(np.argmin(cost[g]))
        worth = 0.5 * counts.target[g] / counts.target[g].max()
        worth = worth + 0.4 * counts.avoiding("organ")[g] / max(counts.avoiding("organ")[g].max(), 1)
        assert worth[best] == pytest.approx(worth.max())
    assert count_cost(counts, {})[0, int(np.argmax(counts.target[0]))] == 0.0


def test_depth_of_voxels_in_water_is_their_distance_from_the_surface(counts, ball):
    voxels = np.flatnonzero(ball.structure("CTV").mask)[::7]
    depth = target_depths(ball, PROTON, counts, voxels)
    place = ball.grid.position_mm(np.stack(np.unravel_index(voxels, ball.grid.shape), axis=1))
    face = [p.gantry_angle_deg for p in counts.points].index(90.0)
    # Gantry 90 shines from the patient's left; rays diverge by 2 degrees at most.
    np.testing.assert_allclose(depth[face], 120.0 - place[:, 0], atol=1.0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"target": "nothing"}, "one of CTV"),
        ({"target": "empty"}, "an empty structure"),
        ({"organs": ["empty"]}, "an empty structure"),
        ({"energies_mev_u": [229.0, 230.0]}, "no energy ends in"),
        ({"energies_mev_u": [10.0]}, "energies_mev_u"),
        ({"arcs": []}, "at least one"),
    ],
)
def test_bad_input_is_refused(ball, change, text):
    given = {"target": "CTV", "arcs": [ARC]} | change
    with pytest.raises(InputError, match=text):
        count_spots(ball, given.pop("target"), PROTON, given.pop("arcs"), **given)


def test_uncounted_organ(counts):
    with pytest.raises(InputError, match="organ"):
        counts.avoiding("heart")
