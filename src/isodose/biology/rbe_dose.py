"""From dose and the radiation's quality to RBE-weighted dose, per fraction."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.biology.let_models import LetModel
from isodose.biology.linear_quadratic import (
    effect,
    effect_with_tail,
    photon_dose,
    photon_dose_with_tail,
    rbe_weighted_dose_of_limits,
)
from isodose.biology.mixed_field import model_voxel_values
from isodose.biology.models import RbeModel, check_ion
from isodose.biology.radiation_model import RadiationModel
from isodose.biology.tissue import TissueMap
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError, IsodoseWarning
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume

RELEVANT_PART = 0.1
"""Warnings look at voxels that receive at least this part of the highest dose."""

MODEL_KEY = "radiation_model"
"""Entry of a dose's provenance that names the model of its alpha and beta."""

Array = NDArray[np.float32]


def rbe_weighted_dose(dose: Dose, model: RbeModel, ion: str, patient: Patient, tissues: TissueMap) -> Volume:
    """RBE-weighted dose of one fraction, Gy (RBE).

    Parameters
    ----------
    dose
        Dose per fraction; for a model in LET with `Quantity.LETD`, for one that needs spectra with
        `Quantity.ALPHA` and `Quantity.SQRT_BETA`, or with the spectra of track length that they follow from.
    model
        See `isodose.biology.models.model`.
    ion
        What the beam is made of.
    patient, tissues
        Photon response of every voxel. Models that need spectra do not look at it: they hold for the cells of
        their parameters.

    Returns
    -------
    Volume
        On the grid of the dose. Voxels whose radiation quality is not known (no LETd, no spectrum scored)
        keep their dose, as with an RBE of 1.

    Raises
    ------
    InputError
        If the model is not for the beam, the dose lacks a quantity, or its alpha is of another model.

    Warns
    -----
    IsodoseWarning
        Where the dose is at least a tenth of the highest: if LETd is beyond the model's data, the RBE is
        below 1, or the radiation quality is not known.
    """
    check_ion(model, ion)
    physical = dose.volume().values
    if isinstance(model, RadiationModel):
        alpha, sqrt_beta = response(dose, model)
        known = alpha > 0.0
        weighted = _of_response(physical, alpha, sqrt_beta, model)
    else:
        letd = dose.volume(Quantity.LETD).values if model.needs_letd else np.ones_like(physical)
        known = letd > 0.0
        weighted = _of_letd(physical, letd, model, tissues.voxels(patient, dose.grid))
        _warn(letd > model.highest_letd, physical, f"LETd above {model.highest_letd:g} keV/um", model)
    _warn(~known, physical, "unknown radiation quality (its RBE is taken as 1)", model)
    _warn(known & (weighted < 0.995 * physical), physical, "an RBE below 1", model)
    return Volume(dose.grid, np.where(known, weighted, physical))


def with_rbe_dose(dose: Dose, model: RbeModel, ion: str, patient: Patient, tissues: TissueMap) -> Dose:
    """Dose with `Quantity.RBE_DOSE` beside the rest, model and tissues noted in its provenance.

    Parameters, errors and warnings are those of `rbe_weighted_dose`.
    """
    weighted = rbe_weighted_dose(dose, model, ion, patient, tissues)
    notes: dict[str, Any] = {"model": model.name, "parameters": asdict(model)}
    if isinstance(model, LetModel):
        named = {"default": tissues.default, **tissues.structures}
        notes["tissues"] = {where: asdict(made_of) for where, made_of in named.items()}
    values = {**dose.values, Quantity.RBE_DOSE: weighted.values}
    return replace(dose, values=values, provenance={**dose.provenance, "rbe": notes})


def response(dose: Dose, model: RadiationModel) -> tuple[Array, Array]:
    """Alpha and the root of beta of a dose, ``[z, y, x]`` 1/Gy: an engine's, or from its spectra.

    Raises
    ------
    InputError
        If the dose has neither, or an alpha of another model.
    """
    wanted = (Quantity.ALPHA, Quantity.SQRT_BETA)
    values = dose.values
    if not all(q in values for q in wanted):
        if Quantity.TRACK_LENGTH not in dose.spectra:
            have = ", ".join(q.key for q in (*dose.values, *dose.spectra))
            raise InputError(
                "dose",
                f"quantities {have}",
                f"alpha and sqrt_beta, or track_length, for model {model.name!r}",
            )
        values = model_voxel_values(dose.spectra[Quantity.TRACK_LENGTH], dose.grid, model)
    elif (named := dose.provenance.get(MODEL_KEY, model.name)) != model.name:
        raise InputError("dose.alpha", f"that of model {named!r}", f"that of model {model.name!r}")
    return values[Quantity.ALPHA], values[Quantity.SQRT_BETA]


def _of_response(physical: Array, alpha: Array, sqrt_beta: Array, model: RadiationModel) -> Array:
    photons, beta = model.photons, np.square(sqrt_beta)
    if np.isinf(photons.cut_gy):
        weighted = photon_dose(effect(physical, alpha, beta), photons.alpha, photons.beta)
    else:
        cut, slope = photons.cut_gy, photons.final_slope
        of_ions = effect_with_tail(physical, alpha, beta, cut, slope)
        weighted = photon_dose_with_tail(of_ions, photons.alpha, photons.beta, cut, slope)
    return weighted.astype(np.float32)


def _of_letd(physical: Array, letd: Array, model: LetModel, tissue: tuple[Array, Array]) -> Array:
    alpha, beta = tissue
    with np.errstate(divide="ignore"):
        ratio = alpha / beta
    rbe_max, rbe_min = model.limits(letd, ratio)
    return rbe_weighted_dose_of_limits(physical, rbe_max, rbe_min, alpha, beta).astype(np.float32)


def _warn(where: NDArray[np.bool_], physical: Array, what: str, model: RbeModel) -> None:
    relevant = physical > RELEVANT_PART * physical.max(initial=0.0)
    count, of = int(np.count_nonzero(where & relevant)), int(np.count_nonzero(relevant))
    if count:
        share = f"{count} of {of} voxels above {RELEVANT_PART:.0%} of the highest dose"
        warnings.warn(f"RBE model {model.name!r}: {what} in {share}", IsodoseWarning, stacklevel=3)
