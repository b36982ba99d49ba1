"""Event generator of ion reactions: projectile, target element and energy in, charged products out.

One event: a break-up channel of the projectile is drawn, and, for carbon, nitrogen and oxygen targets, one of the
target; free nucleons of both sides are taken to have collided with each other (participants), clusters of the
projectile sometimes; the rest keeps the velocity of its nucleus, spread by the break-up. Nucleons and charge of the
projectile are conserved exactly, energy by scaling the kinetic energies of the participants. Momentum is
conserved in each step but not by that scaling. Meant for 30 to 430 MeV/u; below 10 MeV/u the projectile is absorbed
and its energy deposited where it is.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from isodose.physics.constants import NEUTRON_MASS_MEV
from isodose.physics.final_state import BINDING, ENERGY, LOCAL, MAX_SECONDARIES, NEUTRAL, SPECIES, UX, UY, UZ
from isodose.physics.fragment_channels import NEUTRON, FragmentationTables, fragmentation_tables
from isodose.physics.fragment_kinematics import (
    MASS,
    PX,
    PY,
    PZ,
    boost,
    break_up,
    kinetic_energy,
    rescale_kinetic_energy,
    scatter,
)
from isodose.physics.fragment_yields import ENERGY_NODES_MEV_U, HEAVIER, HYDROGEN
from isodose.physics.random import normal, uniform
from isodose.physics.species import MASS_MEV, NUCLEONS

__all__ = ["FragmentationTables", "fragment", "fragmentation_tables"]

_MASS = np.append(MASS_MEV, NEUTRON_MASS_MEV)
_NUCLEONS = np.append(NUCLEONS, 1)
_PROTON = 0
_LOW_MEV_U, _HIGH_MEV_U = ENERGY_NODES_MEV_U

_ABSORBED_BELOW_MEV_U = 10.0
_WIDTH_MEV = 100.0
"""Momentum width per nucleon of the break-up (Goldhaber: 90 MeV/c; the He of Haettner et al. need more)."""
_DEFLECTION_MEV = 82.0
"""Transverse momentum width of the whole projectile, times 1/beta: 195 MeV/c at 95 MeV/u (Van Bibber et al.)."""
_PARTICIPATION = 0.85
"""Part of the free nucleons that have collided."""
_SEPARATION_MEV = 8.0
_FERMI_MEV = 100.0
_PAULI_MEV = 150.0
"""Momentum in either nucleus below which a collision is blocked (mean Fermi momentum of the surface)."""
_TRACKED_MEV_U = 2.0
"""Target fragments slower than this are deposited locally (0.1 mm for a 4He, less for heavier)."""
_LEAST_FACTOR, _MOST_FACTOR = 0.2, 1.3
_TRIES = 20

# Probability that a cluster of A nucleons collides as a whole, and the slope of its elastic scattering, (MeV/c)^-2
_CLUSTER_PARTICIPATION = np.array([0.0, 0.0, 0.35, 0.2, 0.1])
_CLUSTER_SLOPE = np.array([0.0, 0.0, 20e-6, 25e-6, 30e-6])


@njit(cache=True)
def _draw_channel(species, target, energy_mev_u, tables, stream):  # type: ignore[no-untyped-def]
    share = (energy_mev_u - _LOW_MEV_U) / (_HIGH_MEV_U - _LOW_MEV_U)
    node = 1 if uniform(stream) < share else 0
    first, last = tables.channel_start[species], tables.channel_start[species + 1]
    row = tables.cumulative[target, node, first:last]
    return first + min(np.searchsorted(row, uniform(stream)), last - first - 1)


@njit(cache=True)
def _fill(channel, tables, kind, nucleons, momenta):  # type: ignore[no-untyped-def]
    """Write the members of a channel; returns their number."""
    first, last = tables.member_start[channel], tables.member_start[channel + 1]
    for i in range(first, last):
        member = tables.members[i]
        kind[i - first] = member
        nucleons[i - first] = _NUCLEONS[member]
        momenta[i - first, MASS] = _MASS[member]
    return last - first


@njit(cache=True)
def _target_channel(element, energy_mev_u, singles, tables, stream):  # type: ignore[no-untyped-def]
    """Break-up of a C, N or O nucleus: of three draws the one with most nearly as many free nucleons."""
    species = tables.target_species[element]
    best = _draw_channel(species, HEAVIER, energy_mev_u, tables, stream)
    for _ in range(2):
        other = _draw_channel(species, HEAVIER, energy_mev_u, tables, stream)
        if abs(tables.singles[other] - singles) < abs(tables.singles[best] - singles):
            best = other
    return best


@njit(cache=True)
def _free_nucleons(count, element, tables, kind, nucleons, momenta, stream):  # type: ignore[no-untyped-def]
    """Nucleons knocked out of a nucleus whose residue stays together; returns the recoil energy of that."""
    sx = sy = sz = 0.0
    protons = tables.target_charge[element] / tables.target_nucleons[element]
    for i in range(count):
        kind[i] = _PROTON if uniform(stream) < protons else NEUTRON
        nucleons[i] = 1
        momenta[i, MASS] = _MASS[kind[i]]
        for axis in range(3):
            momenta[i, axis] = _FERMI_MEV * normal(stream)
        sx += momenta[i, PX]
        sy += momenta[i, PY]
        sz += momenta[i, PZ]
    rest = (tables.target_nucleons[element] - count) * _MASS[_PROTON]
    return (sx * sx + sy * sy + sz * sz) / (2.0 * rest)


@njit(cache=True)
def _blocked(row, beta):  # type: ignore[no-untyped-def]
    """Whether a nucleon is within the Fermi sphere of the target or of the projectile."""
    p2 = row[PX] ** 2 + row[PY] ** 2 + row[PZ] ** 2
    if p2 < _PAULI_MEV**2:
        return True
    gamma = 1.0 / math.sqrt(1.0 - beta * beta)
    pz = gamma * (row[PZ] - beta * math.sqrt(p2 + row[MASS] ** 2))
    return row[PX] ** 2 + row[PY] ** 2 + pz * pz < _PAULI_MEV**2


@njit(cache=True)
def _collide(one, two, slope, beta, hydrogen, stream):  # type: ignore[no-untyped-def]
    """Collision of a projectile's participant with one of the target, repeated while Pauli-blocked."""
    first, second = one.copy(), two.copy()
    for _ in range(_TRIES):
        one[:], two[:] = first, second
        scatter(one, two, slope, stream)
        free = hydrogen or not _blocked(two, beta)
        if free and (slope > 0.0 or not _blocked(one, beta)):
            return


