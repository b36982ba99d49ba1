"""Make the pictures of the documentation: ``python docs/make_pictures.py``, a minute or two on two cores."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import isodose
from isodose.arc.control_points import arc
from isodose.arc.layer_counting import COUNTED_LATTICE, layer_image
from isodose.arc.learned_layers import LearnedLayers
from isodose.arc.plan_arc import plan_arc
from isodose.arc.selection import SelectionTask, count_cost
from isodose.arc.spot_counts import count_spots
from isodose.arc.switch_table import SwitchTable
from isodose.biology.biological_dose import compute_biological_dose
from isodose.biology.cluster_dose import compute_cluster_dose
from isodose.biology.models import model
from isodose.biology.tissue import TissueMap, tissue
from isodose.dose.quantity import Quantity
from isodose.evaluate.dvh import dvh
from isodose.evaluate.normalisation import normalised
from isodose.learn.layer_training import COLD
from isodose.learn.layer_weights import shipped_weights
from isodose.machine.machine_file import machine
from isodose.optimise.config import read_config
from isodose.optimise.field_plan import plan_fields
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.beam_frame import beam_axes
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.report.arc_figures import energy_figure
from isodose.report.colours import BEAM_COLOURS
from isodose.report.database_figures import quantity_figure, residual_figure
from isodose.report.focus import point_of_interest_mm
from isodose.report.rbe_models import rbe_models_figure
from isodose.report.track_figures import track_figure
from isodose.track.database import RAW_FILE, cluster_database, load_database
from isodose.track.ion_tracks import Segment
from isodose.track.track_run import run_ions

LIKELY = ("#f3b04c", "#d9480f")
OPTIMISED = ("PTV", "Brainstem", "SpinalCord", "Parotid_L", "Parotid_R")
UNSEEN_SEED = 100
"""Of a built-in head beyond those that the networks were trained on."""
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
    cluster_dose()
    optimised_plan()
    proton_arc()
    learned_layers()
    track_structure()


def track_structure() -> None:
    """A carbon ion in water, F4 of all ions, and what the smooth fit of the database left."""
    run = run_ions(Segment("C12", 10.0), 16, 1)
    track_figure(run).savefig(PICTURES / "track.png", dpi=120)
    smooth, raw = cluster_database(), load_database(RAW_FILE)
    quantity_figure(smooth, raw, "F4").savefig(PICTURES / "cluster_f4.png", dpi=120)
    residual_figure(smooth, raw).savefig(PICTURES / "cluster_residuals.png", dpi=120)


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


def cluster_dose() -> None:
    """Dose and cluster doses along one carbon field in the head, by Monte Carlo (bands) and pencil beam."""
    patient = isodose.builtin_patient("head", spacing_mm=3.0)
    plan = isodose.simple_plan(patient, "PTV", "carbon", gantry_angles=(90.0,), prescription_gy=2.0)
    shown = (Quantity.DOSE, Quantity.CLUSTER_F2, Quantity.CLUSTER_F4, Quantity.CLUSTER_F7)
    slow = compute_cluster_dose(patient, plan, shown, "montecarlo", histories=400_000)
    fast = compute_cluster_dose(patient, plan, shown, "pencilbeam")
    places = np.array(patient.structure("PTV").centre_mm)
    along = np.arange(-90.0, 90.0, 0.5)
    places = places + along[:, None] * beam_axes(plan.beams[0], patient.position)[2]
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    axis = figure.subplots()
    for quantity, colour in zip(shown, ("#4a5560", *BEAM_COLOURS), strict=False):
        values = slow.volume(quantity).sample(places)
        sigma = Volume(slow.grid, slow.uncertainty[quantity]).sample(places)
        top = values.max()
        axis.fill_between(
            along, (values - sigma) / top, (values + sigma) / top, color=colour, alpha=0.3, linewidth=0
        )
        axis.plot(along, fast.volume(quantity).sample(places) / top, color=colour, label=quantity.label)
    label = "Along the beam, from the middle of the target / mm"
    axis.set(xlabel=label, ylabel="Part of the highest value", ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    axis.set_title("Pencil beam (lines) and Monte Carlo (bands of one standard deviation)", fontsize=10)
    figure.savefig(PICTURES / "cluster_dose.png", dpi=130)


def optimised_plan() -> None:
    """Dose-volume histograms of the template for the built-in head, before and after the optimisation."""
    patient, config = isodose.builtin_patient("head"), read_config("head")
    made = plan_fields(patient, config)
    angles = [beam.gantry_deg for beam in config.beams]
    simple = isodose.simple_plan(
        patient, config.target, config.ion, gantry_angles=angles, prescription_gy=2.0
    )
    shown = {name: patient.structures[name] for name in OPTIMISED}
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    axis = figure.subplots()
    for plan, line in ((simple, "--"), (made.plan, "-")):
        dose = made.task.engine.compute(patient, plan).volume()
        for (name, structure), colour in zip(shown.items(), BEAM_COLOURS, strict=False):
            label = name if line == "-" else None
            axis.plot(*dvh(dose, structure).curve(), line, color=colour, label=label)
    axis.set(xlabel="Dose per fraction / Gy", ylabel="Volume / %", xlim=(0, 2.6), ylim=(0, 102))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    axis.set_title("Analytic weights (dashed) and optimised ones", fontsize=10)
    figure.savefig(PICTURES / "optimised.png", dpi=130)


def proton_arc() -> None:
    """Energies of the arc template for the built-in head, by angle, and the switching time."""
    made = plan_arc(isodose.builtin_patient("head"), read_config("arc_head"))
    figure = energy_figure({made.delivered.selector: made.delivered}, made.counts.points)
    figure.savefig(PICTURES / "arc.png", dpi=100)


def learned_layers() -> None:
    """What the shipped networks make of a head they have not seen: worth, probabilities, chosen layers."""
    patient = isodose.builtin_patient("head", 3.0, seed=UNSEEN_SEED)
    counts = count_spots(patient, "PTV", machine("generic_proton"), [arc()], ["Brainstem"], COUNTED_LATTICE)
    image = layer_image(counts)
    task = SelectionTask(count_cost(counts), SwitchTable.preset("cyclotron", counts.energies_mev_u))
    angle, energy = [p.gantry_angle_deg for p in counts.points], counts.energies_mev_u
    figure = Figure(figsize=(9.5, 7.0), layout="constrained")
    for axes, loss in zip(figure.subplots(2, 1, sharex=True), ("spread", "aligned"), strict=True):
        network = LearnedLayers(image, shipped_weights(loss))
        likely = np.exp((network.scores() - network.scores().max(axis=1, keepdims=True)) / COLD)
        found = network.select(task)
        worth = np.where(image.allowed, image.worth, np.nan)
        shown = axes.pcolormesh(angle, energy, worth.T, cmap="Greys", shading="nearest", vmin=0.0, vmax=1.6)
        axes.contourf(
            angle, energy, likely.T, levels=[0.1, 0.5, 1.0], colors=["#f3b04c", "#d9480f"], alpha=0.6
        )
        axes.plot(angle, found.energies_mev_u, ".-", color="#1f4e9e", lw=0.9, ms=3)
        axes.set(title=f"{network.name}: {found.switching_s:.0f} s of switching", ylabel="Energy / MeV/u")
        axes.set_ylim(energy[image.used[0]], energy[image.used[1] - 1])
        figure.colorbar(shown, ax=axes, label="Worth of a layer")
    axes.set_xlabel("Gantry angle / degree")
    figure.savefig(PICTURES / "learned_layers.png", dpi=100)


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
