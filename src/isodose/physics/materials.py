"""Materials by elemental composition, and a registry of tissues, phantom and device materials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.constants import AVOGADRO
from isodose.physics.elements import ELEMENTS, element

COMPOSITION_TOLERANCE = 2e-3
"""Mass fractions may miss a sum of 1 by this much (tables in percent are rounded); they are normalised."""


@dataclass(frozen=True, init=False)
class Material:
    """A homogeneous material.

    Parameters
    ----------
    name
        What it is called in the registry and in reports.
    density_g_cm3
        Nominal mass density in g/cm3.
    composition
        Mass fraction by element symbol. Zero fractions are dropped.
    mean_excitation_ev
        Mean excitation energy in eV; ``None`` takes Bragg additivity over the elements' condensed values.

    Raises
    ------
    InputError
        If the density is not positive, an element is unknown or the fractions do not sum to 1.
    """

    name: str
    density_g_cm3: float
    composition: Mapping[str, float]
    mean_excitation_ev: float

    def __init__(
        self,
        name: str,
        density_g_cm3: float,
        composition: Mapping[str, float],
        mean_excitation_ev: float | None = None,
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "density_g_cm3", float(density_g_cm3))
        object.__setattr__(self, "composition", self._normalised(composition))
        if not (math.isfinite(self.density_g_cm3) and self.density_g_cm3 > 0.0):
            raise InputError(f"materials[{name}].density_g_cm3", density_g_cm3, "a positive density in g/cm3")
        ev = self._bragg_excitation() if mean_excitation_ev is None else float(mean_excitation_ev)
        if not (math.isfinite(ev) and ev > 0.0):
            raise InputError(f"materials[{name}].mean_excitation_ev", ev, "a positive energy in eV")
        object.__setattr__(self, "mean_excitation_ev", ev)

    def _normalised(self, composition: Mapping[str, float]) -> dict[str, float]:
        fractions = {symbol: float(w) for symbol, w in composition.items() if w != 0.0}
        total = sum(fractions.values())
        if any(w < 0.0 for w in fractions.values()) or not abs(total - 1.0) <= COMPOSITION_TOLERANCE:
            raise InputError(
                f"materials[{self.name}].composition", dict(composition), "mass fractions that sum to 1"
            )
        order = sorted(fractions, key=lambda symbol: element(symbol).charge)
        return {symbol: fractions[symbol] / total for symbol in order}

    def __hash__(self) -> int:
        return hash((self.name, self.density_g_cm3, tuple(self.composition.items()), self.mean_excitation_ev))

    def _bragg_excitation(self) -> float:
        logarithm = sum(
            w * element(s).charge / element(s).atomic_weight * math.log(element(s).condensed_excitation_ev)
            for s, w in self.composition.items()
        )
        return math.exp(logarithm / self.z_over_a)

    @cached_property
    def z_over_a(self) -> float:
        """Moles of electrons per gram."""
        return sum(w * element(s).charge / element(s).atomic_weight for s, w in self.composition.items())

    @cached_property
    def electron_density_relative(self) -> float:
        """Electrons per volume, relative to water of 1 g/cm3."""
        return self.density_g_cm3 * self.z_over_a / WATER.z_over_a

    @cached_property
    def mass_fractions(self) -> NDArray[np.float64]:
        """Mass fraction by element index."""
        fractions = np.zeros(len(ELEMENTS))
        for symbol, w in self.composition.items():
            fractions[element(symbol).index] = w
        return fractions

    @cached_property
    def atoms_per_gram(self) -> NDArray[np.float64]:
        """Atoms per gram by element index."""
        weights = np.array([e.atomic_weight for e in ELEMENTS])
        return np.asarray(self.mass_fractions * AVOGADRO / weights)

    @cached_property
    def radiation_length_g_cm2(self) -> float:
        """Radiation length in g/cm2."""
        return 1.0 / sum(w / element(s).radiation_length_g_cm2 for s, w in self.composition.items())

    @cached_property
    def scattering_length_g_cm2(self) -> float:
        """Gottschalk's scattering length in g/cm2."""
        return 1.0 / sum(w / element(s).scattering_length_g_cm2 for s, w in self.composition.items())


