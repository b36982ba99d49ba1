"""Make the pictures of the documentation: ``python docs/make_pictures.py``, a minute or two on two cores."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import isodose

KEPT = ("dose", "profiles")
PICTURES = Path(__file__).parent / "pictures"


def main() -> None:
    """Compute the demo's plan with its own settings and keep some of the report's figures."""
    patient = isodose.builtin_patient("head", spacing_mm=3.0)
    plan = isodose.simple_plan(patient, "PTV", "carbon", gantry_angles=(90.0, 270.0), prescription_gy=2.0)
    dose = isodose.compute_dose(patient, plan, ["letd"], histories=1_000_000)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        isodose.write_report(folder, patient, plan, dose)
        for name in KEPT:
            shutil.copy(Path(folder) / "figures" / f"{name}.png", PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
