import numpy as np
import pytest

from isodose.pencilbeam.beam_dose import add_beam_dose, seen_by_beam
from isodose.pencilbeam.beam_view import BeamView, view_beam
from isodose.pencilbeam.engine import PencilBeam

SPOTS = ((-6.0, 2.0, 1e6), (5.0, -4.0, 2e6), (1.0, 7.0, 5e5))


@pytest.fixture(scope="module")
def engine(toy) -> PencilBeam:
    return PencilBeam(machine=toy, spacing_mm=(2.5, 2.0, 3.0), threads=1)


@pytest.fixture(scope="module")
def view(engine: PencilBeam, toy, mixed, spot_plan) -> BeamView:
    beam = spot_plan(55.0, 80.0, 65.0, spots=SPOTS, gantry=70.0, couch=25.0).beams[0]
    resolution = engine.resolution(beam, toy, engine.grid(mixed))
    return view_beam(beam, toy, engine.anatomy(mixed), resolution, (None,), 1)


@pytest.fixture(scope="module")
def inside(engine: PencilBeam, mixed) -> np.ndarray:
    return np.random.default_rng(0).random(engine.grid(mixed).shape) > 0.1


def dose_of(view, engine, mixed, inside, particles=None, threads=1) -> np.ndarray:
    sums = np.zeros((2, *inside.shape), dtype=np.float32)
    add_beam_dose(view, engine.grid(mixed), inside, sums, threads, particles)
    return sums.astype(np.float64)


def weights(view: BeamView, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [1e6 * rng.random(len(layer.spots)) for layer in view.beam.layers]


def test_adjoint(view, engine, mixed, inside) -> None:
    particles = weights(view, 1)
    volumes = np.random.default_rng(2).random((2, *inside.shape), dtype=np.float32)
    there = np.vdot(dose_of(view, engine, mixed, inside, particles), volumes)
    for threads in (1, 2):
        seen = seen_by_beam(view, engine.grid(mixed), inside, volumes, threads)
        back = sum(w @ s for w, s in zip(particles, seen, strict=True))
        assert back == pytest.approx(there, rel=1e-5)


def test_gradient_of_one_spot_is_its_dose(view, engine, mixed, inside) -> None:
    """A voxel's derivative by a spot's particles is what one particle of the spot gives to the voxel."""
    alone = [np.zeros(3) for _ in view.beam.layers]
    alone[1][2] = 1e6
    dose = dose_of(view, engine, mixed, inside, alone)[0]
    voxel = np.unravel_index(dose.argmax(), dose.shape)
    volumes = np.zeros((2, *inside.shape), dtype=np.float32)
    volumes[(0, *voxel)] = 1.0
    seen = seen_by_beam(view, engine.grid(mixed), inside, volumes, 1)
    assert 1e6 * seen[1][2] == pytest.approx(dose[voxel], rel=1e-4)


def test_linear_in_the_particles(view, engine, mixed, inside) -> None:
    one, two = weights(view, 3), weights(view, 4)
    both = [2.0 * a + 0.5 * b for a, b in zip(one, two, strict=True)]
    expected = 2.0 * dose_of(view, engine, mixed, inside, one) + 0.5 * dose_of(
        view, engine, mixed, inside, two
    )
    found = dose_of(view, engine, mixed, inside, both)
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


def test_the_plan_s_own_particles_by_default(view, engine, mixed, inside) -> None:
    given = [layer.spots.particles for layer in view.beam.layers]
    one, two = dose_of(view, engine, mixed, inside), dose_of(view, engine, mixed, inside, given)
    np.testing.assert_allclose(two, one, atol=1e-6 * one.max())
    # Energies are sorted inside, particles are by layer of the beam.
    only = [np.zeros(3), np.full(3, 1e6), np.zeros(3)]
    deep, shallow = (
        dose_of(view, engine, mixed, inside, only),
        dose_of(view, engine, mixed, inside, only[1:] + only[:1]),
    )
    assert deep[0].max() > 0.0
    assert not np.allclose(deep[0], shallow[0], atol=0.1 * deep[0].max())


def test_threads_do_not_change_anything(view, engine, mixed, inside) -> None:
    one, two = (dose_of(view, engine, mixed, inside, threads=n) for n in (1, 2))
    # The last bit may differ, as loops are vectorised or not by how arrays lie in the memory.
    np.testing.assert_allclose(two, one, atol=1e-6 * one.max())


def test_masked_voxels_stay_empty(view, engine, mixed, inside) -> None:
    dose = dose_of(view, engine, mixed, inside)
    assert dose[0, inside].max() > 0.0
    assert np.all(dose[:, ~inside] == 0.0)
