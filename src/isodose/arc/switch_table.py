"""What it costs to go from one energy to another: a table in seconds, asymmetric and of any shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isodose.errors import InputError


@dataclass(frozen=True, slots=True)
class SwitchPreset:
    """Switching times that do not depend on the jump.

    Parameters
    ----------
    up_s, down_s
        Time of a switch to a higher and to a lower energy, s.
    source
        Where the numbers are from.
    """

    up_s: float
    down_s: float
    source: str


SWITCH_PRESETS: dict[str, SwitchPreset] = {
    "cyclotron": SwitchPreset(
        5.5, 0.6, "OpenTPS, planOptimization/tools.py: WeightStructure.computeIrradiationTime"
    ),
    "cyclotron_slow_up": SwitchPreset(6.0, 0.6, "OpenTPS, SimpleBeamDeliveryTimings"),
    "cyclotron_fast_up": SwitchPreset(5.0, 0.5, "RaySearch, ArcTrajectoryOptimizationMethod, its defaults"),
    "synchrotron": SwitchPreset(1.91, 1.91, "Shen et al., Med Phys 44 (2017) 5081: 1.91 s per layer"),
    "layer_0.8": SwitchPreset(0.8, 0.8, "PMC10476974: 0.76 to 0.80 s per layer of a clinical machine"),
}
"""Machines by name; `SwitchTable.by_jump` and `SwitchTable` itself take measured ones."""


@dataclass(frozen=True, slots=True, eq=False)
class SwitchTable:
    """Time of every switch between a machine's energies.

    Parameters
    ----------
    energies_mev_u
        Ascending, ``(n,)``.
    seconds
        From the energy of the row to that of the column, ``(n, n)`` s; the diagonal is what delivering the
        same energy again costs, as a rule 0.
    source
        Where the numbers are from.

    Raises
    ------
    InputError
        If the table is not square, or has holes: an entry that is not a finite time of at least 0.
    """

    energies_mev_u: NDArray[np.float64]
    seconds: NDArray[np.float64]
    source: str = "given"

    def __post_init__(self) -> None:
        energies = _ascending(self.energies_mev_u)
        seconds = np.ascontiguousarray(self.seconds, dtype=np.float64)
        object.__setattr__(self, "energies_mev_u", energies)
        object.__setattr__(self, "seconds", seconds)
        if seconds.shape != (energies.size, energies.size):
            expected = f"({energies.size}, {energies.size}), one row and one column per energy"
            raise InputError("switch_table.seconds", f"shape {seconds.shape}", expected)
        holes = np.argwhere(~(np.isfinite(seconds) & (seconds >= 0.0)))
        if len(holes):
            i, j = holes[0]
            field = f"switch_table from {energies[i]:g} to {energies[j]:g} MeV/u"
            found = f"{seconds[i, j]:g}, one of {len(holes)} holes"
            raise InputError(field, found, "a finite time of at least 0 s for every pair of energies")

    @classmethod
    def up_down(
        cls, energies_mev_u: ArrayLike, up_s: float, down_s: float, source: str = "given"
    ) -> SwitchTable:
        """Table of two constants, and 0 for the same energy; errors as of `SwitchTable`."""
        energies = np.asarray(energies_mev_u, dtype=np.float64)
        n = energies.size
        ones = np.ones((n, n))
        return cls(energies, up_s * np.triu(ones, 1) + down_s * np.tril(ones, -1), source)

    @classmethod
    def preset(cls, name: str, energies_mev_u: ArrayLike) -> SwitchTable:
        """Table of one of `SWITCH_PRESETS`.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        if name not in SWITCH_PRESETS:
            raise InputError("switch_table", repr(name), f"one of {', '.join(SWITCH_PRESETS)}")
        chosen = SWITCH_PRESETS[name]
        return cls.up_down(energies_mev_u, chosen.up_s, chosen.down_s, chosen.source)

    @classmethod
    def by_jump(
        cls, energies_mev_u: ArrayLike, up: ArrayLike, down: ArrayLike, source: str = "given"
    ) -> SwitchTable:
        """Table of polynomials in the size of the jump.

        Parameters
        ----------
        energies_mev_u
            Ascending.
        up, down
            Coefficients of the time in s by ascending power of the jump in MeV/u, for switches to higher and
            to lower energies. The same energy costs 0.
        source
            Where the numbers are from.
        """
        energies = _ascending(energies_mev_u)
        jump = energies[None, :] - energies[:, None]
        rise = np.polynomial.polynomial.polyval(jump, np.asarray(up, dtype=np.float64))
        fall = np.polynomial.polynomial.polyval(-jump, np.asarray(down, dtype=np.float64))
        return cls(energies, np.where(jump > 0, rise, np.where(jump < 0, fall, 0.0)), source)

    @property
    def constants(self) -> tuple[float, float] | None:
        """Times of a switch up and down, where all are alike and the same energy costs nothing."""
        n = self.energies_mev_u.size
        above, below = self.seconds[np.triu_indices(n, 1)], self.seconds[np.tril_indices(n, -1)]
        if n < 2 or np.ptp(above) > 0.0 or np.ptp(below) > 0.0 or np.any(np.diag(self.seconds) != 0.0):
            return None
        return float(above[0]), float(below[0])

    def dynamic(self, window_s: float, spots_s: float = 0.0) -> SwitchTable:
        """Time by which a turning gantry has to wait, for a choice that heeds it.

        Parameters
        ----------
        window_s
            Time that the gantry takes from one control point to the next at full speed.
        spots_s
            Time that a layer's spots take.
        """
        waiting = np.maximum(self.seconds + spots_s - window_s, 0.0)
        return SwitchTable(self.energies_mev_u, waiting, f"{self.source}; dynamic, {window_s:g} s per step")


def _ascending(energies_mev_u: ArrayLike) -> NDArray[np.float64]:
    energies = np.ascontiguousarray(energies_mev_u, dtype=np.float64)
    if energies.ndim != 1 or not energies.size or not np.all(np.isfinite(energies) & (energies > 0.0)):
        raise InputError("switch_table.energies_mev_u", energies.tolist(), "positive energies, at least one")
    if np.any(np.diff(energies) <= 0.0):
        raise InputError("switch_table.energies_mev_u", "energies out of order", "ascending energies")
    return energies
