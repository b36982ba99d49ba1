"""Homogeneity of the dose in a target and its conformity to the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.errors import InputError
from isodose.evaluate.dvh import Dvh
from isodose.patient.volume import Volume

SUBDIVISIONS = 4
"""Parts into which the edges of voxels on an isodose surface are divided to measure its volume."""


def homogeneity_icru(target: Dvh) -> float:
    """Homogeneity index (D2 - D98) / D50 of ICRU report 83; 0 for a uniform dose."""
    return (target.d(2) - target.d(98)) / target.d(50)


def homogeneity_5_95(target: Dvh, prescription_gy: float) -> float:
    """Homogeneity index (D5 - D95) / prescription, common in proton therapy; 0 for a uniform dose."""
    return (target.d(5) - target.d(95)) / _positive("prescription_gy", prescription_gy)


def isodose_volume_cm3(dose: Volume, level_gy: float) -> float:
    """Volume in cm3 that receives at least a dose, of the trilinear field between voxel centres."""
    level = _positive("level_gy", level_gy)
    values, grid = dose.values, dose.grid
    padded = np.pad(values, 1, mode="edge")
    low, high = padded.copy(), padded.copy()
    for axis in range(3):
        neighbours = (np.roll(low, 1, axis), np.roll(low, -1, axis))
        low = np.minimum(low, np.minimum(*neighbours))
        neighbours = (np.roll(high, 1, axis), np.roll(high, -1, axis))
        high = np.maximum(high, np.maximum(*neighbours))
    inner = (slice(1, -1),) * 3
    full = low[inner] >= level
    mixed = np.argwhere((high[inner] >= level) & ~full)
    part = (np.arange(SUBDIVISIONS) + 0.5) / SUBDIVISIONS - 0.5
    offsets = np.stack(np.meshgrid(part, part, part, indexing="ij"), axis=-1).reshape(-1, 3)
    count = 0
    for first in range(0, len(mixed), 20_000):
        index = mixed[first : first + 20_000, None, :] + offsets
        count += int(np.count_nonzero(dose.sample(grid.position_mm(index)) >= level))
    return (int(np.count_nonzero(full)) + count / SUBDIVISIONS**3) * grid.voxel_volume_cm3


@dataclass(frozen=True, slots=True)
class Conformity:
    """How an isodose fits a target.

    Parameters
    ----------
    target_cm3
        Volume of the target, TV.
    isodose_cm3
        Volume within the prescription isodose, PIV.
    covered_cm3
        Part of the target within it, TV_PIV.
    half_isodose_cm3
        Volume within the isodose of half the prescription.
    """

    target_cm3: float
    isodose_cm3: float
    covered_cm3: float
    half_isodose_cm3: float

    @property
    def coverage(self) -> float:
        """Part of the target that receives the prescription, TV_PIV / TV."""
        return self.covered_cm3 / self.target_cm3

    @property
    def rtog(self) -> float:
        """Conformity index PIV / TV of the RTOG (Shaw et al., IJROBP 27:1231, 1993), blind to place."""
        return self.isodose_cm3 / self.target_cm3

    @property
    def paddick(self) -> float:
        """Conformity index TV_PIV^2 / (TV PIV), from 0 to 1.

        The index of Paddick (J Neurosurg 93 Suppl 3:219, 2000) and the conformation number of van 't Riet et
        al. (IJROBP 37:731, 1997) are the same number; not a number if no volume receives the prescription.
        """
        if self.isodose_cm3 == 0:
            return float("nan")
        return self.covered_cm3**2 / (self.target_cm3 * self.isodose_cm3)

    @property
    def gradient(self) -> float:
        """Gradient index of Paddick and Lippitz (J Neurosurg 105 Suppl:194, 2006): half isodose over PIV."""
        return self.half_isodose_cm3 / self.isodose_cm3 if self.isodose_cm3 else float("nan")


def conformity(dose: Volume, target: Dvh, prescription_gy: float) -> Conformity:
    """Conformity of the prescription isodose to a target.

    Parameters
    ----------
    dose
        Dose in Gy, large enough to hold the isodose of half the prescription.
    target
        The target's DVH of the same dose.
    prescription_gy
        Dose that defines the isodose, in Gy.
    """
    level = _positive("prescription_gy", prescription_gy)
    return Conformity(
        target.total_cm3,
        isodose_volume_cm3(dose, level),
        float(target.v_cc(level)),
        isodose_volume_cm3(dose, level / 2),
    )


def _positive(field: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise InputError(field, value, "a positive dose in Gy")
    return float(value)
