from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isodose.biology.lem import Lem1
from isodose.biology.models import model
from isodose.biology.rbe_dose import MODEL_KEY, rbe_weighted_dose, with_rbe_dose
from isodose.biology.tissue import Tissue, TissueMap
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.errors import InputError, IsodoseWarning
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

_GRID = Grid((0, 0, 0), (2, 2, 2), (1, 1, 4))
_LATE, _EARLY = Tissue("late", 0.1, 0.05), Tissue("early", 0.5, 0.05)
_TISSUES = TissueMap(_LATE, {"ptv": _EARLY})


def _row(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32).reshape(1, 1, 4)


@pytest.fixture
def patient() -> Patient:
    ptv = Structure("ptv", Role.PTV, _GRID, _row(0, 0, 1, 0))
    return Patient("four voxels", Volume(_GRID, np.zeros(_GRID.shape)), {"ptv": ptv})


def _dose(**values: np.ndarray) -> Dose:
    return Dose(_GRID, {Quantity.of(name): value for name, value in values.items()})


@pytest.mark.physics
def test_letd_models_take_the_tissue_of_each_voxel(patient):
    # Check points of McNamara (1.19363 and 1.07693 at 2 Gy and 2.5 keV/um for alpha/beta 2 and 10 Gy; 1.52879
    # at 10 keV/um), computed apart from this code.
    dose = _dose(dose=_row(2, 2, 2, 0), letd=_row(2.5, 10, 2.5, 0))
    weighted = rbe_weighted_dose(dose, model("mcnamara"), "proton", patient, _TISSUES)
    assert weighted.values[0, 0] == pytest.approx([2 * 1.19363, 2 * 1.52879, 2 * 1.07693, 0.0], rel=1e-5)


def test_constant_rbe_needs_no_let(patient):
    dose = _dose(dose=_row(2, 1, 0.5, 0))
    weighted = rbe_weighted_dose(dose, model("constant"), "proton", patient, _TISSUES)
    assert weighted.values[0, 0] == pytest.approx([2.2, 1.1, 0.55, 0.0])


def test_alpha_and_beta_of_an_engine(patient):
    dose = _dose(dose=_row(2, 0.5, 1, 0), alpha=_row(0.3, 1.0, 0.6, 0), sqrt_beta=_row(0.2, 0.1, 0.2, 0))
    weighted = rbe_weighted_dose(dose, model("lem1"), "carbon", patient, _TISSUES).values[0, 0]
    effect = np.array([0.6 + 0.16, 0.5 + 0.0025, 0.6 + 0.04, 0.0])
    assert weighted == pytest.approx((-0.1 + np.sqrt(0.01 + 0.2 * effect)) / 0.1, rel=1e-5, abs=1e-7)


def test_far_above_the_cut_survival_is_exponential(patient):
    lem = Lem1()
    dose = _dose(dose=_row(40, 40, 40, 40), alpha=np.full((1, 1, 4), 0.1, np.float32),
                 sqrt_beta=np.full((1, 1, 4), np.sqrt(0.05), np.float32))  # fmt: skip
    # Ions that act like photons have an RBE of 1 on the straight line as well.
    assert rbe_weighted_dose(dose, lem, "carbon", patient, _TISSUES).values == pytest.approx(40.0, rel=1e-5)


def test_spectra_of_the_monte_carlo_will_do(patient):
    # 1.2 GeV carbon in the first two voxels.
    spectra = Spectra(("C12",), np.array([500.0, 1150.0, 1250.0]), np.array([1, 3]), np.ones(2), np.zeros(2))
    dose = replace(_dose(dose=_row(2, 0.01, 0, 0)), spectra={Quantity.TRACK_LENGTH: spectra})
    weighted = rbe_weighted_dose(dose, model("lem1"), "carbon", patient, _TISSUES).values[0, 0]
    # LEM I of 100 MeV/u carbon: alpha 0.69, beta 0.039 (see test_lem), at 2 Gy and at hardly any.
    assert weighted[0] / 2 == pytest.approx(
        (-0.1 + np.sqrt(0.01 + 0.2 * (1.385 + 0.156))) / 0.1 / 2, rel=0.01
    )
    assert weighted[1] / 0.01 == pytest.approx(6.9, rel=0.05)
    with pytest.raises(
        InputError, match=r"found quantities dose, expected alpha and sqrt_beta, or track_length"
    ):
        rbe_weighted_dose(_dose(dose=_row(1, 1, 1, 1)), model("mkm"), "carbon", patient, _TISSUES)


def test_alpha_of_another_model_is_refused(patient):
    dose = _dose(dose=_row(1, 1, 1, 1), alpha=_row(1, 1, 1, 1), sqrt_beta=_row(1, 1, 1, 1))
    dose = replace(dose, provenance={MODEL_KEY: "mkm"})
    with pytest.raises(
        InputError, match=r"dose.alpha: found that of model 'mkm', expected that of model 'lem1'"
    ):
        rbe_weighted_dose(dose, model("lem1"), "carbon", patient, _TISSUES)


def test_a_model_of_another_ion_is_refused(patient):
    dose = _dose(dose=_row(1, 1, 1, 1), letd=_row(1, 1, 1, 1))
    with pytest.raises(InputError, match=r"ion: found carbon with RBE model 'wedenberg', expected proton"):
        rbe_weighted_dose(dose, model("wedenberg"), "carbon", patient, _TISSUES)
    with pytest.raises(InputError, match=r"found proton with RBE model 'mairani', expected helium"):
        rbe_weighted_dose(dose, model("mairani"), "proton", patient, _TISSUES)


def test_letd_must_be_there(patient):
    with pytest.raises(InputError, match="letd"):
        rbe_weighted_dose(_dose(dose=_row(1, 1, 1, 1)), model("carabe"), "proton", patient, _TISSUES)


def test_what_is_beyond_the_data_is_said(patient):
    low = _dose(dose=_row(2, 2, 2, 2), letd=_row(2.5, 2.5, 2.5, 2.5))
    with pytest.warns(IsodoseWarning, match=r"'carabe': an RBE below 1 in 1 of 4 voxels above 10%"):
        rbe_weighted_dose(low, model("carabe"), "proton", patient, _TISSUES)
    high = _dose(dose=_row(2, 2, 2, 0.1), letd=_row(2.5, 25.0, 2.5, 30.0))
    with pytest.warns(IsodoseWarning, match=r"LETd above 20 keV/um in 1 of 3 voxels"):
        rbe_weighted_dose(high, model("wedenberg"), "proton", patient, _TISSUES)
    unknown = _dose(dose=_row(2, 2, 2, 0.1), letd=_row(2.5, 0, 2.5, 0.0))
    with pytest.warns(IsodoseWarning, match=r"unknown radiation quality .* in 1 of 3 voxels"):
        weighted = rbe_weighted_dose(unknown, model("wedenberg"), "proton", patient, _TISSUES)
    assert weighted.values[0, 0, [1, 3]] == pytest.approx([2.0, 0.1])


def test_model_and_tissues_are_noted(patient):
    dose = _dose(dose=_row(2, 2, 2, 0), letd=_row(2.5, 10, 2.5, 0))
    noted = with_rbe_dose(dose, model("wedenberg"), "proton", patient, _TISSUES)
    expected = rbe_weighted_dose(dose, model("wedenberg"), "proton", patient, _TISSUES)
    assert np.array_equal(noted.volume(Quantity.RBE_DOSE).values, expected.values)
    assert noted.provenance["rbe"]["model"] == "wedenberg"
    assert noted.provenance["rbe"]["tissues"]["ptv"]["alpha_x"] == 0.5
