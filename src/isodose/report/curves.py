"""Curves of the report: dose-volume histograms, profiles through the target, spectra and spot maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.dose.spectra import Spectra
from isodose.evaluate.dvh import Dvh
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam
from isodose.report.colours import BEAM_COLOURS, FAINT, INK

PROFILE_STEP_MM = 0.5
SPECTRUM_DECADES = 6
"""How far below its maximum a spectrum is drawn."""
LETD_FROM = 0.02
"""LETd is drawn where the dose is at least this part of its maximum along the line; below, it is noise."""


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through the patient.

    Parameters
    ----------
    distance_mm
        Along the line, zero at the chosen point, ``(n,)``.
    positions_mm
        Points (x, y, z), ``(n, 3)``.
    """

    distance_mm: NDArray[np.float64]
    positions_mm: NDArray[np.float64]

    @classmethod
    def through(
        cls, point_mm: NDArray[np.float64], direction: NDArray[np.float64], before_mm: float, after_mm: float
    ) -> Line:
        """Line through a point, from so far before it to so far behind it."""
        n = max(2, round((before_mm + after_mm) / PROFILE_STEP_MM) + 1)
        distance = np.linspace(-before_mm, after_mm, n)
        return cls(distance, point_mm + distance[:, None] * direction)


def style(axis: Axes, x: str, y: str, title: str = "") -> None:
    """Quiet axes with labels and a light grid."""
    axis.set_xlabel(x, color=INK, fontsize=9.5)
    axis.set_ylabel(y, color=INK, fontsize=9.5)
    if title:
        axis.set_title(title, color=INK, fontsize=10, loc="left")
    axis.grid(True, color="#e3e7ee", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8.5, color=FAINT, labelcolor=INK)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(FAINT)


def dvh_figure(
    curves: Sequence[Mapping[str, Dvh]],
    structures: Mapping[str, Structure],
    prescription_gy: float | None,
    labels: Sequence[str] = ("",),
) -> Figure:
    """Cumulative dose-volume histograms; the second dose of a comparison is dashed.

    Parameters
    ----------
    curves
        Histograms by structure, one table a dose.
    structures
        For colours and roles.
    prescription_gy
        Drawn as a line, if known.
    labels
        Names of the doses, as many as ``curves``.
    """
    figure = Figure(figsize=(12.5, 5.2), layout="constrained", facecolor="white")
    axis = figure.subplots()
    for table, dashes, label in zip(curves, ("-", (0, (4, 2))), labels, strict=False):
        for name, histogram in table.items():
            dose, volume = histogram.curve()
            structure = structures[name]
            axis.plot(
                dose,
                volume,
                color=tuple(c / 255 for c in structure.colour),
                linestyle=dashes,
                linewidth=2.4 if structure.role.is_target else 1.6,
                label=f"{name}{f', {label}' if label else ''}",
            )
    if prescription_gy:
        axis.axvline(prescription_gy, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)))
        axis.annotate(
            f"prescription {prescription_gy:g} Gy",
            (prescription_gy, 101.5),
            (3, 0),
            textcoords="offset points",
            fontsize=8,
            color=FAINT,
        )
    style(axis, "Dose per fraction / Gy", "Volume / %")
    axis.set_xlim(left=0)
    axis.set_ylim(0, 105)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return figure


