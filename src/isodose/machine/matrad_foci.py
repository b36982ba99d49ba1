"""Spot widths in air of a matRad machine file: the table of foci, its choice, and its fit as beam optics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from isodose.machine.matrad_fields import MatlabStruct

_CONSTANT = 1e-6
"""Widths whose relative difference is below this do not change with the distance."""


@dataclass(frozen=True, slots=True, eq=False)
class SpotFocus:
    """Spot width in air along the beam, for one energy and focus.

    Parameters
    ----------
    fwhm_mm
        Full width at half maximum at the isocentre, by which a focus is chosen.
    z_mm
        Distances downstream of the isocentre plane, ascending, ``(n,)`` mm.
    sigma_mm
        Standard deviation of the spot there, in x as in y, ``(n,)`` mm.
    """

    fwhm_mm: float
    z_mm: NDArray[np.float64]
    sigma_mm: NDArray[np.float64]

    def sigma_at(self, z_mm: float) -> float:
        """Standard deviation at a distance, linear between those of the table as matRad has it, mm."""
        return float(np.interp(z_mm, self.z_mm, self.sigma_mm))

    def phase_space(self, nozzle_mm: float) -> tuple[float, float, float]:
        """Width at the isocentre (mm), divergence (rad) and correlation of `BeamOptics` that come nearest.

        Only widths between the nozzle and as far behind the isocentre count; the sum of squared relative
        differences is least.
        """
        ends = np.clip([-nozzle_mm, 0.0, nozzle_mm], self.z_mm[0], self.z_mm[-1])
        z = np.union1d(self.z_mm[np.abs(self.z_mm) <= nozzle_mm], ends)
        sigma = np.interp(z, self.z_mm, self.sigma_mm)
        at_isocentre = self.sigma_at(0.0)
        if np.ptp(sigma) <= _CONSTANT * at_isocentre:
            return at_isocentre, 0.0, 0.0
        # Any variance a + 2 b z + c z2 of a Gaussian beam is |p + q z|2 for vectors p = (p, 0), q = (q1, q2).
        length = float(np.abs(z).max())
        slope = np.polyfit(z / length, sigma, 1)[0]

        def difference(x: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(np.hypot(x[0] + x[1] * z / length, x[2] * z / length) / sigma - 1.0)

        p, q1, q2 = least_squares(difference, [at_isocentre, slope, 0.5 * abs(slope) + 1e-3]).x
        divergence = float(np.hypot(q1, q2))
        return abs(float(p)), divergence / length, float(np.sign(p) * q1 / divergence)


def spot_foci(entry: MatlabStruct, source_mm: float) -> tuple[SpotFocus, ...]:
    """Foci of an entry of ``machine.data``; matRad's distances count from the virtual source.

    Raises
    ------
    InputError
        Naming the field that is missing or wrong.
    """
    focus = entry.struct("initFocus")
    distance, sigma = (np.atleast_2d(focus.array(name)) for name in ("dist", "sigma"))
    fwhm = focus.array("SisFWHMAtIso").ravel()
    if distance.shape[1] < 2:
        raise focus.error("dist", f"{distance.shape[1]} distance", "at least two")
    if sigma.shape != distance.shape:
        raise focus.error("sigma", f"shape {sigma.shape}", f"{distance.shape}, as dist")
    if fwhm.size != distance.shape[0]:
        raise focus.error("SisFWHMAtIso", f"{fwhm.size} numbers", f"one for each of {distance.shape[0]} foci")
    if np.any(np.diff(distance, axis=1) <= 0.0):
        raise focus.error("dist", "distances that do not ascend", "ascending distances from the source")
    for name, value in (("sigma", sigma), ("SisFWHMAtIso", fwhm)):
        if value.min() <= 0.0:
            raise focus.error(name, f"{value.min():g}", "positive widths")
    return tuple(SpotFocus(float(w), d - source_mm, s) for w, d, s in zip(fwhm, distance, sigma, strict=True))


def minimum_fwhm_mm(meta: MatlabStruct, spot_spacing_mm: float) -> float:
    """Least full width at half maximum of a spot that the machine's table asks for at a spot spacing, mm.

    Raises
    ------
    InputError
        If the machine has no such table, or a wrong one.
    """
    name = next((n for n in ("LUTspotSize", "LUT_bxWidthminFWHM") if meta.has(n)), "LUT_bxWidthminFWHM")
    table = meta.array(name, finite=False)
    if table.ndim != 2 or table.shape[0] != 2 or np.any(np.isnan(table)) or np.any(np.diff(table[0]) <= 0.0):
        raise meta.error(
            name, f"shape {table.shape}", "two rows: ascending spot spacings, and the least width of each"
        )
    return float(np.interp(spot_spacing_mm, table[0], table[1]))


def choose_focus(entry: MatlabStruct, foci: tuple[SpotFocus, ...], minimum_mm: float) -> int:
    """Index of the first focus that is wider than a minimum.

    Raises
    ------
    InputError
        If none is.
    """
    for i, focus in enumerate(foci):
        if focus.fwhm_mm > minimum_mm:
            return i
    widest = max(focus.fwhm_mm for focus in foci)
    raise entry.error("initFocus.SisFWHMAtIso", f"at most {widest:g} mm", f"a focus above {minimum_mm:g} mm")
