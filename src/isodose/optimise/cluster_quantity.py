"""Cluster dose as a function of what adds up over spots: a biological quantity that is linear in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isodose.biology.cluster_dose import KEV_PER_KG_AND_GY
from isodose.biology.cluster_medium import medium_factors
from isodose.dose.quantity import CLUSTER_DOSES, Quantity
from isodose.optimise.voxel_quantity import Sums, Values
from isodose.patient.body import body_ct
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import calibration_of
from isodose.patient.patient import Patient
from isodose.pencilbeam.media import media_of

UNIT_PER_KG = 1e15
"""Cluster dose in objectives counts in 1e15/kg, clusters per picogram, so that its numbers are like doses."""

_NAMES = {q.stem: q for q in CLUSTER_DOSES}


def cluster_quantity(name: str) -> Quantity | None:
    """Quantity of a name in a configuration, such as ``"cluster_f4"``; None if it is no cluster dose."""
    return _NAMES.get(name)


@dataclass(frozen=True, slots=True, eq=False)
class ClusterDose:
    """Cluster dose, 1e15/kg, from clusters per keV times dose.

    Parameters
    ----------
    quantity
        Which cluster dose.
    factor
        By what clusters per keV times Gy to the medium is multiplied, one number a voxel.
    """

    quantity: Quantity
    factor: NDArray[np.float32]

    @property
    def needs(self) -> tuple[Quantity, ...]:
        """The cluster dose's matrix alone."""
        return (self.quantity,)

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.quantity.label[0].lower()}{self.quantity.label[1:]} / (1e15/kg)"

    def values(self, sums: Sums) -> Values:
        """Cluster dose."""
        product = sums[self.quantity]
        return np.asarray(product * self.factor, dtype=product.dtype)

    def derivative(self, sums: Sums, by_value: Values) -> dict[Quantity, Values]:
        """The factor."""
        return {self.quantity: np.asarray(by_value * self.factor, dtype=sums[self.quantity].dtype)}

    def at(self, voxels: NDArray[np.int64]) -> ClusterDose:
        """Same quantity for some voxels."""
        return replace(self, factor=self.factor[voxels])


def cluster_dose(quantity: Quantity, patient: Patient, grid: Grid) -> ClusterDose:
    """Cluster dose on the grid of an influence matrix.

    Raises
    ------
    InputError
        If the patient's calibration does not tell what voxels are made of.
    """
    calibration, body = calibration_of(patient.calibration), body_ct(patient)
    in_media = medium_factors(patient, grid, calibration)
    to_water = media_of(calibration, body).dose_factor_on(grid, body).ravel()
    factor = np.float32(KEV_PER_KG_AND_GY / UNIT_PER_KG) * in_media / to_water
    return ClusterDose(quantity, factor)
