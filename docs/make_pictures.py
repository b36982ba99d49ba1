"""Make the pictures of the documentation: ``python docs/make_pictures.py``, a minute or two on two cores."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isodose
from isodose.biology.biological_dose import compute_biological_dose
from isodose.biology.models import model
from isodose.biology.tissue import TissueMap, tissue
from isodose.dose.quantity import Quantity
from isodose.evaluate.normalisation import normalised
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.report.focus import point_of_interest_mm
from isodose.report.rbe_models import rbe_models_figure

KEPT = ("dose", "dvh", "profiles")
PICTURES = Path(__file__).parent / "pictures"


CLASSES = {
    "H": ("p", "d", "t"),
    "He": ("He3", "He4", "He6"),
    "Li": ("Li",),
    "Be": ("Be",),
    "B": ("B8", "B10", "B11"),
    "C": ("C10", "C11", "C12"),
}


def main() -> None:
    """Make every picture."""
    demo()
    carbon_in_water()
    pencil_beam()


def carbon_in_water() -> None:
    """Depth dose of 290 MeV/u carbon in water, and the fragments that come with it."""
    grid = Grid((0.0, 0.5, 0.0), (400.0, 1.0, 400.0), (1, 250, 1))
    patient = Patient("water", Volume(grid, np.zeros(grid.shape)), calibration="phantom")
    spot = Spots(np.zeros(1), np.zeros(1), np.ones(1))
    plan = Plan("c", "carbon", "generic_carbon", (Beam("1", 0.0, 0.0, (0, 0, 0), (Layer(290.0, spot),)),))
    dose = isodose.compute_dose(patient, plan, ["letd", "current"], histories=40_000)
    spectrum = dose.spectra[Quantity.CURRENT]
    current = spectrum.per_class(grid.size)
    depth = grid.axis_mm("y")
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    curve = dose.values[Quantity.DOSE][0, :, 0]
    left.plot(depth, curve / curve[0], color="#1f4e9e", label="dose")
    left.set(xlabel="Depth / mm", ylabel="Dose relative to the entrance", xlim=(0, 250), ylim=(0, None))
    letd = left.twinx()
    letd.plot(depth, dose.values[Quantity.LETD][0, :, 0], color="#c23b22", lw=1.0, label="LETd")
    letd.set(ylabel="LETd / (keV/um)", yscale="log")
    for name, classes in CLASSES.items():
        number = current[:, [spectrum.classes.index(c) for c in classes]].sum(axis=1)
        right.plot(depth, number, label=name)
    right.set(
        xlabel="Depth / mm", ylabel="Particles per primary", yscale="log", xlim=(0, 250), ylim=(1e-3, 2)
    )
    right.legend(ncols=3, frameon=False, fontsize=8)
    left.yaxis.label.set_color("#1f4e9e")
    letd.yaxis.label.set_color("#c23b22")
    for axis in (left, right):
        axis.spines[["top"]].set_visible(False)
    figure.suptitle("Carbon, 290 MeV/u, in water", fontsize=10)
    figure.savefig(PICTURES / "carbon.png", dpi=130)


def pencil_beam() -> None:
    """Pencil beam and Monte Carlo of the demo's plan, and two RBE models on it."""
    patient = isodose.builtin_patient("head", spacing_mm=3.0)
    plan = isodose.simple_plan(patient, "PTV", "carbon", gantry_angles=(90.0,), prescription_gy=2.0)
    reference = isodose.compute_dose(patient, plan, histories=1_500_000)
    mkm, lem = (
        compute_biological_dose(patient, plan, model(name), TissueMap(tissue("chordoma")))
        for name in ("mkm", "lem1")
    )
    point = point_of_interest_mm(patient, plan, mkm)
    weighted = {"mkm": mkm.volume(Quantity.RBE_DOSE), "lem1": lem.volume(Quantity.RBE_DOSE)}
    targets = {name: patient.structures[name] for name in ("GTV", "CTV", "PTV", "Brainstem")}
    figure = rbe_models_figure(mkm.volume(), weighted, targets, plan.beams[0], point, patient.position)
    figure.savefig(PICTURES / "rbe_models.png", dpi=130)
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    axis = figure.subplots()
    for dose, label, colour in ((reference, "Monte Carlo", "#9aa5b1"), (mkm, "pencil beam", "#1f4e9e")):
        along = np.arange(-90.0, 90.0, 0.5)
        places = point + along[:, None] * beam_axes(plan.beams[0], patient.position)[2]
        axis.plot(along, dose.volume().sample(places), label=label, color=colour)
    axis.set(xlabel="Along the beam, from the middle of the target / mm", ylabel="Dose / Gy", ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(PICTURES / "pencil_beam.png", dpi=130)


def demo() -> None:
    """Compute the demo's plan with its own settings and keep some of the report's figures."""
    patient = isodose.builtin_patient("head", spacing_mm=3.0)
    plan = isodose.simple_plan(patient, "PTV", "carbon", gantry_angles=(90.0, 270.0), prescription_gy=2.0)
    dose = isodose.compute_dose(patient, plan, ["letd"], engine="pencilbeam")
    plan, dose = normalised(plan, dose, patient.structure("PTV"), 2.0)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        isodose.write_report(folder, patient, plan, dose)
        for name in KEPT:
            shutil.copy(Path(folder) / "figures" / f"{name}.png", PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
