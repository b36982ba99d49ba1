"""Schneider's stoichiometric conversion of Hounsfield units, as a table.

Source: Schneider, Bortfeld and Schlegel, Phys. Med. Biol. 45 (2000) 459: linear sections of density and 24
bins of composition from air to cortical bone. The paper ends near HU 1600. Two things are added to it, as
in common Monte Carlo conversions: the density goes on to HU 2995 (with 0.5 mg/cm3 per HU from 2001 on) with
the composition of cortical bone, and what lies above, up to the 3071 HU where a 12-bit CT saturates, is
titanium.
"""

from __future__ import annotations

from isodose.physics.materials import Material, material

TABLE_END_HU = 3071.0
"""Highest number of a 12-bit CT; above it the conversion refuses."""

# HU, density in g/cm3; linear in between. At a repeated HU the second value holds from there on. The paper
# gives its sections for whole numbers; here each one reaches up to the next section's first number.
DENSITY_KNOTS: tuple[tuple[float, float], ...] = (
    (-1000.0, 0.00121),
    (-98.0, 0.93),
    (-98.0, 1.018 - 0.893e-3 * 98.0),
    (15.0, 1.018 + 0.893e-3 * 15.0),
    (15.0, 1.03),
    (23.0, 1.03),
    (23.0, 1.003 + 1.169e-3 * 23.0),
    (101.0, 1.003 + 1.169e-3 * 101.0),
    (101.0, 1.017 + 0.592e-3 * 101.0),
    (2001.0, 1.017 + 0.592e-3 * 2001.0),
    (2001.0, 2.2015),
    (2995.0, 2.6985),
    (2995.0, 4.54),
    (TABLE_END_HU, 4.54),
)

_ELEMENTS = ("H", "C", "N", "O", "Na", "Mg", "P", "S", "Cl", "Ar", "K", "Ca")

# name, first HU, weight percent in the order of _ELEMENTS
_BINS: tuple[tuple[str, float, tuple[float, ...]], ...] = (
    ("air", -1000, (0, 0, 75.5, 23.2, 0, 0, 0, 0, 0, 1.3, 0, 0)),
    ("lung", -950, (10.3, 10.5, 3.1, 74.9, 0.2, 0, 0.2, 0.3, 0.3, 0, 0.2, 0)),
    ("adipose_1", -120, (11.6, 68.1, 0.2, 19.8, 0.1, 0, 0, 0.1, 0.1, 0, 0, 0)),
    ("adipose_2", -83, (11.3, 56.7, 0.9, 30.8, 0.1, 0, 0, 0.1, 0.1, 0, 0, 0)),
    ("adipose_3", -53, (11.0, 45.8, 1.5, 41.1, 0.1, 0, 0.1, 0.2, 0.2, 0, 0, 0)),
    ("adipose_4", -23, (10.8, 35.6, 2.2, 50.9, 0, 0, 0.1, 0.2, 0.2, 0, 0, 0)),
    ("adipose_5", 7, (10.6, 28.4, 2.6, 57.8, 0, 0, 0.1, 0.2, 0.2, 0, 0.1, 0)),
    ("soft_tissue", 18, (10.3, 13.4, 3.0, 72.3, 0.2, 0, 0.2, 0.2, 0.2, 0, 0.2, 0)),
    ("connective", 80, (9.4, 20.7, 6.2, 62.2, 0.6, 0, 0, 0.6, 0.3, 0, 0, 0)),
    ("bone_1", 120, (9.5, 45.5, 2.5, 35.5, 0.1, 0, 2.1, 0.1, 0.1, 0, 0.1, 4.5)),
    ("bone_2", 200, (8.9, 42.3, 2.7, 36.3, 0.1, 0, 3.0, 0.1, 0.1, 0, 0.1, 6.4)),
    ("bone_3", 300, (8.2, 39.1, 2.9, 37.2, 0.1, 0, 3.9, 0.1, 0.1, 0, 0.1, 8.3)),
    ("bone_4", 400, (7.6, 36.1, 3.0, 38.0, 0.1, 0.1, 4.7, 0.2, 0.1, 0, 0, 10.1)),
    ("bone_5", 500, (7.1, 33.5, 3.2, 38.7, 0.1, 0.1, 5.4, 0.2, 0, 0, 0, 11.7)),
    ("bone_6", 600, (6.6, 31.0, 3.3, 39.4, 0.1, 0.1, 6.1, 0.2, 0, 0, 0, 13.2)),
    ("bone_7", 700, (6.1, 28.7, 3.5, 40.0, 0.1, 0.1, 6.7, 0.2, 0, 0, 0, 14.6)),
    ("bone_8", 800, (5.6, 26.5, 3.6, 40.5, 0.1, 0.2, 7.3, 0.3, 0, 0, 0, 15.9)),
    ("bone_9", 900, (5.2, 24.6, 3.7, 41.1, 0.1, 0.2, 7.8, 0.3, 0, 0, 0, 17.0)),
    ("bone_10", 1000, (4.9, 22.7, 3.8, 41.6, 0.1, 0.2, 8.3, 0.3, 0, 0, 0, 18.1)),
    ("bone_11", 1100, (4.5, 21.0, 3.9, 42.0, 0.1, 0.2, 8.8, 0.3, 0, 0, 0, 19.2)),
    ("bone_12", 1200, (4.2, 19.4, 4.0, 42.5, 0.1, 0.2, 9.2, 0.3, 0, 0, 0, 20.1)),
    ("bone_13", 1300, (3.9, 17.9, 4.1, 42.9, 0.1, 0.2, 9.6, 0.3, 0, 0, 0, 21.0)),
    ("bone_14", 1400, (3.6, 16.5, 4.2, 43.2, 0.1, 0.2, 10.0, 0.3, 0, 0, 0, 21.9)),
    ("bone_15", 1500, (3.4, 15.5, 4.2, 43.5, 0.1, 0.2, 10.3, 0.3, 0, 0, 0, 22.5)),
)
_TITANIUM_FROM_HU = 2995.0

# Densities that stand for a bin in reports; in a patient the density of each voxel comes from DENSITY_KNOTS.
_NOMINAL_DENSITY = (
    *(0.00121, 0.26, 0.93, 0.957, 0.984, 1.011, 1.03, 1.06, 1.109),
    *(1.017 + 0.592e-3 * (hu + 50.0) for hu in (110, *range(200, 1500, 100), 1500)),
)


def composition_bins() -> tuple[tuple[float, Material], ...]:
    """First HU and material of the 24 bins and of titanium; a bin ends where the next one begins."""
    bins = [
        (
            float(first),
            Material(
                f"schneider_{name}",
                density,
                {symbol: percent / 100.0 for symbol, percent in zip(_ELEMENTS, percents, strict=True)},
            ),
        )
        for (name, first, percents), density in zip(_BINS, _NOMINAL_DENSITY, strict=True)
    ]
    return (*bins, (_TITANIUM_FROM_HU, material("titanium")))
