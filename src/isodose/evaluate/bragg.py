"""Depth profiles of ion beams and the figures read off them: range, distal fall-off, peak, plateau."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError
from isodose.patient.volume import Volume

ARRAY_AXIS = {"z": 0, "y": 1, "x": 2}

TAIL_BEHIND_R80_MM = 10.0
"""Depth behind R80 at which the tail is read; the distal edge of every clinical ion beam ends before it."""


@dataclass(frozen=True, slots=True)
class DepthProfile:
    """Dose along the beam.

    Depths of a level are interpolated linearly between samples and searched from the far end, so that noise
    on a plateau cannot be taken for the distal edge. Levels are parts of the largest sample.

    Parameters
    ----------
    depth_mm
        Increasing depths ``(n,)``, of voxel centres where the profile comes from voxels.
    dose
        ``(n,)``, in any unit.
    """

    depth_mm: NDArray[np.float64]
    dose: NDArray[np.float64]

    def __post_init__(self) -> None:
        depth, dose = np.asarray(self.depth_mm, np.float64), np.asarray(self.dose, np.float64)
        if depth.ndim != 1 or depth.shape != dose.shape or depth.size < 3:
            found = f"shapes {depth.shape} and {dose.shape}"
            raise InputError("depth profile", found, "two arrays of one length of at least 3")
        if not (np.all(np.diff(depth) > 0) and np.all(np.isfinite(dose)) and dose.max() > 0):
            raise InputError(
                "depth profile", "depths or doses out of order", "increasing depths and finite, positive dose"
            )
        object.__setattr__(self, "depth_mm", depth)
        object.__setattr__(self, "dose", dose)

    @property
    def peak(self) -> float:
        """Largest sample."""
        return float(self.dose.max())

    @property
    def peak_mm(self) -> float:
        """Depth of the peak, by the parabola through the largest sample and its neighbours."""
        k = int(np.argmax(self.dose))
        if k in (0, self.dose.size - 1):
            return float(self.depth_mm[k])
        x, y = self.depth_mm[k - 1 : k + 2], self.dose[k - 1 : k + 2]
        left, right = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
        if left == right:
            return float(x[1])
        return float((x[0] + x[1]) / 2 + left * (x[2] - x[0]) / 2 / (left - right))

    def distal_mm(self, level: float) -> float:
        """Largest depth with ``level`` times the peak; not a number if the profile ends above it."""
        threshold = level * self.peak
        k = int(np.flatnonzero(self.dose >= threshold)[-1])
        if k == self.dose.size - 1:
            return float("nan")
        return self._crossing(k, k + 1, threshold)

    def proximal_mm(self, level: float) -> float:
        """Smallest depth with ``level`` times the peak; not a number if the profile starts above it."""
        threshold = level * self.peak
        k = int(np.flatnonzero(self.dose >= threshold)[0])
        return float("nan") if k == 0 else self._crossing(k - 1, k, threshold)

    def _crossing(self, i: int, j: int, threshold: float) -> float:
        """Depth between two neighbouring samples at which the dose is the threshold."""
        part = (threshold - self.dose[i]) / (self.dose[j] - self.dose[i])
        return float(self.depth_mm[i] + part * (self.depth_mm[j] - self.depth_mm[i]))

    def at(self, depth_mm: float) -> float:
        """Dose at a depth, linear between samples; not a number outside the profile."""
        return float(np.interp(depth_mm, self.depth_mm, self.dose, left=np.nan, right=np.nan))

    @property
    def r90_mm(self) -> float:
        """Distal depth of 90 % of the peak."""
        return self.distal_mm(0.9)

    @property
    def r80_mm(self) -> float:
        """Distal depth of 80 % of the peak, the range of a mono-energetic beam to first order."""
        return self.distal_mm(0.8)

    @property
    def r50_mm(self) -> float:
        """Distal depth of half the peak."""
        return self.distal_mm(0.5)

    @property
    def r20_mm(self) -> float:
        """Distal depth of 20 % of the peak."""
        return self.distal_mm(0.2)

    @property
    def dfo_mm(self) -> float:
        """Distal fall-off from 80 % to 20 % of the peak (DFO80/20)."""
        return self.r20_mm - self.r80_mm

    @property
    def width_mm(self) -> float:
        """Full width at half the peak; not a number if the entrance is above it."""
        return self.distal_mm(0.5) - self.proximal_mm(0.5)

    @property
    def entrance(self) -> float:
        """First sample."""
        return float(self.dose[0])

    @property
    def peak_to_entrance(self) -> float:
        """Largest sample over the first."""
        return self.peak / self.entrance

    def tail_to_peak(self, behind_mm: float = TAIL_BEHIND_R80_MM) -> float:
        """Tail-to-peak ratio (TPR): dose a given depth behind R80 over the peak."""
        return self.at(self.r80_mm + behind_mm) / self.peak

    def spread_out(self, level: float = 0.9) -> SpreadOutPeak:
        """Figures of a spread-out Bragg peak, whose ends are where the dose passes ``level`` of the peak."""
        return SpreadOutPeak(self, self.proximal_mm(level), self.distal_mm(level))


@dataclass(frozen=True, slots=True)
class SpreadOutPeak:
    """A spread-out Bragg peak between two depths.

    Parameters
    ----------
    profile
        The whole depth profile.
    proximal_mm, distal_mm
        Where the plateau starts and ends.
    """

    profile: DepthProfile
    proximal_mm: float
    distal_mm: float

    @property
    def modulation_mm(self) -> float:
        """Length of the plateau."""
        return self.distal_mm - self.proximal_mm

    def inner(self, part: float = 0.8) -> NDArray[np.float64]:
        """Doses of the samples within the central part of the plateau."""
        margin = (1 - part) / 2 * self.modulation_mm
        depth = self.profile.depth_mm
        inside = (depth >= self.proximal_mm + margin) & (depth <= self.distal_mm - margin)
        if not np.any(inside):
            found = f"no sample from {self.proximal_mm:g} to {self.distal_mm:g} mm"
            raise InputError("spread-out peak", found, "a plateau longer than the sample distance")
        return self.profile.dose[inside]

    @property
    def plateau(self) -> float:
        """Mean dose of the inner 80 % of the plateau."""
        return float(self.inner().mean())

    @property
    def homogeneity(self) -> float:
        """Lowest over highest dose within the inner 80 % of the plateau (HD of Mein et al. 2018)."""
        inner = self.inner()
        return float(inner.min() / inner.max())

    @property
    def entrance_to_plateau(self) -> float:
        """Entrance-to-plateau ratio (EPR): first sample over the plateau's mean."""
        return self.profile.entrance / self.plateau


