"""Scenarios: the patient set up some millimetres off, and the range some percent wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.dose.influence import Influence
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which delivery may differ from the plan.

    Parameters
    ----------
    name
        For figures and reports.
    shift_mm
        Isocentre's displacement (x, y, z) in the patient's frame.
    range_percent
        How much stopping powers are above those of the calibration.
    """

    name: str
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    range_percent: float = 0.0

    def __post_init__(self) -> None:
        if not np.all(np.isfinite(self.shift_mm)) or len(self.shift_mm) != 3:
            raise InputError(f"scenario {self.name!r}: shift_mm", self.shift_mm, "three finite numbers in mm")
        if not -50.0 < self.range_percent < 50.0:
            raise InputError(
                f"scenario {self.name!r}: range_percent", self.range_percent, "less than 50 percent"
            )


NOMINAL = Scenario("nominal")
"""As planned."""


def scenario_set(count: int, setup_mm: float = 3.0, range_percent: float = 3.5) -> tuple[Scenario, ...]:
    """Scenarios of a usual set, the nominal one first.

    Parameters
    ----------
    count
        1: only the nominal one. 9: beside it, shifts to both sides of three axes, and both range errors. 21:
        no shift and the six shifts, each with no, the higher and the lower range error, as for SPArc_dl
        (arXiv 2506.15803).
    setup_mm
        Size of the shifts.
    range_percent
        Size of the range errors.

    Raises
    ------
    InputError
        If there is no set of that many.
    """
    if count not in (1, 9, 21):
        raise InputError("scenarios.count", count, "1, 9 or 21")
    if count == 1:
        return (NOMINAL,)
    if not 0.0 < setup_mm <= 50.0:
        raise InputError("scenarios.setup_mm", setup_mm, "more than 0 and at most 50 mm")
    if not 0.0 < range_percent < 50.0:
        raise InputError("scenarios.range_percent", range_percent, "more than 0 and less than 50 percent")
    shifts = [
        Scenario(f"{'xyz'[axis]} {length:+g} mm", _along(axis, length))
        for axis in range(3)
        for length in (setup_mm, -setup_mm)
    ]
    ranges = [
        Scenario(f"range {sign * range_percent:+g} %", range_percent=sign * range_percent)
        for sign in (1.0, -1.0)
    ]
    if count == 9:
        return (NOMINAL, *shifts, *ranges)
    both = [
        Scenario(f"{shift.name}, {error.name}", shift.shift_mm, error.range_percent)
        for error in ranges
        for shift in shifts
    ]
    return (NOMINAL, *shifts, *ranges, *both)


def _along(axis: int, length: float) -> tuple[float, float, float]:
    x, y, z = (length if a == axis else 0.0 for a in range(3))
    return x, y, z


def check_shifts(scenarios: Sequence[Scenario], target: Structure, patient: Patient) -> None:
    """Refuse shifts that take the beams from a target in the CT to where nothing is known.

    Raises
    ------
    InputError
        Naming the scenario, how far the target would lie outside, and the largest shift that is possible.
    """
    inside = np.argwhere(target.mask)
    if not inside.size:
        return  # refused where spots are placed
    corners = target.grid.position_mm(np.stack([inside.min(axis=0), inside.max(axis=0)]))
    room = np.stack([corners[0] - patient.grid.lower_mm, patient.grid.upper_mm - corners[1]])
    for scenario in scenarios:
        shift = np.asarray(scenario.shift_mm)
        beyond = np.stack([-shift, shift]) - room
        if np.any((shift != 0.0) & (beyond > 0.0)):
            side, axis = np.unravel_index(np.argmax(np.where(shift != 0.0, beyond, -np.inf)), beyond.shape)
            found = (
                f"{scenario.name}, which takes the beams for {target.name!r} {beyond.max():.3g} mm off the CT"
            )
            expected = f"at most {max(room[side, axis], 0.0):.3g} mm along {'xyz'[axis]}, or a larger CT"
            raise InputError("scenarios.setup_mm", found, expected)


def shifted(plan: Plan, scenario: Scenario) -> Plan:
    """Plan with its isocentres displaced by a scenario's shift."""
    beams = tuple(
        replace(beam, isocentre_mm=tuple(np.add(beam.isocentre_mm, scenario.shift_mm).tolist()))
        for beam in plan.beams
    )
    return replace(plan, beams=beams)


def engine_of(engine: PencilBeam, scenario: Scenario) -> PencilBeam:
    """Engine whose stopping powers are off by a scenario's range error."""
    if scenario.range_percent == 0.0:
        return engine
    other = copy(engine)
    other.stopping_factor = engine.stopping_factor * (1.0 + scenario.range_percent / 100.0)
    return other


def scenario_influences(
    engine: PencilBeam,
    patient: Patient,
    plan: Plan,
    scenarios: Sequence[Scenario],
    quantities: Collection[Quantity] = (Quantity.DOSE,),
    mask: NDArray[np.bool_] | None = None,
    robust_mask: NDArray[np.bool_] | None = None,
) -> Iterator[Influence]:
    """Influence matrices of scenarios, one at a time, as `isodose.optimise.problem.Problem` takes them.

    Parameters
    ----------
    engine, patient, plan, quantities
        As of `PencilBeam.influence`.
    scenarios
        The nominal one first.
    mask
        Voxels ``[z, y, x]`` of the dose grid that are wanted in the nominal scenario; the body by default.
    robust_mask
        Those that are wanted in the others; ``mask`` by default.
    """
    for k, scenario in enumerate(scenarios):
        wanted = mask if k == 0 or robust_mask is None else robust_mask
        used = engine_of(engine, scenario)
        yield used.influence(patient, shifted(plan, scenario), quantities, mask=wanted)
