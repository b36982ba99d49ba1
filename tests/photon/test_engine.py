"""The engine from outside: doses in water by hand, heterogeneity, influence against dose, bad input."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from isodose.dose.engine import engine as engine_named
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.photon.engine import PhotonBeams
from isodose.photon.generic_6mv import GENERIC_6MV
from isodose.plan.beam_frame import axes_of_angles
from isodose.plan.plan import Plan


@pytest.fixture(scope="module")
def water(box) -> Patient:
    return box(np.zeros((41, 60, 41)))


@pytest.fixture(scope="module")
def patch() -> np.ndarray:
    """Bixels with a gap, of different weights, not around the axis."""
    x, y = (m.ravel() for m in np.meshgrid(np.arange(-15.0, 26.0, 5.0), np.arange(-20.0, 11.0, 5.0)))
    monitor_units = np.random.default_rng(5).uniform(0.0, 100.0, x.size)
    kept = np.hypot(x - 5.0, y + 5.0) > 6.0
    return np.stack([x, y, monitor_units], axis=1)[kept]


def by_hand(plan, points, depth, density=1.0) -> np.ndarray:
    """Sum over bixels and Gaussians in float64, at points (n, 3), their depths in water and densities."""
    total = np.zeros(len(points))
    source = GENERIC_6MV.source_sigma_mm
    for beam in plan.beams:
        ex, ey, along = axes_of_angles(beam.gantry_angle_deg, beam.couch_angle_deg)
        offset = points - np.array(beam.isocentre_mm)
        growth = 1.0 + offset @ along / 1000.0
        u, v = offset @ ex / growth, offset @ ey / growth
        spots, half = beam.layers[0].spots, plan.bixel_mm / 2
        for j, sigma in enumerate(GENERIC_6MV.sigma_mm):
            weight = GENERIC_6MV.weights_gy(depth)[:, j] / growth**2
            if j < GENERIC_6MV.electron_gaussians:
                sigma = np.sqrt(source**2 + (sigma**2 - source**2) / density**2)

            def part(middle, at, width=sigma / growth, half=half):
                return ndtr((middle + half - at) / width) - ndtr((middle - half - at) / width)

            for x, y, units in zip(spots.x_mm, spots.y_mm, spots.particles, strict=True):
                total += units * weight * part(x, u) * part(y, v)
    return total


def test_axis_of_an_open_field(water: Patient, fields, square) -> None:
    """The isocentre on the surface: the depth dose of the kernel, 0.3 % for steps of tables and depths."""
    dose = PhotonBeams(threads=1).compute(water, fields(square(100.0, 100.0)))
    depth = water.grid.axis_mm("y")
    found = dose.volume().values[20, :, 20]
    assert found == pytest.approx(100.0 * GENERIC_6MV.on_axis_gy(depth, 100.0), rel=3e-3)


def test_penumbra(box, fields, square) -> None:
    """From 80 to 20 % at 100 mm depth, 100 mm x 100 mm: 6 to 8 mm at accelerators with jaws and leaves."""
    water = box(np.zeros((5, 55, 71)), 2.0)
    row = PhotonBeams(threads=1).compute(water, fields(square(100.0))).volume().values[2, 49]
    x = water.grid.axis_mm("x")
    edge = x > 20.0
    inner, outer = np.interp([-0.8, -0.2], -row[edge] / row[35], x[edge])
    assert 6.0 < outer - inner < 8.0
    assert 0.5 * (inner + outer) == pytest.approx(55.0, abs=0.5)  # the edge diverges with the depth


def test_bixels_add_up_as_by_hand(water: Patient, fields, patch) -> None:
    plan = fields(patch, isocentre_mm=(3.0, 70.0, -6.0))
    values = PhotonBeams(threads=2).compute(water, plan).volume().values
    # Not the outermost voxels, where depth is interpolated with rays that pass the box.
    index = np.random.default_rng(1).integers((2, 0, 2), (39, 60, 39), (200, 3))
    points = water.grid.position_mm(index)
    # Depth along the ray from the source to the point, from the plane y = 0.
    source = np.array([3.0, 70.0 - 1000.0, -6.0])
    away = np.linalg.norm(points - source, axis=1)
    depth = points[:, 1] * away / (points[:, 1] - source[1])
    expected = by_hand(plan, points, depth)
    # 0.5 %: depths are interpolated across the surface.
    assert values[tuple(index.T)] == pytest.approx(expected, rel=5e-3, abs=float(5e-6 * values.max()))


def test_influence_without_cut_off_is_the_dose(water: Patient, fields, patch) -> None:
    plan = fields(patch, (0.0, 90.0, 200.0), isocentre_mm=(0.0, 100.0, 0.0))
    engine = PhotonBeams(threads=2)
    matrix = engine.influence(water, plan, cutoff_mm=2000.0)
    weights = np.tile(patch[:, 2], 3)
    dose = engine.compute(water, plan).volume().values
    assert matrix.nonzeros == matrix.spots * water.grid.size
    assert matrix.weighted(weights) == pytest.approx(dose, rel=2e-4)
    assert np.all(np.diff(matrix.indices[: matrix.indptr[1]]) > 0)


def test_cut_off_is_a_circle_on_the_isocentre_plane(water: Patient, fields, square) -> None:
    matrix = PhotonBeams(threads=1).influence(water, fields(square(10.0)), cutoff_mm=30.0)
    inside = np.zeros(water.grid.size, dtype=bool)
    inside[matrix.indices[: matrix.indptr[1]]] = True
    z, y, x = (water.grid.axis_mm(a) for a in "zyx")
    growth = 1.0 + y[None, :, None] / 1000.0
    # The first bixel lies at (-2.5, -2.5); gantry y is the patient's z.
    away = np.hypot(x[None, None, :] / growth + 2.5, z[:, None, None] / growth + 2.5)
    unclear = np.abs(away - 30.0) < 1e-3
    assert np.array_equal(inside.reshape(water.grid.shape)[~unclear], (away < 30.0)[~unclear])


def test_default_cut_off_loses_little_in_the_field(water: Patient, fields, square) -> None:
    plan = fields(square(100.0, 100.0))
    engine = PhotonBeams(threads=2)
    part = engine.influence(water, plan).weighted(plan.beams[0].layers[0].spots.particles)
    dose = engine.compute(water, plan).volume().values
    assert np.all(part <= dose * (1.0 + 1e-5))
    assert part[20, 25, 20] / dose[20, 25, 20] > 0.999
    narrow = engine.influence(water, plan, cutoff_mm=60.0).weighted(plan.beams[0].layers[0].spots.particles)
    assert 0.995 < narrow[20, 25, 20] / dose[20, 25, 20] < 0.998


def test_what_is_wanted_does_not_move_the_rays(box, fields, square) -> None:
    """Dose and influence in a mask agree beside and in lung, where depths change from ray to ray."""
    lung = np.zeros((31, 40, 31))
    lung[:, 8:25, 13:] = -750.0
    patient, engine = box(lung), PhotonBeams(threads=1)
    plan = fields(square(30.0, 100.0), (20.0,), (5.0, 60.0, 3.0))
    mask = np.zeros(lung.shape, dtype=bool)
    mask[10:17, 12:30, 11:20] = True
    matrix = engine.influence(patient, plan, mask=mask)
    part = matrix.weighted(plan.beams[0].layers[0].spots.particles)
    assert part[mask] == pytest.approx(engine.compute(patient, plan).volume().values[mask], rel=2e-4)


def test_gradient_is_the_adjoint(water: Patient, fields, patch) -> None:
    matrix = PhotonBeams(threads=1).influence(water, fields(patch))
    generator = np.random.default_rng(2)
    voxels, weights = generator.normal(size=water.grid.size), generator.uniform(size=len(patch))
    left = float(matrix.weighted(weights).astype(np.float64).ravel() @ voxels)
    assert left == pytest.approx(float(matrix.gradient(voxels) @ weights), rel=1e-4)


def test_mask_and_structure_limit_the_voxels(water: Patient, fields, square) -> None:
    mask = np.zeros(water.grid.shape, dtype=bool)
    mask[10:30, 5:20, 10:30] = True
    body = Structure("body", Role.EXTERNAL, water.grid, np.roll(mask, 2, axis=1).astype(np.float32))
    patient = replace(water, structures={"body": body})
    matrix = PhotonBeams(threads=1).influence(patient, fields(square(20.0)), mask=mask)
    rows = np.unique(matrix.indices)
    assert np.all((mask & body.mask).ravel()[rows])


def test_all_gantry_angles_are_alike(box, fields, patch) -> None:
    """A cube of water turned under the beam; dose along the axis of each direction."""
    cube = box(np.zeros((31, 31, 31)))
    middle = (0.0, 62.0, 0.0)
    values = [
        PhotonBeams(threads=1).compute(cube, fields(patch, (a,), middle)).volume().values
        for a in (0.0, 90.0, 180.0, 270.0)
    ]
    along = [values[0][15, :, 15], values[1][15, 15, ::-1], values[2][15, ::-1, 15], values[3][15, 15, :]]
    for other in along[1:]:
        assert other == pytest.approx(along[0], rel=2e-3)


def test_depth_and_range_go_by_electrons(box, fields, square) -> None:
    """Behind 40 mm of lung of a quarter of water's density: the depth of 30 mm less water; in it: wider."""
    lung = np.zeros((31, 50, 31))
    lung[:, 10:20] = -750.0  # a quarter of water in the phantom calibration
    patient = box(lung)
    plan = fields(square(60.0, 100.0))
    values = PhotonBeams(threads=1).compute(patient, plan, (Quantity.DOSE_TO_WATER,)).values
    water = values[Quantity.DOSE_TO_WATER][15, :, 15]
    y = patient.grid.axis_mm("y")
    depth = np.where(y < 40.0, y, np.where(y < 80.0, 40.0 + 0.25 * (y - 40.0), y - 30.0))
    density = np.where((y > 40.0) & (y < 80.0), 0.25, 1.0)
    expected = by_hand(plan, np.stack([0 * y, y, 0 * y], axis=1), depth, density)
    clear = (y > 10.0) & (np.abs(y - 40.0) > 14.0) & (np.abs(y - 80.0) > 14.0)  # of what is averaged
    assert water[clear] == pytest.approx(expected[clear], rel=0.01)


