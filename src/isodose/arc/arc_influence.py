"""Influence matrix of a whole arc: all spots of all layers that could be chosen, on chosen voxels."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from isodose.arc.arc_plan import ArcSpots, arc_plan, layer_columns
from isodose.arc.spot_counts import SpotCounts
from isodose.arc.wide_spots import wide_spots
from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Plan

MOST_BYTES = 8 << 30
"""Largest memory that building a matrix may take by default."""

KEPT = 0.98
"""Part of a spot's dose at every depth that is kept by default; the rest is given to what is kept."""

RAYS_MM = 3.0
"""Distance of rays by default: with many spots on them the depths of rays cost more than the spots."""

_JOINING = 2.2
"""Memory while the parts of a matrix are put in place, over that of the matrix."""
_SAMPLED = 3


@dataclass(frozen=True, slots=True, eq=False)
class ArcInfluence:
    """Influence of an arc's layers.

    Parameters
    ----------
    influence
        Columns are the spots of `plan`.
    plan
        A beam per control point with all of its layers.
    counts
        Control points and spots.
    point, energy
        Control point and energy of each column, ``(spots,)``.
    """

    influence: Influence
    plan: Plan
    counts: SpotCounts
    point: NDArray[np.int64]
    energy: NDArray[np.int64]

    def columns(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Columns of chosen layers ``(points, energies)``, ascending."""
        return np.flatnonzero(chosen[self.point, self.energy])

    def only(self, chosen: NDArray[np.bool_]) -> ArcInfluence:
        """Influence of chosen layers; errors as of `isodose.arc.arc_plan.arc_plan`."""
        columns = self.columns(chosen)
        plan = _of_layers(self.plan, self.point, self.energy, chosen)
        return ArcInfluence(
            some_columns(self.influence, columns),
            plan,
            self.counts,
            self.point[columns],
            self.energy[columns],
        )


def arc_influence(
    patient: Patient,
    machine: Machine,
    counts: SpotCounts,
    mask: NDArray[np.bool_],
    chosen: NDArray[np.bool_] | None = None,
    *,
    engine: PencilBeam | None = None,
    quantities: Collection[Quantity] = (Quantity.DOSE,),
    kept: float = KEPT,
    most_bytes: int = MOST_BYTES,
    threads: int | None = None,
    target: str | None = None,
    wide: bool = False,
) -> ArcInfluence:
    """Dose of every spot of an arc per particle.

    Parameters
    ----------
    patient, machine, counts
        As counted.
    mask
        Voxels of the dose grid that matter, ``[z, y, x]``, such as `voxels_that_matter` gives.
    chosen
        Which layers, ``(points, energies)``; by default all that have a spot.
    engine
        By default a pencil beam of one Gaussian, spots unsplit, on the CT's grid and rays 3 mm apart.
    quantities
        What is wanted per voxel.
    kept
        Part of a spot's dose that is kept at every depth.
    most_bytes
        Memory that building the matrix may take.
    threads
        Number of threads; all processors by default.
    target
        Name of the target, for the plan.
    wide
        Whether `isodose.arc.wide_spots.wide_spots` take the place of the spots.

    Raises
    ------
    InputError
        If the matrix would need more memory, as a sample of the control points tells, and as of
        `PencilBeam.influence`.
    """
    engine = engine or PencilBeam(
        machine=machine, gaussians=1, split=False, ray_spacing_mm=RAYS_MM, threads=threads
    )
    spots = ArcSpots(arc_plan(counts, machine, chosen, target=target), counts, *layer_columns(counts, chosen))
    spots = wide_spots(spots, machine) if wide else spots

    def influence_of(plan: Plan) -> Influence:
        return engine.influence(patient, plan, quantities, kept, mask)

    if len(spots.plan.beams) > _SAMPLED:
        _check_memory(spots, influence_of, most_bytes)
    return ArcInfluence(influence_of(spots.plan), spots.plan, counts, spots.point, spots.energy)


def _check_memory(spots: ArcSpots, influence_of: Callable[[Plan], Influence], most_bytes: int) -> None:
    """Refuse an arc whose matrix would need more memory, as some of its control points tell."""
    beams = spots.plan.beams
    every = -(-len(beams) // _SAMPLED)
    sample = influence_of(replace(spots.plan, beams=beams[::every]))
    needed = _JOINING * sample.memory_bytes * spots.point.size / sample.spots
    if needed > most_bytes:
        raise InputError(
            "arc influence",
            f"about {needed / 2**30:.1f} GiB for {spots.point.size} spots",
            f"at most {most_bytes / 2**30:.1f} GiB: fewer voxels, spots or layers",
        )


def voxels_that_matter(
    patient: Patient,
    grid: Grid,
    target: str,
    organs: Collection[str] = (),
    ring_mm: float = 20.0,
    ring_lines: int = 3,
) -> NDArray[np.bool_]:
    """Voxels of a target, of organs, and of a thinned ring around the target within the body.

    Parameters
    ----------
    patient
        Structures.
    grid
        The dose grid.
    target, organs
        Names of structures.
    ring_mm
        How far the ring reaches.
    ring_lines
        Of so many lines of voxels along x, the ring keeps one.

    Raises
    ------
    InputError
        If a structure is unknown, or no voxel is left.
    """

    def on_grid(name: str) -> NDArray[np.bool_]:
        return Volume(patient.grid, patient.structure(name).occupancy).on(grid).values >= 0.5

    inside = on_grid(target)
    if not inside.any():
        raise InputError(f"target {target!r}", "no voxel of the dose grid", "a larger target or finer grid")
    spacing = (grid.spacing_mm[2], grid.spacing_mm[1], grid.spacing_mm[0])
    around = (distance_transform_edt(~inside, sampling=spacing) <= ring_mm) & ~inside
    if patient.external is not None:
        around &= on_grid(patient.external.name)
    plane, line = np.indices(grid.shape[:2])
    around &= ((plane + line) % ring_lines == 0)[:, :, None]
    for name in organs:
        inside |= on_grid(name)
    return np.asarray(inside | around)


def some_columns(influence: Influence, columns: NDArray[np.int64]) -> Influence:
    """Influence of some of the spots."""
    matrix = {quantity: influence.matrix(quantity)[:, columns] for quantity in influence.values}
    first = next(iter(matrix.values()))
    return replace(
        influence,
        indptr=first.indptr.astype(np.int64),
        indices=first.indices.astype(np.int32),
        values={quantity: m.data for quantity, m in matrix.items()},
    )


def _of_layers(
    plan: Plan,
    point: NDArray[np.int64],
    energy: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> Plan:
    """Plan of some of the layers, with the weights that they have."""
    beams = []
    at = 0
    for beam in plan.beams:
        layers = []
        for layer in beam.layers:
            if chosen[point[at], energy[at]]:
                layers.append(layer)
            at += len(layer.spots)
        if layers:
            beams.append(replace(beam, layers=tuple(layers)))
    if not beams:
        raise InputError("chosen", "no layer", "at least one")
    return replace(plan, beams=tuple(beams))
