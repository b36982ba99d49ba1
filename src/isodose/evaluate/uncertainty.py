"""Statistical uncertainty of a Monte Carlo dose in the region that matters."""

from __future__ import annotations

import numpy as np

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError


def relative_uncertainty(dose: Dose, quantity: Quantity = Quantity.DOSE, above: float = 0.5) -> float:
    """Root mean square of the relative standard uncertainty in the high-dose region.

    Parameters
    ----------
    dose
        A result that carries uncertainties.
    quantity
        Whose uncertainty.
    above
        The region is where the dose exceeds this part of its maximum (the quantity itself, where the
        result has no dose).

    Raises
    ------
    InputError
        If the result has no uncertainty of the quantity, or the region is empty.
    """
    if quantity not in dose.uncertainty:
        have = ", ".join(q.key for q in dose.uncertainty) or "none"
        raise InputError("quantity", quantity.key, f"one with an uncertainty ({have})")
    values = dose.values[quantity]
    selector = dose.values.get(Quantity.DOSE, values)
    region = (selector > above * selector.max()) & (values > 0)
    if not np.any(region):
        raise InputError("dose", "no voxel in the high-dose region", "a dose with a positive maximum")
    ratio = dose.uncertainty[quantity][region].astype(np.float64) / values[region]
    return float(np.sqrt(np.mean(ratio**2)))