# Of `simulate_kernel(100_000, ...)`, with and without ``Slab(40.0, 60.0, 0.25)``: radius of a parallel field
# in mm, and dose in the middle of the slab (46 to 58 mm of water) over that at the same depth in water.
SIMULATED = [(16.0, 0.832), (25.0, 0.907), (40.0, 0.942)]


@pytest.mark.parametrize(("radius", "expected"), SIMULATED)
def test_lung_lowers_the_dose_as_in_the_simulation(box, fields, radius: float, expected: float) -> None:
    """80 mm of lung under 40 mm of water, square fields of equal area; 2 % are what the model is good for."""
    lung = np.zeros((31, 40, 31))
    lung[:, 10:30] = -750.0
    side = 2.0 * round(radius * np.sqrt(np.pi) / 2.0)
    one = np.array([[0.0, 0.0, 100.0]])
    doses = []
    for hu, middle in ((lung, 80.0), (np.zeros_like(lung), 50.0)):
        patient = box(hu)
        plan = fields(one, isocentre_mm=(0.0, middle, 0.0), bixel_mm=side)
        values = PhotonBeams(threads=1).compute(patient, plan, (Quantity.DOSE_TO_WATER,)).values
        y = patient.grid.axis_mm("y")
        doses.append(float(np.interp(middle, y, values[Quantity.DOSE_TO_WATER][15, :, 15])))
    assert doses[0] / doses[1] == pytest.approx(expected, abs=0.02)


