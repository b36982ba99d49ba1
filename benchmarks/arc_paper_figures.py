"""Figures of ``benchmarks/arc_paper.py``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from arc_results import STEM, TARGET, Case, column
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from isodose.report.colours import BEAM_COLOURS, FAINT, INK, ISODOSES, dose_wash
from isodose.report.curves import style

PANELS = (
    ("hi_2_98", "Target HI = 100 (D2 - D98) / Dp"),
    ("ci", "Target CI"),
    ("d2_gy", "Target D2 / Gy"),
    ("d98_gy", "Target D98 / Gy"),
    ("stem_gy", "Brainstem mean / Gy"),
    ("stem_max_gy", "Brainstem max / Gy"),
)
COLOURS = (BEAM_COLOURS[1], BEAM_COLOURS[0])
MARKERS = ("^", "o")
ENCLOSED = (0.8, 0.5)
"""Parts of the probability within the contours of the density."""
STRUCTURES = ((TARGET, "-"), (STEM, "--"))
LEAST_FOR_DENSITY = 5
LOW_PERCENT = 10.0
AROUND_MM = 70.0
"""Beyond the target the slice is cut off at this distance."""
WINDOW_HU = (-160.0, 240.0)
TARGET_LINE, STEM_LINE = "#000000", "#ff3fd0"
"""Colours that no isodose has."""


def metrics_by_volume(cases: Sequence[Case], selectors: Sequence[str]) -> Figure:
    """Every metric against the target's volume, with contours of the density and its curve at the side."""
    figure = Figure(figsize=(13.5, 8.2), layout="constrained", facecolor="white")
    volume = np.array([case.target_cm3 for case in cases])
    grid = figure.add_gridspec(2, 6, width_ratios=(5, 1) * 3)
    for k, (key, label) in enumerate(PANELS):
        row, place = divmod(k, 3)
        axis = figure.add_subplot(grid[row, 2 * place])
        side = figure.add_subplot(grid[row, 2 * place + 1], sharey=axis)
        for name, colour, marker in zip(selectors, COLOURS, MARKERS, strict=True):
            values = column(cases, name, key)
            axis.scatter(volume, values, s=26, marker=marker, color=colour, label=name, zorder=3)
            _contours(axis, volume, values, colour)
            _side_curve(side, values, colour)
        style(axis, "Target volume / cm³", label, f"({'abcdef'[k]})")
        axis.set_ylim(bottom=max(axis.get_ylim()[0], 0.0))  # densities spread below, metrics do not
        side.set_axis_off()
    figure.axes[0].legend(frameon=False, fontsize=9)
    figure.suptitle(
        f"{len(cases)} cases; contours hold "
        + " and ".join(f"{100 * e:.0f}" for e in ENCLOSED)
        + " % of them",
        color=INK,
        fontsize=10,
    )
    return figure


def _density(points: NDArray[np.float64]) -> gaussian_kde | None:
    """Kernel density, or None of points that are too few or lie on a line."""
    spread = np.ptp(np.atleast_2d(points), axis=1)
    if points.shape[-1] < LEAST_FOR_DENSITY or np.any(spread <= 1e-9):
        return None
    try:
        return gaussian_kde(points)
    except np.linalg.LinAlgError:
        return None


def _contours(axis: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colour: str) -> None:
    density = _density(np.stack([x, y]))
    if density is None:
        return
    margin_x, margin_y = 0.6 * np.ptp(x), 0.8 * np.ptp(y)
    at_x = np.linspace(x.min() - margin_x, x.max() + margin_x, 90)
    at_y = np.linspace(y.min() - margin_y, y.max() + margin_y, 90)
    xx, yy = np.meshgrid(at_x, at_y)
    values = density(np.stack([xx.ravel(), yy.ravel()])).reshape(xx.shape)
    ordered = np.sort(values.ravel())[::-1]
    within = np.cumsum(ordered) / ordered.sum()
    levels = [float(ordered[np.searchsorted(within, part)]) for part in ENCLOSED]
    axis.contour(xx, yy, values, levels=levels, colors=colour, linewidths=(0.8, 1.4), alpha=0.8)


