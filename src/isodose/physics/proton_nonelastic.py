"""Final states of non-elastic interactions of protons with nuclei.

An event draws whole numbers of p, d, t, He3 and He4, their energies from the spectra of `proton_spectra` and
their angles from exponentials in the cosine with the slope of Kalbach (Phys. Rev. C 37 (1988) 2350),
steepened for slow products by the motion of the emitting nucleus. Mean multiplicities and energies are
those of ICRU Report 63; energy is conserved in every event. Neutrons and photons are not followed: they
take what is left as NEUTRAL energy.

Validity: 7 to 250 MeV, extended to 430 MeV and, by scaling, below 7 MeV. Momentum is not conserved event by
event, as the directions of products are independent of each other. From 30 to 250 MeV the energy given to
protons comes out within 4 % of the report's, that of alphas within 6 %, of deuterons within 6 % (carbon at
30 MeV 18 %), always on the low side: some events have no energy left for all their products. Carbon's
alphas are too isotropic below 30 MeV, where their range is below 0.1 mm.
"""

from __future__ import annotations

import math

from numba import njit

from isodose.physics.constants import ATOMIC_MASS_MEV
from isodose.physics.final_state import BINDING, ENERGY, LOCAL, MAX_SECONDARIES, NEUTRAL, SPECIES, UX, UY, UZ
from isodose.physics.random import uniform
from isodose.physics.species import MASS_MEV

HAND_OVER_MEV = 0.5
"""Products of less kinetic energy than this, in all, are deposited where they were born."""

_PRODUCT_CHARGE = (1, 1, 1, 2, 2)
_PRODUCT_NUCLEONS = (1, 2, 3, 3, 4)
# Binding spent on a product in MeV: 8 a nucleon, as in the middle of the mass table, less the product's own
_PRODUCT_BINDING_MEV = (8.0, 13.8, 15.5, 16.3, 6.5)
_NUCLEON_BINDING_MEV = 8.0
_ALPHA_OF_CARBON_MEV = 3.2  # 7.27 MeV break 12C into three
_NEUTRONS_PER_PROTON = 0.6  # splits what neutrons carry from what freed them; dose does not depend on it

# Kalbach's systematics: separation energies in MeV, coefficients, and the exit channel's factor by product
_SEPARATION_MEV = (8.0, 15.0, 18.0, 18.0, 7.0)
_PROTON_SEPARATION_MEV = 8.0
_EXIT_FACTOR = (1.0, 1.0, 1.0, 1.0, 2.0)
_E1_MAX_MEV, _E3_MAX_MEV = 130.0, 41.0
_C1, _C2, _C3 = 0.04, 1.8e-6, 6.7e-7
# By product p, d, t, He3, He4, fitted to the mean cosines of ICRU Report 63 (rms deviation: p 0.016, d and
# He4 0.035): emission before equilibrium sets in over so many MeV for A = 16 and with this power of A/16;
# the moving nucleus adds a slope of so much per sqrt(product's energy * energy of the same particle at the
# nucleus' speed), falling with this power of A/16 and fading beyond so many MeV.
_PRECOMPOUND_MEV = (2.8, 0.1, 0.1, 30.0, 30.0)
_PRECOMPOUND_POWER = (1.57, 3.7, 3.7, 0.0, 0.0)
_FRAME_SLOPE = (0.61, 0.51, 0.51, 1.02, 1.02)
_FRAME_POWER = (0.59, 1.64, 1.64, 1.18, 1.18)
_FRAME_FADES_MEV = (5.2, 5.0, 5.0, 9.2, 9.2)

_DEUTERON = 1
_SOFT = 0.5  # cumulative probability below which products stay beside a deuteron picked up directly
_SPREAD = 0.3  # of the probabilities of products that give way to a leader, so that they are not all the same
# Charged products may take the energy that is left after the recoil and this share of the binding (some of
# it is given back where nucleons leave bound), and at least this share of the projectile's
_BINDING_SHARE = 0.2
_SMALLEST_SHARE = 0.6
_SMALLEST_SLOPE = 1e-3  # keeps the sampling of angles regular


@njit(cache=True)
def angular_slope(product, energy_mev, projectile_mev, nucleons):  # type: ignore[no-untyped-def]
    """Slope ``a`` of the angular distribution ``exp(a cos)`` of a product in the laboratory.

    Parameters
    ----------
    product
        Species index, 0 to 4 (p, d, t, He3, He4).
    energy_mev, projectile_mev
        Kinetic energies of product and projectile in MeV.
    nucleons
        Mass number of the target.
    """
    entrance = projectile_mev * nucleons / (nucleons + 1.0) + _PROTON_SEPARATION_MEV
    ratio = (energy_mev + _SEPARATION_MEV[product]) / entrance
    x1 = min(entrance, _E1_MAX_MEV) * ratio
    x3 = min(entrance, _E3_MAX_MEV) * ratio
    slope = _C1 * x1 + _C2 * x1**3 + _C3 * _EXIT_FACTOR[product] * x3**4
    size = nucleons / 16.0
    onset = _PRECOMPOUND_MEV[product] * size ** _PRECOMPOUND_POWER[product]
    slope *= 1.0 - math.exp(-energy_mev / onset)
    momentum = math.sqrt(projectile_mev * (projectile_mev + 2.0 * MASS_MEV[0]))
    speed = momentum / (projectile_mev + MASS_MEV[0] + nucleons * ATOMIC_MASS_MEV)
    frame = math.sqrt(energy_mev * 0.5 * MASS_MEV[product]) * speed
    fading = 1.0 + (energy_mev / _FRAME_FADES_MEV[product]) ** 2
    return slope + _FRAME_SLOPE[product] * size ** -_FRAME_POWER[product] * frame / fading + _SMALLEST_SLOPE


