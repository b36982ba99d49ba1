from __future__ import annotations

import pytest

from isodose.biology.models import MODELS, check_ion, model, models_for, needed_quantities
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.plan.plan import IONS


def test_every_model_has_its_name_and_beams():
    for name in MODELS:
        assert model(name).name == name
        assert set(model(name).ions) <= set(IONS)


def test_what_a_model_needs():
    assert needed_quantities(model("constant")) == ()
    assert needed_quantities(model("mairani")) == (Quantity.LETD,)
    assert needed_quantities(model("mkm")) == (Quantity.ALPHA, Quantity.SQRT_BETA)


def test_models_of_a_beam():
    protons = [m.name for m in models_for("proton")]
    assert protons == ["constant", "mcnamara", "wedenberg", "carabe", "mkm"]
    assert [m.name for m in models_for("helium")] == ["mairani", "mkm"]
    assert [m.name for m in models_for("carbon")] == ["mkm", "lem1"]


def test_refusals():
    with pytest.raises(InputError, match="RBE model: found 'lem4', expected one of constant, mcnamara"):
        model("lem4")
    with pytest.raises(InputError, match="ion: found oxygen with RBE model 'constant', expected proton"):
        check_ion(model("constant"), "oxygen")
