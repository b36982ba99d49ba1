"""Event generator of ion reactions: projectile, target element and energy in, charged products out.

One event: a break-up channel of the projectile is drawn, and, for carbon, nitrogen and oxygen targets, one
of the target; most free nucleons of both sides are taken to have collided with each other (participants),
clusters sometimes; the rest keeps the velocity of its nucleus, spread by the break-up. Nucleons and charge
of the projectile are conserved exactly, energy by scaling the kinetic energies of the participants.
Momentum is conserved in each step but not by that scaling. Meant for 30 to 430 MeV/u; below 10 MeV/u the
projectile is absorbed and its energy deposited where it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

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
_MOST_MEMBERS = 16

_ABSORBED_BELOW_MEV_U = 10.0
_WIDTH_MEV = 100.0
"""Momentum width per nucleon of the break-up (Goldhaber: 90 MeV/c; the He of Haettner et al. need more)."""
_DEFLECTION_MEV = 82.0
"""Transverse momentum width of the whole projectile, times its beta: 195 MeV/c at 95 MeV/u (Van Bibber et
al., Phys. Rev. Lett. 43 (1979) 840)."""
_PARTICIPATION = 0.6
"""Part of the free nucleons that have collided; fits the hydrogen ions of Haettner et al. within 10 degrees
(EXFOR D0589) and the protons of Mattei et al. at 60 and 90 degrees (EXFOR O2628)."""
_EXCITATION_MEV = 5.0
"""Photon energy of a projectile that survives excited (first levels: 12C 4.4 MeV, 16O 6 to 7 MeV)."""
_SEPARATION_MEV = 8.0
"""Energy to free one nucleon of a target whose break-up is not followed."""
_RESIDUE_MEV = 4.0
"""Energy per freed nucleon that such a residue spends on slow charged particles: the energies of alphas and
recoils of p + Ca at 150 MeV in ICRU Report 63 (8 MeV) for two collisions."""
_FERMI_MEV = 100.0
"""Momentum width of such a nucleon."""
_PAULI_MEV = 150.0
"""Momentum in either nucleus below which a collision is blocked (mean Fermi momentum of the surface)."""
_TRACKED_MEV_U = 2.0
"""Target fragments slower than this are deposited locally (0.1 mm for a 4He, less for heavier)."""
_AFFORDABLE = 0.4
"""Part of the projectile's energy that the break-up of either nucleus may cost."""
_LEAST_FACTOR, _MOST_FACTOR = 0.2, 1.3
"""Limits of the scaling of the participants' energies."""
_TRIES = 20

# Probability that a cluster of A nucleons collides as a whole, and the slope of that scattering in (MeV/c)^-2
_CLUSTER_PARTICIPATION = np.array([0.0, 0.0, 0.35, 0.2, 0.1])
_CLUSTER_SLOPE = np.array([0.0, 0.0, 20e-6, 25e-6, 30e-6])

COUNT, STRUCK = 0, 1


class Side(NamedTuple):
    """Fragments of one of the two nuclei while an event is made.

    Attributes
    ----------
    size
        int64 ``(2,)``: ``COUNT`` of fragments, ``STRUCK`` ones among them.
    kind
        int64: species index or `NEUTRON`.
    nucleons
        int64: mass number.
    momenta
        float64 ``(fragments, 4)``, see `fragment_kinematics`.
    struck
        int64: positions of the participants.
    """

    size: np.ndarray
    kind: np.ndarray
    nucleons: np.ndarray
    momenta: np.ndarray
    struck: np.ndarray


@njit(cache=True)
def _empty_side():  # type: ignore[no-untyped-def]
    return Side(
        np.zeros(2, np.int64),
        np.empty(_MOST_MEMBERS, np.int64),
        np.empty(_MOST_MEMBERS, np.int64),
        np.zeros((_MOST_MEMBERS, 4)),
        np.empty(_MOST_MEMBERS, np.int64),
    )


@njit(cache=True)
def _put(side, kind):  # type: ignore[no-untyped-def]
    """Append a fragment without momentum; returns its position."""
    i = side.size[COUNT]
    side.kind[i], side.nucleons[i], side.momenta[i, MASS] = kind, _NUCLEONS[kind], _MASS[kind]
    side.size[COUNT] = i + 1
    return i


@njit(cache=True)
def _strike(side, i):  # type: ignore[no-untyped-def]
    side.struck[side.size[STRUCK]] = i
    side.size[STRUCK] += 1


