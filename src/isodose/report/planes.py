"""A quantity on three planes of a patient, with isolines, contours of the structures, letters and scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam
from isodose.report.colours import FAINT, INK

CT_WINDOW_HU = (-400.0, 500.0)
"""Grey scale of the CT: wide enough to tell lung, soft tissue and bone at once."""

_HALO = (withStroke(linewidth=2.2, foreground="black"),)
AIR_HU = -1000.0
MARGIN_MM = 12.0
ARROW_FROM = 0.3
"""Beams whose direction has less than this part in a plane get no arrow there."""


@dataclass(frozen=True, slots=True)
class View:
    """How a plane is looked at.

    Parameters
    ----------
    name
        ``axial``, ``coronal`` or ``sagittal``.
    across, along, through
        Patient axes (0 is x, 1 is y, 2 is z) that run to the right, along the picture's height and into it.
    downwards
        Whether the second axis grows downwards.
    letters
        Patient directions at the left, right, top and bottom.
    """

    name: str
    across: int
    along: int
    through: int
    downwards: bool
    letters: tuple[str, str, str, str]


VIEWS = (
    View("axial", 0, 1, 2, True, ("R", "L", "A", "P")),
    View("coronal", 0, 2, 1, False, ("R", "L", "H", "F")),
    View("sagittal", 1, 2, 0, False, ("A", "P", "H", "F")),
)
"""The three planes, as radiologists look at them: axial from the feet, coronal from the front."""


@dataclass(frozen=True, slots=True)
class Wash:
    """A quantity laid over the CT.

    Parameters
    ----------
    volume
        What is shown.
    colours, scale
        How numbers become colours.
    label
        Of the colour bar, with the unit.
    visible
        Lowest value that is painted.
    levels
        Isolines as (value, colour).
    per
        Divisor of the volume, if any: a mean or a relative value is interpolated as what it was made of, so
        that it holds to the edge of the beam.
    per_from
        Only where the divisor reaches this is the quotient painted.
    magnitude_from
        Smallest magnitude that is painted, for quantities of either sign.
    """

    volume: Volume
    colours: Colormap
    scale: Normalize
    label: str
    visible: float = 0.0
    levels: tuple[tuple[float, str], ...] = ()
    per: Volume | None = None
    per_from: float = 0.0
    magnitude_from: float = 0.0


@dataclass(frozen=True, slots=True)
class _Window:
    """The pixels of one plane: centres (x, y, z) and the edges of the picture."""

    positions_mm: NDArray[np.float64]
    extent: tuple[float, float, float, float]
    across_mm: NDArray[np.float64]
    along_mm: NDArray[np.float64]


def body_box_mm(patient: Patient) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper corner (x, y, z) of what is worth showing: the body with a margin."""
    inside = patient.external.mask if patient.external is not None else patient.ct.values > -500.0
    if not inside.any():
        inside = np.ones(patient.grid.shape, dtype=bool)
    found = [np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != 2 - i))) for i in range(3)]
    first = np.array([f[0] for f in found])
    last = np.array([f[-1] for f in found])
    origin, spacing = np.asarray(patient.grid.origin_mm), np.asarray(patient.grid.spacing_mm)
    lower = np.maximum(origin + (first - 0.5) * spacing - MARGIN_MM, patient.grid.lower_mm)
    upper = np.minimum(origin + (last + 0.5) * spacing + MARGIN_MM, patient.grid.upper_mm)
    return lower, upper


def three_planes(
    patient: Patient,
    wash: Wash,
    point_mm: ArrayLike,
    beams: Sequence[Beam] = (),
    title: str = "",
) -> Figure:
    """Axial, coronal and sagittal plane through a point.

    Parameters
    ----------
    patient
        CT and structures.
    wash
        The quantity over the CT.
    point_mm
        Where the planes meet, (x, y, z).
    beams
        Their isocentres are marked, and arrows show where they come from.
    title
        Above the planes.
    """
    point = np.asarray(point_mm, dtype=np.float64)
    lower, upper = body_box_mm(patient)
    size = upper - lower
    widths = [size[view.across] for view in VIEWS]
    tallest = max(size[view.along] for view in VIEWS)
    panel_inches = 11.4
    height = panel_inches * tallest / sum(widths) + 1.25
    figure = Figure(figsize=(13.0, float(np.clip(height, 3.6, 9.0))), layout="constrained", facecolor="white")
    axes = figure.subplots(1, 3, width_ratios=widths)
    seen: dict[str, Structure] = {}
    for axis, view in zip(axes, VIEWS, strict=True):
        window = _window(view, point, (lower, upper))
        _paint(axis, window, patient, wash)
        seen |= _outline(axis, window, patient)
        _mark(axis, view, point, window)
        for beam in beams:
            _mark_beam(axis, view, point, beam, beam_axes(beam, patient.position)[2], window)
    _colour_bar(figure, list(axes), wash)
    _legend(figure, seen)
    if title:
        figure.suptitle(title, color=INK, fontsize=12, x=0.01, ha="left", weight="bold")
    return figure


