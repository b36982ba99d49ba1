"""Statistical scatter of one energy against its neighbours, and its removal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

_WINDOW = 7
_FEWEST = 5


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns by energy, each value replaced by that of a local quadratic through seven energies.

    Quantities of a beam change little from one energy to the next when they are compared at equal parts of
    the range, and energies of a campaign lie at even distances in range.

    Parameters
    ----------
    values
        ``(energies, ...)``; fewer than five energies are left as they are.
    """
    count = values.shape[0]
    if count < _FEWEST:
        return values
    window = min(_WINDOW, count - 1 + count % 2)
    return np.asarray(savgol_filter(values, window, 2, axis=0, mode="interp"))
