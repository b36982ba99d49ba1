"""RBE-weighted dose of a plan in one call, whichever engine computes the physical dose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from isodose.biology.cluster_dose import compute_cluster_dose
from isodose.biology.mixed_field import (
    HYDROGEN,
    letd_depth_weighting,
    letd_voxel_values,
    model_depth_weightings,
    spectra_of,
)
from isodose.biology.models import RbeModel, check_ion, needed_quantities
from isodose.biology.radiation_model import RadiationModel
from isodose.biology.rbe_dose import MODEL_KEY, with_rbe_dose
from isodose.biology.tissue import TissueMap
from isodose.dose.compute import wanted_quantities
from isodose.dose.dose import Dose
from isodose.dose.engine import options_of
from isodose.dose.quantity import Quantity
from isodose.machine.base_data import DepthWeighting
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_of
from isodose.patient.patient import Patient
from isodose.plan.plan import Plan


def compute_biological_dose(
    patient: Patient,
    plan: Plan,
    model: RbeModel,
    tissues: TissueMap,
    quantities: Iterable[str | Quantity] = (Quantity.DOSE,),
    engine: str = "pencilbeam",
    **options: Any,
) -> Dose:
    """Dose of a plan with `Quantity.RBE_DOSE`.

    An engine that takes ``weightings`` gets the model's averages along the machine's beams; any other must
    give the spectra of track length, which the averages follow from voxel by voxel.

    Parameters
    ----------
    patient, plan
        As of :func:`isodose.biology.cluster_dose.compute_cluster_dose`.
    model
        RBE model, see `isodose.biology.models.model`.
    tissues
        Photon response of every voxel.
    quantities, engine, **options
        As of :func:`isodose.biology.cluster_dose.compute_cluster_dose`.

    Raises
    ------
    InputError
        If the model is not for the beam, the machine has no spectra, or for what the engine refuses.
    """
    check_ion(model, plan.ion)
    wanted = [q for q in wanted_quantities(quantities) if q is not Quantity.RBE_DOSE]
    needed = needed_quantities(model)
    if "weightings" in options_of(engine):
        given = options.get("machine")
        machine = given if isinstance(given, Machine) else machine_of(given or plan.machine)
        weightings = weightings_of(model, plan.ion, machine)
        asked = [*wanted, *needed]
        dose = compute_cluster_dose(patient, plan, asked, engine, weightings=weightings, **options)
        if isinstance(model, RadiationModel):
            dose = replace(dose, provenance={**dose.provenance, MODEL_KEY: model.name})
        return with_rbe_dose(dose, model, plan.ion, patient, tissues)
    extra = [Quantity.TRACK_LENGTH] if needed else []
    dose = compute_cluster_dose(patient, plan, [*wanted, *extra], engine, **options)
    if Quantity.LETD not in needed:
        return with_rbe_dose(dose, model, plan.ion, patient, tissues)
    letd = letd_voxel_values(dose.spectra[Quantity.TRACK_LENGTH], dose.grid, _charges(plan.ion))
    weighted = with_rbe_dose(
        replace(dose, values={**dose.values, Quantity.LETD: letd}), model, plan.ion, patient, tissues
    )
    values = {**dose.values, Quantity.RBE_DOSE: weighted.values[Quantity.RBE_DOSE]}
    return replace(weighted, values=values)


def weightings_of(model: RbeModel, ion: str, machine: Machine) -> dict[Quantity, DepthWeighting]:
    """Averages along a machine's beams of what a model needs beside the dose, none where that is nothing.

    Raises
    ------
    InputError
        If the model needs some and the machine has no particle spectra.
    """
    if not needed_quantities(model):
        return {}
    spectra = spectra_of(machine)
    if isinstance(model, RadiationModel):
        return model_depth_weightings(spectra, model)
    return {Quantity.LETD: letd_depth_weighting(spectra, _charges(ion))}


def _charges(ion: str) -> tuple[int, ...] | None:
    """Whose LETd a model takes: that of hydrogen in a proton beam, as in the data it was fitted to."""
    return HYDROGEN if ion == "proton" else None