@njit(cache=True)
def _draw_channel(species, target, energy_mev_u, tables, stream):  # type: ignore[no-untyped-def]
    share = (energy_mev_u - _LOW_MEV_U) / (_HIGH_MEV_U - _LOW_MEV_U)
    node = 1 if uniform(stream) < share else 0
    first, last = tables.channel_start[species], tables.channel_start[species + 1]
    row = tables.cumulative[target, node, first:last]
    return first + min(np.searchsorted(row, uniform(stream)), last - first - 1)


@njit(cache=True)
def _affordable_channel(species, target, energy_mev_u, tables, stream):  # type: ignore[no-untyped-def]
    """Break-up of the projectile that its energy suffices for, -1 if there is none."""
    energy = energy_mev_u * _NUCLEONS[species]
    if energy_mev_u >= _ABSORBED_BELOW_MEV_U:
        for _ in range(_TRIES):
            channel = _draw_channel(species, target, energy_mev_u, tables, stream)
            if -tables.q_value_mev[channel] < _AFFORDABLE * energy:
                return channel
    return -1


@njit(cache=True)
def _target_channel(element, energy_mev_u, energy, singles, tables, stream):  # type: ignore[no-untyped-def]
    """Break-up of a C, N or O nucleus: of three draws the one with free nucleons nearest to ``singles``."""
    species = tables.target_species[element]
    if species < 0:
        return -1
    best = _draw_channel(species, HEAVIER, energy_mev_u, tables, stream)
    for _ in range(2):
        other = _draw_channel(species, HEAVIER, energy_mev_u, tables, stream)
        if abs(tables.singles[other] - singles) < abs(tables.singles[best] - singles):
            best = other
    return best if -tables.q_value_mev[best] < _AFFORDABLE * energy else -1


@njit(cache=True)
def _break_up_by_channel(side, channel, tables, stream):  # type: ignore[no-untyped-def]
    """Fill a side with the members of a channel, at the rest frame's momenta, and choose the participants."""
    for i in range(tables.member_start[channel], tables.member_start[channel + 1]):
        _put(side, tables.members[i])
    count = side.size[COUNT]
    if count > 1:
        break_up(side.momenta, side.nucleons, count, _WIDTH_MEV, stream)
    for i in range(count):
        a = side.nucleons[i]
        chance = 0.0
        if a == 1:
            chance = _PARTICIPATION
        elif a <= 4:
            chance = _CLUSTER_PARTICIPATION[a]
        if chance > 0.0 and uniform(stream) < chance:
            _strike(side, i)


@njit(cache=True)
def _to_laboratory(side, q_value, beta, stream):  # type: ignore[no-untyped-def]
    """Deflect and slow the projectile's fragments as a whole, then boost them.

    To heat the projectile by an energy w, the target takes from it a momentum w / beta along the beam.
    """
    total = 0
    heat = -0.5 * q_value
    for i in range(side.size[COUNT]):
        total += side.nucleons[i]
        heat += kinetic_energy(side.momenta[i])
    for j in range(side.size[STRUCK]):
        heat -= kinetic_energy(side.momenta[side.struck[j]])
    width = _DEFLECTION_MEV / beta * math.sqrt(-0.5 * math.log(uniform(stream) * uniform(stream)))
    qx, qy, qz = width * normal(stream), width * normal(stream), -heat / beta
    for i in range(side.size[COUNT]):
        share = side.nucleons[i] / total
        side.momenta[i, PX] += share * qx
        side.momenta[i, PY] += share * qy
        side.momenta[i, PZ] += share * qz
        boost(side.momenta[i], 0.0, 0.0, beta)


@njit(cache=True)
def _knock_out(side, count, charge, nucleons, stream):  # type: ignore[no-untyped-def]
    """Free nucleons of a target whose residue stays together; returns the recoil energy of that."""
    for _ in range(count):
        kind = _PROTON if uniform(stream) * nucleons < charge else NEUTRON
        i = _put(side, kind)
        for axis in range(3):
            side.momenta[i, axis] = _FERMI_MEV * normal(stream)
        _strike(side, i)
    p2 = 0.0
    for axis in range(3):
        p2 += np.sum(side.momenta[:count, axis]) ** 2
    return p2 / (2.0 * (nucleons - count) * _MASS[_PROTON])


