"""Influence matrices of the pencil-beam engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.base_data import DepthWeighting
from isodose.machine.machine import Machine
from isodose.pencilbeam.beam_view import Anatomy, view_beam
from isodose.pencilbeam.influence.columns import ColumnStore
from isodose.pencilbeam.influence.full import add_full
from isodose.pencilbeam.influence.single import add_single
from isodose.pencilbeam.influence.voxels import InfluenceVoxels
from isodose.pencilbeam.resolution import Resolution
from isodose.plan.plan import Beam, Plan

KEPT = 0.995
"""Part of a spot's dose at every depth that the matrix keeps by default."""


def influence_matrix(
    plan: Plan,
    machine: Machine,
    anatomy: Anatomy,
    voxels: InfluenceVoxels,
    resolution: Callable[[Beam], Resolution],
    channels: Mapping[Quantity, DepthWeighting | None] | None = None,
    kept: float = KEPT,
    threads: int = 1,
) -> Influence:
    """Influence matrix of a plan's spots, which need no weights for it.

    Parameters
    ----------
    plan, machine
        What is delivered, by what; the machine must have base data.
    anatomy
        To whom.
    voxels
        Where the dose is wanted.
    resolution
        How finely each beam is followed. Where it does not split spots, a spot takes the way of one ray for
        each voxel (`isodose.pencilbeam.influence.single`).
    channels
        Further quantities that the dose is weighted with; None is LETd.
    kept
        Part of a spot's dose that is kept at every depth, between 0.5 and 0.9999; what lies outside is given
        to the rest.
    threads
        Number of threads.

    Raises
    ------
    InputError
        If the machine has no base data for an energy, or an option is out of its range.
    """
    if not 0.5 <= kept <= 0.9999:
        raise InputError("kept", kept, "0.5 to 0.9999")
    wanted = dict(channels or {})
    spots = [beam.spot_count for beam in plan.beams]
    store = ColumnStore(sum(spots), 1 + len(wanted))
    for beam, first in zip(plan.beams, np.cumsum([0, *spots]), strict=False):
        detail = resolution(beam)
        if detail.split:
            view = view_beam(beam, machine, anatomy, detail, tuple(wanted.values()), threads)
            add_full(store, view, voxels, int(first), kept, threads)
        else:
            # Followed as if it were split, so that the fan reaches as far as the spot, on all rays.
            detail = replace(detail, split=True)
            view = view_beam(beam, machine, anatomy, detail, tuple(wanted.values()), threads, everywhere=True)
            add_single(store, view, voxels, int(first), kept, detail.voxel_mm**2 / 12.0, threads)
    indptr, indices, values = store.join()
    quantities = [Quantity.DOSE, *wanted]
    by_quantity = dict(zip(quantities, values, strict=True))
    return Influence(voxels.grid, indptr, indices, by_quantity, {"kept": kept})
