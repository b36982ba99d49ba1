"""The engine from outside: doses in water by hand, symmetry, grids, options and bad input."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import erf

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.base_data import BaseData, DepthWeighting, PencilKernel
from isodose.machine.machine import Machine
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Plan, RangeShifter

GY_MM2 = 1.602177e-8
"""Gy mm2 of one MeV cm2/g: 1.602177e-10 Gy g/MeV and 100 mm2 in a cm2."""
SIGMA_MM = 4.0


@pytest.fixture(scope="module")
def water(box) -> Patient:
    return box(np.zeros((45, 40, 45)))


@pytest.fixture(scope="module")
def compute(toy) -> Callable[..., Dose]:
    def made(patient: Patient, plan: Plan, *quantities: Quantity, **options) -> Dose:
        options = {"machine": toy, "threads": 1} | options
        return PencilBeam(**options).compute(patient, plan, quantities or (Quantity.DOSE,))

    return made


def part_in_voxels(axis: np.ndarray, spacing: float, centre: float, sigma: float) -> np.ndarray:
    """Of a Gaussian in each voxel of a row."""
    edges = np.append(axis - spacing / 2, axis[-1] + spacing / 2)
    return 0.5 * np.diff(erf((edges - centre) / (np.sqrt(2.0) * sigma)))


def of_spot(
    patient: Patient,
    kernel: PencilKernel,
    x: float,
    z: float,
    magnified: float = 0.0,
    divergence: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Dose, and LETd times it, of a million particles down the y axis: a plain sum of Gaussians."""
    grid = patient.grid
    middle = [grid.axis_mm(a) for a in "xyz"]
    h = grid.spacing_mm
    dose = np.zeros((2, *grid.shape))
    for j, y in enumerate(middle[1]):
        depth = y - grid.lower_mm[1]
        total, *columns = (
            np.array([np.interp(depth, kernel.depth_mm, c, right=0.0) for c in np.atleast_2d(values.T)])
            for values in (kernel.dose, kernel.sigma_mm, kernel.weight, kernel.letd)
        )
        for sigma, weight, letd in zip(*columns, strict=True):
            wide = np.sqrt(sigma**2 + SIGMA_MM**2 + (divergence * y) ** 2)
            across = part_in_voxels(middle[0], h[0], x * (1.0 + magnified * y), wide)
            along = part_in_voxels(middle[2], h[2], z * (1.0 + magnified * y), wide)
            amount = 1e6 * total[0] * weight * GY_MM2 / (h[0] * h[2]) * np.outer(along, across)
            dose[0, :, j] += amount
            dose[1, :, j] += letd * amount
    return dose[0], dose[1]


@pytest.mark.physics
@pytest.mark.parametrize("gaussians", [1, 2, 3])
@pytest.mark.parametrize("energy", [60.0, 73.0])
def test_a_spot_in_water_is_the_base_data(water, parallel, spot_plan, compute, gaussians, energy) -> None:
    plan = spot_plan(energy, spots=((3.3, -4.9, 1e6),))
    found = compute(water, plan, Quantity.LETD, machine=parallel, gaussians=gaussians)
    kernel = parallel.base_data.with_gaussians(gaussians).kernel(energy)
    dose, weighted = of_spot(water, kernel, 3.3, -4.9)
    values = found.values[Quantity.DOSE]
    # Two rungs, a quarter of the variance apart, stand for the widths between: up to 1.2 % of the height.
    # Dose is linear between planes 1 mm apart: up to 0.8 % of a peak of 4 mm.
    np.testing.assert_allclose(values, dose, atol=0.02 * dose.max())
    high = dose > 0.05 * dose.max()
    np.testing.assert_allclose(found.values[Quantity.LETD][high], weighted[high] / dose[high], rtol=0.02)


