"""A nuclear reaction: which nucleus is hit, and the model that samples what comes out."""

from __future__ import annotations

from numba import njit

from isodose.physics.final_state import BINDING, LOCAL, NEUTRAL
from isodose.physics.fragmentation import fragment
from isodose.physics.proton_elastic import proton_elastic
from isodose.physics.proton_nonelastic import proton_nonelastic
from isodose.physics.random import uniform
from isodose.physics.species import NUCLEONS, species
from isodose.transport.lookup import energy_bin

_PROTON = species("p").index


@njit(cache=True)
def _target(weights, share, coarse, part):  # type: ignore[no-untyped-def]
    """Element at a part, 0 to 1, of the sum of atoms times cross-sections; -1 where the sum ends before."""
    for element in range(weights.size):
        part -= weights[element] * share[element, coarse]
        if part <= 0.0:
            return element
    return -1


@njit(cache=True)
def react(particle, energy_mev_u, material, tables, stream, products, account):  # type: ignore[no-untyped-def]
    """Sample a nuclear reaction of a particle in a material.

    Returns
    -------
    tuple of int and bool
        Number of products, and whether the reaction was inelastic.
    """
    account[LOCAL] = account[NEUTRAL] = account[BINDING] = 0.0
    fine, _ = energy_bin(energy_mev_u)
    coarse = fine >> 2
    atoms = tables.atoms[material]
    inelastic = 0.0
    for element in range(atoms.size):
        inelastic += atoms[element] * tables.reaction[particle, element, coarse]
    total = inelastic
    if particle == _PROTON:
        for element in range(atoms.size):
            total += atoms[element] * tables.elastic[element, coarse]
    part = uniform(stream) * total
    if part > inelastic:
        element = _target(atoms, tables.elastic, coarse, part - inelastic)
        return proton_elastic(energy_mev_u, element, tables.proton, stream, products, account), False
    element = _target(atoms, tables.reaction[particle], coarse, part)
    if element < 0:
        products[0, 0], products[0, 1] = particle, energy_mev_u * NUCLEONS[particle]
        products[0, 2], products[0, 3], products[0, 4] = 0.0, 0.0, 1.0
        return 1, False
    if particle == _PROTON:
        return proton_nonelastic(energy_mev_u, element, tables.proton, stream, products, account), True
    return fragment(particle, energy_mev_u, element, tables.fragmentation, stream, products, account), True