@njit(cache=True)
def _participants(kind, nucleons, count, taken, stream):  # type: ignore[no-untyped-def]
    """List in ``taken`` the members that collide; returns their number."""
    n = 0
    for i in range(count):
        a = nucleons[i]
        chance = _PARTICIPATION if a == 1 else 0.0
        if 1 < a <= 4 and kind[i] != NEUTRON:
            chance = _CLUSTER_PARTICIPATION[a]
        if chance > 0.0 and uniform(stream) < chance:
            taken[n] = i
            n += 1
    return n


@njit(cache=True)
def _spectators_to_laboratory(  # type: ignore[no-untyped-def]
    momenta, nucleons, count, struck, taken, q_value, mass, beta, stream
):
    """Deflect and slow the projectile's fragments as a whole, then boost them.

    To heat the projectile by an energy w, the target takes from it a momentum w / beta along the beam.
    """
    total = heavy = 0
    heat = -0.5 * q_value
    for i in range(count):
        total += nucleons[i]
    for i in range(count):
        spectator = True
        for j in range(struck):
            if taken[j] == i:
                spectator = False
        if spectator:
            heavy += nucleons[i]
            heat += kinetic_energy(momenta[i])
    width = _DEFLECTION_MEV / beta
    qx, qy = width * normal(stream), width * normal(stream)
    qz = -heat / beta if heavy > 0 else 0.0
    for i in range(count):
        share = nucleons[i] / total
        momenta[i, PX] += share * qx
        momenta[i, PY] += share * qy
        momenta[i, PZ] += share * qz
        boost(momenta[i], 0.0, 0.0, beta)


@njit(cache=True)
def _emit(kind, row, n, least_mev_u, out, budget):  # type: ignore[no-untyped-def]
    """Book one product: neutron, too slow or too many, or a row of ``out``; returns the number of rows."""
    kinetic = kinetic_energy(row)
    if kind == NEUTRON:
        budget[NEUTRAL] += kinetic
        return n
    if kinetic < least_mev_u * _NUCLEONS[kind] or n >= MAX_SECONDARIES or kinetic <= 0.0:
        budget[LOCAL] += kinetic
        return n
    p = math.sqrt(row[PX] ** 2 + row[PY] ** 2 + row[PZ] ** 2)
    out[n, SPECIES], out[n, ENERGY] = kind, kinetic
    out[n, UX], out[n, UY], out[n, UZ] = row[PX] / p, row[PY] / p, row[PZ] / p
    return n + 1


