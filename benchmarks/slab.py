"""Slabs and MCsquare's references, pencil beam against Monte Carlo: ``python benchmarks/slab.py``.

First the built-in slabs (bone and air over half of the field, lung, layers; a 60 mm cube behind them) with
four ions against isodose's Monte Carlo. Then one proton beam in water, and on the edge of a slab of bone,
against the files ``water_*`` and ``slab_*`` of ``shared/reference/transport``; its base data are simulated
with the energy spread of the file. Gamma 2 %/2 mm, global, above 10 %; beside it what the noise of the
reference alone leaves: gamma of the pencil beam with that noise added against itself.

    python benchmarks/slab.py --ions proton --names slab_bone --uncertainty 0.02
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import numpy as np
from beams import SHARED, pencil_machine, pencil_plan, phantom_patient
from noise import gamma_of_noise
from numpy.typing import NDArray
from protons import slab_hu

import isodose
from isodose.commissioning.fit import fit_kernels
from isodose.commissioning.simulation import simulate
from isodose.dose.quantity import Quantity
from isodose.evaluate.bragg import profile_of
from isodose.evaluate.gamma import gamma
from isodose.evaluate.lateral import LateralProfile
from isodose.machine.base_data import BaseData
from isodose.machine.machine import Machine
from isodose.patient.grid import Grid
from isodose.patient.volume import Volume
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.placement import Placement
from isodose.plan.plan import IONS
from isodose.plan.simple_plan import simple_plan
from isodose.transport.engine import MonteCarlo

SLABS = ("slab_bone", "slab_lung", "slab_air", "slab_layers")
SPACING_MM, SIZE_MM = 2.0, (140.0, 260.0, 140.0)
PLACEMENT = Placement(spot_spacing_mm=4.0, layer_spacing_mm=3.0)
_SIMULATED = 300_000
_NEIGHBOURS_MEV = (-2.0, 0.0, 2.0)


def slabs(names: list[str], ions: list[str], uncertainty: float) -> None:
    print(f"{'slab':12s}{'ion':8s}{'MC %':>7s}{'gamma %':>9s}{'noise alone %':>15s}{'mean diff %':>13s}")
    for name in names:
        patient = isodose.builtin_patient(name, spacing_mm=SPACING_MM, size_mm=SIZE_MM)
        for ion in ions:
            plan = simple_plan(patient, "PTV", ion, placement=PLACEMENT)
            dose = MonteCarlo(uncertainty=uncertainty, seed=3).compute(patient, plan)
            reference, pencil = dose.volume(), PencilBeam().compute(patient, plan).volume()
            high = reference.values > 0.1 * reference.values.max()
            mean = 100.0 * (pencil.values - reference.values)[high].mean() / reference.values.max()
            alone = gamma_of_noise(pencil, dose.uncertainty[Quantity.DOSE])
            print(
                f"{name:12s}{ion:8s}{100 * dose.provenance['relative_uncertainty']:7.2f}"
                f"{gamma(reference, pencil).pass_rate:9.2f}{alone:15.2f}{mean:+13.2f}",
                flush=True,
            )


def beam_of(meta: dict) -> Machine:  # type: ignore[type-arg]
    """Machine of a reference, with base data of the energies around."""
    energy = meta["energy_mean_MeV"]
    energies = [energy + step for step in _NEIGHBOURS_MEV]
    machine = pencil_machine(
        "proton",
        energies,
        meta["spot_sigma_mm"],
        meta["divergence_sigma_rad"],
        meta["energy_sigma_percent_of_nominal"],
    )
    simulations = [simulate(machine, e, _SIMULATED, seed) for seed, e in enumerate(energies)]
    return replace(machine, base_data=BaseData("proton", fit_kernels(simulations, "proton")))


def references() -> None:
    for path in sorted((SHARED / "reference" / "transport").glob("*.npz")):
        if not path.name.startswith(("water_", "slab_")):
            continue
        file = np.load(path)
        meta, theirs = json.loads(str(file["meta"])), file["dose"]
        hu = np.zeros(theirs.shape, dtype=np.float32)
        if "density_g_cm3" in file:
            hu = slab_hu(file["density_g_cm3"], file["material_id"])
        patient = phantom_patient(np.transpose(hu, (1, 2, 0)), (1.0, 1.0, 1.0))
        plan = pencil_plan("proton", meta["energy_mean_MeV"])
        dose = PencilBeam(machine=beam_of(meta)).compute(patient, plan)
        _print_reference(path.stem, np.transpose(dose.values[Quantity.DOSE], (2, 0, 1)), theirs)


def _print_reference(name: str, mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    depth = np.arange(theirs.shape[2]) + 0.5
    x = np.arange(theirs.shape[0]) + 0.5 - theirs.shape[0] / 2
    a, b = (profile_of(depth, dose.sum((0, 1))) for dose in (mine, theirs))
    grid = Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), theirs.shape)
    rate = gamma(Volume(grid, theirs), Volume(grid, mine)).pass_rate
    print(f"\n{name}, one spot: pencil beam / MCsquare")
    print(
        f"R80 {a.r80_mm:.2f} / {b.r80_mm:.2f} mm, DFO {a.dfo_mm:.2f} / {b.dfo_mm:.2f} mm; gamma {rate:.2f} %"
    )
    inside = slice(0, int(0.98 * b.r80_mm))
    ratio = a.dose[inside] / b.dose[inside]
    print(f"depth dose to 0.98 R80: ratio {ratio.min():.3f} to {ratio.max():.3f}, mean {ratio.mean():.4f}")
    if name.startswith("water_"):
        layers = [int(part * b.r80_mm) for part in (0.25, 0.5, 0.75, 0.95)]
        widths = [
            [LateralProfile(x, dose[:, :, k].sum(1)).core_sigma_mm() for dose in (mine, theirs)]
            for k in layers
        ]
        print(
            "core sigma at 25/50/75/95 % of R80: "
            + ", ".join(f"{p:.2f} / {q:.2f}" for p, q in widths)
            + " mm"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ions", nargs="+", default=list(IONS), choices=list(IONS))
    parser.add_argument("--names", nargs="*", default=list(SLABS), choices=list(SLABS))
    parser.add_argument("--uncertainty", type=float, default=0.01)
    arguments = parser.parse_args()
    slabs(arguments.names, arguments.ions, arguments.uncertainty)
    if SHARED.is_dir():
        references()
    else:
        print(f"MCsquare's references are skipped: {SHARED} is not there")


if __name__ == "__main__":
    main()
