"""Peak memory of a 256 x 256 x 200 CT with dose and LETd: ``python benchmarks/memory.py``."""

from __future__ import annotations

import resource

from beams import pencil_machine, pencil_plan, water

from isodose.dose.quantity import Quantity
from isodose.transport.engine import MonteCarlo


def main() -> None:
    patient = water((200, 256, 256), (1.0, 1.0, 1.0))
    engine = MonteCarlo(64_000, threads=2, machine=pencil_machine("proton", [150.0], 3.0))
    dose = engine.compute(patient, pencil_plan("proton", 150.0), (Quantity.DOSE, Quantity.LETD))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{patient.grid.size / 1e6:.1f} million voxels, 2 threads: peak {peak:.2f} GiB (aim: under 2)")
    print(f"{dose.provenance['seconds']} s for {dose.provenance['histories']} histories")


if __name__ == "__main__":
    main()