@njit(cache=True, inline="always")
def _bracket(grid, energy_mev):  # type: ignore[no-untyped-def]
    """Lower grid index, fraction towards the next, factor by which energies off the grid are scaled."""
    last = grid.size - 1
    if energy_mev <= grid[0]:
        return 0, 0.0, energy_mev / grid[0]
    if energy_mev >= grid[last]:
        return last - 1, 1.0, energy_mev / grid[last]
    i = 0
    while grid[i + 1] < energy_mev:
        i += 1
    return i, (energy_mev - grid[i]) / (grid[i + 1] - grid[i]), 1.0


@njit(cache=True, inline="always")
def _at(table, anchor, i, fraction, product):  # type: ignore[no-untyped-def]
    """Entry of a table by anchor, energy and product, linear in energy."""
    low = table[anchor, i, product]
    return low + fraction * (table[anchor, i + 1, product] - low)


@njit(cache=True)
def _draw_products(tables, anchor, i, fraction, element_index, stream, out):  # type: ignore[no-untyped-def]
    """Write the species of the products and return their number.

    A deuteron comes or not; the others by systematic sampling: one random offset cuts the running sum of
    their mean numbers at every whole number, so means are exact and the total varies by one at most.
    Products for which charge or nucleons are lacking are left out.
    """
    charge_left = tables.charge[element_index] + 1
    nucleons_left = tables.nucleons[element_index] + 1
    running = uniform(stream)
    deuteron = uniform(stream)
    cut = 0
    n = 0
    for product in range(5):
        mean = _at(tables.multiplicity, anchor, i, fraction, product)
        if product == _DEUTERON:
            number = 1 if deuteron < mean else 0
        else:
            running += mean
            number = int(running) - cut
            cut += number
        for _ in range(number):
            Z, A = _PRODUCT_CHARGE[product], _PRODUCT_NUCLEONS[product]
            if charge_left >= Z and nucleons_left >= A and n < MAX_SECONDARIES:
                out[n, SPECIES] = product
                charge_left -= Z
                nucleons_left -= A
                n += 1
    return n


@njit(cache=True, inline="always")
def _energy_at(tables, anchor, i, fraction, product, probability):  # type: ignore[no-untyped-def]
    """Energy in MeV of a product at a cumulative probability, linear in the projectile's energy."""
    q = tables.quantile_mev
    position = probability * (q.shape[3] - 1)
    k = min(int(position), q.shape[3] - 2)
    w = position - k
    low = q[anchor, i, product, k] + w * (q[anchor, i, product, k + 1] - q[anchor, i, product, k])
    high = q[anchor, i + 1, product, k]
    high += w * (q[anchor, i + 1, product, k + 1] - high)
    return low + fraction * (high - low)


@njit(cache=True, inline="always")
def _opposite(v, stream):  # type: ignore[no-untyped-def]
    """Draw a number near ``1 - v``, folded back at 0 and 1 and so as uniform as ``v``."""
    folded = abs(1.0 - v + _SPREAD * (uniform(stream) - 0.5))
    return min(folded, 2.0 - folded)


@njit(cache=True)
def _draw_energies(tables, anchor, i, fraction, scale, n, stream, out):  # type: ignore[no-untyped-def]
    """Write the energies of the products.

    Every product follows its own spectrum, but they share the energy as in a reaction. When a deuteron was
    picked up directly (the upper end of its spectrum), the others keep below ``_SOFT`` in cumulative
    probability, for which the events without it make up. Of the others one, the leader, takes the uppermost
    part of its spectrum, and the more it takes, the less the rest do: with ``v`` uniform, the leader of ``m``
    stands at ``1 - (1 - v)/m`` and the rest around ``(1 - 1/m)(1 - v)``, so that each, leader in one event of
    ``m``, covers its spectrum evenly.
    """
    share = tables.direct_share[anchor, i]
    share += fraction * (tables.direct_share[anchor, i + 1] - share)
    mean_direct = share * _at(tables.multiplicity, anchor, i, fraction, _DEUTERON)
    v = uniform(stream)
    direct = False
    m = n
    for j in range(n):
        if int(out[j, SPECIES]) == _DEUTERON:
            direct = uniform(stream) < share
            u = 1.0 - share * uniform(stream) if direct else (1.0 - share) * _opposite(v, stream)
            out[j, ENERGY] = scale * _energy_at(tables, anchor, i, fraction, _DEUTERON, u)
            m -= 1
    # what is left of a uniform distribution once the direct events have had their part of [0, _SOFT]
    below = (_SOFT - mean_direct) / (1.0 - mean_direct)
    leader = int(uniform(stream) * m)
    rank = -1
    for j in range(n):
        product = int(out[j, SPECIES])
        if product == _DEUTERON:
            continue
        rank += 1
        u = 1.0 - (1.0 - v) / m if rank == leader else (1.0 - 1.0 / m) * _opposite(v, stream)
        if direct:
            u *= _SOFT
        else:
            u = u * _SOFT / below if u < below else 1.0 - (1.0 - u) * (1.0 - _SOFT) / (1.0 - below)
        out[j, ENERGY] = scale * _energy_at(tables, anchor, i, fraction, product, u)


