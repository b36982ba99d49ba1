"""DVHs against those that Eclipse computed for the same doses and structures.

For every point of Eclipse's curve either the volume at that dose agrees within 1 % of the structure's volume
or the dose at that volume within 0.5 % of the prescription (breast) or of the maximum dose (ENT).

    python benchmarks/dvh_eclipse.py
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from eclipse_cases import DATA, EclipseCurve, breast, ent

from isodose.evaluate.dvh import Dvh, dvh

VOLUME_PERCENT = 1.0
DOSE_PERCENT = 0.5


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a DVH compares with Eclipse's, over the points of Eclipse's curve."""

    within: float
    volume_percent: float
    dose_percent: float
    worst: float


def agreement(mine: Dvh, curve: EclipseCurve, full_gy: float) -> Agreement:
    """Percent of the points within the limits, and the largest deviations.

    Parameters
    ----------
    mine
        The DVH to be judged.
    curve
        Eclipse's.
    full_gy
        Dose of 100 %.

    Returns
    -------
    Agreement
        ``worst`` is the largest over the points of the smaller of the two deviations, in units of its limit.
    """
    # Where Eclipse's curve is flat (all or nothing), only its last or first point tells of a dose.
    volume = np.abs(mine.v(curve.dose_gy) - curve.percent)
    dose = np.abs([mine.d(float(np.clip(p, 0, 100))) for p in curve.percent] - curve.dose_gy)
    flat = (curve.percent >= 100) | (curve.percent <= 0)
    relative = 100 * dose / full_gy
    relative[flat] = np.inf
    ratio = np.minimum(volume / VOLUME_PERCENT, relative / DOSE_PERCENT)
    return Agreement(
        100 * float(np.mean(ratio <= 1)), float(volume.max()), float(relative[~flat].max()), float(ratio.max())
    )


def main() -> None:
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: the patients of this comparison are not part of isodose")
    for case in (breast(), ent()):
        print(f"\n{case.name}: dose grid {case.dose.grid.spacing_mm} mm, 100 % = {case.full_gy:.2f} Gy")
        print(
            f"{'structure':18s} {'Eclipse':>9s} {'isodose':>9s} {'points':>7s} {'within':>8s} "
            f"{'max dV':>7s} {'max dD':>7s} {'worst':>6s} {'s':>6s}"
        )
        for name, curve in case.curves.items():
            start = time.perf_counter()
            mine = dvh(case.dose, case.structures[name])
            seconds = time.perf_counter() - start
            a = agreement(mine, curve, case.full_gy)
            print(
                f"{name:18s} {curve.volume_cm3:9.3f} {mine.total_cm3:9.3f} {curve.dose_gy.size:7d} "
                f"{a.within:7.2f}% {a.volume_percent:6.2f}% {a.dose_percent:6.2f}% {a.worst:6.2f} {seconds:6.2f}",
                flush=True,
            )
    print(
        f"\nwithin: points within {VOLUME_PERCENT:g} % volume or {DOSE_PERCENT:g} % dose; "
        "worst: smaller deviation over its limit; volumes in cm3"
    )


if __name__ == "__main__":
    main()
