"""Layer images of patients: what networks that choose energy layers learn from and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isodose.arc.control_points import Arc, arc
from isodose.arc.selection import AVOIDING_WEIGHT, TARGET_WEIGHT, spot_shares
from isodose.arc.spot_counts import SpotCounts, SpotLattice, count_spots
from isodose.errors import InputError
from isodose.learn.layer_image import LayerImage
from isodose.machine.machine import Machine
from isodose.patient.hounsfield import Above, calibration_of
from isodose.patient.patient import Patient

COUNTED_LATTICE = SpotLattice(spacing_mm=6.0)
"""That of `isodose learn count`; a coarse one counts sooner, and shares hardly depend on it."""


def layer_image(counts: SpotCounts, organs: dict[str, float] | None = None) -> LayerImage:
    """Layers as a network sees them.

    Parameters
    ----------
    counts, organs
        As of `isodose.arc.selection.count_cost`, to whose costs the worth belongs.

    Raises
    ------
    InputError
        If no organ was counted: the network reads the spots that avoid one.
    """
    if not counts.organs:
        raise InputError("organs", "none", "at least one organ to avoid, which the U-Net's input needs")
    target, avoiding = spot_shares(counts, organs)
    avoiding = np.where(counts.allowed, np.clip(avoiding, 0.0, 1.0), 0.0)
    worth = TARGET_WEIGHT * target + AVOIDING_WEIGHT * avoiding
    depth = np.maximum(counts.max_wet_mm, 0.0)
    return LayerImage(
        target.astype(np.float32),
        avoiding.astype(np.float32),
        worth.astype(np.float32),
        depth.astype(np.float32),
        counts.energies_mev_u,
    )


def count_layers(
    patient: Patient,
    target: str,
    organs: Sequence[str],
    machine: Machine,
    arcs: Sequence[Arc] | None = None,
    lattice: SpotLattice = COUNTED_LATTICE,
) -> LayerImage:
    """Count a patient's spots for a data set.

    CT numbers beyond the end of the Hounsfield calibration, which are metal, count as its end.

    Parameters
    ----------
    patient, target, organs, machine, lattice
        As of `isodose.arc.spot_counts.count_spots`.
    arcs
        A whole turn in steps of 5 degrees by default.

    Raises
    ------
    InputError
        As of `isodose.arc.spot_counts.count_spots`.
    """
    calibration = replace(calibration_of(patient.calibration), above=Above.CLAMP)
    return layer_image(
        count_spots(patient, target, machine, arcs or [arc()], organs, lattice, calibration=calibration)
    )
