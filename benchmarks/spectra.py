"""Memory and time of track-length spectra over a whole head: ``python benchmarks/spectra.py``.

Two carbon fields on the built-in head at 2 mm; every voxel near the fields is scored in the classes and
energy bins of the cluster-dose paper (continued to 6.9 GeV).
"""

from __future__ import annotations

import argparse
import resource

from isodose.dose.quantity import Quantity
from isodose.patient.builtin import builtin_patient
from isodose.plan.simple_plan import simple_plan
from isodose.transport.engine import MonteCarlo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1_000_000)
    histories = parser.parse_args().histories
    patient = builtin_patient("head", 2.0)
    plan = simple_plan(patient, "PTV", "carbon", gantry_angles=(90.0, 270.0))
    dose = MonteCarlo(histories).compute(patient, plan, (Quantity.DOSE, Quantity.TRACK_LENGTH))
    spectra = dose.spectra[Quantity.TRACK_LENGTH]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    per_voxel = len(spectra.classes) * spectra.bins
    stored = sum(a.nbytes for a in (spectra.key, spectra.value, spectra.variance)) / 2**30
    print(
        f"{histories} histories in {dose.provenance['seconds']} s; peak memory {peak:.2f} GiB (aim: under 4)"
    )
    print(f"{spectra.key.size} triples of {patient.grid.size * per_voxel:.2e} possible; {stored:.2f} GiB")


if __name__ == "__main__":
    main()
