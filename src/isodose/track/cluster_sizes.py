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
    tracks
        ``[batches]``: tracks in each batch, in proportion to which the batch counts.
    path_nm
        Length of the primary's path in each track, nm.

    Raises
    ------
    InputError
        If shapes do not match, there are fewer than two batches, or a number is negative or not finite.
    """

    targets: NDArray[np.float64]
    tracks: NDArray[np.int64]
    path_nm: float

    def __post_init__(self) -> None:
        if self.targets.ndim != 2 or self.tracks.shape != self.targets.shape[:1] or len(self.tracks) < 2:
            expected = "targets [batches, sizes] and tracks [batches], two batches or more"
            raise InputError("targets", f"{self.targets.shape} and {self.tracks.shape}", expected)
        if not np.all(np.isfinite(self.targets)) or np.any(self.targets < 0.0):
            raise InputError("targets", "a negative or infinite number", "numbers of targets")
        if np.any(self.tracks < 1):
            raise InputError("tracks", int(self.tracks.min()), "at least one track in every batch")
        if not (np.isfinite(self.path_nm) and self.path_nm > 0.0):
            raise InputError("path_nm", self.path_nm, "a positive length")

    def __add__(self, other: ClusterSizes) -> ClusterSizes:
        """Both sets of tracks together.

        Raises
        ------
        InputError
            If their paths or their numbers of sizes differ.
        """
        if other.path_nm != self.path_nm or other.targets.shape[1] != self.targets.shape[1]:
            raise InputError("path_nm", other.path_nm, f"{self.path_nm} nm and as many cluster sizes")
        targets = np.concatenate([self.targets, other.targets])
        return ClusterSizes(targets, np.concatenate([self.tracks, other.tracks]), self.path_nm)

    def per_length(self, weights: NDArray[np.float64]) -> Estimate:
        """Sum of ``weights[k]`` over targets, per nm of the primary's path."""
        sums = self.targets @ weights
        total = float(self.tracks.sum())
        mean = float(sums.sum()) / total
        return Estimate(mean / self.path_nm, self._error(sums - mean * self.tracks, total) / self.path_nm)

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