@pytest.mark.physics
def test_a_diverging_beam_far_from_the_isocentre(water, toy, spot_plan, compute) -> None:
    """A spot 12 mm off axis that comes from 1900 mm (x): it moves out and widens with the depth."""
    sources = replace(
        toy,
        source_distance_mm=(400.0, 400.0),
        optics=replace(toy.optics, divergence_rad=np.full((4, 2), 0.02)),
    )
    plan = spot_plan(80.0, spots=((12.0, -8.0, 1e6),))
    values = compute(water, plan, machine=sources).values[Quantity.DOSE]
    dose = of_spot(water, toy.base_data.kernel(80.0), 12.0, -8.0, 1.0 / 400.0, 0.02)[0]
    # An oblique path is 0.06 % longer. The fluence map takes the narrowest size, as seen from the source.
    np.testing.assert_allclose(values, dose, atol=0.025 * dose.max())
    x, z = water.grid.axis_mm("x"), water.grid.axis_mm("z")
    for j in (2, 15, 24):
        for axis, line, line_expected in (
            (x, values[:, j].sum(axis=0), dose[:, j].sum(axis=0)),
            (z, values[:, j].sum(axis=1), dose[:, j].sum(axis=1)),
        ):
            mean, wanted = line @ axis / line.sum(), line_expected @ axis / line_expected.sum()
            assert mean == pytest.approx(wanted, abs=0.05)


@pytest.mark.physics
@pytest.mark.parametrize("spacing", [1.5, 2.0, 3.0])
def test_energy_is_conserved(water, toy, spot_plan, compute, spacing) -> None:
    """Over each plane across the beam, the dose is the integral depth dose."""
    found = compute(water, spot_plan(80.0, spots=((2.0, 1.0, 4e6),)), spacing_mm=spacing)
    per_plane = found.values[Quantity.DOSE].sum(axis=(0, 2), dtype=float) * spacing**2
    kernel = toy.base_data.kernel(80.0)
    depth = found.grid.axis_mm("y") - water.grid.lower_mm[1]
    expected = 4e6 * GY_MM2 * np.interp(depth, kernel.depth_mm, kernel.dose)
    # Linear between planes up to 1.25 mm apart: h^2 / 8 of the peak's curvature is 1 %.
    np.testing.assert_allclose(per_plane, expected, atol=0.012 * expected.max())
    assert per_plane.sum() == pytest.approx(expected.sum(), rel=2e-3)


def rotated(hu: np.ndarray) -> np.ndarray:
    """Phantom ``[z, y, x]`` turned so that gantry 90 sees what gantry 0 saw: x' = -y and y' = x."""
    return np.ascontiguousarray(hu.transpose(0, 2, 1)[:, :, ::-1])


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    hu = np.zeros((24, 24, 24))
    hu[3:13, 4:9, 5:11] = 1525.0
    hu[9:20, 6:14, 12:20] = -740.0
    return hu


def dose_in(hu, box, spot_plan, compute, isocentre=(0.0, 0.0, 0.0), **angles) -> np.ndarray:
    plan = spot_plan(60.0, 70.0, spots=((4.0, -3.0, 1e6), (-5.0, 6.0, 2e6)), isocentre=isocentre, **angles)
    return compute(box(hu), plan).values[Quantity.DOSE]


def test_a_turned_gantry_sees_a_turned_phantom(cube, box, spot_plan, compute) -> None:
    straight = dose_in(cube, box, spot_plan, compute)
    hu, expected = cube, straight
    for gantry in (90.0, 180.0, 270.0):
        hu, expected = rotated(hu), rotated(expected)
        turned = dose_in(hu, box, spot_plan, compute, gantry=gantry)
        np.testing.assert_allclose(turned, expected, atol=1e-5 * straight.max())
    assert not np.allclose(turned, straight, atol=0.1 * straight.max())


def test_a_turned_couch_sees_a_turned_phantom(cube, box, spot_plan, compute) -> None:
    """Half a turn about the vertical: left and right, head and foot change places."""
    straight = dose_in(cube, box, spot_plan, compute)
    turned = dose_in(cube[::-1, :, ::-1], box, spot_plan, compute, couch=180.0)
    np.testing.assert_allclose(turned, straight[::-1, :, ::-1], atol=1e-5 * straight.max())


def test_gantry_and_couch_opposite_are_the_same_beam(cube, box, spot_plan, compute) -> None:
    """Gantry -40 at couch 180 is gantry 40 at couch 0, with its spots turned by half a turn."""
    spots = ((4.0, -3.0, 1e6), (-4.0, 3.0, 1e6))
    one, two = (
        compute(box(cube), spot_plan(70.0, spots=spots, gantry=g, couch=c)).values[Quantity.DOSE]
        for g, c in ((40.0, 0.0), (-40.0, 180.0))
    )
    np.testing.assert_allclose(one, two, atol=1e-4 * one.max())


