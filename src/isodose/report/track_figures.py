"""Pictures of tracks: one in space, and the cluster sizes of many."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isodose.report.colours import BEAM_COLOURS, INK
from isodose.report.curves import style
from isodose.track.events import EXCITATION, IONISATION, Sink
from isodose.track.track_run import TrackRun

_KINDS = ((EXCITATION, "excitation", BEAM_COLOURS[4], 2.0), (IONISATION, "ionisation", BEAM_COLOURS[0], 3.0))
_MOST_POINTS = 40_000
_SMALLEST_SHARE = 1e-7  # of the largest, drawn in a distribution


def track_figure(run: TrackRun) -> Figure:
    """First track of a run in perspective, along the beam and across it, coloured by kind of interaction."""
    figure = Figure(figsize=(12.0, 4.0), layout="constrained")
    events = run.events[0]
    places = figure.add_gridspec(1, 3, width_ratios=(1.35, 1.0, 1.0))
    space = figure.add_subplot(places[0], projection="3d")
    side, end = figure.add_subplot(places[1]), figure.add_subplot(places[2])
    step = max(1, events.kinds.size // _MOST_POINTS)
    for kind, name, colour, size in _KINDS:
        x, y, z = events.positions_nm[events.kinds == kind][::step].T
        look: dict[str, Any] = {"s": size, "color": colour, "linewidths": 0, "alpha": 0.6}
        space.scatter(z, x, y, depthshade=False, **look)
        side.scatter(z, x, label=name, **look)
        end.scatter(x, y, **look)
    space.set(xlabel="z / nm", ylabel="x / nm", zlabel="y / nm")
    space.set_box_aspect((1.6, 1.0, 1.0), zoom=0.8)
    space.tick_params(labelsize=7)
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    style(side, "z / nm", "x / nm", run.title)
    style(end, "x / nm", "y / nm", "seen along the beam")
    end.set_aspect("equal")
    _near_the_axis(end, events)
    side.legend(frameon=False, fontsize=8, markerscale=3, labelcolor=INK)
    return figure


def _near_the_axis(axis: Axes, events: Sink) -> None:
    """Show the part across the beam that holds nine tenths of the ionisations."""
    ionised = events.positions_nm[events.kinds == IONISATION]
    if ionised.size:
        reach = max(float(np.quantile(np.hypot(ionised[:, 0], ionised[:, 1]), 0.9)), 5.0)
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach))


def cluster_size_figure(run: TrackRun) -> Figure:
    """Distribution of the ionisation cluster size, and how many targets hold so many or more."""
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    shares = run.size_shares
    shown = np.arange(1 + np.flatnonzero(shares > _SMALLEST_SHARE * shares.max())[-1])
    left.bar(shown, shares[shown], color=BEAM_COLOURS[0], width=0.9)
    above = np.cumsum(shares[::-1])[::-1]
    right.step(shown, above[shown], where="mid", color=BEAM_COLOURS[1])
    style(left, "Cluster size", f"P, {run.size_unit}", run.title)
    style(right, "k", f"F_k, {run.size_unit}", "k ionisations or more")
    for axis in (left, right):
        axis.set_yscale("log")
    return figure
