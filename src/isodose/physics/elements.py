"""Chemical elements of tissues and devices, by the index that every cross-section table uses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isodose.errors import InputError
from isodose.physics.constants import AVOGADRO, ELECTRON_RADIUS_CM, FINE_STRUCTURE

_WATER_MEAN_EXCITATION_EV = 78.0  # ICRU Report 90


def _oxygen_of_water() -> float:
    """I of oxygen that gives water its 78 eV by Bragg additivity (two of ten electrons are hydrogen's)."""
    return math.exp((math.log(_WATER_MEAN_EXCITATION_EV) - 0.2 * math.log(19.2)) / 0.8)


# symbol, Z, standard atomic weight (IUPAC 2021, abridged), I of the pure element in eV (ICRU Report 37)
_ELEMENTS = (
    ("H", 1, 1.008, 19.2),
    ("He", 2, 4.0026, 41.8),
    ("Li", 3, 6.94, 40.0),
    ("Be", 4, 9.0122, 63.7),
    ("B", 5, 10.81, 76.0),
    ("C", 6, 12.011, 81.0),
    ("N", 7, 14.007, 82.0),
    ("O", 8, 15.999, 95.0),
    ("F", 9, 18.998, 115.0),
    ("Ne", 10, 20.180, 137.0),
    ("Na", 11, 22.990, 149.0),
    ("Mg", 12, 24.305, 156.0),
    ("Al", 13, 26.982, 166.0),
    ("Si", 14, 28.085, 173.0),
    ("P", 15, 30.974, 173.0),
    ("S", 16, 32.06, 180.0),
    ("Cl", 17, 35.45, 174.0),
    ("Ar", 18, 39.95, 188.0),
    ("K", 19, 39.098, 190.0),
    ("Ca", 20, 40.078, 191.0),
    ("Ti", 22, 47.867, 233.0),
    ("Fe", 26, 55.845, 286.0),
    ("I", 53, 126.90, 491.0),
)

# I in eV that an element brings into a liquid or solid compound (Seltzer and Berger 1982, ICRU Report 37);
# every other element brings 1.13 times its own. Oxygen (106 eV there) is raised with water's I from 75 to 78
# eV, so that tissues, mostly water, stay consistent with water itself (Doolan et al. 2015 show why that
# matters).
_CONDENSED_EV = {
    "H": 19.2,
    "He": 41.8,
    "C": 81.0,
    "N": 82.0,
    "O": _oxygen_of_water(),
    "F": 112.0,
    "Ne": 137.0,
    "Cl": 180.0,
    "Ar": 188.0,
}
_CONDENSED_FACTOR = 1.13

# Complete-screening logarithms of the lightest elements (Tsai 1974; Review of Particle Physics)
_RADIATION_LOGARITHMS = {1: (5.31, 6.144), 2: (4.79, 5.621), 3: (4.74, 5.805), 4: (4.71, 5.924)}


@dataclass(frozen=True, slots=True)
class Element:
    """A chemical element of natural isotopic composition.

    Parameters
    ----------
    index
        Row in every table by element of this package.
    symbol
        Chemical symbol.
    charge
        Atomic number Z.
    atomic_weight
        Standard atomic weight, g/mol.
    mean_excitation_ev
        Mean excitation energy of the pure element in eV (ICRU Report 37).
    condensed_excitation_ev
        Mean excitation energy in eV that it contributes to a liquid or solid compound.
    """

    index: int
    symbol: str
    charge: int
    atomic_weight: float
    mean_excitation_ev: float
    condensed_excitation_ev: float

    @property
    def radiation_length_g_cm2(self) -> float:
        """Radiation length in g/cm2 (Tsai, Rev. Mod. Phys. 46 (1974) 815)."""
        Z = self.charge
        a2 = (FINE_STRUCTURE * Z) ** 2
        coulomb = a2 * (1.0 / (1.0 + a2) + 0.20206 - 0.0369 * a2 + 0.0083 * a2**2 - 0.002 * a2**3)
        elastic, inelastic = _RADIATION_LOGARITHMS.get(
            Z, (math.log(184.15 * Z ** (-1 / 3)), math.log(1194.0 * Z ** (-2 / 3)))
        )
        unit = 4.0 * FINE_STRUCTURE * ELECTRON_RADIUS_CM**2 * AVOGADRO / self.atomic_weight
        return 1.0 / (unit * (Z**2 * (elastic - coulomb) + Z * inelastic))

    @property
    def scattering_length_g_cm2(self) -> float:
        """Scattering length in g/cm2 (Gottschalk, Med. Phys. 37 (2010) 352)."""
        A, Z = self.atomic_weight, self.charge
        unit = FINE_STRUCTURE * AVOGADRO * ELECTRON_RADIUS_CM**2 * Z**2 / A
        return 1.0 / (unit * (2.0 * math.log(33219.0 * (A * Z) ** (-1 / 3)) - 1.0))


ELEMENTS: tuple[Element, ...] = tuple(
    Element(i, symbol, Z, weight, ev, _CONDENSED_EV.get(symbol, _CONDENSED_FACTOR * ev))
    for i, (symbol, Z, weight, ev) in enumerate(_ELEMENTS)
)
"""All elements, in the order of their index."""

_BY_SYMBOL = {e.symbol: e for e in ELEMENTS}


def element(symbol: str) -> Element:
    """Element by its symbol.

    Raises
    ------
    InputError
        If there is no such element in the tables.
    """
    if symbol not in _BY_SYMBOL:
        raise InputError("element", repr(symbol), f"one of {', '.join(_BY_SYMBOL)}")
    return _BY_SYMBOL[symbol]
