"""Influence matrices: the forward dose spot by spot, a Gaussian by hand, what is cut off, and options."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.nozzle import Monitor
from isodose.patient.patient import Patient
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Plan, Spots

GY_MM2 = 1.602177e-8
"""Gy mm2 of one MeV cm2/g."""
FIELD = tuple(
    (5.0 * i, 5.0 * j, 1e6 * (1.0 + 0.3 * np.sin(3.0 * i + j))) for i in range(-1, 2) for j in range(-1, 2)
)

Make = Callable[..., Influence]


@pytest.fixture(scope="module")
def water(box) -> Patient:
    return box(np.zeros((32, 40, 32)))


@pytest.fixture(scope="module")
def make(toy) -> Make:
    def made(
        patient: Patient, plan: Plan, *quantities: Quantity, kept=0.995, mask=None, **options
    ) -> Influence:
        engine = PencilBeam(**({"machine": toy, "threads": 1} | options))
        return engine.influence(patient, plan, quantities or (Quantity.DOSE,), kept, mask)

    return made


def weights(plan: Plan) -> np.ndarray:
    return np.concatenate([layer.spots.particles for beam in plan.beams for layer in beam.layers])


@pytest.mark.physics
@pytest.mark.parametrize(("gantry", "couch"), [(0.0, 0.0), (40.0, 0.0), (270.0, 30.0)])
@pytest.mark.parametrize(
    ("phantom", "most", "mean"), [("water", 0.005, 0.001), ("step", 0.005, 0.001), ("mixed", 0.015, 0.0015)]
)
def test_spots_add_up_to_the_forward_dose(
    box, mixed, toy, spot_plan, gantry, couch, phantom, most, mean
) -> None:
    step = np.zeros((22, 30, 22))
    step[:, 5:10, 11:] = 500.0
    patient = {"water": box(np.zeros((22, 30, 22))), "step": box(step), "mixed": mixed}[phantom]
    plan = spot_plan(60.0, 70.0, spots=FIELD, gantry=gantry, couch=couch)
    engine, both = PencilBeam(machine=toy, threads=1), (Quantity.DOSE, Quantity.LETD)
    forward = engine.compute(patient, plan, both)
    found = engine.influence(patient, plan, both, kept=0.9999).dose(weights(plan))
    dose = forward.values[Quantity.DOSE]
    difference = (found.values[Quantity.DOSE] - dose) / dose.max()
    seen = dose > 0.1 * dose.max()
    # Both share widths among rays that differ, which tells in single voxels at edges in the mixed phantom.
    assert np.abs(difference).max() < most
    assert np.sqrt(np.mean(difference[seen] ** 2)) < mean
    letd = forward.values[Quantity.LETD]
    assert np.abs(found.values[Quantity.LETD] - letd)[seen].max() < 4.0 * most * letd[seen].max()


@pytest.mark.physics
@pytest.mark.parametrize("gaussians", [1, 3])
def test_an_unsplit_spot_in_water_is_a_sum_of_gaussians(water, parallel, spot_plan, make, gaussians) -> None:
    plan = spot_plan(73.0, spots=((3.3, -4.9, 1.0),))
    kept = 0.99
    matrix = make(water, plan, Quantity.LETD, machine=parallel, split=False, gaussians=gaussians, kept=kept)
    kernel = parallel.base_data.with_gaussians(gaussians).kernel(73.0)
    z, y, x = np.meshgrid(*(water.grid.axis_mm(a) for a in "zyx"), indexing="ij")
    square, depth = (x - 3.3) ** 2 + (z + 4.9) ** 2, y - water.grid.lower_mm[1]
    dose, product = np.zeros(x.shape), np.zeros(x.shape)
    on_edge = np.zeros(x.shape, dtype=bool)
    for sigma, weight, letd in zip(kernel.sigma_mm.T, kernel.weight.T, kernel.letd.T, strict=True):
        at = lambda column: np.interp(depth, kernel.depth_mm, column, right=0.0)  # noqa: E731
        variance = at(sigma) ** 2 + 4.0**2 + 2.0**2 / 12.0  # voxels show the mean over themselves
        exponent = square / (2.0 * variance)
        amount = at(kernel.dose * weight) * GY_MM2 / (2.0 * np.pi * variance) * np.exp(-exponent) / kept
        amount[exponent > -np.log(1.0 - kept)] = 0.0
        on_edge |= np.abs(exponent + np.log(1.0 - kept)) < 0.1
        dose, product = dose + amount, product + at(letd) * amount
    # Depths are tabulated by 0.25 mm, and where a Gaussian ends is a matter of rounding.
    for found, expected in ((matrix.weighted([1.0]), dose), (matrix.weighted([1.0], Quantity.LETD), product)):
        before_end = depth < kernel.range_mm  # behind it the engine lets beams drift apart further
        assert np.abs(found - expected)[before_end & ~on_edge].max() < 5e-3 * expected.max()
        assert found.sum() == pytest.approx(expected.sum(), rel=2e-3)


def test_the_provenance_says_how_it_was_made(water, spot_plan, make) -> None:
    plan = spot_plan(60.0, spots=FIELD[:1])
    notes = make(water, plan, gaussians=1, split=False, stopping_factor=1.03).provenance
    expected = {"gaussians": 1, "split": False, "stopping_factor": 1.03, "kept": 0.995, "machine": "toy"}
    assert {key: notes[key] for key in expected} == expected


@pytest.mark.parametrize("split", [True, False])
def test_what_is_cut_off_is_given_back(water, spot_plan, make, split) -> None:
    plan = spot_plan(60.0)
    much, less = (make(water, plan, kept=kept, split=split) for kept in (0.999, 0.98))
    assert less.nonzeros < 0.7 * much.nonzeros
    by_depth = [m.weighted([1.0]).sum(axis=(0, 2)) for m in (much, less)]
    before_end = water.grid.axis_mm("y") - water.grid.lower_mm[1] < 30.0
    # Voxels of 2 mm on the edge of a spot of 5 mm come and go as wholes.
    np.testing.assert_allclose(by_depth[1][before_end], by_depth[0][before_end], rtol=0.006)


@pytest.mark.parametrize("split", [True, False])
def test_columns_are_spots_in_the_order_of_the_plan(water, spot_plan, make, split) -> None:
    plan = spot_plan(70.0, 55.0, spots=FIELD[:3], gantry=20.0)  # columns of the view are by ascending range
    beams = (plan.beams[0], replace(plan.beams[0], gantry_angle_deg=100.0))
    whole = make(water, replace(plan, beams=beams), split=split)
    assert whole.spots == 12
    for column, (beam, layer, spot) in {1: (0, 0, 1), 3: (0, 1, 0), 8: (1, 0, 2)}.items():
        one = beams[beam].layers[layer]
        spots = Spots(one.spots.x_mm[[spot]], one.spots.y_mm[[spot]], np.ones(1))
        alone = replace(beams[beam], layers=(replace(one, spots=spots),))
        expected = make(water, replace(plan, beams=(alone,)), split=split).weighted([1.0])
        found = whole.weighted(np.eye(12)[column])
        # Lattices of rays and planes differ with the field that they cover.
        assert np.abs(found - expected).max() < 0.03 * expected.max()
        assert found.sum() == pytest.approx(expected.sum(), rel=0.01)


def test_rows_ascend_and_threads_do_not_matter(mixed, spot_plan, make) -> None:
    plan = spot_plan(60.0, 70.0, spots=FIELD, gantry=20.0)
    for split in (True, False):
        one, three = (make(mixed, plan, split=split, threads=threads) for threads in (1, 3))
        np.testing.assert_array_equal(one.indptr, three.indptr)
        np.testing.assert_array_equal(one.indices, three.indices)
        np.testing.assert_array_equal(one.values[Quantity.DOSE], three.values[Quantity.DOSE])
        ends = np.isin(np.arange(1, one.nonzeros), one.indptr)
        assert np.all((np.diff(one.indices) > 0) | ends)


@pytest.mark.parametrize("split", [True, False])
def test_wanted_voxels_only(mixed, spot_plan, make, split) -> None:
    plan = spot_plan(60.0, spots=FIELD)
    mask = np.zeros(mixed.grid.shape, dtype=bool)
    mask[8:14, 3:20, 6:15] = True
    whole, part = make(mixed, plan, split=split), make(mixed, plan, split=split, mask=mask)
    expected = whole.restricted(mask)
    np.testing.assert_array_equal(part.indices, expected.indices)
    np.testing.assert_allclose(part.values[Quantity.DOSE], expected.values[Quantity.DOSE], rtol=1e-5)
    nothing = make(mixed, plan, split=split, mask=np.zeros_like(mask))
    assert (nothing.spots, nothing.nonzeros) == (9, 0)


@pytest.mark.parametrize("split", [True, False])
def test_a_monitor_scatters_its_part(water, toy: Machine, spot_plan, make, split) -> None:
    plan = spot_plan(60.0)
    monitor = Monitor(0.3, 400.0, 0.5, np.full(4, 0.03))
    dose = [
        make(water, plan, machine=machine, split=split, kept=0.999).weighted([1.0])
        for machine in (toy, replace(toy, monitor=monitor))
    ]
    y = 5
    middle = [d[15:17, y, 15:17].sum() for d in dose]
    assert 0.65 < middle[1] / middle[0] < 0.8  # 12 mm away the scattered part is faint
    assert dose[1][:, y].sum() == pytest.approx(dose[0][:, y].sum(), rel=0.03)


def test_bad_options(water, toy, spot_plan, make) -> None:
    plan = spot_plan(60.0)
    for kept in (0.3, 1.0, np.nan):
        with pytest.raises(InputError, match="kept"):
            make(water, plan, kept=kept)
    with pytest.raises(InputError, match="base_data"):
        make(water, plan, machine=replace(toy, base_data=None))
