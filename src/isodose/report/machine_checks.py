"""Pictures and tables of a machine's validation: the pencil beam beside Monte Carlo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from isodose.commissioning.spot_comparison import OUTSIDE_MM, PLACES, SpotComparison
from isodose.commissioning.spot_comparison import Figure as Number
from isodose.commissioning.validation import RANGE_TOLERANCE, RANGE_TOLERANCE_MM, EnergyFigures, Validation
from isodose.report.colours import BEAM_COLOURS, FAINT, INK
from isodose.report.curves import style
from isodose.report.machine_curves import EnergyColours, logarithmic
from isodose.report.tables import Table

_ROWS = 13
"""About so many energies are shown in the table of ranges, besides those that fail."""
_LOWEST = 1e-6
"""Lateral profiles are drawn down to this part of the dose per mm."""


def depth_comparison(spots: Sequence[SpotComparison]) -> Figure:
    """Depth doses and LETd of single spots, and the differences of the doses."""
    figure = Figure(figsize=(12.5, 8.4), layout="constrained", facecolor="white")
    dose, letd, away = figure.subplots(3, 1, height_ratios=(1.5, 1.1, 1.0))
    colours = EnergyColours(np.array([s.energy_mev_u for s in spots]))
    for spot in spots:
        colour, curve = colours(spot.energy_mev_u), spot.depth_dose
        name = f"{spot.energy_mev_u:.4g} MeV/u{' (interpolated)' if spot.interpolated else ''}"
        dose.plot(curve.at_mm, curve.pencil, color=colour, linewidth=1.5, label=name)
        every = max(curve.at_mm.size // 60, 1)
        dose.plot(
            curve.at_mm[::every], curve.monte_carlo[::every], "o", color=colour, markersize=2.6, alpha=0.7
        )
        seen = curve.monte_carlo > 0.02 * curve.monte_carlo.max()
        scale = 100.0 / curve.monte_carlo.max()
        difference = scale * (curve.pencil - curve.monte_carlo)
        away.plot(curve.at_mm, difference, color=colour, linewidth=1.0)
        error = scale * curve.error
        away.fill_between(
            curve.at_mm, difference - error, difference + error, color=colour, alpha=0.2, linewidth=0
        )
        if spot.letd is not None:
            letd.plot(spot.letd.at_mm[seen], spot.letd.pencil[seen], color=colour, linewidth=1.5)
            few = np.flatnonzero(seen)[::every]
            letd.plot(
                spot.letd.at_mm[few], spot.letd.monte_carlo[few], "o", color=colour, markersize=2.6, alpha=0.7
            )
    style(dose, "", "Depth dose / (MeV cm²/g)", "Line: pencil beam; points: Monte Carlo")
    style(letd, "", "LETd / (keV/µm)")
    logarithmic(letd)
    style(away, "Depth in water / mm", "Difference / % of the peak")
    dose.set_ylim(bottom=0.0)
    dose.legend(frameon=False, fontsize=8.5)
    for axis in (letd, away):
        axis.sharex(dose)
    dose.set_xlim(left=0.0)
    away.axhline(0.0, color=FAINT, linewidth=0.8)
    return figure


def lateral_comparison(spots: Sequence[SpotComparison]) -> Figure:
    """Lateral profiles of single spots, logarithmic: a row an energy, a column a depth."""
    figure = Figure(figsize=(12.5, 2.5 * len(spots) + 0.3), layout="constrained", facecolor="white")
    axes = figure.subplots(len(spots), len(PLACES), squeeze=False, sharex=True, sharey=True)
    for row, spot in zip(axes, spots, strict=True):
        for axis, curve, (place, _) in zip(row, spot.lateral, PLACES, strict=True):
            x, colour = curve.at_mm, BEAM_COLOURS[1]
            low, high = (np.maximum(curve.monte_carlo + sign * curve.error, _LOWEST) for sign in (-1.0, 1.0))
            axis.fill_between(x, low, high, color=colour, alpha=0.3, linewidth=0)
            axis.plot(x, curve.monte_carlo, color=colour, linewidth=1.2, label="Monte Carlo")
            axis.plot(x, curve.pencil, color=BEAM_COLOURS[0], linewidth=1.2, label="pencil beam")
            axis.set_yscale("log")
            style(axis, "", "", f"{spot.energy_mev_u:.4g} MeV/u, {place}")
    axes[0, 0].set_ylim(_LOWEST, 0.3)
    axes[0, 0].legend(frameon=False, fontsize=8.5)
    figure.supxlabel("Distance from the axis / mm", fontsize=9.5, color=INK)
    figure.supylabel("Part of the dose per mm", fontsize=9.5, color=INK)
    return figure


def figures_table(spots: Sequence[SpotComparison], names: Sequence[str]) -> Table:
    """Differences of some figures, a row each, a column an energy."""
    rows = []
    for name in names:
        numbers = [next(f for f in spot.figures if f.name == name) for spot in spots]
        cells = (_cell(n) for n in numbers)
        rows.append((f"{name} / {numbers[0].unit.split()[0]}", numbers[0].criterion, *cells))
    energies = [f"{s.energy_mev_u:.4g} MeV/u{'*' if s.interpolated else ''}" for s in spots]
    note = (
        "Pencil beam minus Monte Carlo ± standard uncertainty of the latter; passed (✓) if within the "
        "tolerance and three standard uncertainties. * between energies of the base data. "
    )
    if any(OUTSIDE in name for name in names):
        note += "Sigma: of a Gaussian through the profile above 20 % of its maximum."
    return Table(("Figure", "Tolerance", *energies), tuple(rows), note)


OUTSIDE = f"beyond {OUTSIDE_MM:g} mm"


def _cell(number: Number) -> str:
    mark = "✓" if number.passed else "✗"
    return f"{number.difference:+.3f} ± {number.error:.3f} {mark}"


def energies_table(energies: Sequence[EnergyFigures]) -> Table:
    """Figures of the beam by energy; some energies, and all whose range is off."""
    every = max(len(energies) // _ROWS, 1)
    shown = [e for i, e in enumerate(energies) if i % every == 0 or i == len(energies) - 1 or not e.passed]
    rows = [
        (
            f"{e.energy_mev_u:g}",
            f"{e.r80_mm:.2f}",
            f"{e.csda_mm:.2f}",
            f"{e.r80_mm - e.csda_mm:+.2f} {'✓' if e.passed else '✗'}",
            f"{e.peak:.1f}",
            f"{e.peak_to_entrance:.2f}",
            f"{e.width_mm:.2f}" if np.isfinite(e.width_mm) else "–",
            " / ".join(f"{s:.2f}" for s in e.sigma_mm),
            " / ".join(f"{h:.2f}" for h in e.halo_percent) or "–",
        )
        for e in shown
    ]
    headings = (
        "Energy / (MeV/u)",
        "R80 / mm",
        "CSDA / mm",
        "Difference / mm",
        "Peak / (MeV cm²/g)",
        "Peak to entrance",
        "FWHM / mm",
        "Core sigma / mm",
        "Halo / %",
    )
    note = (
        f"{len(shown)} of {len(energies)} energies. Passed (✓) if R80 is within {100 * RANGE_TOLERANCE:g} % "
        f"or {RANGE_TOLERANCE_MM:g} mm of the range in the slowing-down approximation. Core sigma: of the "
        "first Gaussian at the surface, at half of the range and at the peak. Halo: dose in the others at "
        "half of the range."
    )
    return Table(headings, tuple(rows), note)


def smoothness_table(validation: Validation) -> Table:
    """Largest departures from a smooth course over energy."""
    rows = tuple(
        (s.column, f"{s.largest_percent:.2f}", f"{s.energy_mev_u:g}", f"{s.part:.2f}")
        for s in validation.smoothness
    )
    note = (
        "Largest departure from a local quadratic over seven energies, at equal parts of the range up to "
        "R80: of the dose in percent of the peak, of weights in percent of the dose, of all else in percent "
        "of itself; widths where the Gaussian holds 1 % of the dose."
    )
    return Table(("Column", "Departure / %", "Energy / (MeV/u)", "Part of the range"), rows, note)
