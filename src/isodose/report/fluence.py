"""Fluence of photon fields: maps in beam's eye view, and a row a beam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from isodose.photon.bixel_lattice import lattice_of
from isodose.photon.photon_plan import PhotonPlan
from isodose.plan.plan import Beam
from isodose.report.colours import INK
from isodose.report.curves import style
from isodose.report.tables import Table

_COLUMNS = 3
_NO_BIXEL = "#e9ecf2"


def fluence_maps(beams: Sequence[Beam], bixel_mm: float) -> Figure:
    """Monitor units of every bixel in beam's eye view, all beams on one scale.

    Parameters
    ----------
    beams
        Of a plan of photons.
    bixel_mm
        Side of a bixel.
    """
    rows = -(-len(beams) // _COLUMNS)
    figure = Figure(figsize=(12.5, 4.1 * rows), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
    most = max(float(beam.layers[0].spots.particles.max()) for beam in beams)
    image = None
    for beam, axis in zip(beams, axes, strict=False):
        lattice = lattice_of(beam, bixel_mm)
        (x0, x1), (y0, y1) = lattice.reach_mm
        half = 0.5 * bixel_mm
        shown = np.ma.masked_where(lattice.column < 0, lattice.monitor_units)
        extent = (x0 - half, x1 + half, y0 - half, y1 + half)
        image = axis.imshow(shown, origin="lower", extent=extent, cmap="viridis", vmin=0.0, vmax=most)
        axis.set_aspect("equal")
        axis.autoscale(True)
        axis.set_facecolor(_NO_BIXEL)
        style(axis, "X / mm", "Y / mm", beam.name)
        axis.grid(False)
    for axis in axes[len(beams) :]:
        axis.set_axis_off()
    assert image is not None  # a plan has a beam
    bar = figure.colorbar(image, ax=axes.tolist(), pad=0.01, shrink=0.7)
    bar.set_label("Monitor units of a bixel", color=INK, fontsize=9)
    bar.outline.set_visible(False)
    return figure


def bixels_table(plan: PhotonPlan) -> Table:
    """One row a beam: angles, isocentre, bixels and monitor units."""
    rows = [
        (
            beam.name,
            f"{beam.gantry_angle_deg:g}°",
            f"{beam.couch_angle_deg:g}°",
            ", ".join(f"{v:.1f}" for v in beam.isocentre_mm),
            f"{beam.spot_count}",
            f"{beam.layers[0].spots.particles.max():.3g}",
            f"{beam.particles:.4g}",
        )
        for beam in plan.beams
    ]
    headings = (
        "Beam",
        "Gantry",
        "Couch",
        "Isocentre x, y, z / mm",
        "Bixels",
        "Most of a bixel / MU",
        "Sum over bixels / MU",
    )
    note = (
        f"Per fraction; bixels of {plan.bixel_mm:g} mm on the isocentre plane. A bixel's monitor units are "
        "those of an open field of its intensity; their sum is no delivery's, as leaves are not sequenced."
    )
    return Table(headings, tuple(rows), note)
