"""LET and RBE-weighted dose: values of the biology room, derivatives by finite differences."""

import warnings

import numpy as np
import pytest

from isodose.biology.models import MODELS, model, needed_quantities
from isodose.biology.radiation_model import RadiationModel
from isodose.biology.rbe_dose import rbe_weighted_dose
from isodose.biology.tissue import Tissue, TissueMap
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import IsodoseWarning
from isodose.optimise.cluster_quantity import ClusterDose
from isodose.optimise.rbe_quantity import RbeOfLet, RbeOfResponse, rbe_dose
from isodose.optimise.voxel_quantity import LetOfDose, LetTimesDose, PhysicalDose
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume

N = 40
GRID = Grid((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (2, 4, 5))
PATIENT = Patient("box", Volume(GRID, np.zeros(GRID.shape, np.float32)))
TISSUES = TissueMap(Tissue("some", 0.12, 0.04))
RNG = np.random.default_rng(2)
DOSE = RNG.uniform(0.05, 3.0, N)
SUMS = {
    Quantity.DOSE: DOSE,
    Quantity.LETD: DOSE * RNG.uniform(1.0, 12.0, N),
    Quantity.ALPHA: DOSE * RNG.uniform(0.2, 1.5, N),
    Quantity.SQRT_BETA: DOSE * RNG.uniform(0.1, 0.3, N),
    Quantity.CLUSTER_F4: DOSE * RNG.uniform(0.2, 3.0, N),
}
ALPHA_X, BETA_X = RNG.uniform(0.05, 0.3, N), RNG.uniform(0.01, 0.08, N)
LET_MODELS = [m for m in MODELS.values() if not isinstance(m, RadiationModel)]
QUANTITIES = [
    PhysicalDose(),
    LetTimesDose(),
    LetOfDose(),
    LetOfDose(0.5),
    ClusterDose(Quantity.CLUSTER_F4, RNG.uniform(5.0, 9.0, N).astype(np.float32)),
    RbeOfResponse(ALPHA_X, BETA_X),
    RbeOfResponse(ALPHA_X, BETA_X, 1.2),  # about half of the voxels above the cut
    RbeOfResponse(np.asarray(0.1), np.asarray(0.05), 30.0),
    *(RbeOfLet(m, ALPHA_X, BETA_X) for m in LET_MODELS),
]


def _named(quantity):
    return quantity.model.name if isinstance(quantity, RbeOfLet) else type(quantity).__name__


@pytest.mark.parametrize("quantity", QUANTITIES, ids=_named)
def test_derivative_agrees_with_finite_differences(quantity):
    slopes = quantity.derivative(SUMS, np.ones(N))
    assert set(slopes) <= set(quantity.needs)
    for name, slope in slopes.items():
        step = 1e-6
        up, down = SUMS | {name: SUMS[name] + step}, SUMS | {name: SUMS[name] - step}
        difference = (quantity.values(up) - quantity.values(down)) / (2.0 * step)
        # Asked for is 1e-4; rounding of central differences with this step leaves some 1e-8.
        np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=_named)
def test_without_dose_there_is_nothing_and_no_warning(quantity):
    nothing = {name: np.zeros(N, np.float32) for name in SUMS}
    with np.errstate(all="raise"):
        assert not quantity.values(nothing).any()
        for slope in quantity.derivative(nothing, np.ones(N, np.float32)).values():
            assert slope.dtype == np.float32
            assert np.all(np.isfinite(slope))


def test_some_voxels_are_those_of_the_whole():
    chosen = np.array([3, 8, 21])
    some = {name: values[chosen] for name, values in SUMS.items()}
    for quantity in QUANTITIES:
        np.testing.assert_array_equal(quantity.at(chosen).values(some), quantity.values(SUMS)[chosen])


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_biology_room(name):
    chosen = model(name)
    ion = chosen.ions[0]
    values = {q: (SUMS[q] / DOSE).astype(np.float32).reshape(GRID.shape) for q in needed_quantities(chosen)}
    values[Quantity.DOSE] = DOSE.astype(np.float32).reshape(GRID.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsodoseWarning)  # that random radiation makes some RBE below 1
        expected = rbe_weighted_dose(Dose(GRID, values), chosen, ion, PATIENT, TISSUES).values.ravel()
    quantity = rbe_dose(chosen, PATIENT, TISSUES, GRID)
    # The other side works in single precision.
    np.testing.assert_allclose(quantity.values(SUMS), expected, rtol=1e-5)


def test_let_is_that_of_the_dose_where_there_is_dose():
    let = LetOfDose().values(SUMS)
    there = DOSE > 1.0
    np.testing.assert_allclose(let[there], (SUMS[Quantity.LETD] / DOSE)[there], rtol=2e-4)
    little = {name: 1e-4 * values for name, values in SUMS.items()}
    assert LetOfDose().values(little).max() < 0.05
