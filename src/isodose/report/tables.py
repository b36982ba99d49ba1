"""The numbers of a report: what was planned, what each structure receives, how certain it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.evaluate.dvh import Dvh
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.plan.plan import Plan
from isodose.report.focus import body_mask


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headings; a row may be emphasised by its first cell.

    Parameters
    ----------
    headings
        Of the columns.
    rows
        Cells as they are to be shown.
    note
        Below the table.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def beams_table(plan: Plan) -> Table:
    """One row a beam: angles, isocentre, layers, spots, particles and energies."""
    rows = []
    for beam in plan.beams:
        energies = [layer.energy_mev_u for layer in beam.layers]
        shifter = beam.range_shifter
        rows.append(
            (
                beam.name,
                f"{beam.gantry_angle_deg:g}°",
                f"{beam.couch_angle_deg:g}°",
                ", ".join(f"{v:.1f}" for v in beam.isocentre_mm),
                f"{len(beam.layers)}",
                f"{beam.spot_count}",
                f"{beam.particles:.3e}",
                f"{min(energies):.1f} to {max(energies):.1f}" if energies else "none",
                f"{shifter.name} ({shifter.thickness_mm:g} mm)" if shifter else "none",
            )
        )
    if len(plan.beams) > 1:
        layers = sum(len(beam.layers) for beam in plan.beams)
        spots = sum(beam.spot_count for beam in plan.beams)
        rows.append(("all", "", "", "", f"{layers}", f"{spots}", f"{plan.particles:.3e}", "", ""))
    headings = (
        "Beam",
        "Gantry",
        "Couch",
        "Isocentre x, y, z / mm",
        "Layers",
        "Spots",
        "Particles per fraction",
        "Energies / (MeV/u)",
        "Range shifter",
    )
    return Table(headings, tuple(rows))


def dvh_table(
    histograms: Mapping[str, Dvh], structures: Mapping[str, Structure], prescription_gy: float | None
) -> Table:
    """One row a structure, targets first: volume, mean, near-minimum, median, near-maximum and coverage."""
    names = sorted(histograms, key=lambda n: not structures[n].role.is_target)
    rows = []
    for name in names:
        h, structure = histograms[name], structures[name]
        row = [
            name,
            str(structure.role) or "OTHER",
            f"{structure.volume_cm3:.1f}",
            *(f"{v:.3f}" for v in (h.mean, h.d(98), h.d(50), h.d(2), h.max)),
        ]
        if prescription_gy:
            row.append(f"{h.v(0.95 * prescription_gy):.1f}")
        rows.append(tuple(row))
    headings = [
        "Structure",
        "Role",
        "Volume / cm³",
        "Mean / Gy",
        "D98 / Gy",
        "D50 / Gy",
        "D2 / Gy",
        "Max / Gy",
    ]
    if prescription_gy:
        headings.append("V95% / %")
    note = "Dose per fraction; Dx is the dose that x % of the volume receives at least."
    if prescription_gy:
        note += f" V95% is the volume that receives 95 % of {prescription_gy:g} Gy."
    return Table(tuple(headings), tuple(rows), note)


def uncertainty_table(patient: Patient, dose: Dose, reference_gy: float) -> Table:
    """Relative standard uncertainty in the body, by level of dose."""
    body = body_mask(patient, dose.grid)
    values, sigma = dose.volume().values[body], dose.uncertainty[Quantity.DOSE][body]
    rows = []
    for part in (0.1, 0.5, 0.9):
        high = values > part * reference_gy
        if high.any():
            relative = 100.0 * sigma[high] / values[high]
            spread = f"{float(np.mean(relative)):.2f}", f"{float(np.quantile(relative, 0.95)):.2f}"
            rows.append((f"> {part * reference_gy:.3g} Gy", f"{int(high.sum())}", *spread))
    headings = ("Dose", "Voxels", "Mean / %", "95th percentile / %")
    note = (
        "Relative standard uncertainty of the dose in a voxel, above 10, 50 and 90 % of the reference dose."
    )
    return Table(headings, tuple(rows), note)


def provenance_table(entries: Mapping[str, Any]) -> Table:
    """Keys and values, nested ones with dots; lists on one line."""
    return Table(("What", "Value"), tuple(_flat(entries, "")))


def _flat(entries: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in entries.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += _flat(value, f"{name}.")
        elif isinstance(value, float):
            rows.append((name, f"{value:.6g}"))
        elif isinstance(value, (list, tuple)):
            rows.append((name, ", ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in value)))
        else:
            rows.append((name, str(value)))
    return rows
