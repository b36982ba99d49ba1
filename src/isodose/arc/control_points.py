"""Control points of an arc: the gantry angles at which spots are delivered, in the order of delivery."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.plan.plan import RangeShifter

FULL_TURN_DEG = 360.0
_SMALLEST_DEG = 0.1
_TOLERANCE_DEG = 1e-6


@dataclass(frozen=True, slots=True)
class Arc:
    """One rotation of the gantry, whole or in part.

    Parameters
    ----------
    name
        As in the report.
    angles_deg
        Gantry angles of the control points in the order of delivery, not wrapped at 360: they ascend where
        the gantry turns clockwise (IEC 61217) and descend otherwise.
    couch_angle_deg
        IEC 61217.
    range_shifter
        Slab in the beam over the whole arc, if any.
    """

    name: str
    angles_deg: tuple[float, ...]
    couch_angle_deg: float = 0.0
    range_shifter: RangeShifter | None = None

    def __post_init__(self) -> None:
        angles = tuple(float(a) for a in self.angles_deg)
        object.__setattr__(self, "angles_deg", angles)
        field = f"arc {self.name!r}: "
        if not angles or not np.all(np.isfinite(angles)):
            raise InputError(f"{field}angles_deg", self.angles_deg, "finite angles, at least one")
        if not np.isfinite(self.couch_angle_deg):
            raise InputError(f"{field}couch_angle_deg", self.couch_angle_deg, "a finite angle")
        steps = np.diff(angles)
        if steps.size and not (np.all(steps > 0.0) or np.all(steps < 0.0)):
            raise InputError(f"{field}angles_deg", "angles that turn back", "angles in one sense of rotation")
        if abs(angles[-1] - angles[0]) > FULL_TURN_DEG + _TOLERANCE_DEG:
            raise InputError(f"{field}angles_deg", f"{abs(angles[-1] - angles[0]):g} degrees", "at most 360")

    @property
    def clockwise(self) -> bool:
        """Whether the gantry angle grows; so it is for a single control point."""
        return len(self.angles_deg) == 1 or self.angles_deg[1] > self.angles_deg[0]

    def reversed(self, name: str) -> Arc:
        """Same control points in the other order, as the second of two arcs takes them."""
        return Arc(name, self.angles_deg[::-1], self.couch_angle_deg, self.range_shifter)


def arc(
    name: str = "arc",
    start_deg: float = 0.0,
    stop_deg: float = FULL_TURN_DEG,
    spacing_deg: float = 5.0,
    couch_angle_deg: float = 0.0,
    range_shifter: RangeShifter | None = None,
) -> Arc:
    """Arc with evenly spaced control points.

    Parameters
    ----------
    name
        As in the report.
    start_deg, stop_deg
        Gantry angles between which the gantry turns; a stop below the start turns counter-clockwise. A whole
        turn does not repeat its first control point.
    spacing_deg
        Wanted distance of control points, which a partial arc meets as nearly as it can.
    couch_angle_deg, range_shifter
        As in `Arc`.

    Raises
    ------
    InputError
        If an angle is not finite, the arc is empty or longer than a turn, or the spacing is below 0.1 degree
        or does not divide a whole turn.
    """
    if not np.all(np.isfinite([start_deg, stop_deg])):
        raise InputError("arc.start_deg, arc.stop_deg", (start_deg, stop_deg), "finite angles")
    length = abs(stop_deg - start_deg)
    if not _SMALLEST_DEG <= length <= FULL_TURN_DEG + _TOLERANCE_DEG:
        raise InputError("arc.stop_deg", f"{length:g} degrees from the start", "0.1 to 360 degrees from it")
    if not _SMALLEST_DEG <= spacing_deg <= length + _TOLERANCE_DEG:
        raise InputError("arc.spacing_deg", spacing_deg, f"{_SMALLEST_DEG:g} to the arc's {length:g} degrees")
    steps = round(length / spacing_deg)
    whole = length > FULL_TURN_DEG - _TOLERANCE_DEG
    if whole and abs(steps * spacing_deg - FULL_TURN_DEG) > _TOLERANCE_DEG * steps:
        raise InputError("arc.spacing_deg", spacing_deg, "a divisor of 360 for a whole turn")
    angles = start_deg + (stop_deg - start_deg) * np.arange(steps if whole else steps + 1) / steps
    return Arc(name, tuple(np.round(angles, 9)), couch_angle_deg, range_shifter)


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """One place on an arc.

    Parameters
    ----------
    arc
        Number of its arc.
    gantry_angle_deg
        Not wrapped at 360.
    couch_angle_deg, range_shifter
        Of its arc.
    """

    arc: int
    gantry_angle_deg: float
    couch_angle_deg: float
    range_shifter: RangeShifter | None


def control_points(arcs: tuple[Arc, ...]) -> tuple[ControlPoint, ...]:
    """Control points of arcs that follow one another.

    Raises
    ------
    InputError
        If there is no arc.
    """
    if not arcs:
        raise InputError("arcs", "none", "at least one")
    return tuple(
        ControlPoint(i, angle, one.couch_angle_deg, one.range_shifter)
        for i, one in enumerate(arcs)
        for angle in one.angles_deg
    )


def steps_deg(points: tuple[ControlPoint, ...]) -> NDArray[np.float64]:
    """How far the gantry turns from each control point to the next, ``(points - 1,)`` degrees.

    From one arc to the next it turns back the shorter of both ways round.
    """
    turns = []
    for before, after in pairwise(points):
        step = abs(after.gantry_angle_deg - before.gantry_angle_deg)
        if before.arc != after.arc:
            step %= FULL_TURN_DEG
            step = min(step, FULL_TURN_DEG - step)
        turns.append(step)
    return np.array(turns, dtype=np.float64)