def beam_profiles(
    patient: Patient,
    dose: Dose,
    beams: Sequence[Beam],
    point_mm: NDArray[np.float64],
    target: Structure | None,
) -> Figure:
    """Along each beam through a point: dose with its uncertainty and LETd; across it: the lateral profiles.

    Parameters
    ----------
    patient
        For where the body begins and ends.
    dose
        What the engine computed.
    beams
        One row of panels each.
    point_mm
        Where the lines cross.
    target
        Shaded where given.
    """
    figure = Figure(figsize=(12.5, 3.3 * len(beams) + 0.2), layout="constrained", facecolor="white")
    axes = figure.subplots(len(beams), 2, squeeze=False, width_ratios=(1.55, 1.0))
    for beam, (depth, lateral) in zip(beams, axes, strict=True):
        across_x, across_y, along = beam_axes(beam, patient.position)
        before, after = reach_mm(patient, point_mm, along)
        line = Line.through(point_mm, along, before, after)
        _depth_panel(depth, dose, line, before, target, beam)
        for axis, name, colour in ((across_x, "X", BEAM_COLOURS[0]), (across_y, "Y", BEAM_COLOURS[1])):
            cut = Line.through(point_mm, axis, 70.0, 70.0)
            _banded(lateral, cut.distance_mm, dose, cut, colour, f"along {name}")
        style(
            lateral,
            "Beam's eye view, distance from the target's centre / mm",
            "Dose / Gy",
            f"{beam.name}, across the beam",
        )
        lateral.set_ylim(bottom=0)
        lateral.legend(frameon=False, fontsize=8.5)
    return figure


def reach_mm(
    patient: Patient, point: NDArray[np.float64], direction: NDArray[np.float64]
) -> tuple[float, float]:
    """How far the body reaches before and behind a point, with 10 mm of air."""
    extent = float(np.linalg.norm(np.asarray(patient.grid.upper_mm) - np.asarray(patient.grid.lower_mm)))
    line = Line.through(point, direction, extent, extent)
    body = patient.ct.sample(line.positions_mm, outside=-1000.0) > -500.0
    if not body.any():
        return 100.0, 100.0
    inside = line.distance_mm[body]
    return max(10.0, 10.0 - float(inside[0])), max(10.0, float(inside[-1]) + 10.0)


def _banded(
    axis: Axes, x: NDArray[np.float64], dose: Dose, line: Line, colour: str, label: str | None = None
) -> NDArray[np.float32]:
    """Dose along a line with one standard deviation to either side."""
    values = dose.volume().sample(line.positions_mm)
    axis.plot(x, values, color=colour, linewidth=1.8, label=label)
    if Quantity.DOSE in dose.uncertainty:
        sigma = Volume(dose.grid, dose.uncertainty[Quantity.DOSE]).sample(line.positions_mm)
        axis.fill_between(x, values - sigma, values + sigma, color=colour, alpha=0.25, linewidth=0)
    return values


def _depth_panel(
    axis: Axes, dose: Dose, line: Line, before: float, target: Structure | None, beam: Beam
) -> None:
    x = line.distance_mm + before - 10.0
    if target is not None:
        inside = Volume(target.grid, target.occupancy).sample(line.positions_mm) >= 0.5
        axis.fill_between(
            x,
            0,
            1,
            where=inside,
            transform=axis.get_xaxis_transform(),
            color="#f3c9c9",
            alpha=0.6,
            linewidth=0,
        )
    values = _banded(axis, x, dose, line, BEAM_COLOURS[0])
    style(
        axis,
        "Depth from the skin along the beam / mm",
        "Dose / Gy",
        f"{beam.name}, along the beam through the target's centre",
    )
    axis.set_ylim(bottom=0)
    axis.set_xlim(float(x[0]), float(x[-1]))
    if Quantity.LETD in dose.values and values.max() > 0:
        weighted = Volume(dose.grid, dose.values[Quantity.LETD] * dose.values[Quantity.DOSE])
        letd = weighted.sample(line.positions_mm)
        letd[values < LETD_FROM * values.max()] = np.nan
        twin = axis.twinx()
        twin.plot(x, letd / values, color=BEAM_COLOURS[1], linewidth=1.2)
        twin.set_ylabel("LETd / (keV/µm)", color=BEAM_COLOURS[1], fontsize=9.5)
        twin.tick_params(labelsize=8.5, color=FAINT, labelcolor=BEAM_COLOURS[1])
        twin.set_ylim(bottom=0)
        for side in twin.spines.values():
            side.set_visible(False)


