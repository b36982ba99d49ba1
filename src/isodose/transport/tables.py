"""Lookup tables of the kernels for the materials of one patient.

Everything is per g/cm2 of **water-equivalent** path: a medium enters by the ratio of its mass stopping power
to water's, so that energy along a step depends on that path alone whatever the voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from isodose.physics.constants import HBAR_C_MEV_FM
from isodose.physics.elements import ELEMENTS
from isodose.physics.fragmentation import FragmentationTables, fragmentation_tables
from isodose.physics.ion_cross_sections import reaction_cross_section
from isodose.physics.materials import Material, material
from isodose.physics.proton_cross_sections import (
    proton_elastic_cross_section,
    proton_nonelastic_cross_section,
)
from isodose.physics.proton_spectra import ProtonTables, proton_tables
from isodose.physics.ranges import csda_range, energy_of_range
from isodose.physics.scattering import (
    characteristic_angle_squared,
    scattering_constants,
    soft_scattering_power,
)
from isodose.physics.species import SPECIES, Species, species
from isodose.physics.stopping import mass_stopping_power
from isodose.physics.straggling import straggling_skewness, straggling_variance
from isodose.transport.lookup import ENERGY_OCTAVES, RANGE_OCTAVES, nodes
from isodose.transport.track_response import TrackResponse

COARSE = 4
"""Energy bins of the fine grid in one bin of the coarse grid, on which rates of events are tabulated."""

HARD_RATE = 0.2
"""Single Coulomb scatters beyond the cut angle per g/cm2 of water. Fewer would leave tails to the Gaussian,
more cost time: 0.2 makes the cut about six times the rms angle of 1 mm of water."""

_REFERENCE_MEV_U = 100.0  # where the materials' scattering is compared with water's; the ratio hardly changes
_MB = 1e-27
_CUT_MEV_U = 0.5  # below this nothing reacts


class Tables(NamedTuple):
    """What the kernels look up; float32 unless said.

    Parameters
    ----------
    loss
        Mass stopping power of water, MeV cm2/g (total), by ``[species, energy]``.
    range_, energy_of_range
        CSDA range in g/cm2 by ``[species, energy]`` and its inverse in MeV/u by ``[species, range]``.
    stopped_let
        Dose-averaged LET in water, keV/um, of a particle from this energy to rest.
    straggling
        Variance of the energy loss, MeV2 per g/cm2.
    skewness
        Skewness of the loss in 1 g/cm2.
    scattering
        Mean square space angle of multiple scattering below the cut angle, rad2 per g/cm2 of water.
    scattering_ratio
        The same of a material relative to water, by material.
    stopping_ratio
        Mass stopping power relative to water by ``[material, coarse energy]``.
    event_rate
        Discrete events per g/cm2 by ``[species, material, coarse energy]``.
    hard_rate
        Single Coulomb scatters among them, by material.
    hard_angle_2
        Square of the cut angle, rad2, by ``[species, coarse energy]``.
    nuclear_size
        Nuclear radius squared over 12 (hbar c)2, 1/MeV2, by material: times momentum squared the inverse of
        the angle squared beyond which the nucleus' form factor counts.
    reaction, elastic
        Nuclear cross-sections per atom in cm2 by ``[species, element, coarse energy]`` and, for protons,
        ``[element, coarse energy]``; float64.
    atoms
        Atoms per gram by ``[material, element]``, float64.
    normal
        Quantiles of the standard normal distribution, scaled to unit variance.
    proton, fragmentation
        Tables of the samplers of final states.
    response, response_to_rest
        What tracks add to further quantities, of `isodose.transport.track_response.TrackResponse`, by
        ``[quantity, species, energy]``.
    """

    loss: NDArray[np.float32]
    range_: NDArray[np.float32]
    energy_of_range: NDArray[np.float32]
    stopped_let: NDArray[np.float32]
    straggling: NDArray[np.float32]
    skewness: NDArray[np.float32]
    scattering: NDArray[np.float32]
    scattering_ratio: NDArray[np.float32]
    stopping_ratio: NDArray[np.float32]
    event_rate: NDArray[np.float32]
    hard_rate: NDArray[np.float32]
    hard_angle_2: NDArray[np.float32]
    nuclear_size: NDArray[np.float32]
    reaction: NDArray[np.float64]
    elastic: NDArray[np.float64]
    atoms: NDArray[np.float64]
    normal: NDArray[np.float32]
    proton: ProtonTables
    fragmentation: FragmentationTables
    response: NDArray[np.float32]
    response_to_rest: NDArray[np.float32]


def transport_tables(
    materials: Sequence[Material], rows: NDArray[np.uint8], responses: Sequence[TrackResponse] = ()
) -> tuple[Tables, NDArray[np.uint8], Callable[[str], int]]:
    """Tables for the materials that are used.

    Parameters
    ----------
    materials
        Materials by the index that ``rows`` uses; further ones (of range shifters) may follow.
    rows
        Index per voxel.
    responses
        Of further quantities.

    Returns
    -------
    tables, rows, row_of
        The tables; ``rows`` renumbered to the tables' materials; and the row of a material by its name.
    """
    used = np.unique(rows)
    beyond = [m for i, m in enumerate(materials) if i > used.max()]
    kept = [materials[i] for i in used] + beyond
    new_row = np.zeros(256, dtype=np.uint8)
    new_row[used] = np.arange(used.size, dtype=np.uint8)
    names = {m.name: k for k, m in enumerate(kept)}
    tables = _tables(tuple(kept))
    if responses:
        tables = tables._replace(
            response=np.stack([r.per_length for r in responses]),
            response_to_rest=np.stack([r.to_rest for r in responses]),
        )
    return tables, new_row[rows], names.__getitem__


@cache
def _tables(materials: tuple[Material, ...]) -> Tables:
    water = material("water")
    atoms = np.array([m.atoms_per_gram for m in materials])
    stopping = _stopping_ratio(materials)
    reaction, elastic = _cross_sections()
    nuclear = np.einsum("me,sec->smc", atoms, reaction)
    nuclear[_PROTON] += np.einsum("me,ec->mc", atoms, elastic)
    proton = SPECIES[_PROTON]
    chi = [float(characteristic_angle_squared(proton, _REFERENCE_MEV_U, m)) for m in materials]
    cut_2 = float(characteristic_angle_squared(proton, _REFERENCE_MEV_U, water)) / HARD_RATE
    at_reference = np.array([float(mass_stopping_power(proton, _REFERENCE_MEV_U, m)) for m in materials])
    per_stopping = float(mass_stopping_power(proton, _REFERENCE_MEV_U, water)) / at_reference
    hard = np.array(chi) / cut_2 * per_stopping
    soft = np.array(
        [float(soft_scattering_power(proton, _REFERENCE_MEV_U, m, cut_2**0.5)) for m in materials]
    )
    soft_water = float(soft_scattering_power(proton, _REFERENCE_MEV_U, water, cut_2**0.5))
    loss, ranges, energy_of, stopped_let, straggling, skewness, scattering = _water_tables()
    return Tables(
        loss=loss,
        range_=ranges,
        energy_of_range=energy_of,
        stopped_let=stopped_let,
        straggling=straggling,
        skewness=skewness,
        scattering=scattering,
        scattering_ratio=_single(soft / soft_water * per_stopping),
        stopping_ratio=_single(stopping),
        event_rate=_single(nuclear / stopping[None] + hard[None, :, None]),
        hard_rate=_single(hard),
        hard_angle_2=_single(_chi_of_water(_coarse_energies()) / HARD_RATE),
        nuclear_size=_single([_nuclear_size(m) for m in materials]),
        reaction=reaction,
        elastic=elastic,
        atoms=atoms,
        normal=_normal_quantiles(),
        proton=proton_tables(),
        fragmentation=fragmentation_tables(),
        response=np.zeros((0, len(SPECIES), 1), dtype=np.float32),
        response_to_rest=np.zeros((0, len(SPECIES), 1), dtype=np.float32),
    )


def _single(values: ArrayLike) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


_PROTON = species("p").index


def _coarse_energies() -> NDArray[np.float64]:
    fine = nodes(ENERGY_OCTAVES)
    return fine[COARSE // 2 :: COARSE]


def _chi_of_water(energy_mev_u: NDArray[np.float64]) -> NDArray[np.float64]:
    water = material("water")
    return np.array([characteristic_angle_squared(s, energy_mev_u, water) for s in SPECIES])


@cache
def _water_tables() -> tuple[NDArray[np.float32], ...]:
    """The tables of water that no material changes: from loss to scattering."""
    water, energy = material("water"), nodes(ENERGY_OCTAVES)
    columns = [_species_tables(s, energy, water) for s in SPECIES]
    return tuple(_single(table) for table in zip(*columns, strict=True))


def _species_tables(
    s: Species, energy: NDArray[np.float64], water: Material
) -> tuple[NDArray[np.float64], ...]:
    loss = mass_stopping_power(s, energy, water)
    slow = 0.5 * (loss[1:] + loss[:-1]) * np.diff(energy)
    mean_let = 0.1 * (np.concatenate([[0.0], np.cumsum(slow)]) + 0.5 * loss[0] * energy[0]) / energy
    cut = np.sqrt(characteristic_angle_squared(s, energy, water) / HARD_RATE)
    ranges = csda_range(s, energy, water)
    return (
        loss,
        ranges,
        energy_of_range(s, np.clip(nodes(RANGE_OCTAVES), ranges[0], ranges[-1]), water),
        mean_let,
        straggling_variance(s, energy, water),
        straggling_skewness(s, energy, water),
        soft_scattering_power(s, energy, water, cut),
    )


def _stopping_ratio(materials: Sequence[Material]) -> NDArray[np.float64]:
    water, proton, energy = material("water"), SPECIES[_PROTON], _coarse_energies()
    reference = mass_stopping_power(proton, energy, water)
    return np.array([mass_stopping_power(proton, energy, m) / reference for m in materials])


@cache
def _cross_sections() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reaction cross-sections of all species and elastic ones of protons, cm2."""
    energy = _coarse_energies()
    active = (energy >= _CUT_MEV_U) * _MB
    reaction = np.zeros((len(SPECIES), len(ELEMENTS), energy.size))
    elastic = np.zeros((len(ELEMENTS), energy.size))
    bounded = np.clip(energy, 1.0, 430.0)
    for e in ELEMENTS:
        elastic[e.index] = proton_elastic_cross_section(e, bounded) * active
        for s in SPECIES:
            if s.index == _PROTON:
                value = proton_nonelastic_cross_section(e, bounded)
            else:
                value = reaction_cross_section(s, e, bounded)
            reaction[s.index, e.index] = value * active
    return reaction, elastic


def _nuclear_size(m: Material) -> float:
    """What, times momentum squared, is the inverse square of the form factor's angle, 1/MeV2."""
    return (scattering_constants(m).radius_fm / HBAR_C_MEV_FM) ** 2 / 12.0


@cache
def _normal_quantiles() -> NDArray[np.float32]:
    """Quantiles at 4097 equally spaced probabilities; the open ends take their interval's mean distance."""
    intervals = 4096
    probability = np.clip(np.arange(intervals + 1) / intervals, 0.25 / intervals, 1.0 - 0.25 / intervals)
    quantile = ndtri(probability)
    low, high = quantile[:-1], quantile[1:]
    variance = np.mean((low**2 + low * high + high**2) / 3.0)
    return _single(quantile / np.sqrt(variance))
