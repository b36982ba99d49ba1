"""Rays in step with the columns of voxels: distances by hand, and depth doses that hang on no ray spacing."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from isodose.dose.quantity import Quantity
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.fan import beam_frame, fan_over
from isodose.pencilbeam.ray_lattice import ray_lattice
from isodose.plan.plan import Beam, Layer, Plan, Spots

ALONG, SIZES = st.sampled_from([0.0, 90.0, 180.0, 270.0]), st.floats(0.4, 3.0)


def lattice_of(
    gantry: float, ray_mm: float, voxel_mm: tuple[float, float, float], couch: float = 0.0, split=True
):
    grid = Grid((-50.3, -40.1, -30.7), voxel_mm, (60, 80, 100))
    frame = beam_frame(Beam("b", gantry, couch, (3.1, -2.2, 1.7), ()), "HFS")
    return frame, grid, ray_lattice(frame, grid, ray_mm, split)


@pytest.mark.parametrize(
    ("gantry", "ray", "voxel", "expected"),
    [
        (0.0, 1.6, (2.0, 2.0, 2.0), 2.0),  # one to a voxel, a little farther than asked for
        (0.0, 1.0, (2.0, 2.0, 2.0), 1.0),
        (90.0, 0.9, (2.0, 2.0, 2.0), 1.0),
        (270.0, 0.75, (2.0, 2.0, 2.0), 2.0 / 3.0),
        (180.0, 0.5, (1.0, 1.0, 1.0), 0.5),
        (0.0, 1.0, (1.0, 9.9, 2.5), 1.0),  # two or three to a slice, better than one or two to a voxel
        (90.0, 1.0, (9.9, 1.5, 3.0), 0.75),
        (0.0, 1.6, (0.7, 0.7, 0.7), 1.6),  # voxels too narrow to matter
    ],
)
def test_whole_numbers_of_rays_fit_into_columns(gantry, ray, voxel, expected) -> None:
    assert lattice_of(gantry, ray, voxel)[2].spacing_mm == pytest.approx(expected)


@given(
    st.sampled_from([0.0, 90.0, 180.0, 270.0]), st.floats(0.4, 3.0), st.floats(0.4, 3.0), st.floats(0.4, 3.0)
)
def test_distances_stay_near_what_is_asked_for(gantry, ray, across, along) -> None:
    lattice = lattice_of(gantry, ray, (across, across, along))[2]
    assert 0.6 * ray - 1e-9 <= lattice.spacing_mm <= 1.25 * ray + 1e-9
    assert lattice.edge_mm is not None


@given(ALONG, st.floats(0.7, 2.0))
def test_cells_end_where_voxels_end(gantry, ray) -> None:
    frame, grid, lattice = lattice_of(gantry, ray, (2.0, 2.0, 2.0))
    fan = fan_over(
        frame, (1e9, 1e9), (-11.3, -9.1), (13.2, 8.4), lattice.spacing_mm, (-20, 20), 1.0, lattice.edge_mm
    )
    for axis in (0, 1):
        # cells' edges on the isocentre plane, in the patient's frame
        edges = fan.first_mm[axis] + (np.arange(9) - 0.5) * fan.spacing_mm
        patient_axis = int(np.abs(frame[axis]).argmax())
        place = frame[3, patient_axis] + frame[axis, patient_axis] * edges
        voxels = (place - grid.lower_mm[patient_axis]) / 2.0
        per_voxel = round(2.0 / fan.spacing_mm)
        assert np.allclose(voxels * per_voxel, np.rint(voxels * per_voxel), atol=1e-6)
    # the field stays covered
    last = [f + fan.spacing_mm * (n - 1) for f, n in zip(fan.first_mm, fan.shape[::-1], strict=True)]
    assert fan.first_mm[0] <= -11.3 + fan.spacing_mm
    assert last[0] >= 13.2 - fan.spacing_mm


@given(st.floats(1.0, 89.0))
def test_oblique_beams_and_whole_spots_keep_their_distance(gantry) -> None:
    assume(abs(gantry - 45.0) > 0.1)
    for lattice in (
        lattice_of(gantry, 1.6, (2.0, 2.0, 2.0))[2],
        lattice_of(0.0, 1.6, (2.0, 2.0, 2.0), couch=gantry)[2],
        lattice_of(0.0, 1.6, (2.0, 2.0, 2.0), split=False)[2],
    ):
        assert lattice.spacing_mm == 1.6
        assert lattice.edge_mm is None
    assert lattice_of(gantry, 2.0, (2.0, 2.0, 2.0))[2].spacing_mm == pytest.approx(1.8)


def columns_along(gantry: float, hu: np.ndarray) -> tuple[Patient, Plan]:
    """Columns of 2 mm along a beam through the middle, 10 cm long, and one carbon spot of 150 MeV/u."""
    ct = np.repeat(hu[:, None, :], 50, axis=1) if gantry == 0.0 else np.repeat(hu[:, :, None], 50, axis=2)
    grid = Grid((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), ct.shape)
    patient = Patient("columns", Volume(grid, np.ascontiguousarray(ct)), calibration="schneider")
    spots = Spots(np.zeros(1), np.zeros(1), np.full(1, 1e6))
    beam = Beam("b", gantry, 0.0, tuple(grid.centre_mm), (Layer(150.0, spots),))
    return patient, Plan("one", "carbon", "generic_carbon", (beam,))


@pytest.mark.physics
@pytest.mark.parametrize("gantry", [0.0, 90.0])
def test_depth_dose_behind_columns_is_the_mean_over_them(gantry) -> None:
    """What columns of two kinds give is what either kind gives alone, by the particles in it.

    The spot is a Gaussian of 2.8 mm, which scatters by no more than 0.4 mm: what its particles exchange
    between columns is a part in a thousand. Rays out of step with the columns miss by 4 %.
    """
    dense = np.random.default_rng(4).random((20, 20)) < 0.5
    across = (0, 2) if gantry == 0.0 else (0, 1)
    dose = []
    for hu in (np.zeros(dense.shape), np.full(dense.shape, 200.0), 200.0 * dense):
        patient, plan = columns_along(gantry, hu.astype(np.float32))
        found = PencilBeam(threads=1).compute(patient, plan, (Quantity.DOSE_TO_WATER,))
        dose.append(found.values[Quantity.DOSE_TO_WATER].sum(axis=across, dtype=np.float64))
    sigma = plan.beams[0].layers[0].spot_sigma_mm(machine("generic_carbon"))[0]
    along = np.diff(norm.cdf(2.0 * np.arange(-10, 11) / np.hypot(sigma, 0.3)))
    part = float((np.outer(along, along) * dense).sum())
    expected = (1.0 - part) * dose[0] + part * dose[1]
    np.testing.assert_allclose(dose[2], expected, atol=0.005 * expected.max())
