"""The influence matrix as a value: products, their adjoint, weights, rows, and what it refuses."""

import numpy as np
import pytest
from scipy.sparse import random_array

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.plan.plan import Beam, Layer, Plan, Spots

GRID = Grid((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (40, 50, 60))
SPOTS = 70


@pytest.fixture(scope="module")
def influence() -> Influence:
    matrix = random_array((GRID.size, SPOTS), density=0.1, format="csc", rng=np.random.default_rng(3))
    matrix.sort_indices()
    let = np.random.default_rng(4).uniform(1.0, 9.0, matrix.nnz)
    dose = matrix.data.astype(np.float32)
    return Influence(
        GRID,
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        {Quantity.DOSE: dose, Quantity.LETD: (dose * let).astype(np.float32)},
    )


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return np.random.default_rng(5).uniform(0.0, 1e6, SPOTS)


def plan() -> Plan:
    def layer(energy: float, count: int) -> Layer:
        return Layer(energy, Spots(np.arange(count), np.zeros(count), np.ones(count)))

    beams = (
        Beam("one", 0.0, 0.0, (0.0, 0.0, 0.0), (layer(120.0, 20), layer(110.0, 10))),
        Beam("two", 90.0, 0.0, (0.0, 0.0, 0.0), (layer(130.0, 40),)),
    )
    return Plan("plan", "proton", "generic_proton", beams)


@pytest.mark.parametrize("threads", [1, 3])
def test_products_are_those_of_scipy(influence: Influence, weights: np.ndarray, threads: int) -> None:
    # Sums in float32 of a few numbers each.
    matrix = influence.matrix().astype(np.float64)
    dose = influence.weighted(weights, threads=threads)
    assert dose.shape == GRID.shape
    np.testing.assert_allclose(dose.ravel(), matrix @ weights, rtol=1e-5)
    by_voxel = np.random.default_rng(6).normal(size=GRID.shape)
    size = (np.abs(matrix.T) @ np.abs(by_voxel.ravel())).max()
    gradient = influence.gradient(by_voxel, threads=threads)
    np.testing.assert_allclose(gradient, matrix.T @ by_voxel.ravel(), atol=1e-5 * size)


def test_gradient_is_the_adjoint(influence: Influence, weights: np.ndarray) -> None:
    by_voxel = np.random.default_rng(7).uniform(size=GRID.shape)
    product = influence.weighted(weights, Quantity.LETD)
    one = np.vdot(product.astype(np.float64), by_voxel)
    other = np.vdot(weights, influence.gradient(by_voxel, Quantity.LETD))
    assert one == pytest.approx(other, rel=1e-5)  # of float32


def test_other_quantities_are_averaged_over_the_dose(influence: Influence, weights: np.ndarray) -> None:
    dose = influence.dose(weights)
    let = dose.values[Quantity.LETD]
    given = dose.values[Quantity.DOSE] > 0.0
    assert let[given].min() > 0.99
    assert let[given].max() < 9.01
    assert not let[~given].any()


def test_rows_of_a_structure_keep_their_numbers(influence: Influence, weights: np.ndarray) -> None:
    mask = np.random.default_rng(8).uniform(size=GRID.shape) < 0.2
    rows = influence.restricted(mask)
    assert rows.nonzeros < 0.25 * influence.nonzeros
    assert rows.memory_bytes < 0.3 * influence.memory_bytes
    expected = np.where(mask, influence.weighted(weights), 0.0)
    np.testing.assert_allclose(rows.weighted(weights), expected, rtol=1e-5)
    with pytest.raises(InputError, match=r"mask: found shape \(2, 2, 2\)"):
        influence.restricted(np.ones((2, 2, 2), dtype=bool))


def test_weights_go_to_spots_by_beam_and_layer(influence: Influence, weights: np.ndarray) -> None:
    changed = influence.with_weights(plan(), weights)
    parts = [layer.spots.particles for beam in changed.beams for layer in beam.layers]
    assert [len(p) for p in parts] == [20, 10, 40]
    np.testing.assert_array_equal(np.concatenate(parts), weights)
    assert changed.beams[1].gantry_angle_deg == 90.0


def test_what_does_not_fit_is_refused(influence: Influence, weights: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"weights: found shape \(3,\)"):
        influence.weighted(np.ones(3))
    with pytest.raises(InputError, match=r"by_voxel: found shape \(3,\)"):
        influence.gradient(np.ones(3))
    with pytest.raises(InputError, match=r"one that the influence matrix holds \(dose, letd\)"):
        influence.weighted(weights, Quantity.ALPHA)
    with pytest.raises(InputError, match="3 for the 70 spots of plan 'plan'"):
        influence.with_weights(plan(), np.ones(3))
    with pytest.raises(InputError, match="no negative weight"):
        influence.with_weights(plan(), -weights)
    dose = influence.values[Quantity.DOSE]
    with pytest.raises(InputError, match="the dose among them"):
        Influence(GRID, influence.indptr, influence.indices, {Quantity.LETD: dose})
    both = {Quantity.DOSE: dose, Quantity.LETD: dose[1:]}
    with pytest.raises(InputError, match=r"influence\.letd"):
        Influence(GRID, influence.indptr, influence.indices, both)
    with pytest.raises(InputError, match=r"influence\.indptr"):
        Influence(GRID, influence.indptr[:-1], influence.indices, {Quantity.DOSE: dose})


def test_no_spots_at_all() -> None:
    empty = np.empty(0, dtype=np.float32)
    nothing = Influence(
        GRID, np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32), {Quantity.DOSE: empty}
    )
    assert nothing.spots == 0
    assert not nothing.weighted(np.empty(0)).any()
    assert nothing.gradient(np.ones(GRID.shape)).shape == (0,)
