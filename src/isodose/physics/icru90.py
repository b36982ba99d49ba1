"""Electronic stopping power of liquid water as recommended by ICRU Report 90 (2014), I = 78 eV.

Protons and alpha particles (unrestricted, without nuclear stopping) and carbon ions, in MeV cm2/g, each
against the particle's total kinetic energy; interpolated by a cubic spline in logarithms. Outside the
tables: proportional to velocity below, the last slope above (carbon only; the others are joined to the Bethe
formula elsewhere).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

_DECADE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
_GRID_MEV = np.array([m * 10.0**d for d in range(-3, 4) for m in _DECADE] + [1e4])

# fmt: off
_PROTON = np.array([
    133.7, 163.8, 189.1, 231.6, 267.5, 299.0, 327.6, 378.2, 422.9, 503.6, 567.3, 662.8, 729.0, 774.0, 802.6,
    824.1, 814.5, 736.0, 658.5, 543.5, 464.3, 406.5, 362.4, 299.7, 257.4, 193.4, 156.9, 116.0, 93.19, 78.42,
    68.01, 54.17, 45.32, 32.69, 25.89, 18.64, 14.79, 12.38, 10.72, 8.578, 7.250, 5.417, 4.470, 3.504, 3.018,
    2.731, 2.544,
])
_ALPHA = np.array([
    98.91, 122.8, 143.1, 177.6, 206.9, 233.0, 256.8, 299.3, 337.0, 418.1, 487.1, 603.9, 703.0, 790.5, 869.6,
    1009.0, 1131.0, 1383.0, 1582.0, 1873.0, 2062.0, 2178.0, 2240.0, 2256.0, 2190.0, 1877.0, 1599.0, 1239.0,
    1021.0, 874.7, 768.7, 623.9, 529.0, 389.4, 311.8, 226.7, 180.2, 150.6, 130.0, 103.0, 85.93, 61.94, 49.23,
    35.86, 28.85, 24.52, 21.56, 17.80, 15.50,
])
_CARBON = np.array([
    142.1, 177.3, 207.5, 258.9, 304.7, 341.6, 377.6, 441.2, 497.5, 618.3, 720.7, 893.0, 1038.0, 1166.0,
    1281.0, 1488.0, 1676.0, 2099.0, 2476.0, 3131.0, 3696.0, 4198.0, 4652.0, 5446.0, 6116.0, 7364.0, 8139.0,
    8791.0, 8708.0, 8372.0, 8029.0, 7422.0, 6926.0, 5980.0, 5284.0, 4297.0, 3627.0, 3134.0, 2750.0, 2207.0,
    1855.0, 1346.0, 1069.0, 771.7, 612.4, 512.3, 443.4, 354.0, 298.4, 221.3, 181.3, 140.2, 119.3, 106.8,
    98.60, 88.67, 83.11,
])
# fmt: on

PROTON_MAXIMUM_MEV = float(_GRID_MEV[len(_PROTON) - 1])
"""Upper end of the proton table, MeV."""

ALPHA_MAXIMUM_MEV = float(_GRID_MEV[len(_ALPHA) - 1])
"""Upper end of the alpha table, MeV."""


class _LogTable:
    """A positive function of energy, splined in logarithms."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self._low, self._value_low = _GRID_MEV[0], values[0]
        self._high = _GRID_MEV[len(values) - 1]
        self._spline = CubicSpline(np.log(_GRID_MEV[: len(values)]), np.log(values))

    def __call__(self, energy_mev: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.exp(self._spline(np.log(np.clip(energy_mev, self._low, self._high))))
        slope = float(self._spline(np.log(self._high), 1))
        above = np.maximum(energy_mev / self._high, 1.0) ** slope
        below = np.sqrt(np.minimum(energy_mev / self._low, 1.0))
        return np.asarray(inside * above * below)


proton = _LogTable(_PROTON)
"""Mass stopping power of a proton in water, MeV cm2/g, against its energy in MeV."""

alpha = _LogTable(_ALPHA)
"""Mass stopping power of an alpha particle in water, MeV cm2/g, against its total energy in MeV."""

carbon = _LogTable(_CARBON)
"""Mass stopping power of a carbon-12 ion in water, MeV cm2/g, against its total energy in MeV."""