def _side_curve(axis: Axes, values: NDArray[np.float64], colour: str) -> None:
    density = _density(values)
    if density is None:
        return
    margin = 0.8 * np.ptp(values)
    at = np.linspace(values.min() - margin, values.max() + margin, 200)
    axis.fill_betweenx(at, density(at), color=colour, alpha=0.25, linewidth=0)
    axis.plot(density(at), at, color=colour, linewidth=1.2)


def sequences(cases: Sequence[Case], selectors: Sequence[str]) -> Figure:
    """Energy of every layer by gantry angle."""
    figure = Figure(figsize=(4.6 * len(cases), 4.2), layout="constrained", facecolor="white")
    axes = figure.subplots(1, len(cases), sharey=True, squeeze=False)[0]
    for axis, case in zip(axes, cases, strict=True):
        for name, colour, marker in zip(selectors, COLOURS, MARKERS, strict=True):
            angle, energy = case.energies(name)
            time = case.of(name, "switching_s")
            label = f"{name}: {time:.1f} s of switching"
            axis.plot(angle, energy, marker, color=colour, markersize=3.5, label=label, zorder=3)
            axis.plot(angle, energy, color=colour, linewidth=0.8, alpha=0.6)
        style(axis, "Gantry angle / degree", "Energy / MeV" if axis is axes[0] else "", _title(case))
        low, high = axis.get_xlim()
        if high - low > 180.0:
            axis.xaxis.set_major_locator(_every(60.0))
        bottom, top = axis.get_ylim()
        axis.set_ylim(bottom, top + 0.15 * (top - bottom))
        axis.legend(frameon=False, fontsize=8, loc="upper center", ncols=2)
    return figure


def _every(step: float) -> object:
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(step)


def _title(case: Case) -> str:
    return f"{case.name.replace('_', ' ', 1)}, {case.target_cm3:.0f} cm³"


def dose_maps(cases: Sequence[Case], selectors: Sequence[str]) -> Figure | None:
    """Dose on the axial slice through the target's centre, one row a selector, with its metrics."""
    shown = [c for c in cases if all(_has_slice(c, name) for name in selectors)]
    if not shown:
        return None
    figure = Figure(figsize=(4.3 * len(shown) + 1.0, 9.4), layout="constrained", facecolor="white")
    axes = figure.subplots(len(selectors), len(shown), squeeze=False)
    wash = None
    for column_of_axes, case in zip(axes.T, shown, strict=True):
        for axis, name in zip(column_of_axes, selectors, strict=True):
            wash = _dose_map(axis, case, name)
            axis.set_title(f"{_title(case)}: {name}", fontsize=9.5, color=INK, loc="left")
    bar = figure.colorbar(wash, ax=axes, shrink=0.6, pad=0.01)
    bar.set_label("Dose / % of the prescription", fontsize=9, color=INK)
    figure.legend(
        handles=[
            Line2D([], [], color=TARGET_LINE, label="target"),
            Line2D([], [], color=STEM_LINE, label="brainstem"),
            *(Line2D([], [], color=c, label=f"{p:g} %") for p, c in ISODOSES if p in (50, 80, 95, 105)),
        ],
        loc="outside lower center",
        ncols=6,
        frameon=False,
        fontsize=9,
    )
    return figure


def _has_slice(case: Case, selector: str) -> bool:
    return bool(np.isfinite(case.row("slice_gy", selector)).any())


