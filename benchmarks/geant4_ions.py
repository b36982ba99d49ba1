"""Ions in water against Geant4: ``python benchmarks/geant4_ions.py [--histories N]``.

Compares with the files of ``shared/reference/transport`` (a pencil beam on a 40 cm water box in slabs of 0.5
mm) and prints, depth by depth, energy loss, currents of each element and energy by ring.
"""

from __future__ import annotations

import argparse

import numpy as np
from beams import SHARED, pencil_machine, pencil_plan, water

from isodose.dose.quantity import Quantity
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.transport.engine import MonteCarlo

CASES = (
    ("ch_c12_290_qmd", "carbon", 290.0),
    ("ch_c12_200_qmd", "carbon", 200.0),
    ("ch_p150_bic", "proton", 150.0),
)
GROUPS = {
    "p": ("p",),
    "d": ("d",),
    "t": ("t",),
    "He": ("He3", "He4", "He6"),
    "Li": ("Li",),
    "Be": ("Be",),
    "B": ("B8", "B10", "B11"),
    "C": ("C10", "C11", "C12", "C13", "C14"),
}


def slab_run(ion: str, energy: float, histories: int) -> tuple[np.ndarray, dict[str, np.ndarray], dict]:
    """Energy per 0.5 mm slab (MeV), current into each slab by element, provenance."""
    patient = water((1, 800, 1), (400.0, 0.5, 400.0))
    machine = pencil_machine(ion, [energy], 0.0)
    engine = MonteCarlo(histories, seed=1, machine=machine)
    dose = engine.compute(patient, pencil_plan(ion, energy), (Quantity.DOSE, Quantity.CURRENT))
    mass_g = patient.grid.voxel_volume_cm3
    energy_mev = dose.values[Quantity.DOSE][0, :, 0] * mass_g / GY_PER_MEV_PER_G
    spectrum = dose.spectra[Quantity.CURRENT]
    current = spectrum.per_class(800)
    columns = {
        g: current[:, [spectrum.classes.index(c) for c in names]].sum(1) for g, names in GROUPS.items()
    }
    return energy_mev, columns, dict(dose.provenance)


def distal(depth: np.ndarray, curve: np.ndarray, level: float) -> float:
    """Depth behind the peak where the curve falls to a part of its maximum."""
    peak = int(curve.argmax())
    k = peak + int(np.argmax(curve[peak:] < level * curve[peak]))
    return float(np.interp(level * curve[peak], [curve[k], curve[k - 1]], [depth[k], depth[k - 1]]))


def report(name: str, ion: str, energy: float, histories: int) -> None:
    reference = np.load(SHARED / "reference" / "transport" / f"{name}.npz", allow_pickle=True)
    idd, currents, provenance = slab_run(ion, energy, histories)
    depth = reference["z_mm"]
    theirs = reference["edep_MeV_per_0p5mm"]
    seconds = provenance["transport_seconds"] / histories * 1e3 * provenance["threads"]
    print(f"\n{name}: {histories} histories, {seconds:.3f} thread-ms a history")
    mean = provenance["mean_energy_mev_per_primary"]
    balance = sum(mean[k] for k in ("deposited", "escaped", "neutral", "binding")) / mean["source"] - 1
    print("MeV per primary:", {k: round(v, 3) for k, v in mean.items()}, f"balance {balance:.1e}")
    r_ours, r_theirs = distal(depth, idd, 0.8), distal(depth, theirs, 0.8)
    reacted = float(reference["n_primary_inelastic"] / reference["n"])
    print(f"R80 {r_ours:.2f} / {r_theirs:.2f} mm; reacted {mean['primary_reactions']:.3f} / {reacted:.3f}")
    enter = slice(2, 20)
    print(f"entrance {idd[enter].mean():.4f} / {theirs[enter].mean():.4f} MeV per slab", end="; ")
    ratio, other = idd.max() / idd[enter].mean(), theirs.max() / theirs[enter].mean()
    print(f"peak/entrance {ratio:.3f} / {other:.3f}", end="; ")
    tail = slice(int((r_ours + 10.0) / 0.5) - 4, int((r_ours + 10.0) / 0.5) + 4)
    behind, other = idd[tail].mean() / idd.max(), theirs[tail].mean() / theirs.max()
    print(f"10 mm behind R80 / peak {behind:.4f} / {other:.4f}", end="; ")
    print(f"deposited {idd.sum():.1f} / {theirs.sum():.1f}")
    classes = [str(c) for c in reference["classes"]]
    by_class = reference["current_by_class"]
    print("depth mm " + "".join(f"{g:>16s}" for g in GROUPS) + "         edep ratio")
    for d in (5, 20, 40, 60, 80, 100, 120, 140, 160, 172, 190, 220):
        if ion == "carbon" and energy == 200 and d > 140:
            continue
        k = slice(int(d / 0.5) - 5, int(d / 0.5) + 5)
        row = f"{d:8d} "
        for g in GROUPS:
            wanted = ["C_sec", "C12prim"] if g == "C" else [g]
            other = sum(by_class[k, classes.index(c)].mean() for c in wanted if c in classes)
            row += f"{currents[g][k].mean():8.4f}/{other:7.4f}"
        print(row + f"{idd[k].mean() / max(theirs[k].mean(), 1e-12):12.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=50_000)
    histories = parser.parse_args().histories
    if not SHARED.exists():
        raise SystemExit(f"the reference results are not there: {SHARED}")
    for name, ion, energy in CASES:
        report(name, ion, energy, histories)


if __name__ == "__main__":
    main()
