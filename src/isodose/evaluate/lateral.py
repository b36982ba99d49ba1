"""Lateral profiles of beams and spots: penumbra, width and the Gaussian core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from isodose.errors import InputError
from isodose.evaluate.bragg import ARRAY_AXIS
from isodose.patient.volume import Volume

CORE_LEVEL = 0.1
"""The Gaussian core is fitted where the profile is above this part of its maximum; what lies below is the
halo of nuclear secondaries and large-angle scattering."""


@dataclass(frozen=True, slots=True)
class LateralProfile:
    """Dose across a beam.

    Parameters
    ----------
    position_mm
        Increasing, evenly spaced positions ``(n,)`` of pixel centres.
    dose
        Mean over each pixel ``(n,)``, in any unit.
    """

    position_mm: NDArray[np.float64]
    dose: NDArray[np.float64]

    def __post_init__(self) -> None:
        position, dose = np.asarray(self.position_mm, np.float64), np.asarray(self.dose, np.float64)
        if position.ndim != 1 or position.shape != dose.shape or position.size < 3:
            found = f"shapes {position.shape} and {dose.shape}"
            raise InputError("lateral profile", found, "two arrays of one length of at least 3")
        steps = np.diff(position)
        if not (np.all(steps > 0) and np.allclose(steps, steps[0], rtol=1e-3)):
            raise InputError("lateral profile", "uneven positions", "increasing, evenly spaced positions")
        object.__setattr__(self, "position_mm", position)
        object.__setattr__(self, "dose", dose)

    @property
    def pixel_mm(self) -> float:
        """Distance of neighbouring positions."""
        return float(self.position_mm[1] - self.position_mm[0])

    @property
    def mean_mm(self) -> float:
        """Centre of gravity."""
        return float(np.sum(self.position_mm * self.dose) / np.sum(self.dose))

    @property
    def sigma_mm(self) -> float:
        """Standard deviation of the whole profile with its halo, less that of a pixel."""
        spread = np.sum((self.position_mm - self.mean_mm) ** 2 * self.dose) / np.sum(self.dose)
        return float(np.sqrt(max(spread - self.pixel_mm**2 / 12, 0.0)))

    def core_sigma_mm(self, level: float = CORE_LEVEL) -> float:
        """Width of the Gaussian fitted to the core as a standard deviation, less that of a pixel.

        Least squares of amplitude, centre and width over the pixels at or above ``level`` times the maximum;
        not a number where fewer than four are.
        """
        core = self.dose >= level * self.dose.max()
        x, y = self.position_mm[core], self.dose[core]
        if x.size < 4 or self.dose.max() <= 0:
            return float("nan")
        peak = float(y.max())
        centre = float(np.sum(x * y) / np.sum(y))
        start = (
            1.0,
            centre,
            max(float(np.sqrt(np.sum((x - centre) ** 2 * y) / np.sum(y))), self.pixel_mm / 2),
        )
        fit = least_squares(lambda p: p[0] * np.exp(-((x - p[1]) ** 2) / (2 * p[2] ** 2)) - y / peak, start)
        if not fit.success:
            return float("nan")
        return float(np.sqrt(max(fit.x[2] ** 2 - self.pixel_mm**2 / 12, 0.0)))

    def edges_mm(self, level: float) -> tuple[float, float]:
        """Positions left and right of the maximum where the dose passes ``level`` times the maximum.

        Linear between pixels, searched from outside; not a number on a side that ends above the level.
        """
        threshold = level * float(self.dose.max())
        above = np.flatnonzero(self.dose >= threshold)
        x, y = self.position_mm, self.dose
        left = right = float("nan")
        i, j = int(above[0]), int(above[-1])
        if i > 0:
            left = float(x[i] - (y[i] - threshold) / (y[i] - y[i - 1]) * self.pixel_mm)
        if j < y.size - 1:
            right = float(x[j] + (y[j] - threshold) / (y[j] - y[j + 1]) * self.pixel_mm)
        return left, right

    @property
    def width_mm(self) -> float:
        """Full width at half maximum."""
        left, right = self.edges_mm(0.5)
        return right - left

    @property
    def lfo_mm(self) -> float:
        """Lateral fall-off from 80 % to 20 % of the maximum (LFO80/20), mean of both sides."""
        (left80, right80), (left20, right20) = self.edges_mm(0.8), self.edges_mm(0.2)
        return ((left80 - left20) + (right20 - right80)) / 2


def lateral_profile(
    dose: Volume,
    depth_index: int,
    *,
    beam: str = "y",
    along: str = "x",
    at_mm: float | None = None,
    width_mm: float | None = None,
) -> LateralProfile:
    """Profile across a beam in one layer of voxels.

    Parameters
    ----------
    dose
        The dose.
    depth_index
        Index of the layer along the beam's axis.
    beam, along
        Axis of the beam and axis of the profile, of ``"x"``, ``"y"``, ``"z"``.
    at_mm, width_mm
        Average over voxel centres within half of ``width_mm`` of ``at_mm`` on the third axis (``at_mm`` being
        the middle of the grid where not given). Without a width, the sum over the whole third axis: the
        projection of a spot, whose Gaussian core is that of the spot itself.
    """
    for name, axis in (("beam", beam), ("along", along)):
        if axis not in ARRAY_AXIS:
            raise InputError(name, repr(axis), "x, y or z")
    if beam == along:
        raise InputError("along", repr(along), f"another axis than the beam's ({beam})")
    third = ({"x", "y", "z"} - {beam, along}).pop()
    values = np.moveaxis(dose.values, (ARRAY_AXIS[beam], ARRAY_AXIS[along], ARRAY_AXIS[third]), (0, 1, 2))[
        depth_index
    ].astype(np.float64)
    if width_mm is None:
        return LateralProfile(dose.grid.axis_mm(along), values.sum(axis=1))
    middle = dose.grid.centre_mm["xyz".index(third)] if at_mm is None else at_mm
    near = np.abs(dose.grid.axis_mm(third) - middle) <= width_mm / 2
    if not np.any(near):
        raise InputError("width_mm", width_mm, "a strip that holds at least one row of voxels")
    return LateralProfile(dose.grid.axis_mm(along), values[:, near].mean(axis=1))
