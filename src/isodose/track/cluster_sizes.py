"""Ionisation cluster size distributions of many tracks, their moments and cumulative frequencies.

All quantities are sums over targets, so they add up over tracks; tracks are collected in batches, whose
scatter gives the statistical uncertainty of anything computed from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError


class Estimate(NamedTuple):
    """A value and its standard uncertainty (one standard deviation)."""

    value: float
    uncertainty: float


@dataclass(frozen=True, slots=True)
class ClusterSizes:
    """Targets by their ionisation cluster size.

    Parameters
    ----------
    targets
        ``[batches, sizes]``: number of targets with ``k`` ionisations, summed over the tracks of a batch.
        Column 0 counts empty targets where the scheme knows them, else it is zero. The last column holds
        all larger clusters too.
    path_nm
        ``[batches]``: path of the primaries in each batch, nm, in proportion to which the batch counts.

    Raises
    ------
    InputError
        If shapes do not match, there are fewer than two batches, or a number is negative or not finite.
    """

    targets: NDArray[np.float64]
    path_nm: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = self.targets.shape, self.path_nm.shape
        if self.targets.ndim != 2 or self.path_nm.shape != self.targets.shape[:1] or len(self.path_nm) < 2:
            expected = "targets [batches, sizes] and path_nm [batches], two batches or more"
            raise InputError("targets, path_nm", shapes, expected)
        if not np.all(np.isfinite(self.targets)) or np.any(self.targets < 0.0):
            raise InputError("targets", "a negative or infinite number", "numbers of targets")
        if not np.all(np.isfinite(self.path_nm) & (self.path_nm > 0.0)):
            raise InputError("path_nm", float(self.path_nm.min()), "a positive length in every batch")

    def __add__(self, other: ClusterSizes) -> ClusterSizes:
        """Both sets of tracks together.

        Raises
        ------
        InputError
            If their numbers of sizes differ.
        """
        if other.targets.shape[1] != self.targets.shape[1]:
            raise InputError("targets", other.targets.shape, f"{self.targets.shape[1]} cluster sizes")
        targets = np.concatenate([self.targets, other.targets])
        return ClusterSizes(targets, np.concatenate([self.path_nm, other.path_nm]))

    def per_length(self, weights: NDArray[np.float64]) -> Estimate:
        """Sum of ``weights[k]`` over targets, per nm of the primary's path."""
        sums, path = self.targets @ weights, float(self.path_nm.sum())
        mean = float(sums.sum()) / path
        return Estimate(mean, self._error(sums - mean * self.path_nm, path))

    def ratio(self, above: NDArray[np.float64], below: NDArray[np.float64]) -> Estimate:
        """Ratio of two weighted sums over targets; its uncertainty knows that both are correlated."""
        top, bottom = self.targets @ above, self.targets @ below
        if bottom.sum() <= 0.0:
            raise InputError("targets", "no target with an ionisation", "at least one in all tracks")
        ratio = float(top.sum() / bottom.sum())
        return Estimate(ratio, self._error(top - ratio * bottom, float(bottom.sum())))

    def cluster_frequency(self, k: int) -> Estimate:
        """F_k: targets with ``k`` ionisations or more, per nm of the primary's path."""
        return self.per_length(self._at_least(k))

    def moment(self, order: int) -> Estimate:
        """M_i: sum over targets of the cluster size to the power of ``order``, per nm of path."""
        return self.per_length(self._power(order))

    def conditional_frequency(self, k: int) -> Estimate:
        """F_k among the targets with at least one ionisation."""
        return self.ratio(self._at_least(k), self._at_least(1))

    def conditional_moment(self, order: int) -> Estimate:
        """Mean of the cluster size to the power of ``order`` over targets with at least one ionisation."""
        return self.ratio(self._power(order), self._at_least(1))

    def distribution(self) -> NDArray[np.float64]:
        """Return the share ``P(k)`` of each size among all targets that are counted, ``[sizes]``."""
        summed = self.targets.sum(axis=0)
        return np.asarray(summed / summed.sum())

    def _at_least(self, k: int) -> NDArray[np.float64]:
        top = self.targets.shape[1] - 1
        if not 1 <= k <= top:
            raise InputError("k", k, f"a cluster size from 1 to {top}")
        return (np.arange(top + 1) >= k).astype(np.float64)

    def _power(self, order: int) -> NDArray[np.float64]:
        if order < 1:
            raise InputError("order", order, "a moment of order 1 or more")
        return np.arange(self.targets.shape[1], dtype=np.float64) ** order

    def _error(self, residuals: NDArray[np.float64], total: float) -> float:
        batches = residuals.size
        return float(np.sqrt(np.sum(residuals**2) * batches / (batches - 1))) / total
