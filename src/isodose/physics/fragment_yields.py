"""Measured yields of fragments, the data that the channel weights are fitted to.

Production cross-sections in mb of the fragments of the *projectile* on hydrogen and carbon at two
energies, with the reaction cross-section they are divided by (that of `ion_cross_sections`). Sources, by
EXFOR entry:

* one-neutron removal: activation, Horst et al. 2019 (O2553)
* B, Be, Li of 12C: Zeitlin et al. 2007 (C1581), Golovchenko et al. 2002 (O1044), Toshito et al. 2007
  (E2053; water), De Lellis et al. 2011 (E2761); where they differ the values stay nearest to those in
  water
* isotopes, H and He of 12C at 95 MeV/u: Dudouet et al. 2013 (O2170) without the target-like half of H and
  He and with that experiment's later renormalisation; at 300 MeV/u the same ratios of isotopes, and H and
  He from the build-up in water at 400 MeV/u of Haettner et al. 2006 (D0589)
* excitation of 12C and 16O below break-up: estimates, under half of what Dudouet et al. give for 12C (76 mb
  within 50 %), that leave room for the charge-changing cross-sections
* fragments of 16O: Zeitlin et al. 2011 (E2764), Webber et al. 1990 (C1546), FOOT 2022 and 2025 (D8112,
  D8111); isotopes are estimates in the manner of 12C where not measured
* 4He -> 3He: Horst et al. 2017 and 2019 (O2435, O2441) and, on hydrogen, the exclusive p + 4He data
  (E2243, O2382, A0925); the share of t and d among its hydrogen ions is not measured and is an estimate
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from isodose.physics.species import INDEX_OF_CHARGE_AND_NUCLEONS, SPECIES, Species

ENERGY_NODES_MEV_U = (95.0, 300.0)
"""Energies of the two sets; between them a set is drawn in proportion, outside the nearer one holds."""

HYDROGEN, HEAVIER = 0, 1
"""Target classes: branching ratios per reaction are the same for all targets above hydrogen within errors."""


DEFAULT_ERROR = 0.1
"""Relative standard deviation of a yield without one of its own."""

RELATIVE_ERROR = {"d": 0.2, "t": 0.2, "He3": 0.15, "He4": 0.06, "He6": 0.3, "C11": 0.05, "O15": 0.05}
"""Those of the compiled yields."""


class Yields(NamedTuple):
    """Fragments of one projectile on one target at one energy.

    ``reaction_mb`` is the reaction cross-section, ``production_mb`` the production cross-sections by species
    name, ``relative_error`` their standard deviation where it is not `DEFAULT_ERROR`.
    """

    reaction_mb: float
    production_mb: dict[str, float]
    relative_error: Mapping[str, float] = RELATIVE_ERROR


SURVIVING = ("C12", "O16")
"""Projectiles with a channel in which they are excited only (their own name among their fragments)."""

# fmt: off
MEASURED: dict[tuple[str, int, float], Yields] = {
    ("C12", HEAVIER, 300.0): Yields(800.0, {
        "C12": 25.0, "C11": 72.0, "C10": 4.3, "B11": 60.0, "B10": 43.0, "B8": 4.0, "Be10": 7.0,
        "Be9": 13.0, "Be7": 26.0, "Li8": 5.0, "Li7": 38.0, "Li6": 41.0, "He6": 15.0, "He4": 540.0,
        "He3": 105.0, "t": 80.0, "d": 240.0}),
    ("C12", HYDROGEN, 300.0): Yields(222.0, {
        "C12": 8.0, "C11": 40.5, "C10": 2.8, "B11": 30.0, "B10": 17.0, "B8": 1.0, "Be10": 1.0,
        "Be9": 2.5, "Be7": 9.5, "Li8": 0.5, "Li7": 6.5, "Li6": 8.0, "He6": 4.0, "He4": 166.0,
        "He3": 29.0, "t": 12.0, "d": 52.0}),
    ("C12", HEAVIER, 95.0): Yields(980.0, {
        "C12": 30.0, "C11": 77.0, "C10": 4.4, "B11": 74.0, "B10": 55.0, "B8": 6.0, "Be10": 8.0,
        "Be9": 15.0, "Be7": 36.0, "Li8": 6.0, "Li7": 47.0, "Li6": 52.0, "He6": 22.0, "He4": 755.0,
        "He3": 170.0, "t": 125.0, "d": 330.0}),
    ("C12", HYDROGEN, 95.0): Yields(238.0, {
        "C12": 10.0, "C11": 58.0, "C10": 3.0, "B11": 30.0, "B10": 18.0, "B8": 1.2, "Be10": 0.9,
        "Be9": 2.7, "Be7": 12.0, "Li8": 0.5, "Li7": 8.0, "Li6": 12.0, "He6": 5.0, "He4": 172.0,
        "He3": 32.0, "t": 13.0, "d": 58.0}),
    ("O16", HEAVIER, 300.0): Yields(965.0, {
        "O16": 25.0, "O15": 70.0, "O14": 2.0, "N15": 60.0, "N14": 53.0, "N13": 10.0, "C14": 8.0,
        "C13": 33.0, "C12": 75.0, "C11": 18.0, "C10": 2.0, "B11": 33.0, "B10": 30.0, "B8": 3.0,
        "Be10": 6.0, "Be9": 12.0, "Be7": 22.0, "Li8": 4.0, "Li7": 32.0, "Li6": 35.0, "He6": 15.0,
        "He4": 770.0, "He3": 120.0, "t": 100.0, "d": 290.0}),
    ("O16", HYDROGEN, 300.0): Yields(272.0, {
        "O16": 8.0, "O15": 40.0, "O14": 1.0, "N15": 32.0, "N14": 22.0, "N13": 5.0, "C14": 3.0,
        "C13": 14.0, "C12": 35.0, "C11": 9.0, "C10": 1.0, "B11": 13.0, "B10": 10.0, "B8": 0.6,
        "Be10": 1.0, "Be9": 2.5, "Be7": 6.5, "Li8": 0.5, "Li7": 6.0, "Li6": 7.5, "He6": 3.0,
        "He4": 175.0, "He3": 25.0, "t": 14.0, "d": 62.0}),
    ("O16", HEAVIER, 95.0): Yields(1150.0, {
        "O16": 30.0, "O15": 78.0, "O14": 2.4, "N15": 72.0, "N14": 64.0, "N13": 12.0, "C14": 10.0,
        "C13": 40.0, "C12": 90.0, "C11": 22.0, "C10": 2.4, "B11": 40.0, "B10": 36.0, "B8": 3.6,
        "Be10": 7.0, "Be9": 15.0, "Be7": 28.0, "Li8": 5.0, "Li7": 43.0, "Li6": 47.0, "He6": 22.0,
        "He4": 1000.0, "He3": 160.0, "t": 130.0, "d": 380.0}),
    ("O16", HYDROGEN, 95.0): Yields(290.0, {
        "O16": 10.0, "O15": 54.0, "O14": 1.2, "N15": 33.0, "N14": 23.0, "N13": 6.0, "C14": 3.0,
        "C13": 14.0, "C12": 36.0, "C11": 10.0, "C10": 1.0, "B11": 13.0, "B10": 11.0, "B8": 0.6,
        "Be10": 1.0, "Be9": 2.5, "Be7": 8.0, "Li8": 0.5, "Li7": 7.0, "Li6": 9.0, "He6": 4.0,
        "He4": 190.0, "He3": 28.0, "t": 14.0, "d": 60.0}),
    ("He4", HEAVIER, 300.0): Yields(100.0, {
        "He3": 26.0, "t": 22.0, "d": 44.0}),
    ("He4", HYDROGEN, 300.0): Yields(100.0, {
        "He3": 42.0, "t": 18.0, "d": 30.0}),
    ("He4", HEAVIER, 95.0): Yields(100.0, {
        "He3": 38.0, "t": 22.0, "d": 38.0}),
    ("He4", HYDROGEN, 95.0): Yields(100.0, {
        "He3": 50.0, "t": 10.0, "d": 30.0}),
}
# fmt: on

# Per reaction, from 12C and 16O at 300 MeV/u: removal of a neutron and of a proton, by target class
_ONE_NUCLEON_REMOVAL = {HEAVIER: (0.09, 0.08), HYDROGEN: (0.17, 0.13)}
_ALPHAS_OF_LITHIUM = 0.5
_DEUTERONS_OF_MASS_3 = 0.5
_NEIGHBOUR_ERROR = 0.3


def neighbour_yields(projectile: Species, target: int) -> Yields:
    """Estimate yields of a projectile without data of its own: one-nucleon removal as for 12C and 16O.

    Further, an alpha survives in half of the reactions of lithium and 6He, a deuteron in half of those of 3He
    and t.
    """
    expected: dict[str, float] = {}
    for share, (z, a) in zip(_ONE_NUCLEON_REMOVAL[target], ((0, 1), (1, 1)), strict=True):
        index = INDEX_OF_CHARGE_AND_NUCLEONS[projectile.charge - z, projectile.nucleons - a]
        if index >= 0 and projectile.nucleons > 4:
            expected[SPECIES[index].name] = share
    if projectile.charge in (2, 3) and projectile.nucleons >= 6:
        expected["He4"] = _ALPHAS_OF_LITHIUM
    if projectile.nucleons == 3:
        expected["d"] = _DEUTERONS_OF_MASS_3
    return Yields(1.0, expected, dict.fromkeys(expected, _NEIGHBOUR_ERROR))
