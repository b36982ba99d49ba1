"""Two carbon fields on the built-in head: plan, dose, LETd, report."""

import numpy as np

import isodose
from isodose.dose.quantity import Quantity

patient = isodose.builtin_patient("head")
target = patient.targets[0].name
plan = isodose.simple_plan(patient, target, "carbon", gantry_angles=(90.0, 270.0), prescription_gy=2.0)
dose = isodose.compute_dose(patient, plan, ["dose", "letd"], histories=20_000, spacing_mm=4.0)
letd = dose.values[Quantity.LETD]
in_beam = letd[dose.volume().values > 0.2]
print(f"largest dose {dose.volume().values.max():.2f} Gy, median LETd {np.median(in_beam):.0f} keV/um")
print(isodose.write_report("isodose-two-carbon-fields", patient, plan, dose))
