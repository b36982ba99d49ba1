"""Pictures of cluster dose: on three planes, and beside the dose along a beam."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam
from isodose.report.colours import BEAM_COLOURS, INK
from isodose.report.curves import Line, reach_mm, style
from isodose.report.planes import Wash, three_planes

SHOWN_FROM = 0.1
"""Below this part of the highest cluster dose nothing is painted."""
UNIT_PER_KG = 1e15
UNIT = r"($10^{15}$/kg)"
_QUANTILE = 0.999  # of the dosed voxels: one noisy voxel does not set the scale


def cluster_planes(
    patient: Patient, dose: Dose, quantity: Quantity, point_mm: NDArray[np.float64], beams: tuple[Beam, ...]
) -> Figure:
    """Cluster dose on three planes through a point.

    Parameters
    ----------
    patient, dose
        Whose, and what; the dose must have the quantity.
    quantity
        Which cluster dose.
    point_mm, beams
        Where the planes cross, and which arrows are drawn.
    """
    volume = Volume(dose.grid, dose.volume(quantity).values * np.float32(1.0 / UNIT_PER_KG))
    inside = volume.values[dose.volume().values > 0.0]
    top = float(np.quantile(inside[inside > 0.0], _QUANTILE)) if np.any(inside > 0.0) else 1.0
    label = f"{quantity.label} / {UNIT}"
    wash = Wash(volume, mpl.colormaps["turbo"], Normalize(0.0, top), label, visible=SHOWN_FROM * top)
    return three_planes(patient, wash, point_mm, beams)


def cluster_profile(
    patient: Patient, dose: Dose, quantities: tuple[Quantity, ...], point_mm: NDArray[np.float64], beam: Beam
) -> Figure:
    """Dose and cluster doses along a beam through a point, each relative to its highest value there."""
    _, _, along = beam_axes(beam, patient.position)
    before, after = reach_mm(patient, point_mm, along)
    line = Line.through(point_mm, along, before, after)
    figure = Figure(figsize=(12.5, 3.6), layout="constrained", facecolor="white")
    axis = figure.subplots()
    colours = (INK, *BEAM_COLOURS)
    depth = line.distance_mm + before - 10.0
    for i, quantity in enumerate((Quantity.DOSE, *quantities)):
        values = dose.volume(quantity).sample(line.positions_mm)
        top = float(values.max()) or 1.0
        colour = colours[i % len(colours)]
        axis.plot(depth, 100.0 * values / top, color=colour, linewidth=1.6, label=quantity.label)
        if quantity in dose.uncertainty:
            sigma = Volume(dose.grid, dose.uncertainty[quantity]).sample(line.positions_mm)
            low, high = 100.0 * (values - sigma) / top, 100.0 * (values + sigma) / top
            axis.fill_between(depth, low, high, color=colour, alpha=0.25, linewidth=0)
    style(axis, "Depth from the skin along the beam / mm", "Part of the highest value / %", beam.name)
    axis.set_ylim(bottom=0)
    axis.set_xlim(float(depth[0]), float(depth[-1]))
    axis.legend(frameon=False, fontsize=8.5)
    return figure