def _colour_bar(figure: Figure, axes: list[Axes], wash: Wash) -> None:
    bar = figure.colorbar(
        ScalarMappable(wash.scale, wash.colours), ax=axes, fraction=0.022, pad=0.012, aspect=32
    )
    bar.set_label(wash.label, color=INK, fontsize=10)
    bar.ax.tick_params(labelsize=8.5, color=FAINT, labelcolor=INK)
    bar.outline.set_visible(False)
    if wash.levels:
        bar.set_ticks([value for value, _ in wash.levels])
        bar.ax.hlines(
            [value for value, _ in wash.levels],
            0,
            1,
            color="black",
            linewidth=0.8,
            transform=bar.ax.get_yaxis_transform(),
        )


def _legend(figure: Figure, seen: dict[str, Structure]) -> None:
    handles = [
        Line2D(
            [], [], color=_rgb(s), linewidth=2.2, label=f"{s.name} ({s.role})" if s.role.is_target else s.name
        )
        for s in sorted(seen.values(), key=lambda s: s.role.is_target)
    ]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(8, len(handles)), frameon=False, fontsize=9
        )


def _rgb(structure: Structure) -> tuple[float, float, float]:
    red, green, blue = structure.colour
    return (red / 255, green / 255, blue / 255)


def _window(
    view: View, point: NDArray[np.float64], box: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> _Window:
    lower, upper = box
    length = upper - lower
    pixel = max(0.8, float(length.max()) / 500.0)
    axes = []
    for i in (view.across, view.along):
        n = max(2, round(float(length[i]) / pixel))
        axes.append(lower[i] + (np.arange(n) + 0.5) * length[i] / n)
    positions = np.empty((axes[1].size, axes[0].size, 3))
    positions[..., view.across] = axes[0][None, :]
    positions[..., view.along] = axes[1][:, None]
    positions[..., view.through] = point[view.through]
    extent = (lower[view.across], upper[view.across], lower[view.along], upper[view.along])
    return _Window(positions, tuple(float(e) for e in extent), axes[0], axes[1])  # type: ignore[arg-type]


def _paint(axis: Axes, window: _Window, patient: Patient, wash: Wash) -> None:
    """CT, wash and isolines."""
    ct = patient.ct.sample(window.positions_mm, outside=AIR_HU)
    low, high = CT_WINDOW_HU
    axis.imshow(ct, cmap="gray", vmin=low, vmax=high, extent=window.extent, origin="lower", aspect="equal")
    values = wash.volume.sample(window.positions_mm)
    outside = _outside(patient, window)
    hidden = outside | (values < wash.visible) | (np.abs(values) < wash.magnitude_from)
    if wash.per is not None:
        divisor = wash.per.sample(window.positions_mm)
        hidden |= divisor < wash.per_from
        values = np.divide(values, divisor, out=np.zeros_like(values), where=~hidden)
    painted = np.ma.masked_where(hidden, values)
    axis.imshow(
        painted,
        cmap=wash.colours,
        norm=wash.scale,
        extent=window.extent,
        origin="lower",
        aspect="equal",
        alpha=0.58,
        interpolation="nearest",
    )
    inside = np.ma.masked_where(outside, values)
    for value, colour in wash.levels:
        if values.min() < value < values.max():
            axis.contour(window.across_mm, window.along_mm, inside, [value], colors=[colour], linewidths=1.1)


def _outline(axis: Axes, window: _Window, patient: Patient) -> dict[str, Structure]:
    """Draw the structures that the plane cuts, targets last so that they lie on top; returns them by name."""
    drawn = {}
    for structure in sorted(patient.structures.values(), key=lambda s: s.role.is_target):
        if structure.role is Role.SUPPORT:
            continue
        inside = Volume(structure.grid, structure.occupancy).sample(window.positions_mm)
        if inside.max() > 0.5 > inside.min():
            width = 2.0 if structure.role.is_target else 1.2
            axis.contour(
                window.across_mm, window.along_mm, inside, [0.5], colors=[_rgb(structure)], linewidths=width
            )
            drawn[structure.name] = structure
    return drawn


def _outside(patient: Patient, window: _Window) -> NDArray[np.bool_]:
    """Pixels outside the body's outline; nothing is painted there."""
    outline = patient.external
    if outline is None:
        return np.zeros(window.positions_mm.shape[:2], dtype=bool)
    return np.asarray(Volume(outline.grid, outline.occupancy).sample(window.positions_mm) < 0.5)


def _mark_beam(
    axis: Axes,
    view: View,
    point: NDArray[np.float64],
    beam: Beam,
    direction: NDArray[np.float64],
    window: _Window,
) -> None:
    """Isocentre of a beam, and an arrow where it comes in."""
    left, right, bottom, top = window.extent
    iso = np.asarray(beam.isocentre_mm)
    if abs(iso[view.through] - point[view.through]) < 5.0:
        axis.plot(iso[view.across], iso[view.along], "+", color="white", markersize=11, markeredgewidth=1.6)
    flat = np.array([direction[view.across], direction[view.along]])
    length = float(np.linalg.norm(flat))
    if length < ARROW_FROM:
        return
    here, flat = np.array([iso[view.across], iso[view.along]]), flat / length
    edge = np.where(flat > 0, here - (left, bottom), (right, top) - here)  # room upstream of the isocentre
    room = float(np.min(edge[np.abs(flat) > 1e-6] / np.abs(flat[np.abs(flat) > 1e-6])))
    arrow = {"arrowstyle": "-|>", "color": "#ffd34d", "linewidth": 2.0, "mutation_scale": 16}
    size = 0.1 * min(right - left, top - bottom)
    (x0, y0), (x1, y1) = here - (room - 0.8 * size) * flat, here - (room - 1.9 * size) * flat
    axis.annotate("", xy=(x1, y1), xytext=(x0, y0), arrowprops=arrow)


def _mark(axis: Axes, view: View, point: NDArray[np.float64], window: _Window) -> None:
    """Crosshair, letters, scale bar and the position of the plane."""
    line = {"color": "white", "linewidth": 0.5, "alpha": 0.45, "linestyle": (0, (5, 4))}
    axis.axvline(point[view.across], **line)  # type: ignore[arg-type]
    axis.axhline(point[view.along], **line)  # type: ignore[arg-type]
    left, right, bottom, top = window.extent
    for letter, x, y in zip(view.letters, (0.02, 0.98, 0.5, 0.5), (0.5, 0.5, 0.975, 0.025), strict=True):
        axis.text(
            x,
            y,
            letter,
            transform=axis.transAxes,
            color="white",
            path_effects=_HALO,
            fontsize=11,
            weight="bold",
            ha={0.02: "left", 0.98: "right"}.get(x, "center"),
            va={0.975: "top", 0.025: "bottom"}.get(y, "center"),
        )
    bar = 50.0 if right - left > 150.0 else 20.0
    x0, y0 = left + 0.04 * (right - left), bottom + 0.04 * (top - bottom)
    if view.downwards:
        y0 = top - 0.04 * (top - bottom)
    axis.plot(
        [x0, x0 + bar], [y0, y0], color="white", linewidth=2.4, solid_capstyle="butt", path_effects=_HALO
    )
    axis.annotate(
        f"{bar:.0f} mm",
        (x0 + bar / 2, y0),
        (0, 4),
        textcoords="offset points",
        color="white",
        path_effects=_HALO,
        fontsize=8.5,
        ha="center",
    )
    axis.set_title(
        f"{view.name}   {'xyz'[view.through]} = {point[view.through]:.1f} mm",
        color=INK,
        fontsize=10,
        loc="left",
    )
    axis.set_xlabel(f"{'xyz'[view.across]} / mm", color=FAINT, fontsize=8.5, labelpad=1)
    axis.set_ylabel(f"{'xyz'[view.along]} / mm", color=FAINT, fontsize=8.5, labelpad=0)
    axis.set_xlim(left, right)
    axis.set_ylim((top, bottom) if view.downwards else (bottom, top))
    axis.tick_params(labelsize=8, color=FAINT, labelcolor=FAINT, length=2.5)
    for side in axis.spines.values():
        side.set_visible(False)