def test_finer_dose_grid(water: Patient, fields, square) -> None:
    plan = fields(square(60.0, 100.0))
    coarse = PhotonBeams(threads=1).compute(water, plan)
    fine = PhotonBeams(spacing_mm=3.0, threads=1).compute(water, plan)
    at = np.array([[0.0, 100.0, 0.0], [10.0, 50.0, -20.0]])
    found = [float(fine.volume().values[tuple(np.rint(fine.grid.index(p)).astype(int))]) for p in at]
    expected = [float(coarse.volume().values[tuple(np.rint(coarse.grid.index(p)).astype(int))]) for p in at]
    assert found == pytest.approx(expected, rel=0.02)  # voxel centres differ by up to 2 mm


def test_found_by_its_name_with_progress(water: Patient, fields, square) -> None:
    seen = []
    engine = PhotonBeams(progress=seen.append, threads=1)
    dose = engine.compute(water, fields(square(20.0), (0.0, 180.0), (0.0, 100.0, 0.0)))
    assert [(p.done, p.total, p.unit) for p in seen] == [(1, 2, "beams"), (2, 2, "beams")]
    assert dose.provenance["engine"] == "photon"
    assert dose.provenance["bixel_monitor_units"] == 32.0


@pytest.mark.parametrize("method", ["compute", "influence"])
def test_refuses(water: Patient, fields, square, method: str) -> None:
    plan = fields(square(20.0))
    run = getattr(PhotonBeams(threads=1), method)
    ions = Plan("p", "proton", "generic_proton", plan.beams)
    for wrong, options, field in (
        (ions, {}, "plan"),
        (replace(plan, machine="other"), {}, "plan.machine"),
        (plan, {"quantities": (Quantity.LETD,)}, "quantities"),
        (fields(square(20.0), isocentre_mm=(500.0, 0.0, 0.0)), {}, "beams[0].layers[0].spots"),
    ):
        with pytest.raises(InputError) as error:
            run(water, wrong, **options)
        assert error.value.field == field


def test_refuses_options(water: Patient, fields, square) -> None:
    plan = fields(square(20.0))
    for options in ({"spacing_mm": 0.0}, {"spacing_mm": (1.0, 2.0)}, {"threads": 0}):
        with pytest.raises(InputError, match=next(iter(options))):
            PhotonBeams(**options)
    with pytest.raises(InputError, match="cutoff_mm"):
        PhotonBeams().influence(water, plan, cutoff_mm=1.0)
    with pytest.raises(InputError, match="mask"):
        PhotonBeams().influence(water, plan, mask=np.ones((2, 2, 2), dtype=bool))
    with pytest.raises(InputError, match="monitor units"):
        PhotonBeams(threads=1).compute(water, fields(square(20.0, 0.0)))


def test_registered() -> None:
    assert isinstance(engine_named("photon"), PhotonBeams)
