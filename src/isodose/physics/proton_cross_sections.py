"""How often protons meet nuclei: non-elastic and nuclear elastic cross-sections, 1 to 430 MeV, in millibarn.

Non-elastic: evaluated values of ICRU Report 63 for C, N, O, Al, Si, P, Ca and Fe; other elements lie between
their neighbours by Letaw's scaling with mass, A^0.7 (Letaw, Silberberg and Tsao, Astrophys. J. Suppl. 51
(1983) 271), whose energy dependence also extends every element above the tables. Hydrogen has none (pion
production is neglected).

Elastic: what the data of ICRU Report 63 hold beyond Coulomb scattering by a nucleus of finite size
(`scattering`), which is sampled apart. On nuclei it is the form of `proton_elastic`, normalised so that both
together give the report's cross-section beyond 10 degrees (20 degrees on P and Ca at 20 MeV); on hydrogen
the fit of Fippel and Soukup (Med. Phys. 31 (2004) 2263). Below 10 MeV, where the proton has less than 1.3 mm
to go, elastic scattering fades out and is gone at 5 MeV.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from isodose.physics.constants import AVOGADRO
from isodose.physics.elements import Element

FloatArray = NDArray[np.float64]

ANCHOR_ELEMENTS = ("C", "N", "O", "Al", "Si", "P", "Ca", "Fe")
"""Elements that ICRU Report 63 evaluates and the tables hold."""

ANCHOR_WEIGHTS = np.array([12.011, 14.007, 15.999, 26.982, 28.085, 30.974, 40.078, 55.845])
"""Their atomic weights, g/mol."""

_THRESHOLD_MEV = {"C": 4.9, "N": 2.5, "O": 6.0, "Al": 2.0, "Si": 3.5, "P": 3.0, "Ca": 5.0, "Fe": 4.0}
_MASS_POWER = 0.7  # Letaw

_ELASTIC_MEV = np.array([20.0, 30.0, 50.0, 70.0, 100.0, 120.0, 150.0, 200.0, 250.0])
_ELASTIC_WEIGHTS = np.array([12.011, 14.007, 15.999, 26.982, 30.974, 40.078])
_ELASTIC_MB = np.array(
    [
        [693.0, 602.0, 378.0, 273.0, 150.0, 107.0, 68.2, 43.7, 46.2],
        [820.0, 699.0, 431.0, 299.0, 167.0, 119.0, 76.6, 50.0, 53.3],
        [740.0, 629.0, 392.0, 285.0, 160.0, 116.0, 77.1, 54.2, 65.0],
        [559.0, 708.0, 559.0, 437.0, 259.0, 192.0, 126.0, 85.7, 95.0],
        [464.0, 630.0, 620.0, 460.0, 278.0, 207.0, 136.0, 94.2, 104.0],
        [493.0, 509.0, 589.0, 493.0, 306.0, 231.0, 154.0, 108.0, 124.0],
    ]
)
_ELASTIC_GONE_MEV, _ELASTIC_FULL_MEV = 5.0, 10.0
_FIPPEL_VALID_TO_MEV = 300.0  # its linear term would go on rising; measured p-p elastic stays at 24 mb


@cache
def icru63_table() -> dict[str, FloatArray]:
    """Integrals of ICRU Report 63 by element: one row an energy, columns as in ``data/icru63_proton.csv``.

    Returns
    -------
    dict
        For each of `ANCHOR_ELEMENTS` an array ``(energies, 9)``: energy in MeV, non-elastic cross-section in
        mb (nan where left out), multiplicity and mean energy in MeV of p, d, He4, the recoils' energy
        fraction.
    """
    text = (files("isodose.physics") / "data" / "icru63_proton.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows: dict[str, list[list[float]]] = {}
    for row in csv.reader(lines[1:]):
        rows.setdefault(row[0], []).append([float(x) if x else np.nan for x in row[1:]])
    return {symbol: np.array(values) for symbol, values in rows.items()}


def _letaw(energy_mev: FloatArray) -> FloatArray:
    """Energy dependence of Letaw's cross-section, 1 at high energy."""
    return np.asarray(1.0 - 0.62 * np.exp(-energy_mev / 200.0) * np.sin(10.9 * energy_mev**-0.28))


