"""Influence matrices of scenarios for the choice of layers, with a beam followed once per range error.

Where the patient is set up some millimetres off, the rays of a beam pass the same tissue nearly as before:
their directions change by the shift over the distance of the source, 1.5 mrad for 3 mm. So shifts are taken
for spots that lie elsewhere on the same rays, across the beam by as much as the isocentre moves; along the
beam nothing changes. Spots at all places are then columns of one matrix, for which each beam is followed
once. The ray of a voxel is off by 0.15 mm at 100 mm from the isocentre, for 3 mm. Where that is too much,
`isodose.optimise.scenarios.scenario_influences` moves the isocentre.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from isodose.arc.arc_influence import KEPT, some_columns
from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.optimise.scenarios import Scenario, engine_of
from isodose.patient.patient import Patient
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam, Layer, Plan, Spots

Shifts = NDArray[np.float64]


def by_range(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Scenarios with those of one range error one after the other, the first one still first."""
    first = scenarios[0].range_percent
    return tuple(sorted(scenarios, key=lambda s: (s.range_percent != first, s.range_percent)))


def displaced_influences(
    engine: PencilBeam,
    patient: Patient,
    plan: Plan,
    scenarios: Sequence[Scenario],
    quantities: Collection[Quantity] = (Quantity.DOSE,),
    mask: NDArray[np.bool_] | None = None,
    robust_mask: NDArray[np.bool_] | None = None,
    kept: float = KEPT,
) -> Iterator[Influence]:
    """Influence matrices of scenarios, one at a time, with displaced spots for displaced isocentres.

    Parameters
    ----------
    engine, patient, plan, quantities, kept
        As of `PencilBeam.influence`.
    scenarios
        The nominal one first. Neighbours with the same range error are computed together, and are in memory
        together: sort them by `by_range`.
    mask
        Voxels ``[z, y, x]`` of the dose grid that are wanted in the nominal scenario; the body by default.
    robust_mask
        Those that are wanted in the others; ``mask`` by default.

    Raises
    ------
    InputError
        As of `PencilBeam.influence`, also where displaced spots miss the patient.
    """

    def alike(numbered: tuple[int, Scenario]) -> tuple[float, bool]:
        k, scenario = numbered
        return scenario.range_percent, k == 0 and robust_mask is not None

    for (_, alone), group in groupby(enumerate(scenarios), alike):
        members = [scenario for _, scenario in group]
        shifts = np.array([scenario.shift_mm for scenario in members])
        wanted = mask if alone or robust_mask is None else robust_mask
        together = displaced(plan, shifts, patient.position)
        found = engine_of(engine, members[0]).influence(patient, together, quantities, kept, wanted)
        if len(members) == 1:
            yield found
            continue
        for columns in _columns_of(plan, len(members)):
            yield some_columns(found, columns)


def displaced(plan: Plan, shifts_mm: Shifts, position: str) -> Plan:
    """Plan whose layers hold all of their spots once per shift, one shift after the other.

    Parameters
    ----------
    plan
        As planned.
    shifts_mm
        Displacements (x, y, z) in the patient's frame, ``(shifts, 3)``.
    position
        DICOM patient position.
    """

    def moved(layer: Layer, across: Shifts) -> Layer:
        spots, count = layer.spots, len(across)
        x = (spots.x_mm + across[:, :1]).ravel()
        y = (spots.y_mm + across[:, 1:]).ravel()
        return replace(layer, spots=Spots(x, y, np.tile(spots.particles, count)))

    def all_moved(beam: Beam) -> Beam:
        across = shifts_mm @ np.stack(beam_axes(beam, position)[:2], axis=1)
        return replace(beam, layers=tuple(moved(layer, across) for layer in beam.layers))

    return replace(plan, beams=tuple(all_moved(beam) for beam in plan.beams))


def _columns_of(plan: Plan, shifts: int) -> NDArray[np.int64]:
    """Columns of `displaced` that belong to each shift, ``(shifts, spots)``."""
    counts = np.array([len(layer.spots) for beam in plan.beams for layer in beam.layers])
    ends = np.cumsum(counts)
    within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    first = np.repeat((ends - counts) * shifts, counts) + within
    return np.asarray(first + np.arange(shifts)[:, None] * np.repeat(counts, counts))