def test_positions_are_relative_to_the_isocentre(box, spot_plan, compute) -> None:
    """In water, an isocentre moved across the beam moves the dose."""
    hu = np.zeros((30, 24, 30))
    here = dose_in(hu, box, spot_plan, compute)
    there = dose_in(hu, box, spot_plan, compute, isocentre=(4.0, 0.0, -6.0))
    np.testing.assert_allclose(there[2:-8, :, 7:-3], here[5:-5, :, 5:-5], atol=1e-5 * here.max())


def test_another_grid_than_the_ct_s(mixed, spot_plan, compute) -> None:
    plan = spot_plan(60.0, 80.0, spots=((3.0, 2.0, 1e6),), gantry=15.0)
    fine = compute(mixed, plan, Quantity.DOSE_TO_WATER, spacing_mm=1.0, ray_spacing_mm=1.0)
    coarse = compute(mixed, plan, Quantity.DOSE_TO_WATER, spacing_mm=(4.0, 3.0, 2.0), ray_spacing_mm=1.0)
    assert coarse.grid.spacing_mm == (4.0, 3.0, 2.0)
    assert coarse.values[Quantity.DOSE].shape == (22, 20, 11)
    # A voxel shows about the mean of the small ones in it; voxels are wide for the falloff behind the peak.
    values = fine.values[Quantity.DOSE_TO_WATER]
    means = values.reshape(22, 2, 20, 3, 11, 4).mean(axis=(1, 3, 5))
    found = coarse.values[Quantity.DOSE_TO_WATER]
    assert np.abs(found - means).max() < 0.1 * values.max()
    assert found.mean() == pytest.approx(means.mean(), rel=0.02)
    # Without an option, the CT's.
    assert compute(mixed, plan).grid == mixed.grid


def test_dose_in_the_medium(mixed, spot_plan, compute) -> None:
    """Dose to water times the medium's mass stopping power over water's: 0.88 in cortical bone (PSTAR)."""
    plan = spot_plan(80.0, spots=((-6.0, 2.0, 1e6),))
    found = compute(mixed, plan, Quantity.DOSE_TO_WATER)
    medium, water = found.values[Quantity.DOSE], found.values[Quantity.DOSE_TO_WATER]
    ratio = np.divide(medium, water, where=water > 0.01 * water.max(), out=np.full_like(water, np.nan))
    hu = mixed.ct.values
    np.testing.assert_allclose(ratio[(hu == 0.0) & np.isfinite(ratio)], 1.0, atol=2e-3)
    bone = ratio[(hu == 1525.0) & np.isfinite(ratio)]
    assert bone.size > 50
    np.testing.assert_allclose(bone, 6.423 / 7.289, atol=0.01)


def test_a_range_shifter_is_water_that_lies_upstream(water, parallel, spot_plan, compute) -> None:
    """The same as water in front, but for what the air behind it lets the scattered beam widen."""
    plan = spot_plan(80.0)
    beam = replace(plan.beams[0], range_shifter=RangeShifter("RS", 20.0, "water", 120.0))
    shifted = compute(water, replace(plan, beams=(beam,)), machine=parallel).values[Quantity.DOSE]
    free = compute(water, plan, machine=parallel).values[Quantity.DOSE]
    per_depth = [d.sum(axis=(0, 2), dtype=float) for d in (shifted, free)]
    np.testing.assert_allclose(per_depth[0][:-10], per_depth[1][10:], atol=0.02 * per_depth[1].max())
    x = water.grid.axis_mm("x")
    widths = [
        d[:, j].sum(axis=0, dtype=float) @ x**2 / d[:, j].sum(dtype=float)
        for d, j in ((shifted, 3), (free, 13))
    ]
    assert widths[0] > widths[1] + 1.0


