"""DVHs against those that Eclipse computed for the same doses and structures.

For every point of Eclipse's curve either the volume at that dose agrees within 1 % of the structure's volume
or the dose at that volume within 0.5 % of the prescription (breast) or of the maximum dose (ENT).

    python benchmarks/dvh_eclipse.py
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
from eclipse_cases import DATA, EclipseCurve, breast, ent

from isodose.errors import IsodoseWarning
from isodose.evaluate.dvh import Dvh, dvh

VOLUME_PERCENT = 1.0
DOSE_PERCENT = 0.5


FLAT_PERCENT = 1e-3
"""Eclipse's curve is flat where it is this close to 0 or 100 %: it then tells of no dose."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a DVH compares with Eclipse's over the points of Eclipse's curve.

    Parameters
    ----------
    within
        Percent of the points within one of the limits.
    within_slope
        The same of the points at which the curve is not flat.
    volume_percent, dose_percent
        Largest deviations; doses only where the curve is not flat.
    worst
        Largest over the points of the smaller of the two deviations, each in units of its limit.
    """

    within: float
    within_slope: float
    volume_percent: float
    dose_percent: float
    worst: float


def agreement(mine: Dvh, curve: EclipseCurve, full_gy: float) -> Agreement:
    """Agreement of a DVH with Eclipse's; ``full_gy`` is the dose of 100 %."""
    volume = np.abs(mine.v(curve.dose_gy) - curve.percent)
    at_volume = np.array([mine.d(float(np.clip(p, 0, 100))) for p in curve.percent])
    dose = 100 * np.abs(at_volume - curve.dose_gy) / full_gy
    slope = (curve.percent < 100 - FLAT_PERCENT) & (curve.percent > FLAT_PERCENT)
    dose[~slope] = np.inf
    ratio = np.minimum(volume / VOLUME_PERCENT, dose / DOSE_PERCENT)
    good = ratio <= 1
    return Agreement(
        100 * float(np.mean(good)),
        100 * float(np.mean(good[slope])),
        float(volume.max()),
        float(dose[slope].max()),
        float(ratio.max()),
    )


def main() -> None:
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: the patients of this comparison are not part of isodose")
    warnings.simplefilter("ignore", IsodoseWarning)
    for case in (breast(), ent()):
        print(f"\n{case.name}: dose grid {case.dose.grid.spacing_mm} mm, 100 % = {case.full_gy:.2f} Gy")
        print(
            f"{'structure':17s}{'Eclipse':>10s}{'isodose':>10s}{'points':>7s}{'within':>9s}"
            f"{'on slope':>9s}{'max dV':>8s}{'max dD':>8s}{'worst':>7s}{'s':>6s}"
        )
        for name, curve in case.curves.items():
            start = time.perf_counter()
            mine = dvh(case.dose, case.structures[name])
            seconds = time.perf_counter() - start
            a = agreement(mine, curve, case.full_gy)
            print(
                f"{name:17s}{curve.volume_cm3:10.3f}{mine.total_cm3:10.3f}{curve.dose_gy.size:7d}"
                f"{a.within:8.2f}%{a.within_slope:8.2f}%{a.volume_percent:7.2f}%{a.dose_percent:7.2f}%"
                f"{a.worst:7.2f}{seconds:6.2f}",
                flush=True,
            )
    print(
        f"\nwithin: points within {VOLUME_PERCENT:g} % volume or {DOSE_PERCENT:g} % dose, of all and of "
        "those where Eclipse's curve is not flat;\nworst: the smaller deviation over its limit; volumes in "
        "cm3"
    )


if __name__ == "__main__":
    main()
