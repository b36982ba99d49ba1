"""How long an arc takes: energy switches, spots and the gantry's turning, step by step or in motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.arc.control_points import ControlPoint, steps_deg
from isodose.arc.selection import Selection
from isodose.errors import InputError


@dataclass(frozen=True, slots=True)
class GantryMotion:
    """How the gantry turns.

    Parameters
    ----------
    speed_deg_s
        Greatest speed; one turn a minute is the limit of IEC 60601-2-64.
    acceleration_deg_s2
        Greatest acceleration; None turns as if speed changed at once. 0.5 deg/s2 is a default of RaySearch's
        ArcTrajectoryOptimizationMethod.
    """

    speed_deg_s: float = 6.0
    acceleration_deg_s2: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.speed_deg_s) and self.speed_deg_s > 0.0):
            raise InputError("gantry.speed_deg_s", self.speed_deg_s, "a positive speed")
        a = self.acceleration_deg_s2
        if a is not None and not (np.isfinite(a) and a > 0.0):
            raise InputError("gantry.acceleration_deg_s2", a, "a positive acceleration, or None")

    def step_s(self, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        """Time of turns that begin and end at rest, s."""
        v, a = self.speed_deg_s, self.acceleration_deg_s2
        if a is None:
            return np.asarray(degrees / v)
        reaches = degrees >= v * v / a
        return np.where(reaches, degrees / v + v / a, 2.0 * np.sqrt(degrees / a))


@dataclass(frozen=True, slots=True)
class SpotDelivery:
    """How long spots take.

    Parameters
    ----------
    switch_s
        From one spot to the next; 2 ms is a default of RaySearch's ArcTrajectoryOptimizationMethod.
    s_per_mu
        Per monitor unit; 5 ms from the same source.
    """

    switch_s: float = 0.002
    s_per_mu: float = 0.005

    def layer_s(self, spots: NDArray[np.int64], mu: NDArray[np.float64]) -> NDArray[np.float64]:
        """Time of layers with given numbers of spots and monitor units."""
        return np.asarray(np.maximum(spots - 1, 0) * self.switch_s + mu * self.s_per_mu)


@dataclass(frozen=True, slots=True)
class DeliveryTime:
    """Seconds of a delivery.

    Parameters
    ----------
    switching_s, spots_s, gantry_s
        Energy switches, spots and the gantry's turning, each by itself.
    static_s
        With a gantry that stops at every control point and turns while the energy is switched.
    dynamic_s
        With a gantry that turns all the time, each control point's layers filling its part of the arc.
    """

    switching_s: float
    spots_s: float
    gantry_s: float
    static_s: float
    dynamic_s: float


def delivery_time(
    selection: Selection,
    points: tuple[ControlPoint, ...],
    spots: NDArray[np.int64],
    mu: NDArray[np.float64],
    gantry: GantryMotion = GantryMotion(),  # immutable
    delivery: SpotDelivery = SpotDelivery(),  # immutable
) -> DeliveryTime:
    """Time of a selection.

    Parameters
    ----------
    selection
        Layers in the order of delivery.
    points
        Control points of the task.
    spots, mu
        Number of spots and monitor units of each slot of the selection, ``(slots,)``.
    gantry, delivery
        What the machine can do.

    Raises
    ------
    InputError
        If there are not as many control points or slots as the selection has.
    """
    slots = selection.task.slots
    if len(points) != selection.task.cost.shape[0]:
        raise InputError("points", len(points), f"{selection.task.cost.shape[0]}, as the selection has")
    if not spots.shape == mu.shape == slots.shape:
        raise InputError("spots, mu", f"shapes {spots.shape} and {mu.shape}", f"{slots.shape}")
    layer = delivery.layer_s(spots, mu)
    switch = np.concatenate([[0.0], selection.steps_s])
    turns = steps_deg(points)
    same = selection.task.within == 1
    # A switch within a control point waits at its place; one between them goes along with the turn.
    at_rest = np.zeros(len(points))
    np.add.at(at_rest, slots, layer + np.where(same, switch, 0.0))
    before = np.zeros(len(points))
    before[slots[~same]] = switch[~same]
    moves = gantry.step_s(turns)
    static = at_rest.sum() + before[0] + np.maximum(moves, before[1:]).sum()
    return DeliveryTime(
        selection.switching_s,
        float(layer.sum()),
        float(moves.sum()),
        float(static),
        _in_motion(turns, at_rest + before, points, gantry),
    )


def _in_motion(
    turns: NDArray[np.float64], busy_s: NDArray[np.float64], points: tuple[ControlPoint, ...], g: GantryMotion
) -> float:
    """Time of a gantry that spends at least `busy_s` in each control point's window.

    A window reaches half way to the neighbours, and at an arc's ends as far beyond as within. Its speed is at
    most such that the window takes as long as it is busy; with a limited acceleration, speeds at the borders
    of windows follow by a forward and a backward pass, and the gantry stops between arcs.
    """
    total = 0.0
    arcs = np.array([p.arc for p in points])
    for one in np.unique(arcs):
        mine = np.flatnonzero(arcs == one)
        inner = turns[mine[:-1]]
        if not inner.size:
            total += float(busy_s[mine].sum())
            continue
        width = 0.5 * (np.concatenate([inner[:1], inner]) + np.concatenate([inner, inner[-1:]]))
        most = np.minimum(g.speed_deg_s, width / np.maximum(busy_s[mine], 1e-12))
        total += _profile_s(width, most, g.acceleration_deg_s2)
        if mine[-1] + 1 < len(points):
            total += float(g.step_s(turns[mine[-1] : mine[-1] + 1])[0])
    return total


def _profile_s(width: NDArray[np.float64], most: NDArray[np.float64], acceleration: float | None) -> float:
    """Least time through windows with greatest speeds, from rest to rest where acceleration is limited."""
    if acceleration is None:
        return float((width / most).sum())
    border = np.concatenate([[0.0], np.minimum(most[:-1], most[1:]), [0.0]])
    for i in range(width.size):
        border[i + 1] = min(border[i + 1], np.sqrt(border[i] ** 2 + 2.0 * acceleration * width[i]))
    for i in range(width.size - 1, -1, -1):
        border[i] = min(border[i], np.sqrt(border[i + 1] ** 2 + 2.0 * acceleration * width[i]))
    a, b = border[:-1], border[1:]
    peak = np.minimum(most, np.sqrt(acceleration * width + 0.5 * (a**2 + b**2)))
    ramps = (2.0 * peak**2 - a**2 - b**2) / (2.0 * acceleration)
    flat = np.maximum(width - ramps, 0.0) / peak
    return float(((2.0 * peak - a - b) / acceleration + flat).sum())