def _formula(**atoms: int) -> dict[str, float]:
    """Mass fractions of a chemical formula."""
    masses = {s: n * element(s).atomic_weight for s, n in atoms.items()}
    return {s: m / sum(masses.values()) for s, m in masses.items()}


def _percent(**weights: float) -> dict[str, float]:
    return {s: w / 100.0 for s, w in weights.items()}


# Tissues: compositions and densities of ICRP Publication 23 and ICRU Reports 44 and 46, I by Bragg
# additivity. The others: measured or recommended I of ICRU Reports 37, 49 and 90.
_REGISTRY = (
    Material("water", 1.0, _formula(H=2, O=1), 78.0),
    Material("air", 0.00120479, _percent(C=0.0124, N=75.5267, O=23.1781, Ar=1.2827), 85.7),
    Material("adipose", 0.95, _percent(H=11.4, C=59.8, N=0.7, O=27.8, Na=0.1, S=0.1, Cl=0.1)),
    Material("muscle", 1.05, _percent(H=10.2, C=14.3, N=3.4, O=71.0, Na=0.1, P=0.2, S=0.3, Cl=0.1, K=0.4)),
    Material("muscle_striated", 1.04, _percent(H=10.2, C=12.3, N=3.5, O=72.9, Na=0.1, P=0.2, S=0.4, K=0.3)),
    Material("lung", 0.26, _percent(H=10.5, C=8.3, N=2.3, O=77.9, Na=0.2, P=0.1, S=0.2, Cl=0.3, K=0.2)),
    Material("brain", 1.04, _percent(H=10.7, C=14.5, N=2.2, O=71.2, Na=0.2, P=0.4, S=0.2, Cl=0.3, K=0.3)),
    Material(
        "bone_cortical", 1.92, _percent(H=3.4, C=15.5, N=4.2, O=43.5, Na=0.1, Mg=0.2, P=10.3, S=0.3, Ca=22.5)
    ),
    Material("bone_compact", 1.85, _percent(H=6.4, C=27.8, N=2.7, O=41.0, Mg=0.2, P=7.0, S=0.2, Ca=14.7)),
    Material(
        "soft_tissue", 1.03, _percent(H=10.5, C=25.6, N=2.7, O=60.2, Na=0.1, P=0.2, S=0.3, Cl=0.2, K=0.2)
    ),
    Material("skin", 1.09, _percent(H=10.0, C=20.4, N=4.2, O=64.5, Na=0.2, P=0.1, S=0.2, Cl=0.3, K=0.1)),
    Material(
        "blood",
        1.06,
        _percent(H=10.2, C=11.0, N=3.3, O=74.5, Na=0.1, P=0.1, S=0.2, Cl=0.3, K=0.2, Fe=0.1),
    ),
    Material("eye_lens", 1.07, _percent(H=9.6, C=19.5, N=5.7, O=64.6, Na=0.1, P=0.1, S=0.3, Cl=0.1)),
    Material("a150", 1.127, _percent(H=10.1327, C=77.5501, N=3.5057, O=5.2316, F=1.7422, Ca=1.8378), 65.1),
    Material("b100", 1.45, _percent(H=6.5471, C=53.6945, N=2.15, O=3.2085, F=16.7411, Ca=17.6589), 85.9),
    Material("pmma", 1.19, _formula(C=5, H=8, O=2), 74.0),
    Material("lexan", 1.20, _formula(C=16, H=14, O=3), 73.1),
    Material("polystyrene", 1.06, _formula(C=8, H=8), 68.7),
    Material("polyethylene", 0.94, _formula(C=1, H=2), 57.4),
    Material("teflon", 2.20, _formula(C=1, F=2), 99.1),
    Material("graphite", 1.70, {"C": 1.0}, 81.0),
    Material("aluminium", 2.699, {"Al": 1.0}, 166.0),
    Material("titanium", 4.54, {"Ti": 1.0}, 233.0),
)

MATERIALS: dict[str, Material] = {m.name: m for m in _REGISTRY}
"""The built-in materials by name."""


WATER = MATERIALS["water"]
"""Liquid water, I = 78 eV."""


def material(name: str) -> Material:
    """Built-in material by name.

    Raises
    ------
    InputError
        If there is no built-in material of that name.
    """
    if name not in MATERIALS:
        raise InputError("material", repr(name), f"one of {', '.join(MATERIALS)}")
    return MATERIALS[name]
