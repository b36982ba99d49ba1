"""The particles that are transported: hydrogen to oxygen, by the index that every kernel and table uses.

Atomic mass excesses are those of the AME2020 evaluation (Wang et al., Chin. Phys. C 45 (2021) 030003);
nuclear masses leave out the electrons (their binding, below 2 keV, is neglected).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isodose.errors import InputError
from isodose.physics.constants import ATOMIC_MASS_MEV, ELECTRON_MASS_MEV


@dataclass(frozen=True, slots=True)
class Species:
    """A nuclide as a projectile.

    Parameters
    ----------
    index
        Row in every table of this package.
    name
        ``p``, ``d``, ``t``, or symbol and mass number (``He4``, ``C12``).
    charge
        Atomic number Z.
    nucleons
        Mass number A.
    mass_mev
        Nuclear rest energy in MeV.
    """

    index: int
    name: str
    charge: int
    nucleons: int
    mass_mev: float


# name, Z, A, atomic mass excess in MeV
_NUCLIDES = (
    ("p", 1, 1, 7.28897),
    ("d", 1, 2, 13.13572),
    ("t", 1, 3, 14.94981),
    ("He3", 2, 3, 14.93121),
    ("He4", 2, 4, 2.42492),
    ("He6", 2, 6, 17.59210),
    ("Li6", 3, 6, 14.08688),
    ("Li7", 3, 7, 14.90711),
    ("Li8", 3, 8, 20.94580),
    ("Be7", 4, 7, 15.76899),
    ("Be9", 4, 9, 11.34845),
    ("Be10", 4, 10, 12.60749),
    ("B8", 5, 8, 22.92160),
    ("B10", 5, 10, 12.05061),
    ("B11", 5, 11, 8.66771),
    ("C10", 6, 10, 15.69867),
    ("C11", 6, 11, 10.64939),
    ("C12", 6, 12, 0.0),
    ("C13", 6, 13, 3.12501),
    ("C14", 6, 14, 3.01989),
    ("N13", 7, 13, 5.34548),
    ("N14", 7, 14, 2.86342),
    ("N15", 7, 15, 0.10144),
    ("O14", 8, 14, 8.00778),
    ("O15", 8, 15, 2.85560),
    ("O16", 8, 16, -4.73700),
)

SPECIES: tuple[Species, ...] = tuple(
    Species(i, name, z, a, a * ATOMIC_MASS_MEV + excess - z * ELECTRON_MASS_MEV)
    for i, (name, z, a, excess) in enumerate(_NUCLIDES)
)
"""All transported species, in the order of their index."""

CHARGE = np.array([s.charge for s in SPECIES], dtype=np.int64)
"""Atomic number by species index."""

NUCLEONS = np.array([s.nucleons for s in SPECIES], dtype=np.int64)
"""Mass number by species index."""

MASS_MEV = np.array([s.mass_mev for s in SPECIES], dtype=np.float64)
"""Nuclear rest energy in MeV by species index."""

INDEX_OF_CHARGE_AND_NUCLEONS = np.full((9, 17), -1, dtype=np.int64)
"""Species index by ``[Z, A]``; -1 where the nuclide is not transported."""
for _s in SPECIES:
    INDEX_OF_CHARGE_AND_NUCLEONS[_s.charge, _s.nucleons] = _s.index

IONS: dict[str, str] = {"proton": "p", "helium": "He4", "carbon": "C12", "oxygen": "O16"}
"""Names of the therapeutic beams, and the species that they are made of."""

_BY_NAME = {s.name: s for s in SPECIES}


def species(name: str) -> Species:
    """Species by name.

    Raises
    ------
    InputError
        If the name is not that of a transported species.
    """
    if name not in _BY_NAME:
        raise InputError("species", repr(name), f"one of {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
