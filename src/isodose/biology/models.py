"""The RBE models by name, what beams they are for and what quantities they need."""

from __future__ import annotations

from collections.abc import Mapping

from isodose.biology.lem import Lem1
from isodose.biology.let_models import Carabe, ConstantRbe, LetModel, Mairani, McNamara, Wedenberg
from isodose.biology.mkm import Mkm
from isodose.biology.radiation_model import RadiationModel
from isodose.dose.quantity import Quantity
from isodose.errors import InputError

RbeModel = LetModel | RadiationModel

MODELS: Mapping[str, RbeModel] = {
    model.name: model
    for model in (ConstantRbe(), McNamara(), Wedenberg(), Carabe(), Mairani(), Mkm(), Lem1())
}
"""All models with their published parameters."""


def model(name: str) -> RbeModel:
    """Model by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in MODELS:
        raise InputError("RBE model", repr(name), f"one of {', '.join(MODELS)}")
    return MODELS[name]


def needed_quantities(model: RbeModel) -> tuple[Quantity, ...]:
    """Quantities that an engine must compute for a model, beside the dose."""
    if isinstance(model, RadiationModel):
        return Quantity.ALPHA, Quantity.SQRT_BETA
    return (Quantity.LETD,) if model.needs_letd else ()


def check_ion(model: RbeModel, ion: str) -> None:
    """Refuse a beam that a model is not for.

    Parameters
    ----------
    model
        The model.
    ion
        ``"proton"``, ``"helium"``, ``"carbon"`` or ``"oxygen"``.

    Raises
    ------
    InputError
        Naming the model and the beams that it is for.
    """
    if ion not in model.ions:
        raise InputError(
            "ion", f"{ion} with RBE model {model.name!r}", f"{' or '.join(model.ions)}, which it is for"
        )


def models_for(ion: str) -> tuple[RbeModel, ...]:
    """All models that are for a beam."""
    return tuple(m for m in MODELS.values() if ion in m.ions)
