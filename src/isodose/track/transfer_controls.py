"""Control variates of an ion's track: what it gave to electrons, against what it should have given.

Most of the noise of cluster frequencies comes from rare energetic electrons. How many an ion sets free in
each range of energy transfers fluctuates about a mean that is known exactly: the integral of their rate along
the path that it flew. The difference of the two has expectation zero whatever the ion does on its way (a
compensated Poisson process), so that a regression on it takes its noise away and leaves the mean (Lavenberg
and Welch, Manage. Sci. 27 (1981) 322).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNOTS_EV = np.array([25.0, 75.0, 200.0, 600.0, 2e3, 6e3, 2e4, 6e4, 2e5, 6e5])
"""Energy transfers at which the weights of the controls have their peaks, eV."""

CONTROLS = KNOTS_EV.size
"""Number of controls."""

_LEAVING_EV = 8e4


def expected_yield_ev(transfer_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rough measure of the clusters that an energy transfer brings: the energy that stays near the track, eV.

    Proportional to the transfer, but electrons of some 100 keV leave the 150 um that are scored. It sets the
    weight of unlike transfers in one control; a better guess would lessen the noise, none can bias a mean.
    """
    return np.asarray(transfer_ev / (1.0 + transfer_ev / _LEAVING_EV))


def control_weights(transfer_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of an energy transfer in each control.

    Parameters
    ----------
    transfer_ev
        ``[n + 1]`` borders of the bins of energy transfers, eV.

    Returns
    -------
    numpy.ndarray
        ``[n, 10]``: :func:`expected_yield_ev` in units of the knot's, times a hat function of the logarithm,
        so that the controls together can follow any smooth yield.
    """
    middle = np.sqrt(transfer_ev[:-1] * transfer_ev[1:])
    hats = np.stack([np.interp(np.log(middle), np.log(KNOTS_EV), row) for row in np.eye(CONTROLS)], axis=-1)
    return np.asarray(hats * expected_yield_ev(middle)[:, None] / expected_yield_ev(KNOTS_EV))
