"""A single proton spot in water: depth dose and where it ends."""

import numpy as np

import isodose
from isodose.evaluate.bragg import profile_of
from isodose.plan.plan import Beam, Layer, Plan, Spots

patient = isodose.builtin_patient("water", spacing_mm=2.0, size_mm=(100.0, 200.0, 100.0))
surface_y = patient.grid.lower_mm[1]
spot = Spots(np.zeros(1), np.zeros(1), np.array([1e8]))
beam = Beam("anterior", 0.0, 0.0, (0.0, surface_y, 0.0), (Layer(150.0, spot),))
plan = Plan("one spot", "proton", "generic_proton", (beam,))
dose = isodose.compute_dose(patient, plan, histories=20_000, seed=1)
gy = dose.volume()
depth = gy.grid.axis_mm("y") - surface_y
curve = profile_of(depth, gy.values.sum(axis=(0, 2)))
print(f"R80 {curve.r80_mm:.1f} mm, peak to entrance {curve.peak_to_entrance:.2f}")