@cache
def _anchor_curve(symbol: str) -> tuple[PchipInterpolator, float, float, float]:
    """Interpolator of mb in ln(energy), threshold, last energy and last value of an anchor."""
    table = icru63_table()[symbol]
    known = np.isfinite(table[:, 1])
    energy, value = table[known, 0], table[known, 1]
    threshold = _THRESHOLD_MEV[symbol]
    curve = PchipInterpolator(np.log(np.append(threshold, energy)), np.append(0.0, value), extrapolate=False)
    return curve, threshold, float(energy[-1]), float(value[-1])


def _anchor_nonelastic(symbol: str, energy_mev: FloatArray) -> FloatArray:
    curve, threshold, last, last_mb = _anchor_curve(symbol)
    inside = np.asarray(curve(np.log(np.clip(energy_mev, threshold, last))))
    beyond = last_mb * _letaw(energy_mev) / _letaw(np.array(last))
    return np.where(energy_mev > last, beyond, inside)


def _between(weights: FloatArray, atomic_weight: float) -> tuple[int, int, float]:
    """Neighbouring anchors (low, high) of an atomic weight and the share of the high one, in ln A."""
    high = int(np.clip(np.searchsorted(weights, atomic_weight), 1, len(weights) - 1))
    low = high - 1
    share = np.log(atomic_weight / weights[low]) / np.log(weights[high] / weights[low])
    return low, high, float(np.clip(share, 0.0, 1.0))


def neighbouring_anchors(element: Element) -> tuple[int, int, float]:
    """Rows of `ANCHOR_ELEMENTS` an element lies between and the share of the second.

    Elements lighter than carbon or heavier than iron take the last anchor alone.
    """
    return _between(ANCHOR_WEIGHTS, element.atomic_weight)


def proton_nonelastic_cross_section(element: Element, energy_mev: ArrayLike) -> FloatArray:
    """Non-elastic cross-section of protons.

    Parameters
    ----------
    element
        Target.
    energy_mev
        Kinetic energy in MeV, any shape, 1 to 430.

    Returns
    -------
    ndarray
        Cross-section in mb, of the shape of ``energy_mev``; zero on hydrogen and below the threshold.
    """
    energy = np.asarray(energy_mev, dtype=np.float64)
    if element.charge == 1:
        return np.zeros_like(energy)
    low, high, share = neighbouring_anchors(element)
    total = np.zeros_like(energy)
    for row, weight in ((low, 1.0 - share), (high, share)):
        scale = (element.atomic_weight / ANCHOR_WEIGHTS[row]) ** _MASS_POWER
        total = total + weight * scale * _anchor_nonelastic(ANCHOR_ELEMENTS[row], energy)
    return total


def proton_elastic_cross_section(element: Element, energy_mev: ArrayLike) -> FloatArray:
    """Nuclear elastic cross-section of protons, without Coulomb scattering.

    Parameters
    ----------
    element
        Target.
    energy_mev
        Kinetic energy in MeV, any shape, 1 to 430.

    Returns
    -------
    ndarray
        Cross-section in mb, of the shape of ``energy_mev``.
    """
    energy = np.asarray(energy_mev, dtype=np.float64)
    onset = np.clip((energy - _ELASTIC_GONE_MEV) / (_ELASTIC_FULL_MEV - _ELASTIC_GONE_MEV), 0.0, 1.0)
    if element.charge == 1:
        x = np.clip(energy, _ELASTIC_FULL_MEV, _FIPPEL_VALID_TO_MEV)
        cm2_per_g_hydrogen = (0.315 * x**-1.126 + 3.78e-6 * x) / 0.1119
        return onset * cm2_per_g_hydrogen * element.atomic_weight / AVOGADRO * 1e27
    low, high, share = _between(_ELASTIC_WEIGHTS, element.atomic_weight)
    total = np.zeros_like(energy)
    for row, weight in ((low, 1.0 - share), (high, share)):
        scale = (element.atomic_weight / _ELASTIC_WEIGHTS[row]) ** _MASS_POWER
        curve = PchipInterpolator(np.log(_ELASTIC_MEV), np.log(_ELASTIC_MB[row]))
        inside = np.clip(energy, _ELASTIC_MEV[0], _ELASTIC_MEV[-1])
        total = total + weight * scale * np.exp(curve(np.log(inside)))
    return onset * total
