"""Fragments of 400 MeV/u carbon behind water against measurement: ``python benchmarks/build_up.py``.

Haettner et al. (Radiat. Prot. Dosim. 122 (2006) 485; EXFOR D0589) counted the fragments within 10 degrees per
primary ion behind water of several thicknesses. Here they fly through a metre of air to a plane where
those inside the cone are counted.
"""

from __future__ import annotations

import argparse

import numpy as np
from beams import pencil_machine, pencil_plan, phantom_patient

from isodose.dose.quantity import Quantity
from isodose.transport.engine import MonteCarlo

MEASURED = {  # thickness in mm of water: yields of H, He, Li, Be, B; 2-10 % uncertainty, at 59 mm up to 35 %
    59: (0.273, 0.196, 0.030, 0.014, 0.034),
    159: (0.565, 0.415, 0.047, 0.022, 0.052),
    258: (0.765, 0.555, 0.058, 0.030, 0.066),
    279: (0.769, 0.570, 0.055, 0.026, 0.053),
    312: (0.728, 0.516, 0.045, 0.014, 0.020),
    347: (0.686, 0.444, 0.035, 0.008, 0.003),
}
GROUPS = (("p", "d", "t"), ("He3", "He4", "He6"), ("Li",), ("Be",), ("B8", "B10", "B11"))
FLIGHT_MM, HALF_WIDTH_MM, PIXEL_MM, DEGREES = 1000.0, 200.0, 10.0, 10.0


def yields(thickness_mm: float, histories: int) -> list[float]:
    """Fragments per primary within the cone behind so much water."""
    step = thickness_mm / 20
    slabs = 20 + round(FLIGHT_MM / step)
    n = int(2 * HALF_WIDTH_MM / PIXEL_MM)
    hu = np.full((n, slabs, n), -1000.0, dtype=np.float32)
    hu[:, :20] = 0.0
    patient = phantom_patient(hu, (PIXEL_MM, step, PIXEL_MM))
    engine = MonteCarlo(histories, machine=pencil_machine("carbon", [400.0], 2.0), spectrum_margin_mm=1000.0)
    dose = engine.compute(patient, pencil_plan("carbon", 400.0), (Quantity.CURRENT,))
    spectrum = dose.spectra[Quantity.CURRENT]
    currents = spectrum.per_class(patient.grid.size).reshape(*patient.grid.shape, -1)[:, -1]
    z, x = patient.grid.axis_mm("z"), patient.grid.axis_mm("x")
    distance = (slabs - 21 + 0.5) * step + 0.5 * step
    inside = np.hypot(z[:, None], x[None, :]) <= distance * np.tan(np.radians(DEGREES))
    classes = spectrum.classes
    return [float(sum(currents[inside][:, classes.index(c)].sum() for c in group)) for group in GROUPS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=20_000)
    histories = parser.parse_args().histories
    print(
        "water mm"
        + "".join(f"{name:>16s}" for name in ("H", "He", "Li", "Be", "B"))
        + "   isodose / measured"
    )
    for thickness, measured in MEASURED.items():
        ours = yields(thickness, histories)
        pairs = "".join(f"  {a:6.3f} / {b:5.3f}" for a, b in zip(ours, measured, strict=True))
        print(f"{thickness:8d}{pairs}", flush=True)


if __name__ == "__main__":
    main()
