"""Spot weights that give a target a flat dose by the pencil-beam engine's own forward and adjoint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isodose.machine.machine import Machine
from isodose.patient.body import body_ct, inside_body
from isodose.patient.hounsfield import calibration_of
from isodose.patient.patient import Patient
from isodose.pencilbeam.beam_dose import add_beam_dose, seen_by_beam
from isodose.pencilbeam.beam_view import Anatomy, BeamView, view_beam
from isodose.pencilbeam.media import media_of
from isodose.pencilbeam.resolution import Resolution
from isodose.plan.plan import Beam, Layer, Plan, Spots

ITERATIONS = 40
RAY_MM, PLANE_MM = 1.0, 1.0


def flat_dose(patient: Patient, plan: Plan, target: str, machine: Machine, dose_gy: float) -> Plan:
    """Same spots, weighted for one dose in the target, each beam giving its part of it.

    Multiplicative updates (expectation and maximisation): weights stay positive, and few iterations leave
    them smooth.
    """
    body = body_ct(patient)
    media = media_of(calibration_of(patient.calibration), body)
    anatomy = Anatomy(patient.grid, media.row(body.values), media, patient.position)
    inside = inside_body(patient, patient.grid)
    voxels = patient.structure(target).mask & inside
    beams = []
    for beam in plan.beams:
        view = view_beam(beam, machine, anatomy, Resolution(RAY_MM, PLANE_MM))
        beams.append(_flat_beam(view, patient, voxels, inside, dose_gy / len(plan.beams)))
    return replace(plan, beams=tuple(beams))


def _flat_beam(
    view: BeamView, patient: Patient, voxels: NDArray[np.bool_], inside: NDArray[np.bool_], dose_gy: float
) -> Beam:
    weights = [layer.spots.particles.copy() for layer in view.beam.layers]
    whole = _seen(view, patient, voxels.astype(np.float32), inside)
    for _ in range(ITERATIONS):
        dose = _dose(view, patient, inside, weights)
        ratio = np.divide(np.float32(dose_gy), dose, out=np.zeros_like(dose), where=voxels & (dose > 0.0))
        seen = _seen(view, patient, ratio, inside)
        for weight, part, total in zip(weights, seen, whole, strict=True):
            weight *= np.divide(part, total, out=np.zeros_like(part), where=total > 0.0)
    layers = [
        Layer(layer.energy_mev_u, Spots(layer.spots.x_mm, layer.spots.y_mm, weight))
        for layer, weight in zip(view.beam.layers, weights, strict=True)
    ]
    return replace(view.beam, layers=tuple(layers))


def _dose(
    view: BeamView, patient: Patient, inside: NDArray[np.bool_], weights: list[NDArray[np.float64]]
) -> NDArray[np.float32]:
    volumes = np.zeros((1, *patient.grid.shape), dtype=np.float32)
    add_beam_dose(view, patient.grid, inside, volumes, 1, weights)
    return volumes[0]


def _seen(
    view: BeamView, patient: Patient, volume: NDArray[np.float32], inside: NDArray[np.bool_]
) -> list[NDArray[np.float64]]:
    return seen_by_beam(view, patient.grid, inside, volume[None], 1)
