"""LET where it matters: shown where there is dose, and dose where the LET is high."""

from __future__ import annotations

import numpy as np

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.volume import Volume

SHOWN_FROM = 0.02
"""LETd is given where the dose is at least this part of its maximum; below, it is noise and harmless."""


def letd_where_dosed(dose: Dose, part: float = SHOWN_FROM) -> Volume:
    """LETd in keV/um, 0 where the dose is below a part of its maximum.

    Raises
    ------
    InputError
        If the part is not between 0 and 1, or the dose has no LETd.
    """
    if not 0.0 <= part < 1.0:
        raise InputError("part", part, "a number from 0 to 1")
    physical, letd = dose.volume().values, dose.volume(Quantity.LETD).values
    return Volume(dose.grid, np.where(physical >= part * physical.max(initial=0.0), letd, 0.0))


def dose_above_letd(dose: Dose, threshold_kev_um: float) -> Volume:
    """Dose in Gy in voxels whose LETd is above a threshold, 0 elsewhere.

    Its histogram in an organ shows how much dose comes at a high LET. The part of the dose that *particles*
    of a high LET deposit is another matter: `isodose.biology.mixed_field.high_let_part`.

    Raises
    ------
    InputError
        If the threshold is negative, or the dose has no LETd.
    """
    if not threshold_kev_um >= 0.0:
        raise InputError("threshold_kev_um", threshold_kev_um, "at least 0 keV/um")
    physical, letd = dose.volume().values, dose.volume(Quantity.LETD).values
    return Volume(dose.grid, np.where(letd > threshold_kev_um, physical, 0.0))