def depth_profile(
    dose: Volume,
    *,
    axis: str = "y",
    towards_lower: bool = False,
    axis_at_mm: tuple[float, float] | None = None,
    radius_mm: float | None = None,
) -> DepthProfile:
    """Depth profile of a beam along an axis of the grid.

    Parameters
    ----------
    dose
        Dose in Gy or another quantity to be averaged over area.
    axis
        ``"x"``, ``"y"`` or ``"z"``: the axis the beam runs along.
    towards_lower
        Whether the beam runs towards smaller coordinates.
    axis_at_mm
        Position of the beam in the plane across, as the two other coordinates in the order x, y, z; the
        middle of the grid where not given. Needed only with a radius.
    radius_mm
        Integrate over voxel centres within this distance of the beam; over the whole plane where not given.

    Returns
    -------
    DepthProfile
        Depths in mm from the grid's face at which the beam enters; integral over the plane in Gy mm2.
    """
    if axis not in ARRAY_AXIS:
        raise InputError("axis", repr(axis), "x, y or z")
    grid = dose.grid
    across = [a for a in "xyz" if a != axis]
    values = np.moveaxis(dose.values.astype(np.float64), ARRAY_AXIS[axis], 0)
    # After moving the depth axis to the front, what is left is [later axis, earlier axis].
    first, second = grid.axis_mm(across[0]), grid.axis_mm(across[1])
    pixel_mm2 = np.prod([grid.spacing_mm["xyz".index(a)] for a in across])
    if radius_mm is not None:
        middle = [grid.centre_mm["xyz".index(a)] for a in across]
        a, b = axis_at_mm if axis_at_mm is not None else middle
        values = values * ((first[None, :] - a) ** 2 + (second[:, None] - b) ** 2 <= radius_mm**2)
    integral = values.sum(axis=(1, 2)) * pixel_mm2
    spacing = grid.spacing_mm["xyz".index(axis)]
    depth = (np.arange(integral.size) + 0.5) * spacing
    return DepthProfile(depth, integral[::-1] if towards_lower else integral)


def profile_of(depth_mm: ArrayLike, dose: ArrayLike) -> DepthProfile:
    """Depth profile from two sequences."""
    return DepthProfile(np.asarray(depth_mm, np.float64), np.asarray(dose, np.float64))
