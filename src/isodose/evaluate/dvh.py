"""Dose-volume histograms from sorted samples, without bins."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError, IsodoseWarning
from isodose.evaluate.solid import samples
from isodose.patient.structure import Structure
from isodose.patient.volume import Volume

OUTSIDE_TOLERANCE = 1e-3
"""Part of a structure outside the dose grid above which a warning is issued."""


@dataclass(frozen=True, slots=True)
class Dvh:
    """The distribution of a quantity in a structure.

    Parameters
    ----------
    structure
        Name of the structure.
    dose_gy
        Samples in increasing order, ``(n,)`` float32; in another unit if the volume was of another quantity.
    volume_cm3
        Volume of each sample, ``(n,)`` float32.
    outside_fraction
        Part of the structure outside the dose grid, which is counted with dose 0.
    """

    structure: str
    dose_gy: NDArray[np.float32]
    volume_cm3: NDArray[np.float32]
    outside_fraction: float = 0.0
    _below_cm3: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        dose = np.asarray(self.dose_gy, np.float32)
        volume = np.asarray(self.volume_cm3, np.float32)
        if dose.ndim != 1 or dose.shape != volume.shape or not dose.size:
            found = f"shapes {dose.shape} and {volume.shape}"
            raise InputError(f"DVH of {self.structure!r}", found, "as many volumes as doses, at least one")
        if np.any(np.diff(dose) < 0) or not np.all(np.isfinite(dose)) or not np.all(volume > 0):
            found = "doses out of order or volumes that are not positive"
            raise InputError(f"DVH of {self.structure!r}", found, "finite increasing doses, positive volumes")
        object.__setattr__(self, "dose_gy", dose)
        object.__setattr__(self, "volume_cm3", volume)
        below = np.concatenate([[0.0], np.cumsum(volume, dtype=np.float64)])
        object.__setattr__(self, "_below_cm3", below)

    @property
    def total_cm3(self) -> float:
        """Volume of the structure."""
        return float(self._below_cm3[-1])

    @property
    def mean(self) -> float:
        """Mean dose."""
        return float(np.dot(self.dose_gy.astype(np.float64), self.volume_cm3) / self.total_cm3)

    @property
    def min(self) -> float:
        """Smallest sample."""
        return float(self.dose_gy[0])

    @property
    def max(self) -> float:
        """Largest sample."""
        return float(self.dose_gy[-1])

    @property
    def near_max(self) -> float:
        """D2, the near-maximum dose of ICRU 83."""
        return self.d(2.0)

    @property
    def near_min(self) -> float:
        """D98, the near-minimum dose of ICRU 83."""
        return self.d(98.0)

    def d(self, percent: float) -> float:
        """Dose that the hottest ``percent`` of the volume receives at least (D_x)."""
        if not 0 <= percent <= 100:
            raise InputError("percent", percent, "a number from 0 to 100")
        return self._hottest(percent / 100 * self.total_cm3)

    def d_cc(self, volume_cm3: float) -> float:
        """Dose that the hottest ``volume_cm3`` receive at least; not a number if the structure is smaller."""
        if volume_cm3 < 0:
            raise InputError("volume_cm3", volume_cm3, "a volume of at least 0")
        return self._hottest(volume_cm3) if volume_cm3 <= self.total_cm3 else float("nan")

    def _hottest(self, volume_cm3: float) -> float:
        """Dose at a cumulative volume, linear between the middles of neighbouring samples."""
        colder, last = self.total_cm3 - volume_cm3, self.dose_gy.size - 1
        k = int(np.clip(np.searchsorted(self._below_cm3, colder, side="right") - 1, 0, last))
        near = slice(max(k - 1, 0), min(k + 1, last) + 1)
        middle = (self._below_cm3[near] + self._below_cm3[near.start + 1 : near.stop + 1]) / 2
        return float(np.interp(colder, middle, self.dose_gy[near]))

    def v_cc(self, dose_gy: ArrayLike) -> NDArray[np.float64]:
        """Volume in cm3 that receives at least each dose."""
        colder = self._below_cm3[np.searchsorted(self.dose_gy, np.asarray(dose_gy, np.float32), side="left")]
        return np.asarray(self.total_cm3 - colder)

    def v(self, dose_gy: ArrayLike) -> NDArray[np.float64]:
        """Percent of the volume that receives at least each dose (V_x)."""
        return np.asarray(100.0 * (self.v_cc(dose_gy) / self.total_cm3))

    def curve(self, points: int = 500) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Doses from 0 to just above the maximum and the percent of the volume that receives them."""
        dose = np.linspace(0.0, self.max * 1.02, points)
        return dose, self.v(dose)


def dvh(dose: Volume, structure: Structure) -> Dvh:
    """Dose-volume histogram of a structure.

    The structure is filled with about 200,000 samples whatever its size (cubes of 0.05 to 1 mm, or coarser
    above four litres), at each of which the dose is interpolated trilinearly; it need not share the dose's
    grid. The body is inferred from the contours where there are any (see ``isodose.evaluate.solid``), so that
    its volume can differ from that of the structure's voxels, markedly so for bodies of few planes.

    Parameters
    ----------
    dose
        Dose in Gy, or another quantity.
    structure
        Not empty.

    Returns
    -------
    Dvh
        What lies outside the dose grid counts as dose 0.

    Raises
    ------
    InputError
        If the structure is empty.

    Warns
    -----
    IsodoseWarning
        If more than 0.1 % of the structure is outside the dose grid.
    """
    doses, volumes = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    outside = 0.0
    for portion in samples(structure):
        doses.append(dose.sample(portion.position_mm))
        volumes.append((portion.volume_mm3 / 1000).astype(np.float32))
        outside += float(volumes[-1][~dose.grid.contains(portion.position_mm)].sum(dtype=np.float64))
    values, weights = np.concatenate(doses), np.concatenate(volumes)
    if not weights.size:
        raise InputError(f"structure {structure.name!r}", "an empty structure", "one with a volume")
    fraction = outside / float(weights.sum(dtype=np.float64))
    if fraction > OUTSIDE_TOLERANCE:
        warnings.warn(
            f"structure {structure.name!r}: {100 * fraction:.1f} % of it is outside the dose grid and is "
            "counted with dose 0",
            IsodoseWarning,
            stacklevel=2,
        )
    order = np.argsort(values, kind="stable")
    return Dvh(structure.name, values[order], weights[order], fraction)
