"""Histories per CPU-second, and against MCsquare in the same run: ``python benchmarks/speed.py``.

MCsquare is run too where ``MCSQUARE_HOME`` names a folder with its binary (``mcbin/MCsquare_linux`` and
``mcbin/Materials``, as in the wheel opentps-core 3.0.1) and ``ConfigTemplate.txt`` (wheel 3.0.0). Same beam,
same phantom (100 x 100 x 200 voxels of 1 mm, water), same scoring, one thread each, in turn; the ratio is
what holds.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from beams import SHARED, pencil_machine, pencil_plan, water

from isodose.dose.quantity import Quantity
from isodose.transport.engine import MonteCarlo

LETD = (Quantity.DOSE, Quantity.LETD)
REPEATS = 3


def run(
    ion: str, energy: float, histories: int, quantities: tuple[Quantity, ...], threads: int = 1
) -> tuple[float, float]:
    """CPU seconds of a whole computation, and wall seconds of its transport."""
    patient = water((100, 200, 100), (1.0, 1.0, 1.0))
    engine = MonteCarlo(histories, seed=2, threads=threads, machine=pencil_machine(ion, [energy], 3.0, 1e-4))
    cpu = time.process_time()
    dose = engine.compute(patient, pencil_plan(ion, energy), quantities)
    return time.process_time() - cpu, float(dose.provenance["transport_seconds"])


def mcsquare_module():  # type: ignore[no-untyped-def]
    """Driver of the MCsquare binary, or None where it is not set up."""
    path = SHARED / "peers" / "mcsquare.py"
    if "MCSQUARE_HOME" not in os.environ or not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("mcsquare", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mcsquare_rate(driver, energy: float, histories: int, letd: bool) -> float:  # type: ignore[no-untyped-def]
    hu = np.zeros((100, 100, 200), dtype=np.float32)
    before = os.times()
    extra = {"LET_MHD_OUTPUT": True} if letd else {}
    out = driver.run(
        "speed", hu, (1.0, 1.0, 1.0), [(-2000, 1.0), (3000, 1.0)], [(-2000, 17)], energy,
        n=histories, num_threads=1, **extra,
    )  # fmt: skip
    if out["dose"] is None:
        raise SystemExit(f"MCsquare did not run:\n{out['log'][-2000:]}")
    after = os.times()
    return histories / (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def main() -> None:
    driver = mcsquare_module()
    print("protons in 1 mm water, histories per CPU-second on one thread (tables and statistics included)")
    for energy, histories in ((70.0, 400_000), (150.0, 300_000), (200.0, 200_000)):
        for quantities, label in (((Quantity.DOSE,), "dose"), (LETD, "dose + LETd")):
            run("proton", energy, 2_000, quantities)
            rates, theirs = [], []
            for _ in range(REPEATS):
                rates.append(histories / run("proton", energy, histories, quantities)[0])
                if driver is not None:
                    theirs.append(mcsquare_rate(driver, energy, histories // 4, quantities is LETD))
            line = f"{energy:5.0f} MeV  {label:12s} isodose {statistics.median(rates):9.0f}"
            if theirs:
                ratio = statistics.median(a / b for a, b in zip(rates, theirs, strict=True))
                line += f"   MCsquare {statistics.median(theirs):9.0f}   ratio {ratio:5.2f}"
            print(line, flush=True)
    print("\ncarbon 290 MeV/u with all fragments, dose + LETd")
    run("carbon", 290.0, 500, LETD)
    rates = [20_000 / run("carbon", 290.0, 20_000, LETD)[0] for _ in range(REPEATS)]
    print(f"{1e3 / statistics.median(rates):.4f} ms per history and core (aim: at most 0.5)")
    print("\ntwo threads against one, 150 MeV protons, dose + LETd, wall time of the transport")
    ratios = [
        run("proton", 150.0, 600_000, LETD, threads=1)[1] / run("proton", 150.0, 600_000, LETD, threads=2)[1]
        for _ in range(2 * REPEATS + 1)
    ]
    low, high = min(ratios), max(ratios)
    print(f"speed-up {statistics.median(ratios):.2f}, {low:.2f} to {high:.2f} (aim: at least 1.8)")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
