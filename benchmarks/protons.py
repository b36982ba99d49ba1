"""Protons against MCsquare: ``python benchmarks/protons.py [--histories N] [--energies 70 200 230]``.

Compares with the files ``water_*`` and ``slab_*`` of ``shared/reference/transport``: absolute dose in Gy per
proton, no free factor. With ``--energies``, and MCsquare set up as for ``speed.py``, further energies in
water are run with both.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from beams import SHARED, pencil_machine, pencil_plan, phantom_patient
from speed import mcsquare_module

from isodose.dose.quantity import Quantity
from isodose.evaluate.bragg import profile_of
from isodose.evaluate.gamma import GammaCriteria, gamma
from isodose.evaluate.lateral import LateralProfile
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume
from isodose.physics.ranges import csda_range
from isodose.physics.species import species
from isodose.transport.engine import MonteCarlo

BONE_HU = 1525.0
LUNG_HU = -740.0
HALO_MM = 20.0


def ours(
    hu_xzd: np.ndarray, energy: float, sigma: float, divergence: float, spread: float, histories: int
) -> dict:
    """Dose ``[x, z, depth]`` in Gy per proton of a pencil beam on voxels of 1 mm."""
    patient = phantom_patient(np.transpose(hu_xzd, (1, 2, 0)), (1.0, 1.0, 1.0))
    machine = pencil_machine("proton", [energy], sigma, divergence, spread)
    engine = MonteCarlo(histories, seed=11, machine=machine)
    dose = engine.compute(patient, pencil_plan("proton", energy), (Quantity.DOSE,))
    return {
        "dose": np.transpose(dose.values[Quantity.DOSE], (2, 0, 1)),
        "error": np.transpose(dose.uncertainty[Quantity.DOSE], (2, 0, 1)),
        "relative_uncertainty": dose.provenance["relative_uncertainty"],
    }


def water_table(name: str, mine: np.ndarray, theirs: np.ndarray) -> None:
    """Print what the two depth doses and widths say."""
    depth = np.arange(mine.shape[2]) + 0.5
    x = np.arange(mine.shape[0]) + 0.5 - mine.shape[0] / 2
    a, b = profile_of(depth, mine.sum((0, 1))), profile_of(depth, theirs.sum((0, 1)))
    print(f"\n{name}: isodose / MCsquare")
    print(f"R80 {a.r80_mm:.2f} / {b.r80_mm:.2f} mm; DFO {a.dfo_mm:.2f} / {b.dfo_mm:.2f} mm; ", end="")
    enter = slice(0, 3)
    ratio_a, ratio_b = a.peak / a.dose[enter].mean(), b.peak / b.dose[enter].mean()
    print(f"peak/entrance {ratio_a:.3f} / {ratio_b:.3f} ({100 * (ratio_a / ratio_b - 1):+.1f} %)")
    outside = np.hypot(x[:, None], x[None, :]) > HALO_MM
    halo_a, halo_b = mine[outside].sum(), theirs[outside].sum()
    print(f"energy outside {HALO_MM:g} mm: ratio {halo_a / halo_b:.3f}")
    last = int(0.95 * b.r80_mm)
    widths = []
    for k in range(0, last + 1):
        s = [LateralProfile(x, d[:, :, k].sum(1)).core_sigma_mm() for d in (mine, theirs)]
        widths.append(s[0] / s[1] - 1)
    worst = int(np.argmax(np.abs(widths)))
    print(f"core sigma to 0.95 R80: worst {100 * widths[worst]:+.1f} % at {depth[worst]:.1f} mm", end="; ")
    print(
        "at 25/50/75/95 % of R80 "
        + " ".join(f"{100 * widths[int(last * f / 0.95)]:+.1f}" for f in (0.25, 0.5, 0.75, 0.95))
    )
    inside = slice(0, int(b.r80_mm))
    ratio = a.dose[inside] / b.dose[inside]
    print(f"depth dose to R80: ratio {ratio.min():.3f} to {ratio.max():.3f}, mean {ratio.mean():.4f}")


def slab_hu(density: np.ndarray, material: np.ndarray) -> np.ndarray:
    hu = np.zeros(density.shape, dtype=np.float32)
    hu[density > 1.5] = BONE_HU
    hu[density < 0.5] = LUNG_HU
    return hu


def pass_rate(mine: np.ndarray, theirs: np.ndarray) -> float:
    nx, nz, nd = mine.shape
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (nx, nz, nd))
    criteria = GammaCriteria(2.0, 1.0, 10.0)
    return gamma(Volume(grid, theirs), Volume(grid, mine), criteria).pass_rate


def files(histories: int) -> None:
    for path in sorted((SHARED / "reference" / "transport").glob("*.npz")):
        if not path.name.startswith(("water_", "slab_")):
            continue
        reference = np.load(path)
        meta = json.loads(str(reference["meta"]))
        hu = (
            slab_hu(reference["density_g_cm3"], reference["material_id"])
            if "density_g_cm3" in reference
            else None
        )
        theirs = reference["dose"]
        if hu is None:
            hu = np.zeros(theirs.shape, dtype=np.float32)
        run = ours(
            hu,
            meta["energy_mean_MeV"],
            meta["spot_sigma_mm"],
            meta["divergence_sigma_rad"],
            meta["energy_sigma_percent_of_nominal"],
            histories,
        )
        if path.name.startswith("water_"):
            water_table(path.stem, run["dose"], theirs)
        else:
            depth = np.arange(theirs.shape[2]) + 0.5
            a, b = (profile_of(depth, d.sum((0, 1))) for d in (run["dose"], theirs))
            print(f"\n{path.stem}: R80 {a.r80_mm:.2f} / {b.r80_mm:.2f} mm")
        print(f"gamma 2 %/1 mm, global, 10 %: {pass_rate(run['dose'], theirs):.2f} % pass", end="; ")
        print(f"our uncertainty above half of maximum {100 * run['relative_uncertainty']:.2f} %")


def further(energies: list[float], histories: int) -> None:
    driver = mcsquare_module()
    if driver is None:
        raise SystemExit("MCSQUARE_HOME is not set, or the driver in shared/peers is absent")
    for energy in energies:
        depth = int(10.0 * float(csda_range(species("p"), energy)) * 1.15) + 10
        hu = np.zeros((100, 100, depth), dtype=np.float32)
        out = driver.run(
            "water", hu, (1.0, 1.0, 1.0), [(-2000, 1.0), (3000, 1.0)], [(-2000, 17)], energy, n=histories
        )
        run = ours(hu, energy, 3.0, 1e-4, 0.0, histories)
        water_table(f"{energy:g} MeV", run["dose"], out["dose"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2_000_000)
    parser.add_argument("--energies", type=float, nargs="*", default=[])
    arguments = parser.parse_args()
    if not SHARED.exists():
        raise SystemExit(f"the reference results are not there: {SHARED}")
    files(arguments.histories)
    if arguments.energies:
        further(arguments.energies, arguments.histories)


if __name__ == "__main__":
    main()