def _dose_map(axis: Axes, case: Case, selector: str) -> object:
    x, y = (np.asarray(case.arrays[k], dtype=np.float64) for k in ("x_mm", "y_mm"))
    half_x, half_y = 0.5 * (x[1] - x[0]), 0.5 * (y[1] - y[0])
    # Rows run from front to back, so that the patient looks up and its right is at the left.
    extent = (x[0] - half_x, x[-1] + half_x, y[-1] + half_y, y[0] - half_y)
    percent = 100.0 * case.row("slice_gy", selector).astype(np.float64) / case.dose_ref_gy
    colours, scale = dose_wash()
    axis.imshow(
        case.arrays["ct_hu"], cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], extent=extent, aspect="equal"
    )
    shown = np.ma.masked_less(percent, LOW_PERCENT)
    image = axis.imshow(shown, cmap=colours, norm=scale, extent=extent, alpha=0.45, interpolation="bilinear")
    levels, lines = zip(*[(p, c) for p, c in ISODOSES if p in (50, 80, 95, 105)], strict=True)
    axis.contour(x, y, percent, levels=levels, colors=lines, linewidths=0.9)
    for key, colour in (("target", TARGET_LINE), ("stem", STEM_LINE)):
        if case.arrays[key].any():
            axis.contour(x, y, case.arrays[key].astype(float), levels=[0.5], colors=colour, linewidths=1.6)
    inside = np.argwhere(case.arrays["target"])
    if len(inside):
        (y0, x0), (y1, x1) = inside.min(axis=0), inside.max(axis=0)
        axis.set_xlim(max(x[x0] - AROUND_MM, extent[0]), min(x[x1] + AROUND_MM, extent[1]))
        axis.set_ylim(min(y[y1] + AROUND_MM, extent[2]), max(y[y0] - AROUND_MM, extent[3]))
    axis.set_axis_off()
    lines_of_text = (
        f"CI {case.of(selector, 'ci'):.2f}   HI {case.of(selector, 'hi_2_98'):.1f}",
        f"D98 {case.of(selector, 'd98_gy'):.2f}   D2 {case.of(selector, 'd2_gy'):.2f} Gy",
        f"brainstem mean {case.of(selector, 'stem_gy'):.2f}, max {case.of(selector, 'stem_max_gy'):.2f} Gy",
    )
    box = {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 3.0}
    text = "\n".join(lines_of_text)
    axis.text(0.02, 0.02, text, transform=axis.transAxes, fontsize=8, color="white", va="bottom", bbox=box)
    return image


def robustness(cases: Sequence[Case], selectors: Sequence[str]) -> Figure | None:
    """Histograms of the dose as bands over scenarios, and of its deviation over them."""
    shown = [case for case in cases if case.robust]
    if not shown:
        return None
    figure = Figure(figsize=(4.6 * len(shown), 8.0), layout="constrained", facecolor="white")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for k, case in enumerate(shown):
        label = "Volume / %" if k == 0 else ""
        _bands(axes[0, k], case, selectors)
        style(axes[0, k], "Dose per fraction / Gy", label, _title(case))
        areas = _deviations(axes[1, k], case, selectors)
        style(axes[1, k], "RMS deviation over scenarios / Gy", label, areas)
    meaning = [Line2D([], [], color=c, label=name) for name, c in zip(selectors, COLOURS, strict=True)]
    meaning += [Line2D([], [], color=FAINT, linestyle=line, label=name) for name, line in STRUCTURES]
    meaning.append(Patch(color=FAINT, alpha=0.3, label="all scenarios"))
    figure.legend(handles=meaning, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _bands(axis: Axes, case: Case, selectors: Sequence[str]) -> None:
    dose = case.robust["dose_gy"]
    for name, colour in zip(selectors, COLOURS, strict=True):
        for structure, line in STRUCTURES:
            curves = case.in_scenarios(name, structure, "dvh")
            low, high = curves.min(axis=0), curves.max(axis=0)
            axis.fill_between(dose, low, high, color=colour, alpha=0.2, linewidth=0)
            axis.plot(dose, curves[0], line, color=colour, linewidth=1.5)
    axis.axvline(case.dose_ref_gy, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
    axis.set_xlim(0.0, 1.2 * case.dose_ref_gy)
    axis.set_ylim(0.0, 102.0)


def _deviations(axis: Axes, case: Case, selectors: Sequence[str]) -> str:
    """Draw them; returns the areas under them in words."""
    rms = np.asarray(case.robust["dose_gy"], dtype=np.float64)
    text, furthest = [], float(rms[1])
    for name, colour in zip(selectors, COLOURS, strict=True):
        areas = []
        for structure, line in STRUCTURES:
            percent = case.in_scenarios(name, structure, "rvh")
            areas.append(float(case.in_scenarios(name, structure, "rvh_area")))
            axis.plot(rms, percent, line, color=colour, linewidth=1.5)
            furthest = max(furthest, float(rms[percent > 0.5].max(initial=0.0)))
        text.append(f"{name}: area {areas[0]:.3f} Gy target, {areas[1]:.4f} Gy brainstem")
    axis.set_xlim(0.0, 1.1 * furthest)
    axis.set_ylim(0.0, 102.0)
    return "\n".join(text)
