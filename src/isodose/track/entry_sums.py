"""Sums over the tracks of one database entry, from which its quantities and their uncertainties follow.

Tracks come in batches. Of each batch count its path ``l``, its control variates ``c`` and its quantities
``y``; kept are the sums of all their products, divided by the path. A regression of ``y / sqrt(l)`` on
``sqrt(l)`` and ``c / sqrt(l)`` needs no more than these: its first coefficient is the quantity per path, free
of the noise that the controls explain. Sums of further tracks are added, so that an entry can be refined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isodose.track.ion_tracks import ShellBatches
from isodose.track.transfer_controls import CONTROLS, KNOTS_EV, expected_yield_ev

LARGEST_CLUSTER = 10
QUANTITIES = (*(f"F{k}" for k in range(1, LARGEST_CLUSTER + 1)), "M1", "M2")
"""Quantities of an entry, all per nm of the ion's path: F_k, targets with k ionisations or more; moments."""

_Y = 1 + CONTROLS
_ROWS = _Y + len(QUANTITIES)

_LEAST_EVENTS = 12  # of a control: with 12 expected, none comes in 6 of a million entries
_BATCHES_PER_CONTROL = 10  # fewer would fit the noise
_RARE_YIELD_ERROR = 0.2  # by which clusters per weight differ from one control to the next, roughly


@dataclass(frozen=True, slots=True)
class EntrySums:
    """Sums of one entry.

    Parameters
    ----------
    products
        ``[23, 23]``: sum over batches of the products of path, controls and quantities, over the path.
    expected
        ``[10]``: expected sum of each control's weights over all tracks, roughly a number of events.
    batches, tracks
        How many.
    """

    products: NDArray[np.float64]
    expected: NDArray[np.float64]
    batches: int
    tracks: int

    def __add__(self, other: EntrySums) -> EntrySums:
        return EntrySums(
            self.products + other.products,
            self.expected + other.expected,
            self.batches + other.batches,
            self.tracks + other.tracks,
        )

    def estimates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and standard uncertainties ``[12]`` in the order of :data:`QUANTITIES`, 1/nm.

        The last control also stands for all rarer, more energetic electrons, and takes its coefficient from
        its own. Where many more or fewer came than expected, their part of the value is large, and no scatter
        of the batches shows how wrong it is: a share of that part is added to the uncertainty.
        """
        x = self._regressors()
        scale = np.sqrt(np.diag(x @ self.products[:_Y, :_Y] @ x.T))
        x /= scale[:, None]
        inverse = np.linalg.pinv(x @ self.products[:_Y, :_Y] @ x.T, rcond=1e-12, hermitian=True)
        both = x @ self.products[:_Y, _Y:]
        coefficients = inverse @ both
        left = np.diag(self.products[_Y:, _Y:]) - np.einsum("ij,ij->j", both, coefficients)
        variance = np.maximum(left, 0.0) / (self.batches - x.shape[0]) * inverse[0, 0]
        rarer = x[-1, x.shape[0] :] @ self.products[x.shape[0] : _Y, 0] / self.products[0, 0]
        rare = coefficients[-1] * rarer
        uncertainty = np.hypot(np.sqrt(variance) / scale[0], _RARE_YIELD_ERROR * rare)
        return coefficients[0] / scale[0], uncertainty

    def relative_uncertainty(self, quantity: str) -> float:
        """Relative standard uncertainty of a quantity; infinite where none was found."""
        values, uncertainties = self.estimates()
        column = QUANTITIES.index(quantity)
        return float(uncertainties[column] / values[column]) if values[column] > 0.0 else np.inf

    def _regressors(self) -> NDArray[np.float64]:
        """Path, controls that have events enough, and the sum of all rarer ones: ``[rows, 11]``."""
        enough = int(np.argmin(np.append(self.expected, 0.0) >= _LEAST_EVENTS))
        kept = min(enough, self.batches // _BATCHES_PER_CONTROL - 1)
        rows = np.eye(1 + max(kept, 0), _Y)
        if kept > 0:
            rows[kept, 1 + kept :] = expected_yield_ev(KNOTS_EV[kept:]) / expected_yield_ev(
                KNOTS_EV[kept - 1]
            )
        return rows


def sum_batches(found: ShellBatches, tracks: int, control_rates: NDArray[np.float64]) -> EntrySums:
    """Sums of a number of batches.

    Parameters
    ----------
    found
        What the tracks of all batches left.
    tracks
        Their number.
    control_rates
        ``[10]`` expected sum of each control's weights per nm of path.
    """
    sizes = np.arange(found.targets.shape[1])
    weights = [(sizes >= k).astype(np.float64) for k in range(1, LARGEST_CLUSTER + 1)]
    weights += [sizes.astype(np.float64), sizes.astype(np.float64) ** 2]
    rows = np.column_stack([found.path_nm, found.controls, found.targets @ np.stack(weights, axis=-1)])
    products = rows.T @ (rows / found.path_nm[:, None])
    return EntrySums(products, control_rates * found.path_nm.sum(), found.path_nm.size, tracks)
