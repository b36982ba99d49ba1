"""Curves of a machine's base data: depth doses, lateral Gaussians, LETd, spectra and the beam in air."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from isodose.machine.base_data import DepthSpectra, PencilKernel
from isodose.machine.machine import Machine
from isodose.report.colours import BEAM_COLOURS, INK
from isodose.report.curves import style

_MAP = mpl.colormaps["viridis"]
_DARKER = 0.92
"""The bright end of the colour map is hard to see on white."""
_LETD_FROM = 0.002
"""LETd is drawn where the dose is at least this part of the peak."""
_CLASS_COLOURS = (*BEAM_COLOURS, INK)
"""Of as many particle classes as are drawn."""
_DECADES = 5
_LOWEST_MEV = 0.5
"""Where the lowest bin of energy, which goes down to 0, is drawn from."""


class EnergyColours:
    """Colours by energy.

    Parameters
    ----------
    energies_mev_u
        Whatever lies between the lowest and the highest gets a colour.
    """

    def __init__(self, energies_mev_u: NDArray[np.float64]) -> None:
        self._scale = Normalize(
            float(energies_mev_u[0]), float(max(energies_mev_u[-1], energies_mev_u[0] + 1))
        )

    def __call__(self, energy_mev_u: float) -> tuple[float, float, float, float]:
        """Colour of an energy."""
        return _MAP(_DARKER * float(self._scale(energy_mev_u)))

    def bar(self, figure: Figure, axis: Axes) -> None:
        """Colour bar beside an axis."""
        colours = mpl.colors.ListedColormap(_MAP(np.linspace(0.0, _DARKER, 256)))
        shown = mpl.cm.ScalarMappable(self._scale, colours)
        bar = figure.colorbar(shown, ax=axis, pad=0.01)
        bar.set_label("Energy / (MeV/u)", color=INK, fontsize=9)
        bar.ax.tick_params(labelsize=8, labelcolor=INK)
        bar.outline.set_visible(False)


def logarithmic(axis: Axes) -> None:
    """Logarithmic y axis over a decade or two, with plain numbers."""
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def depth_doses(kernels: Sequence[PencilKernel]) -> Figure:
    """Integral depth doses of all energies."""
    figure = Figure(figsize=(12.5, 5.0), layout="constrained", facecolor="white")
    axis = figure.subplots()
    colours = EnergyColours(np.array([k.energy_mev_u for k in kernels]))
    for kernel in kernels:
        axis.plot(kernel.depth_mm, kernel.dose, color=colours(kernel.energy_mev_u), linewidth=1.0)
    style(axis, "Depth in water / mm", "Integral depth dose / (MeV cm²/g per particle)")
    axis.set_xlim(0.0, 1.02 * max(float(k.depth_mm[-1]) for k in kernels))
    axis.set_ylim(bottom=0.0)
    colours.bar(figure, axis)
    return figure


def range_figure(
    energies_mev_u: NDArray[np.float64],
    r80_mm: NDArray[np.float64],
    csda_mm: NDArray[np.float64],
    tolerance_mm: NDArray[np.float64],
) -> Figure:
    """R80 less the range in the slowing-down approximation, with the tolerance as a band."""
    figure = Figure(figsize=(12.5, 2.8), layout="constrained", facecolor="white")
    axis = figure.subplots()
    axis.fill_between(energies_mev_u, -tolerance_mm, tolerance_mm, color="#dfe9f5", linewidth=0)
    axis.plot(
        energies_mev_u, r80_mm - csda_mm, color=BEAM_COLOURS[0], marker="o", markersize=3, linewidth=1.2
    )
    style(axis, "Energy / (MeV/u)", "R80 − CSDA range / mm")
    return figure


def lateral_gaussians(kernels: Sequence[PencilKernel]) -> Figure:
    """Widths and weights of the Gaussians along a few beams, one column each."""
    figure = Figure(figsize=(12.5, 6.4), layout="constrained", facecolor="white")
    axes = figure.subplots(2, len(kernels), squeeze=False, sharey="row")
    for column, kernel in enumerate(kernels):
        upper, lower = axes[0, column], axes[1, column]
        for g in range(kernel.gaussians):
            colour = BEAM_COLOURS[g]
            upper.plot(kernel.depth_mm, kernel.sigma_mm[:, g], color=colour, label=f"Gaussian {g + 1}")
            lower.plot(kernel.depth_mm, kernel.weight[:, g], color=colour)
        for axis in (upper, lower):
            axis.axvline(kernel.range_mm, color="#b7bfca", linewidth=1.0, linestyle=(0, (3, 2)))
            axis.set_yscale("log")
        first = column == 0
        style(upper, "", "Standard deviation / mm" if first else "", f"{kernel.energy_mev_u:g} MeV/u")
        style(lower, "Depth in water / mm", "Part of the dose" if first else "")
    axes[0, 0].set_ylim(bottom=0.03)
    axes[1, 0].set_ylim(1e-3, 1.3)
    axes[0, 0].legend(frameon=False, fontsize=8.5)
    return figure


def letd_by_depth(kernels: Sequence[PencilKernel]) -> Figure:
    """Dose-averaged LET over the plane of some energies, and of the Gaussians of the middle one."""
    figure = Figure(figsize=(12.5, 4.4), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    colours = EnergyColours(np.array([k.energy_mev_u for k in kernels]))
    for kernel in kernels:
        if kernel.letd is not None:
            shown = _dosed(kernel)
            mean = (kernel.letd * kernel.weight).sum(axis=1)
            left.plot(kernel.depth_mm[shown], mean[shown], color=colours(kernel.energy_mev_u), linewidth=1.5)
    style(left, "Depth in water / mm", "LETd in water / (keV/µm)", "Mean over the plane")
    colours.bar(figure, left)
    middle = kernels[len(kernels) // 2]
    if middle.letd is not None:
        shown = _dosed(middle)
        for g in range(middle.gaussians):
            right.plot(middle.depth_mm[shown], middle.letd[shown, g], color=BEAM_COLOURS[g],
                       label=f"Gaussian {g + 1}")  # fmt: skip
    style(
        right,
        "Depth in water / mm",
        "LETd in water / (keV/µm)",
        f"By Gaussian, {middle.energy_mev_u:g} MeV/u",
    )
    right.legend(frameon=False, fontsize=8.5)
    for axis in (left, right):
        logarithmic(axis)
    return figure


def _dosed(kernel: PencilKernel) -> NDArray[np.bool_]:
    return np.asarray(kernel.dose >= _LETD_FROM * kernel.dose.max())


def spectra_by_depth(spectra: DepthSpectra, energy_mev_u: float, parts: Sequence[float]) -> Figure:
    """Track-length spectra of the strongest particle classes of one energy at some parts of the range."""
    figure = Figure(figsize=(12.5, 4.8), layout="constrained", facecolor="white")
    axes = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    row = int(np.argmin(np.abs(spectra.energy_mev_u - energy_mev_u)))
    edges = np.maximum(spectra.energy_edges_mev, _LOWEST_MEV)
    widths = np.log(edges[1:] / edges[:-1])
    at = [int(np.argmin(np.abs(spectra.part - part))) for part in parts]
    # Per logarithm of the energy: equal areas are equal track lengths on this axis.
    density = spectra.track_length[row, at] / widths
    lowest = float(density.max()) / 10.0**_DECADES
    seen = density.max(axis=(0, 2)) > lowest
    classes = [i for i in np.argsort(-density.sum(axis=(0, 2))) if seen[i]][: len(_CLASS_COLOURS)]
    for axis, column, table in zip(axes, at, density, strict=True):
        for i, colour in zip(sorted(classes), _CLASS_COLOURS, strict=False):
            axis.stairs(table[i], edges, color=colour, linewidth=1.5, label=spectra.classes[i])
        depth, part = spectra.part[column] * spectra.range_mm[row], spectra.part[column]
        style(axis, "Kinetic energy of the particle / MeV", "", f"{depth:.0f} mm, {part:.3g} of the range")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(_LOWEST_MEV, 1.2 * edges[1:][(density > lowest).any(axis=(0, 1))][-1])
    axes[0].set_ylim(lowest, 3.0 * float(density.max()))
    axes[0].set_ylabel("Track length per depth and ln E, per particle", color=INK, fontsize=9.5)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def beam_in_air(machine: Machine) -> Figure:
    """Spot size, divergence, energy spread and calibration by energy."""
    figure = Figure(figsize=(12.5, 5.4), layout="constrained", facecolor="white")
    axes = figure.subplots(2, 2).ravel()
    optics = machine.optics
    energy = optics.energy_mev_u
    panels = (
        (axes[0], optics.sigma_mm, "Spot sigma / mm"),
        (axes[1], 1e3 * optics.divergence_rad, "Divergence (sigma) / mrad"),
    )
    for axis, columns, label in panels:
        for i, name in enumerate("xy"):
            dashes = ("-", (0.0, (4.0, 2.0)))[i]
            axis.plot(
                energy, columns[:, i], "o", color=BEAM_COLOURS[i], linestyle=dashes, markersize=3, label=name
            )
        style(axis, "Energy / (MeV/u)", label)
        axis.set_ylim(bottom=0.0)
        axis.legend(frameon=False, fontsize=8.5)
    spread = [machine.energy_spread_percent(float(e)) for e in _energies(machine)]
    axes[2].plot(_energies(machine), spread, color=BEAM_COLOURS[0], marker="o", markersize=3)
    style(axes[2], "Energy / (MeV/u)", "Energy spread (sigma) / %")
    axes[3].plot(energy, optics.particles_per_mu / 1e6, color=BEAM_COLOURS[0], marker="o", markersize=3)
    style(axes[3], "Energy / (MeV/u)", "Particles per MU / 10⁶")
    for axis in axes[2:]:
        axis.set_ylim(bottom=0.0)
    return figure


def _energies(machine: Machine) -> NDArray[np.float64]:
    """Energies of the optics that the machine can deliver."""
    low, high = machine.energy_range_mev_u
    inside = machine.optics.energy_mev_u[
        (machine.optics.energy_mev_u >= low) & (machine.optics.energy_mev_u <= high)
    ]
    return np.unique([machine.nearest_energy_mev_u(float(e)) for e in inside])
