"""From what adds up over spots (dose, dose times LETd, ...) to what objectives look at, voxel by voxel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isodose.dose.quantity import Quantity

Values = NDArray[np.floating[Any]]
Sums = Mapping[Quantity, Values]
"""What an influence matrix gives: dose, and dose times another quantity, ``(n,)`` each."""


class VoxelQuantity(Protocol):
    """A function, voxel by voxel, of sums over spots."""

    @property
    def needs(self) -> tuple[Quantity, ...]:
        """Matrices of the influence that it takes."""
        ...

    @property
    def label(self) -> str:
        """What it is called, with its unit."""
        ...

    def values(self, sums: Sums) -> Values:
        """Quantity of each voxel, ``(n,)``."""
        ...

    def derivative(self, sums: Sums, by_value: Values) -> dict[Quantity, Values]:
        """Derivative of a function by each of the sums, from that by the quantity; ``(n,)`` each."""
        ...

    def at(self, voxels: NDArray[np.int64]) -> VoxelQuantity:
        """Same quantity for some voxels of the grid, by their flat numbers."""
        ...


@dataclass(frozen=True, slots=True)
class PhysicalDose:
    """The dose, Gy."""

    needs: tuple[Quantity, ...] = (Quantity.DOSE,)
    label: str = "dose / Gy"

    def values(self, sums: Sums) -> Values:
        """Dose."""
        return sums[Quantity.DOSE]

    def derivative(self, sums: Sums, by_value: Values) -> dict[Quantity, Values]:
        """The same."""
        return {Quantity.DOSE: by_value}

    def at(self, voxels: NDArray[np.int64]) -> PhysicalDose:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class LetTimesDose:
    """LETd times dose, Gy keV/um: what a voxel gets of both, with no say for voxels of little dose."""

    needs: tuple[Quantity, ...] = (Quantity.LETD,)
    label: str = "LETd x dose / Gy keV/um"

    def values(self, sums: Sums) -> Values:
        """LETd times dose."""
        return sums[Quantity.LETD]

    def derivative(self, sums: Sums, by_value: Values) -> dict[Quantity, Values]:
        """The same."""
        return {Quantity.LETD: by_value}

    def at(self, voxels: NDArray[np.int64]) -> LetTimesDose:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class LetOfDose:
    """Dose-averaged LET, keV/um.

    In voxels of hardly any dose the LET would be all that counts, and without dose there is none: it is
    multiplied by ``d^2 / (d^2 + least_dose_gy^2)``, which goes smoothly to 0 there.

    Parameters
    ----------
    least_dose_gy
        Dose per fraction at which half of the LET counts.
    """

    least_dose_gy: float = 0.01
    needs: tuple[Quantity, ...] = (Quantity.DOSE, Quantity.LETD)
    label: str = "LETd / keV/um"

    def values(self, sums: Sums) -> Values:
        """LETd."""
        dose, product = sums[Quantity.DOSE], sums[Quantity.LETD]
        return np.asarray(product * dose / (dose * dose + self.least_dose_gy**2), dtype=dose.dtype)

    def derivative(self, sums: Sums, by_value: Values) -> dict[Quantity, Values]:
        """Quotient rule."""
        dose, product = sums[Quantity.DOSE], sums[Quantity.LETD]
        square = self.least_dose_gy**2
        below = dose * dose + square
        return {
            Quantity.DOSE: np.asarray(by_value * product * (square - dose * dose) / below**2, dose.dtype),
            Quantity.LETD: np.asarray(by_value * dose / below, dose.dtype),
        }

    def at(self, voxels: NDArray[np.int64]) -> LetOfDose:
        """Itself."""
        return self