@njit(cache=True)
def fragment(species, energy_mev_u, element, tables, stream, out, budget):  # type: ignore[no-untyped-def]
    """Sample the products of a reaction, as `isodose.physics.final_state` describes.

    Parameters
    ----------
    species
        Index of the projectile (deuteron or heavier).
    energy_mev_u
        Its kinetic energy per nucleon.
    element
        Index of the target element.
    tables
        `FragmentationTables`.
    stream
        Random numbers, uint64 ``(1,)``.
    out
        float64 ``(MAX_SECONDARIES, 5)``, written.
    budget
        float64 ``(3,)``, written.

    Returns
    -------
    int
        Number of rows written.
    """
    energy = energy_mev_u * _NUCLEONS[species]
    budget[:] = 0.0
    hydrogen = tables.target_charge[element] == 1
    target_class = HYDROGEN if hydrogen else HEAVIER
    channel = -1
    if energy_mev_u >= _ABSORBED_BELOW_MEV_U:
        for _ in range(_TRIES):
            channel = _draw_channel(species, target_class, energy_mev_u, tables, stream)
            if -tables.q_value_mev[channel] < 0.5 * energy:
                break
            channel = -1
    if channel < 0:
        budget[LOCAL] = energy
        return 0

    kind, nucleons, momenta = np.empty(16, np.int64), np.empty(16, np.int64), np.empty((16, 4))
    kind_t, nucleons_t, momenta_t = np.empty(16, np.int64), np.empty(16, np.int64), np.empty((16, 4))
    taken, taken_t = np.empty(16, np.int64), np.empty(16, np.int64)
    count = _fill(channel, tables, kind, nucleons, momenta)
    break_up(momenta, nucleons, count, _WIDTH_MEV, stream)
    struck = _participants(kind, nucleons, count, taken, stream)
    mass = _MASS[species]
    gamma = 1.0 + energy / mass
    beta = math.sqrt(1.0 - 1.0 / (gamma * gamma))
    q_value = tables.q_value_mev[channel]
    _spectators_to_laboratory(momenta, nucleons, count, struck, taken, q_value, mass, beta, stream)

    # The target's side
    spent = -q_value
    if hydrogen:
        count_t = struck_t = 1
        kind_t[0], nucleons_t[0], taken_t[0] = _PROTON, 1, 0
        momenta_t[0, PX] = momenta_t[0, PY] = momenta_t[0, PZ] = 0.0
        momenta_t[0, MASS] = _MASS[_PROTON]
    elif tables.target_species[element] >= 0:
        other = _target_channel(element, energy_mev_u, struck, tables, stream)
        count_t = _fill(other, tables, kind_t, nucleons_t, momenta_t)
        break_up(momenta_t, nucleons_t, count_t, _WIDTH_MEV, stream)
        struck_t = _participants(kind_t, nucleons_t, count_t, taken_t, stream)
        spent -= tables.q_value_mev[other]
    else:
        count_t = struck_t = min(struck, tables.target_nucleons[element] - 1)
        budget[LOCAL] = _free_nucleons(count_t, element, tables, kind_t, nucleons_t, momenta_t, stream)
        for i in range(count_t):
            taken_t[i] = i
        spent += _SEPARATION_MEV * count_t

    # Every participant collides at least once; the shorter list is gone through again.
    collisions = max(struck, struck_t) if struck > 0 and struck_t > 0 else 0
    for i in range(collisions):
        one, two = taken[i % struck], taken_t[i % struck_t]
        slope = _CLUSTER_SLOPE[max(nucleons[one], nucleons_t[two])]
        _collide(momenta[one], momenta_t[two], slope, beta, hydrogen, stream)

    fixed = spent + budget[LOCAL]
    moving = 0.0
    for i in range(count):
        fixed += kinetic_energy(momenta[i])
    for i in range(count_t):
        fixed += kinetic_energy(momenta_t[i])
    if collisions > 0:
        for j in range(struck):
            moving += kinetic_energy(momenta[taken[j]])
        for j in range(struck_t):
            moving += kinetic_energy(momenta_t[taken_t[j]])
    fixed -= moving
    factor = 1.0
    if moving > 0.0:
        factor = min(max((energy - fixed) / moving, _LEAST_FACTOR), _MOST_FACTOR)
        for j in range(struck):
            rescale_kinetic_energy(momenta[taken[j]], factor)
        for j in range(struck_t):
            rescale_kinetic_energy(momenta_t[taken_t[j]], factor)
    rest = energy - fixed - factor * moving
    squeeze = 1.0
    if rest < 0.0:
        squeeze = (energy - spent) / (energy - spent - rest)
        rest = 0.0
        budget[LOCAL] *= squeeze
        for i in range(count):
            rescale_kinetic_energy(momenta[i], squeeze)
        for i in range(count_t):
            rescale_kinetic_energy(momenta_t[i], squeeze)
    budget[NEUTRAL] = rest
    budget[BINDING] = spent
    n = 0
    for i in range(count):
        n = _emit(kind[i], momenta[i], n, 0.0, out, budget)
    for i in range(count_t):
        n = _emit(kind_t[i], momenta_t[i], n, _TRACKED_MEV_U, out, budget)
    return n
