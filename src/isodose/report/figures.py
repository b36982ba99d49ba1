"""The pictures of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.evaluate.dvh import Dvh
from isodose.patient.patient import Patient
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume
from isodose.photon.photon_plan import PhotonPlan
from isodose.plan.plan import Beam, Plan
from isodose.report.cluster_dose import cluster_planes, cluster_profile
from isodose.report.colours import ISODOSES, dose_wash
from isodose.report.curves import beam_profiles, dvh_figure, spectra_figure, spot_maps
from isodose.report.fluence import fluence_maps
from isodose.report.focus import point_of_interest_mm, reference_gy, target_of
from isodose.report.planes import Wash, three_planes

LOW_DOSE_PERCENT = 10.0
"""Below this part of the reference dose nothing is painted, and LETd and uncertainty say little."""

UNTOUCHED_BELOW = 0.02
"""Structures whose maximum is below this part of the reference dose get no curve."""

MOST_BEAMS = 6
"""Of plans with more beams, such as arcs, profiles and spots are shown of so many."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure of the report.

    Parameters
    ----------
    key
        Stem of its file name.
    figure
        The drawing.
    title
        Heading above it.
    caption
        What is to be seen, in a sentence.
    """

    key: str
    figure: Figure
    title: str
    caption: str


def dose_pictures(patient: Patient, plan: Plan, dose: Dose, histograms: Mapping[str, Dvh]) -> list[Picture]:
    """All pictures of one dose that its quantities allow."""
    reference = reference_gy(patient, plan, dose)
    point = point_of_interest_mm(patient, plan, dose)
    target = target_of(patient, plan)
    shown = plan.beams[:: -(-len(plan.beams) // MOST_BEAMS)]
    some = "" if len(shown) == len(plan.beams) else f" Shown: {len(shown)} of {len(plan.beams)} beams."
    pictures = [_dose_planes(patient, dose, reference, point, plan.beams)]
    irradiated = {name: h for name, h in histograms.items() if h.max > UNTOUCHED_BELOW * reference}
    pictures.append(
        Picture(
            "dvh",
            dvh_figure([irradiated], patient.structures, plan.prescription_gy),
            "Dose-volume histograms",
            f"Cumulative, physical dose per fraction. Structures that stay below {100 * UNTOUCHED_BELOW:.0f} "
            "% of the reference dose are in the table only.",
        )
    )
    pictures.append(
        Picture(
            "profiles",
            beam_profiles(patient, dose, shown, point, target),
            "Profiles",
            "Dose of all beams along each beam and across it, through the target's centre, with one standard "
            f"deviation as a band; the target is shaded.{some}",
        )
    )
    if Quantity.RBE_DOSE in dose.values:
        pictures.append(_rbe_planes(patient, dose, reference, point, plan.beams))
    if Quantity.LETD in dose.values:
        pictures.append(_letd_planes(patient, dose, reference, point, plan.beams))
    pictures += _cluster_pictures(patient, dose, point, plan.beams)
    if Quantity.DOSE in dose.uncertainty:
        pictures.append(_uncertainty_planes(patient, dose, reference, point, plan.beams))
    for quantity, spectra in dose.spectra.items():
        voxels, where = _spectrum_voxels(dose, target, reference)
        pictures.append(
            Picture(
                f"spectra_{quantity.key}",
                spectra_figure(spectra, quantity, voxels, where),
                "Particle spectra",
                f"{quantity.label}, mean over {where}.",
            )
        )
    asked = "What the plan asks of the machine, per fraction."
    if isinstance(plan, PhotonPlan):
        maps = fluence_maps(plan.beams, plan.bixel_mm)
        return [*pictures, Picture("spots", maps, "Fluence", f"{asked} Beam's eye view.")]
    return [*pictures, Picture("spots", spot_maps(shown), "Spots", f"{asked}{some}")]


def _cluster_pictures(
    patient: Patient, dose: Dose, point: NDArray[np.float64], beams: Sequence[Beam]
) -> list[Picture]:
    clusters = tuple(q for q in dose.values if q.cluster_size is not None)
    if not clusters:
        return []
    caption = "Dose and cluster doses along the first beam, each as a part of its highest value on the way."
    profile = cluster_profile(patient, dose, clusters, point, beams[0])
    pictures = [Picture("cluster_profile", profile, "Cluster dose along the beam", caption)]
    for quantity in clusters:
        clause = f"Targets with {str(quantity.cluster_size)[1:]} ionisations or more per mass, per fraction."
        planes = cluster_planes(patient, dose, quantity, point, tuple(beams))
        pictures.append(Picture(quantity.stem, planes, quantity.label, clause))
    return pictures


def _dose_planes(
    patient: Patient,
    dose: Dose,
    reference: float,
    point: NDArray[np.float64],
    beams: Sequence[Beam],
) -> Picture:
    colours, scale = dose_wash()
    percent = Volume(dose.grid, dose.volume().values * np.float32(100.0 / reference))
    wash = Wash(percent, colours, scale, f"Dose / % of {reference:.3g} Gy", LOW_DOSE_PERCENT, ISODOSES)
    caption = (
        "Physical dose per fraction over the CT; arrows show where the beams come from, + the isocentre."
    )
    return Picture("dose", three_planes(patient, wash, point, beams), "Dose on three planes", caption)


def _rbe_planes(
    patient: Patient,
    dose: Dose,
    reference: float,
    point: NDArray[np.float64],
    beams: Sequence[Beam],
) -> Picture:
    rbe, gy = dose.volume(Quantity.RBE_DOSE).values, dose.volume()
    threshold = reference * LOW_DOSE_PERCENT / 100.0
    high = (rbe / np.maximum(gy.values, 1e-9))[gy.values > threshold]
    top = float(np.quantile(high, 0.995)) if high.size else 2.0
    wash = Wash(
        Volume(dose.grid, rbe),
        mpl.colormaps["turbo"],
        Normalize(1.0, max(top, 1.05)),
        "RBE",
        per=gy,
        per_from=threshold,
    )
    model = dose.provenance.get("rbe", {}).get("model", "unknown")
    caption = (
        f"Relative biological effectiveness by model {model!r} where the dose is at least "
        f"{LOW_DOSE_PERCENT:.0f} % of the reference; the RBE-weighted dose is its product with the dose."
    )
    return Picture("rbe", three_planes(patient, wash, point, beams), "RBE", caption)


def _letd_planes(
    patient: Patient,
    dose: Dose,
    reference: float,
    point: NDArray[np.float64],
    beams: Sequence[Beam],
) -> Picture:
    letd, gy = dose.volume(Quantity.LETD).values, dose.volume()
    threshold = reference * LOW_DOSE_PERCENT / 100.0
    high = letd[gy.values > threshold]
    top = float(np.quantile(high, 0.995)) if high.size else 1.0
    wash = Wash(
        Volume(dose.grid, letd * gy.values),
        mpl.colormaps["turbo"],
        Normalize(0.0, max(top, 1e-6)),
        "LETd / (keV/µm)",
        per=gy,
        per_from=threshold,
    )
    caption = (
        f"Dose-averaged LET in water where the dose is at least {LOW_DOSE_PERCENT:.0f} % of the reference."
    )
    return Picture("letd", three_planes(patient, wash, point, beams), "Dose-averaged LET", caption)


def _uncertainty_planes(
    patient: Patient,
    dose: Dose,
    reference: float,
    point: NDArray[np.float64],
    beams: Sequence[Beam],
) -> Picture:
    gy, sigma = dose.volume(), dose.uncertainty[Quantity.DOSE]
    threshold = reference * LOW_DOSE_PERCENT / 100.0
    shown = gy.values > threshold
    top = float(np.quantile(100.0 * sigma[shown] / gy.values[shown], 0.99)) if shown.any() else 1.0
    wash = Wash(
        Volume(dose.grid, np.float32(100.0) * sigma),
        mpl.colormaps["viridis"],
        Normalize(0.0, max(top, 1e-6)),
        "Standard uncertainty / % of the local dose",
        per=gy,
        per_from=threshold,
    )
    caption = "One standard deviation of the mean; it does not cover the errors of the physics models."
    return Picture(
        "uncertainty", three_planes(patient, wash, point, beams), "Statistical uncertainty", caption
    )


def _spectrum_voxels(dose: Dose, target: Structure | None, reference: float) -> tuple[NDArray[np.int64], str]:
    """Flat voxels of the dose grid to average spectra over, and what they are."""
    if target is not None:
        inside = Volume(target.grid, target.occupancy).on(dose.grid).values >= 0.5
        if inside.any():
            return np.flatnonzero(inside).astype(np.int64), f"the target ({target.name})"
    return np.flatnonzero(dose.volume().values > 0.5 * reference).astype(np.int64), "the high-dose region"