@njit(cache=True)
def _fit_into(n, limit, out):  # type: ignore[no-untyped-def]
    """Where the products ask for more than ``limit``, leave the largest energy and shrink the rest."""
    total = 0.0
    largest = 0
    for j in range(n):
        total += out[j, ENERGY]
        if out[j, ENERGY] > out[largest, ENERGY]:
            largest = j
    if total <= limit:
        return
    first = min(out[largest, ENERGY], limit)
    rest = total - out[largest, ENERGY]
    shrink = (limit - first) / rest if rest > 0.0 else 0.0
    for j in range(n):
        out[j, ENERGY] = first if j == largest else shrink * out[j, ENERGY]


@njit(cache=True)
def _products_binding(n, charge, out):  # type: ignore[no-untyped-def]
    """Binding energy in MeV spent on the charged products, the absorbed proton's given back."""
    total = -_NUCLEON_BINDING_MEV
    for j in range(n):
        product = int(out[j, SPECIES])
        total += _ALPHA_OF_CARBON_MEV if product == 4 and charge <= 6 else _PRODUCT_BINDING_MEV[product]
    return max(total, 0.0)


@njit(cache=True)
def _draw_direction(row, slope, stream):  # type: ignore[no-untyped-def]
    """Write a direction with a cosine distributed as ``exp(slope cos)`` and a uniform azimuth."""
    u = uniform(stream)
    cosine = 1.0 + math.log(u + (1.0 - u) * math.exp(-2.0 * slope)) / slope
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    azimuth = 2.0 * math.pi * uniform(stream)
    row[UX] = sine * math.cos(azimuth)
    row[UY] = sine * math.sin(azimuth)
    row[UZ] = cosine


@njit(cache=True)
def proton_nonelastic(energy_mev, element_index, tables, stream, out, budget):  # type: ignore[no-untyped-def]
    """Sample the final state of a non-elastic interaction; the projectile is absorbed.

    Parameters
    ----------
    energy_mev
        Kinetic energy of the proton in MeV.
    element_index
        Target, by `isodose.physics.elements`; hydrogen has no such interaction.
    tables
        `isodose.physics.proton_spectra.ProtonTables`.
    stream
        Random stream (`isodose.physics.random`).
    out, budget
        Filled as `isodose.physics.final_state` tells.

    Returns
    -------
    int
        Number of charged products of more than `HAND_OVER_MEV` written to ``out``.
    """
    anchor = tables.anchors[element_index, 1 if uniform(stream) < tables.second_share[element_index] else 0]
    i, fraction, scale = _bracket(tables.energy_mev, energy_mev)
    n = _draw_products(tables, anchor, i, fraction, element_index, stream, out)
    recoils = tables.recoil_fraction
    share = recoils[anchor, i] + fraction * (recoils[anchor, i + 1] - recoils[anchor, i])
    recoil = energy_mev * share
    binding = _products_binding(n, tables.charge[element_index], out)
    limit = max(energy_mev - recoil - _BINDING_SHARE * binding, _SMALLEST_SHARE * energy_mev)
    _draw_energies(tables, anchor, i, fraction, scale, n, stream, out)
    _fit_into(n, limit, out)
    budget[LOCAL] = recoil
    left = energy_mev - recoil
    kept = 0
    protons = 0
    for j in range(n):
        product = int(out[j, SPECIES])
        energy = out[j, ENERGY]
        left -= energy
        if product == 0:
            protons += 1
        if energy < HAND_OVER_MEV:
            budget[LOCAL] += energy
            continue
        out[kept, SPECIES] = product
        out[kept, ENERGY] = energy
        slope = angular_slope(product, energy, energy_mev, tables.nucleons[element_index])
        _draw_direction(out[kept], slope, stream)
        kept += 1
    neutron_binding = _NUCLEON_BINDING_MEV * _NEUTRONS_PER_PROTON * protons
    budget[BINDING] = min(binding + neutron_binding, left)
    budget[NEUTRAL] = left - budget[BINDING]
    return kept
