"""The influence matrix: what one particle of each spot gives to each voxel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.plan.plan import Beam, Plan

_FEW = 100_000
"""Fewer non-zeros than this are not worth a second thread."""


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """Sparse matrices of voxels by spots, one per quantity, with one pattern.

    Columns are the spots of a plan in the order beam, layer, spot. Dose is to medium; every other quantity
    is an average over the dose (LETd, alpha, root of beta) and stored as the product of it and the dose, so
    that contributions of spots add up.

    Parameters
    ----------
    grid
        The dose grid; rows are its voxels.
    indptr
        Where each column begins, and the end, int64 ``(spots + 1,)``.
    indices
        Flat C-order voxels of the entries, ascending within a column, int32 ``(nonzeros,)``.
    values
        float32 ``(nonzeros,)`` by quantity: Gy per particle for the dose, the quantity's unit times that for
        the others.
    provenance
        What made it.
    """

    grid: Grid
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: Mapping[Quantity, NDArray[np.float32]]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.indptr.size < 1 or int(self.indptr[-1]) != self.indices.size:
            end = int(self.indptr[-1]) if self.indptr.size else "nothing"
            raise InputError("influence.indptr", f"{end} as its end", f"{self.indices.size} entries")
        if Quantity.DOSE not in self.values:
            raise InputError("influence.values", [q.key for q in self.values], "the dose among them")
        for quantity, array in self.values.items():
            if array.shape != self.indices.shape:
                found = f"shape {array.shape}"
                raise InputError(f"influence.{quantity.key}", found, f"{self.indices.shape}, that of indices")

    @property
    def spots(self) -> int:
        """Number of columns."""
        return self.indptr.size - 1

    @property
    def nonzeros(self) -> int:
        """Number of stored entries of each quantity."""
        return self.indices.size

    @property
    def memory_bytes(self) -> int:
        """Size of all arrays in bytes."""
        return self.indptr.nbytes + self.indices.nbytes + sum(v.nbytes for v in self.values.values())

    def matrix(self, quantity: Quantity = Quantity.DOSE) -> csc_array:
        """One quantity as a scipy matrix ``(voxels, spots)`` that shares the memory."""
        return csc_array(
            (self._of(quantity), self.indices, self.indptr), shape=(self.grid.size, self.spots), copy=False
        )

    def weighted(
        self, weights: ArrayLike, quantity: Quantity = Quantity.DOSE, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Sum of columns times weights: dose, or dose times another quantity.

        Parameters
        ----------
        weights
            Particles per spot, ``(spots,)``.
        quantity
            Which matrix to take.
        threads
            Number of threads; all processors by default.

        Returns
        -------
        ndarray
            float32 ``[z, y, x]``, Gy or Gy times the quantity's unit.

        Raises
        ------
        InputError
            If there are not as many weights as spots, or the quantity is not held.
        """
        weight = self._checked("weights", weights, self.spots)
        values = self._of(quantity)

        def part(begin: int, end: int) -> NDArray[np.float32]:
            out = np.zeros(self.grid.size, dtype=np.float32)
            _weighted(self.indptr, self.indices, values, weight, out, begin, end)
            return out

        sums = self._in_threads(part, threads)
        for other in sums[1:]:
            sums[0] += other
        return np.asarray(sums[0].reshape(self.grid.shape), dtype=np.float32)

    def dose(self, weights: ArrayLike, threads: int | None = None) -> Dose:
        """Dose of spot weights ``(spots,)``, with every other quantity averaged over it.

        Raises
        ------
        InputError
            If there are not as many weights as spots.
        """
        dose = self.weighted(weights, Quantity.DOSE, threads)
        values = {Quantity.DOSE: dose}
        for quantity in self.values:
            if quantity is not Quantity.DOSE:
                product = self.weighted(weights, quantity, threads)
                values[quantity] = np.divide(product, dose, out=np.zeros_like(dose), where=dose > 0.0)
        return Dose(self.grid, values, provenance=self.provenance)

    def gradient(
        self, by_voxel: ArrayLike, quantity: Quantity = Quantity.DOSE, threads: int | None = None
    ) -> NDArray[np.float64]:
        """Adjoint of `weighted`: derivative by the spots' weights, from that by the voxels' values.

        Parameters
        ----------
        by_voxel
            Per voxel, ``[z, y, x]`` or flat.
        quantity
            Which matrix to take.
        threads
            Number of threads; all processors by default.

        Returns
        -------
        ndarray
            ``(spots,)``.

        Raises
        ------
        InputError
            If there are not as many values as voxels, or the quantity is not held.
        """
        voxel = self._checked("by_voxel", np.ravel(by_voxel), self.grid.size)
        values = self._of(quantity)
        out = np.zeros(self.spots)

        def part(begin: int, end: int) -> None:
            _gradient(self.indptr, self.indices, values, voxel, out, begin, end)

        self._in_threads(part, threads)
        return out

    def restricted(self, mask: NDArray[np.bool_]) -> Influence:
        """Only the rows of voxels in a mask ``[z, y, x]``; voxels keep their numbers.

        Raises
        ------
        InputError
            If the mask is not on the grid.
        """
        if mask.shape != self.grid.shape:
            raise InputError("mask", f"shape {mask.shape}", f"the grid's shape {self.grid.shape}")
        kept = mask.ravel()[self.indices]
        before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
        values = {quantity: array[kept] for quantity, array in self.values.items()}
        return replace(self, indptr=before[self.indptr], indices=self.indices[kept], values=values)

    def with_weights(self, plan: Plan, weights: ArrayLike) -> Plan:
        """Plan with other weights (particles per spot and fraction) in its spots.

        Raises
        ------
        InputError
            If the plan has another number of spots, or a weight is negative or not finite.
        """
        weight = np.asarray(weights, dtype=np.float64)
        count = sum(beam.spot_count for beam in plan.beams)
        if not weight.shape == (self.spots,) == (count,):
            found = f"{weight.size} for the {count} spots of plan {plan.name!r}"
            raise InputError("weights", found, f"{self.spots}, one per column")
        beams: list[Beam] = []
        at = 0
        for beam in plan.beams:
            layers = []
            for layer in beam.layers:
                particles = weight[at : at + len(layer.spots)]
                layers.append(replace(layer, spots=replace(layer.spots, particles=particles)))
                at += len(layer.spots)
            beams.append(replace(beam, layers=tuple(layers)))
        return replace(plan, beams=tuple(beams))

    def _of(self, quantity: Quantity) -> NDArray[np.float32]:
        if quantity not in self.values:
            have = ", ".join(q.key for q in self.values)
            raise InputError("quantity", quantity.key, f"one that the influence matrix holds ({have})")
        return self.values[quantity]

    def _checked(self, name: str, numbers: ArrayLike, count: int) -> NDArray[np.float32]:
        result = np.ascontiguousarray(numbers, dtype=np.float32)
        if result.shape != (count,):
            raise InputError(name, f"shape {result.shape}", f"({count},)")
        return result

    def _in_threads(self, part: Callable[[int, int], Any], threads: int | None) -> list[Any]:
        """Results of a function of column ranges that hold about as many entries each."""
        count = min(threads or os.cpu_count() or 1, 1 + self.nonzeros // _FEW)
        if count == 1:
            return [part(0, self.spots)]
        wanted = np.arange(count + 1) * self.nonzeros // count
        edges = np.searchsorted(self.indptr, wanted)
        edges[0], edges[-1] = 0, self.spots
        with ThreadPoolExecutor(count) as pool:
            work = [pool.submit(partial(part, int(a), int(b))) for a, b in pairwise(edges)]
            return [done.result() for done in work]


@njit(cache=True, nogil=True, error_model="numpy")
def _weighted(indptr, indices, values, weights, out, begin, end):  # type: ignore[no-untyped-def]
    for column in range(begin, end):
        weight = weights[column]
        if weight == 0.0:
            continue
        for n in range(indptr[column], indptr[column + 1]):
            out[np.uint32(indices[n])] += values[n] * weight


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient(indptr, indices, values, by_voxel, out, begin, end):  # type: ignore[no-untyped-def]
    zero = np.float32(0.0)
    for column in range(begin, end):
        first, last = indptr[column], indptr[column + 1]
        whole = last - (last - first) % 4
        a, b, c, d = zero, zero, zero, zero  # four sums, as each waits for what it adds
        for n in range(first, whole, 4):
            a += values[n] * by_voxel[np.uint32(indices[n])]
            b += values[n + 1] * by_voxel[np.uint32(indices[n + 1])]
            c += values[n + 2] * by_voxel[np.uint32(indices[n + 2])]
            d += values[n + 3] * by_voxel[np.uint32(indices[n + 3])]
        for n in range(whole, last):
            a += values[n] * by_voxel[np.uint32(indices[n])]
        out[column] = (a + b) + (c + d)
