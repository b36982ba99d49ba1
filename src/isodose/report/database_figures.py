"""Pictures of the nanodosimetric database: each quantity over energy and LET, and what smoothing left."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isodose.physics.materials import WATER
from isodose.physics.species import species
from isodose.physics.stopping import mass_stopping_power
from isodose.report.colours import FAINT, INK
from isodose.report.curves import style
from isodose.report.figures import Picture
from isodose.track.database import ClusterDatabase
from isodose.track.entry_sums import QUANTITIES

_KEV_UM_PER_MEV_CM2_G = 0.1  # in water of 1 g/cm3
_BAND = 0.25  # opacity
_DECADES = 1e-6  # of the largest value, that are drawn


def database_pictures(database: ClusterDatabase, raw: ClusterDatabase) -> list[Picture]:
    """A picture of every quantity, and one of the residuals of the smooth fit.

    Parameters
    ----------
    database
        The smoothed database.
    raw
        The one before smoothing.
    """
    pictures = [
        Picture(
            name,
            quantity_figure(database, raw, name),
            name,
            f"{name} per um of path over energy and LET: smoothed (lines, with one standard uncertainty) and "
            "as computed (dots).",
        )
        for name in QUANTITIES
    ]
    residuals = Picture(
        "residuals",
        residual_figure(database, raw),
        "Residuals of the smooth fit",
        "Computed over smoothed value, less one, in percent.",
    )
    return [*pictures, residuals]


def quantity_figure(database: ClusterDatabase, raw: ClusterDatabase, quantity: str) -> Figure:
    """One quantity of all ions over energy per nucleon, and over LET."""
    figure = Figure(figsize=(9.5, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for ion, colour in _colours(database).items():
        energy = database.energies_mev_u(ion)
        value, error = (1e3 * table for table in database.table(ion, quantity))
        dots = 1e3 * raw.table(ion, quantity)[0]
        for axis, x in ((left, energy), (right, _let_kev_um(ion, energy))):
            axis.plot(x, value, color=colour, lw=1.0, label=ion)
            axis.fill_between(x, value - error, value + error, color=colour, alpha=_BAND, lw=0)
            axis.plot(x, dots, ".", color=colour, ms=1.5)
    style(left, "Energy / (MeV/u)", f"{quantity} / (1/um)")
    style(right, "LET / (keV/um)", "")
    _logarithmic(left, database, quantity)
    right.set_xscale("log")
    right.legend(frameon=False, fontsize=7, ncols=2, labelcolor=INK)
    return figure


def residual_figure(database: ClusterDatabase, raw: ClusterDatabase) -> Figure:
    """Computed against smoothed values of F2, F4, F5 and F7 over energy."""
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    for axis, quantity in zip(axes.flat, ("F2", "F4", "F5", "F7"), strict=True):
        for ion, colour in _colours(database).items():
            smooth, computed = database.table(ion, quantity)[0], raw.table(ion, quantity)[0]
            percent = 100.0 * (computed / np.where(smooth > 0.0, smooth, np.nan) - 1.0)
            axis.plot(database.energies_mev_u(ion), percent, ".", color=colour, ms=2.5, label=ion)
        style(axis, "", "Residual / %", quantity)
        axis.set_xscale("log")
        axis.axhline(0.0, color=FAINT, lw=0.8)
    for axis in axes[1]:
        axis.set_xlabel("Energy / (MeV/u)", color=INK, fontsize=9.5)
    axes[0, 1].legend(frameon=False, fontsize=7, ncols=4, labelcolor=INK)
    return figure


def _colours(database: ClusterDatabase) -> dict[str, tuple[float, float, float, float]]:
    chosen = mpl.colormaps["turbo"](np.linspace(0.05, 0.95, len(database.ions)))
    ions = sorted(database.ions, key=lambda name: (species(name).charge, species(name).nucleons))
    return {ion: tuple(colour) for ion, colour in zip(ions, chosen, strict=True)}


def _let_kev_um(ion: str, energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
    return _KEV_UM_PER_MEV_CM2_G * mass_stopping_power(species(ion), energy_mev_u, WATER)


def _logarithmic(axis: Axes, database: ClusterDatabase, quantity: str) -> None:
    values = np.concatenate([database.table(ion, quantity)[0] for ion in database.ions])
    lowest = max(float(values[values > 0.0].min()), _DECADES * float(values.max()))
    axis.set(xscale="log", yscale="log", ylim=(0.5e3 * lowest, 2e3 * values.max()))