def test_threads_do_not_change_anything(mixed, spot_plan, compute) -> None:
    plan = spot_plan(60.0, 80.0, spots=((3.0, 2.0, 1e6), (-4.0, 0.0, 3e6)), gantry=75.0)
    one, two = (compute(mixed, plan, Quantity.LETD, threads=n) for n in (1, 2))
    dose = one.values[Quantity.DOSE]
    # The last bit may differ, as loops are vectorised or not by how arrays lie in the memory.
    np.testing.assert_allclose(two.values[Quantity.DOSE], dose, atol=1e-6 * dose.max())
    high = dose > 1e-3 * dose.max()
    np.testing.assert_allclose(two.values[Quantity.LETD][high], one.values[Quantity.LETD][high], rtol=1e-4)


def test_beams_and_layers_add_up(mixed, spot_plan, compute) -> None:
    layers = spot_plan(60.0, 80.0, spots=((3.0, 2.0, 1e6),))
    beams = replace(layers, beams=(layers.beams[0], replace(layers.beams[0], gantry_angle_deg=90.0)))
    both = compute(mixed, beams).values[Quantity.DOSE]
    parts = [compute(mixed, replace(beams, beams=(b,))).values[Quantity.DOSE] for b in beams.beams]
    np.testing.assert_allclose(both, sum(parts), atol=1e-6 * both.max())
    # Layers of a beam share rungs, rays and stations, which moves single voxels at edges of a lone spot: 3.3
    # % in 6 of 14520 here.
    alone = [
        compute(mixed, spot_plan(e, spots=((3.0, 2.0, 1e6),))).values[Quantity.DOSE] for e in (60.0, 80.0)
    ]
    np.testing.assert_allclose(parts[0], sum(alone), atol=0.04 * parts[0].max())


def test_a_spot_that_is_not_split_takes_its_central_ray(box, parallel, spot_plan, compute) -> None:
    """An edge of bone beside the axis: a part of the spot ends earlier, unless it is not split."""
    hu = np.zeros((45, 30, 45))
    hu[:, 3:8, :22] = 1525.0  # 10 mm of bone at x < -1 mm
    plan = spot_plan(80.0, spots=((3.0, 0.0, 1e6),))
    whole, split = (
        compute(box(hu), plan, machine=parallel, split=s).values[Quantity.DOSE] for s in (False, True)
    )
    free = compute(box(np.zeros_like(hu)), plan, machine=parallel, split=False).values[Quantity.DOSE]
    at = np.index_exp[:, 8:, :]  # behind the bone
    np.testing.assert_allclose(whole[at], free[at], atol=0.01 * free.max())
    assert np.abs(split[at] - free[at]).max() > 0.1 * free.max()
    # In water there is nothing to split for. Discrete Gaussians of t cells squared, which make all of a spot
    # that is not split, are 1 / (4 t) higher than continuous ones in two dimensions: 5 % for a spot of two
    # cells.
    in_water = compute(box(np.zeros_like(hu)), plan, machine=parallel).values[Quantity.DOSE]
    np.testing.assert_allclose(free, in_water, atol=0.06 * free.max())


def test_doses_are_not_negative_and_end_with_the_body(box, cube, spot_plan, compute) -> None:
    hu = cube.copy()
    hu[:, :, :4] = 200.0
    patient = box(hu)
    body = np.ones(hu.shape, dtype=np.float32)
    body[:, :, :4] = 0.0
    external = Structure("body", Role.EXTERNAL, patient.grid, body)
    patient = replace(patient, structures={"body": external})
    plan = spot_plan(60.0, 70.0, spots=((-10.0, -3.0, 1e6), (5.0, 6.0, 2e6)))
    found = compute(patient, plan, Quantity.LETD, gaussians=1)  # no halo hides what undershoots
    dose, letd = found.values[Quantity.DOSE], found.values[Quantity.LETD]
    assert np.all(dose[body == 0.0] == 0.0)
    assert dose.min() >= 0.0
    # The base data's lowest and highest are 2 and 8 keV/um.
    seen = dose > 1e-3 * dose.max()
    assert letd[seen].min() > 1.9
    assert letd[seen].max() < 8.4


def test_a_weighting_is_averaged_over_the_dose(water, spot_plan, compute) -> None:
    flat = DepthWeighting(np.array([50.0, 80.0]), np.array([0.0, 1.0]), np.full((2, 2), 0.17))
    found = compute(water, spot_plan(60.0, 80.0), Quantity.ALPHA, weightings={Quantity.ALPHA: flat})
    alpha, dose = found.values[Quantity.ALPHA], found.values[Quantity.DOSE]
    np.testing.assert_allclose(alpha[dose > 1e-4 * dose.max()], 0.17, rtol=1e-3)
    assert not np.isnan(alpha).any()