def spot_maps(beams: Sequence[Beam]) -> Figure:
    """For each beam its spots in beam's eye view, summed over the layers, and the particles of each layer."""
    figure = Figure(figsize=(12.5, 3.6 * len(beams)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(beams), 2, squeeze=False, width_ratios=(1.0, 1.4))
    for beam, (plane, bars) in zip(beams, axes, strict=True):
        x = np.concatenate([layer.spots.x_mm for layer in beam.layers])
        y = np.concatenate([layer.spots.y_mm for layer in beam.layers])
        particles = np.concatenate([layer.spots.particles for layer in beam.layers])
        position, which = np.unique(np.round(np.column_stack([x, y]), 2), axis=0, return_inverse=True)
        total = np.bincount(which.ravel(), weights=particles)
        power = int(np.floor(np.log10(max(float(total.max()), 1.0))))
        shown = plane.scatter(
            position[:, 0], position[:, 1], c=total / 10.0**power, s=26, cmap="viridis", linewidths=0
        )
        bar = figure.colorbar(shown, ax=plane, pad=0.01)
        bar.set_label(f"Particles / $10^{{{power}}}$", color=INK, fontsize=9)
        bar.ax.tick_params(labelsize=8, labelcolor=INK)
        bar.outline.set_visible(False)
        plane.set_aspect("equal", adjustable="datalim")
        style(plane, "X / mm", "Y / mm", f"{beam.name}, spots in beam's eye view, all layers")
        energies = np.array([layer.energy_mev_u for layer in beam.layers])
        sums = np.array([layer.spots.particles.sum() for layer in beam.layers])
        gaps = np.diff(np.sort(energies))
        width = 0.7 * float(gaps[gaps > 0].min()) if np.any(gaps > 0) else 1.0
        power = int(np.floor(np.log10(max(float(sums.max()), 1.0))))
        bars.bar(energies, sums / 10.0**power, width=width, color=BEAM_COLOURS[0])
        label = f"Particles per layer / $10^{{{power}}}$"
        style(bars, "Energy / (MeV/u)", label, f"{beam.name}, energy layers")
    return figure


def spectra_figure(spectra: Spectra, quantity: Quantity, voxels: NDArray[np.int64], where: str) -> Figure:
    """Mean spectrum per particle class over chosen voxels.

    Parameters
    ----------
    spectra
        Of the engine.
    quantity
        Which quantity they are, for the unit.
    voxels
        Flat indices of the dose grid.
    where
        What the voxels are, for the title.
    """
    per_voxel = len(spectra.classes) * spectra.bins
    wanted = np.zeros(int(spectra.key.max(initial=0)) // per_voxel + 1, dtype=bool)
    wanted[voxels[voxels < wanted.size]] = True
    kept = wanted[spectra.key // per_voxel]
    flat = np.bincount(spectra.key[kept] % per_voxel, weights=spectra.value[kept], minlength=per_voxel)
    mean = flat.reshape(len(spectra.classes), spectra.bins) / max(1, voxels.size)
    figure = Figure(figsize=(12.5, 4.8), layout="constrained", facecolor="white")
    axis = figure.subplots()
    density = mean / np.diff(spectra.energy_edges_mev)
    for i, (name, row) in enumerate(zip(spectra.classes, density, strict=True)):
        if row.any():
            colour, dashes = _class_style(i)
            edges = spectra.energy_edges_mev
            axis.stairs(row, edges, color=colour, linestyle=dashes, linewidth=1.6, label=name)
    if density.any():
        axis.set_ylim(density.max() / 10.0**SPECTRUM_DECADES, 3.0 * density.max())
    axis.set_xscale("log")
    axis.set_yscale("log")
    style(
        axis,
        "Kinetic energy of the particle / MeV",
        f"{quantity.label.split(' per ')[0]} per energy / ({quantity.unit}/MeV per primary)",
        f"Mean over {where}",
    )
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _class_style(i: int) -> tuple[str, str]:
    """Colour and dashes of a particle class; the dashes change when the colours are used up."""
    colours = (*BEAM_COLOURS, "#111111", "#6b7785", "#7fb8e6", "#9bd17a", "#d3a6ef")
    return colours[i % len(colours)], ("-", "--", ":")[i // len(colours) % 3]