@njit(cache=True)
def _break_up_target(side, element, energy_mev_u, energy, struck, tables, stream, budget):  # type: ignore[no-untyped-def]
    """Fill the target's side, at rest in the laboratory; returns the energy that its break-up costs."""
    charge, nucleons = tables.target_charge[element], tables.target_nucleons[element]
    if charge == 1:
        _strike(side, _put(side, _PROTON))
        return 0.0
    channel = _target_channel(element, energy_mev_u, energy, struck, tables, stream)
    if channel >= 0:
        _break_up_by_channel(side, channel, tables, stream)
        return -tables.q_value_mev[channel]
    count = min(struck, int(_AFFORDABLE * energy / _SEPARATION_MEV), nucleons - 1)
    budget[LOCAL] += _RESIDUE_MEV * count + _knock_out(side, count, charge, nucleons, stream)
    return _SEPARATION_MEV * count


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
def _collide_all(projectile, target, beta, hydrogen, stream):  # type: ignore[no-untyped-def]
    """Every participant collides at least once; the shorter list is gone through again."""
    m, n = projectile.size[STRUCK], target.size[STRUCK]
    if m == 0 or n == 0:
        projectile.size[STRUCK] = target.size[STRUCK] = 0
        return
    for i in range(max(m, n)):
        one, two = projectile.struck[i % m], target.struck[i % n]
        slope = _CLUSTER_SLOPE[max(projectile.nucleons[one], target.nucleons[two])]
        _collide(projectile.momenta[one], target.momenta[two], slope, beta, hydrogen, stream)


@njit(cache=True)
def _energies(side):  # type: ignore[no-untyped-def]
    """Kinetic energy of all fragments of a side, and of its participants."""
    every = struck = 0.0
    for i in range(side.size[COUNT]):
        every += kinetic_energy(side.momenta[i])
    for j in range(side.size[STRUCK]):
        struck += kinetic_energy(side.momenta[side.struck[j]])
    return every, struck


@njit(cache=True)
def _scale(side, participants, others):  # type: ignore[no-untyped-def]
    """Multiply the kinetic energies of the participants and of the other fragments."""
    for j in range(side.size[STRUCK]):
        rescale_kinetic_energy(side.momenta[side.struck[j]], participants / others)
    for i in range(side.size[COUNT]):
        rescale_kinetic_energy(side.momenta[i], others)


@njit(cache=True)
def _balance(projectile, target, available, budget):  # type: ignore[no-untyped-def]
    """Scale kinetic energies so that all of them are what is available; what is left over goes to photons."""
    every, struck = _energies(projectile)
    every_t, struck_t = _energies(target)
    moving = struck + struck_t
    fixed = every + every_t - moving + budget[LOCAL]
    factor = 1.0
    if moving > 0.0:
        factor = min(max((available - fixed) / moving, _LEAST_FACTOR), _MOST_FACTOR)
    rest = available - fixed - factor * moving
    squeeze = 1.0
    if rest < 0.0:
        squeeze = available / (available - rest)
        rest = 0.0
    budget[LOCAL] *= squeeze
    budget[NEUTRAL] += rest
    _scale(projectile, factor * squeeze, squeeze)
    _scale(target, factor * squeeze, squeeze)


@njit(cache=True)
def _emit(side, n, least_mev_u, out, budget):  # type: ignore[no-untyped-def]
    """Book the fragments of a side to the budget or to rows of ``out``; returns the number of rows."""
    for i in range(side.size[COUNT]):
        row, kind = side.momenta[i], side.kind[i]
        kinetic = kinetic_energy(row)
        if kind == NEUTRON:
            budget[NEUTRAL] += kinetic
        elif kinetic <= least_mev_u * side.nucleons[i] or n >= MAX_SECONDARIES:
            budget[LOCAL] += kinetic
        else:
            p = math.sqrt(row[PX] ** 2 + row[PY] ** 2 + row[PZ] ** 2)
            out[n, SPECIES], out[n, ENERGY] = kind, kinetic
            out[n, UX], out[n, UY], out[n, UZ] = row[PX] / p, row[PY] / p, row[PZ] / p
            n += 1
    return n


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
    channel = _affordable_channel(species, HYDROGEN if hydrogen else HEAVIER, energy_mev_u, tables, stream)
    if channel < 0:
        budget[LOCAL] = energy
        return 0
    gamma = 1.0 + energy / _MASS[species]
    beta = math.sqrt(1.0 - 1.0 / (gamma * gamma))
    projectile, target = _empty_side(), _empty_side()
    q_value = tables.q_value_mev[channel]
    _break_up_by_channel(projectile, channel, tables, stream)
    _to_laboratory(projectile, q_value, beta, stream)
    struck = projectile.size[STRUCK]
    cost = _break_up_target(target, element, energy_mev_u, energy, struck, tables, stream, budget)
    _collide_all(projectile, target, beta, hydrogen, stream)
    budget[BINDING] = cost - q_value
    if projectile.size[COUNT] == 1:
        budget[NEUTRAL] = _EXCITATION_MEV
    _balance(projectile, target, energy - budget[BINDING] - budget[NEUTRAL], budget)
    n = _emit(projectile, 0, 0.0, out, budget)
    return _emit(target, n, _TRACKED_MEV_U, out, budget)
