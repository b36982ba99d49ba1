"""Classes of particles and energy bins of the spectra.

The first ten classes and the energies to 3000 MeV are those of the cluster-dose paper (Schwarze et al.),
whose bins are given by their centres: 84 of them, in total kinetic energy; edges lie midway. Beyond, bins of
100 MeV go on to the energy of a 430 MeV/u oxygen ion. Lithium, beryllium, nitrogen and oxygen have a class
for each element, and the rare isotopes of helium, boron and carbon one each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.physics.species import SPECIES

PAPER_CLASSES = ("C12", "C11", "C10", "B11", "B10", "p", "He4", "He3", "t", "d")
"""The ten classes of the cluster-dose paper."""

CLASSES = (*PAPER_CLASSES, "Li", "Be", "N", "O", "He6", "B8", "C13", "C14")
"""All classes, in the order of spectra."""

_BY_CHARGE = {3: "Li", 4: "Be", 7: "N", 8: "O"}

PAPER_ENERGIES_MEV = np.concatenate(
    [
        np.arange(1.0, 5.0),
        np.arange(5.0, 40.0, 5.0),
        np.arange(40.0, 100.0, 10.0),
        np.arange(100.0, 1000.0, 25.0),
        np.arange(1000.0, 2000.0, 50.0),
        np.arange(2000.0, 3000.0 + 1.0, 100.0),
    ]
)
"""Centres of the paper's 84 bins, MeV of total kinetic energy."""

HIGHEST_ENERGY_MEV = 6900.0


def default_energy_edges_mev() -> NDArray[np.float64]:
    """Edges of the paper's bins, continued to 6.9 GeV; the first bin starts at 0."""
    centres = np.concatenate([PAPER_ENERGIES_MEV, np.arange(3100.0, HIGHEST_ENERGY_MEV + 1.0, 100.0)])
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[0.0], middle, [HIGHEST_ENERGY_MEV + 50.0]])


def class_of_species() -> NDArray[np.int64]:
    """Class by species index."""
    names = [_BY_CHARGE.get(s.charge, s.name) for s in SPECIES]
    return np.array([CLASSES.index(name) for name in names], dtype=np.int64)