def test_says_what_it_did(water, spot_plan, compute) -> None:
    reports = []
    plan = spot_plan(60.0)
    plan = replace(plan, beams=plan.beams * 2)
    found = compute(water, plan, progress=reports.append, gaussians=2).provenance
    assert [(r.done, r.total, r.unit) for r in reports] == [(1, 2, "beams"), (2, 2, "beams")]
    assert reports[-1].remaining_s == 0.0
    expected = {"engine": "pencilbeam", "machine": "toy", "ion": "proton", "gaussians": 2, "split": True}
    assert found | expected == found
    assert found["particles_per_fraction"] == 2e6
    assert found["base_data"] == {"made": "for tests"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"machine": "nowhere"}, "machine: found 'nowhere', expected one of"),
        ({"gaussians": 0}, "gaussians: found 0"),
        ({"gaussians": 4}, "gaussians: found 4, expected .*3, 2, 1"),
        ({"threads": 0}, "threads: found 0"),
        ({"ray_spacing_mm": 0.01}, "ray_spacing_mm: found 0.01"),
        ({"ray_spacing_mm": float("nan")}, "ray_spacing_mm: found nan"),
        ({"spacing_mm": -2.0}, "spacing_mm: found"),
        ({"stopping_factor": 0.0}, "stopping_factor: found 0.0"),
        ({"spacing_mm": 0.0}, "spacing_mm: found"),
        ({"spacing_mm": (1.0, 2.0)}, "spacing_mm: found"),
        ({"spacing_mm": float("nan")}, "spacing_mm: found"),
    ],
)
def test_options_out_of_range(water, spot_plan, compute, options, message) -> None:
    with pytest.raises(InputError, match=message):
        compute(water, spot_plan(60.0), **options)


def with_kernels(of: Machine, *kernels: PencilKernel) -> Machine:
    return replace(of, base_data=BaseData("proton", kernels))


def test_machines_and_quantities_that_do_not_do(water, toy, spot_plan, compute) -> None:
    kernels = toy.base_data.kernels
    plan = spot_plan(60.0)
    with pytest.raises(InputError, match=r"machine 'toy': base_data: found none"):
        compute(water, plan, machine=replace(toy, base_data=None))
    with pytest.raises(InputError, match=r"60 MeV/u, expected 70 to 80 MeV/u"):
        compute(water, plan, machine=with_kernels(toy, *kernels[2:]))
    with pytest.raises(InputError, match=r"beams\[0\].layers\[0\].energy_mev_u: found 90 MeV/u"):
        compute(water, spot_plan(90.0))
    without_let = with_kernels(toy, *(replace(k, letd=None) for k in kernels))
    with pytest.raises(InputError, match=r"quantities: found letd, expected base data .* with LET"):
        compute(water, plan, Quantity.LETD, machine=without_let)
    with pytest.raises(InputError, match=r"quantities: found alpha, expected .*: dose, dose_to_water, letd"):
        compute(water, plan, Quantity.ALPHA)
    with pytest.raises(InputError, match="ion: found carbon"):
        compute(water, replace(plan, ion="carbon"))
    layer = replace(plan.beams[0].layers[0], focus="F9")
    unknown = replace(plan, beams=(replace(plan.beams[0], layers=(layer,)),))
    with pytest.raises(InputError, match="focus: found 'F9'"):
        compute(water, unknown)


def test_nan_in_base_data_is_refused(toy) -> None:
    kernel = toy.base_data.kernels[0]
    for name in ("dose", "sigma_mm", "weight", "letd", "depth_mm"):
        values = getattr(kernel, name).copy()
        values[5] = np.nan
        with pytest.raises(InputError, match=rf"base data at 50 MeV/u: {name}: found nan"):
            replace(kernel, **{name: values})


def test_ct_numbers_that_mean_nothing_are_refused(box, spot_plan, compute) -> None:
    hu = np.zeros((10, 10, 10))
    hu[3, 4, 5] = np.nan
    with pytest.raises(InputError, match=r"\[3, 4, 5\] .*not finite"):
        compute(box(hu), spot_plan(60.0))
