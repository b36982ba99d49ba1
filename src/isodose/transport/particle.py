"""One particle on its way through the voxels: condensed-history steps, straggling, scattering and scoring.

A step is a piece of **water-equivalent** path, chosen from the residual range, that may cross many voxels.
Energy follows the range table; the loss along the step is quadratic in the path (stopping power linear in it)
and carries one fluctuation of Bohr's variance and Vavilov's skewness. Multiple scattering of the whole step
acts at a hinge placed uniformly in the step (random hinge), with the material found there, which makes angle
and displacement right in the mean whatever the voxels. Nuclear reactions and single Coulomb scatters beyond
the cut angle end a step where an optical depth drawn beforehand is used up. Delta electrons deposit where
they are set free: their range, below 2.5 mm for 430 MeV/u, is neglected.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from isodose.physics.random import GAMMA, mix, uniform
from isodose.physics.scattering import sample_hard_scatter
from isodose.physics.species import MASS_MEV, NUCLEONS
from isodose.physics.straggling import skewed
from isodose.transport.direction import perpendicular
from isodose.transport.geometry import FAR
from isodose.transport.lookup import energy_bin, interpolate, range_bin
from isodose.transport.scoring import BLOCK_SHIFT, CURRENT, TRACK_LENGTH, add

STOPPED, LEFT, REACTED = 0, 1, 2
"""What ended a particle's way: rest, the edge of the box, a nuclear reaction."""

X, Y, Z, U, V, W, ENERGY = 0, 1, 2, 3, 4, 5, 6
"""Entries of a particle's state: position in mm in the box, direction, energy in MeV/u."""

DEPOSITED, ESCAPED, NEUTRAL, BINDING, SOURCE, REACTIONS = 0, 1, 2, 3, 4, 5
"""Entries of the energy budget in MeV, and the number of primaries that reacted."""
BUDGET = 6

LONGEST_STEP = 0.8
"""Longest step in g/cm2 of water: the hinge then moves a 100 MeV proton by less than 0.1 mm."""
RANGE_FRACTION = 0.2
"""Longest step as a part of the residual range: stopping power changes by 10 % along it."""
LAST_STEP = 0.008
"""Residual range in g/cm2 of water (0.08 mm) at which what is left is deposited on the spot."""

_NUCLEONS = NUCLEONS.astype(np.float64)
_MASS_PER_NUCLEON = MASS_MEV / NUCLEONS
_NORMAL_BITS = np.uint64(0x1FFFFF)
_S21, _S42 = np.uint64(21), np.uint64(42)


@njit(cache=True, inline="always")
def quantile(bits, table):  # type: ignore[no-untyped-def]
    """Standard normal number of the lowest 21 bits, from a table of 4096 quantile intervals."""
    chunk = np.int64(bits & _NORMAL_BITS)
    index = chunk >> 9
    low = table[index]
    return low + (table[index + 1] - low) * ((chunk & 511) + 0.5) * (1.0 / 512.0)


@njit(cache=True, error_model="numpy", fastmath=True)
def deposit(scorer, voxel, energy_mev, let, stopping_ratio, tracked):  # type: ignore[no-untyped-def]
    """Score energy deposited in a voxel; ``let`` counts only for a tracked particle."""
    slots, sums = scorer.slots, scorer.sums
    scorer.marks[voxel >> BLOCK_SHIFT] = 1
    sums[voxel, slots.dose] += energy_mev
    if slots.dose_to_water >= 0:
        sums[voxel, slots.dose_to_water] += energy_mev / stopping_ratio
    if tracked and slots.let_energy >= 0:
        sums[voxel, slots.let_energy] += energy_mev
        sums[voxel, slots.let_weighted] += energy_mev * let


@njit(cache=True, error_model="numpy", fastmath=True)
def score_piece(scorer, voxel, energy_mev, path, let, stopping_ratio):  # type: ignore[no-untyped-def]
    """Score a piece of a step inside one voxel."""
    deposit(scorer, voxel, energy_mev, let, stopping_ratio, True)
    slots, sums = scorer.slots, scorer.sums
    if slots.track >= 0:
        sums[voxel, slots.track] += path
        if slots.track_let >= 0:
            sums[voxel, slots.track_let] += path * let


@njit(cache=True, error_model="numpy", fastmath=True)
def soft_turn(ux, uy, uz, angle, bits, table):  # type: ignore[no-untyped-def]
    """Direction after two independent Gaussian projected angles of that standard deviation."""
    turn_a = angle * quantile(bits >> _S21, table)
    turn_b = angle * quantile(bits >> _S42, table)
    ax, ay, az, bx, by, bz = perpendicular(ux, uy, uz)
    vx = ux + turn_a * ax + turn_b * bx
    vy = uy + turn_a * ay + turn_b * by
    vz = uz + turn_a * az + turn_b * bz
    scale = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * scale, vy * scale, vz * scale


@njit(cache=True, error_model="numpy")
def hard_turn(ux, uy, uz, cosine, part):  # type: ignore[no-untyped-def]
    """Direction after a turn of that cosine, at a part, 0 to 1, of the full circle of azimuths."""
    turn = 2.0 * math.pi * part
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    side_a, side_b = sine * math.cos(turn), sine * math.sin(turn)
    ax, ay, az, bx, by, bz = perpendicular(ux, uy, uz)
    return (
        cosine * ux + side_a * ax + side_b * bx,
        cosine * uy + side_a * ay + side_b * by,
        cosine * uz + side_a * az + side_b * bz,
    )


# One long function on purpose: handing the tables to a second one at every step makes numba count references
# of every array in them, which was measured to cost a factor of four.
@njit(cache=True, error_model="numpy", fastmath=True)
def transport_particle(state, species, depth, geometry, tables, scorer, forward, stream, budget):  # type: ignore[no-untyped-def]
    """Follow a particle until it stops, leaves the box or reacts.

    ``state`` (float64 ``(7,)``) is updated; ``depth`` (float64 ``(1,)``) is the optical depth left to the
    next discrete event and lives as long as the particle. ``forward`` is the beam's direction, for currents.
    Energy deposited goes to ``scorer`` and ``budget``.

    Returns
    -------
    tuple of int
        What ended the way, and the flat voxel index of the end.
    """
    nx, ny, nz = geometry.voxels[0], geometry.voxels[1], geometry.voxels[2]
    sx, sy, sz = geometry.spacing_mm[0], geometry.spacing_mm[1], geometry.spacing_mm[2]
    density, material = geometry.density, geometry.material
    spectrum = scorer.spectrum
    score_tracks, score_currents = spectrum.kind == TRACK_LENGTH, spectrum.kind == CURRENT
    nucleons = _NUCLEONS[species]
    sums, first_response, responses = scorer.sums, scorer.slots.response, scorer.slots.responses
    response, response_to_rest = tables.response, tables.response_to_rest

    x, y, z = state[X], state[Y], state[Z]
    ux, uy, uz = state[U], state[V], state[W]
    energy = state[ENERGY]
    ix = min(max(int(x / sx), 0), nx - 1)
    iy = min(max(int(y / sy), 0), ny - 1)
    iz = min(max(int(z / sz), 0), nz - 1)
    voxel = (iz * ny + iy) * nx + ix
    tau = depth[0]
    deposited = 0.0
    status = -1

    while status < 0:
        index, fraction = energy_bin(energy)
        residual = interpolate(tables.range_, species, index, fraction)
        if residual < LAST_STEP:
            left = energy * nucleons
            ratio = tables.stopping_ratio[material[voxel], index >> 2]
            let = interpolate(tables.stopped_let, species, index, fraction)
            deposit(scorer, voxel, left, let, ratio, True)
            for k in range(responses):
                low, high = response_to_rest[k, species, index], response_to_rest[k, species, index + 1]
                unseen = low + (high - low) * fraction
                sums[voxel, first_response + k] += unseen / (density[voxel] * ratio)
            deposited += left
            energy = 0.0
            status = STOPPED
            break
        loss = interpolate(tables.loss, species, index, fraction)
        current = material[voxel]
        rate = tables.event_rate[species, current, index >> 2]
        length = min(min(RANGE_FRACTION * residual, LONGEST_STEP), tau / rate)
        after, part = range_bin(residual - length)
        mean_end = interpolate(tables.energy_of_range, species, after, part)
        end_index, end_fraction = energy_bin(mean_end)
        end_loss = interpolate(tables.loss, species, end_index, end_fraction)
        mean_loss = 0.5 * (loss + end_loss)
        middle_index, _ = energy_bin(0.5 * (energy + mean_end))
        coarse = middle_index >> 2
        ratio = tables.stopping_ratio[current, coarse]
        rate = tables.event_rate[species, current, coarse]

        stream[0] += GAMMA
        bits = mix(stream[0])
        spread = math.sqrt(interpolate(tables.straggling, species, index, fraction) * length)
        skewness = interpolate(tables.skewness, species, index, fraction) / math.sqrt(length)
        fluctuation = skewed(quantile(bits, tables.normal), skewness) * spread * end_loss / mean_loss
        loss_mev = nucleons * (energy - mean_end) + fluctuation
        loss_mev = min(max(loss_mev, 0.0), nucleons * energy)
        linear = loss_mev * loss / mean_loss
        bend = loss_mev - linear
        per_length = 1.0 / length
        hinge = length * uniform(stream)
        walked = 0.0
        reached = length
        event = False

        for leg in range(2):
            budgeted = hinge if leg == 0 else length
            positive_x, positive_y, positive_z = ux > 0.0, uy > 0.0, uz > 0.0
            inverse_x = 1.0 / ux if abs(ux) > 1e-12 else FAR
            inverse_y = 1.0 / uy if abs(uy) > 1e-12 else FAR
            inverse_z = 1.0 / uz if abs(uz) > 1e-12 else FAR
            to_x = ((ix + positive_x) * sx - x) * inverse_x if abs(ux) > 1e-12 else FAR
            to_y = ((iy + positive_y) * sy - y) * inverse_y if abs(uy) > 1e-12 else FAR
            to_z = ((iz + positive_z) * sz - z) * inverse_z if abs(uz) > 1e-12 else FAR
            gone = 0.0
            while True:
                if material[voxel] != current:
                    current = material[voxel]
                    ratio = tables.stopping_ratio[current, coarse]
                    rate = tables.event_rate[species, current, coarse]
                thickness = density[voxel] * ratio * 0.1
                edge = min(to_x, min(to_y, to_z))
                path = max(edge - gone, 0.0)
                water = path * thickness
                crosses = True
                if walked + water >= budgeted:
                    water = budgeted - walked
                    path = water / thickness
                    crosses = False
                if water * rate >= tau * (1.0 - 1e-9):
                    water = min(water, tau / rate)
                    path = water / thickness
                    crosses = False
                    event = True
                begin, end = walked * per_length, (walked + water) * per_length
                middle = begin + end
                energy_lost = (end - begin) * (linear + bend * middle)
                let = 0.1 * (loss + (end_loss - loss) * 0.5 * middle)
                score_piece(scorer, voxel, energy_lost, path, let, ratio)
                deposited += energy_lost
                if score_tracks and spectrum.region[voxel] > 0:
                    now = nucleons * energy - 0.5 * middle * (linear + bend * 0.5 * middle)
                    add(spectrum, voxel, species, now, path)
                if responses > 0:
                    at, within = energy_bin(energy - 0.5 * middle * (linear + bend * 0.5 * middle) / nucleons)
                    for k in range(responses):
                        low, high = response[k, species, at], response[k, species, at + 1]
                        sums[voxel, first_response + k] += path * (low + (high - low) * within)
                tau -= water * rate
                walked += water
                gone += path
                if event or not crosses:
                    break
                if to_x <= edge:
                    ix += 1 if positive_x else -1
                    to_x += sx * abs(inverse_x)
                    if ix < 0 or ix >= nx:
                        status = LEFT
                        break
                elif to_y <= edge:
                    iy += 1 if positive_y else -1
                    to_y += sy * abs(inverse_y)
                    if iy < 0 or iy >= ny:
                        status = LEFT
                        break
                else:
                    iz += 1 if positive_z else -1
                    to_z += sz * abs(inverse_z)
                    if iz < 0 or iz >= nz:
                        status = LEFT
                        break
                voxel = (iz * ny + iy) * nx + ix
                ahead = ux * forward[0] + uy * forward[1] + uz * forward[2]
                if score_currents and ahead > 0.0 and spectrum.region[voxel] > 0:
                    done = walked * per_length
                    now = nucleons * energy - done * (linear + bend * done)
                    add(spectrum, voxel, species, now, 1.0)
            x += ux * gone
            y += uy * gone
            z += uz * gone
            if event or status >= 0:
                reached = walked
                break
            if leg == 0:
                power = (
                    interpolate(tables.scattering, species, index, fraction)
                    * tables.scattering_ratio[current]
                )
                slowed = energy / (0.5 * (energy + mean_end))
                angle = slowed * math.sqrt(0.5 * length * power)
                ux, uy, uz = soft_turn(ux, uy, uz, angle, bits, tables.normal)
        done = reached * per_length
        energy -= done * (linear + bend * done) / nucleons
        if energy <= 0.0 and status < 0:
            status = STOPPED
        elif event:
            tau = -math.log(uniform(stream))
            if uniform(stream) * rate < tables.hard_rate[current]:
                momentum_2 = nucleons**2 * energy * (energy + 2.0 * _MASS_PER_NUCLEON[species])
                size_2 = 1.0 / (tables.nuclear_size[current] * momentum_2)
                along = sample_hard_scatter(stream, tables.hard_angle_2[species, coarse], 0.0, size_2)
                ux, uy, uz = hard_turn(ux, uy, uz, along, uniform(stream))
            else:
                status = REACTED

    state[X], state[Y], state[Z] = x, y, z
    state[U], state[V], state[W] = ux, uy, uz
    state[ENERGY] = energy
    depth[0] = tau
    budget[DEPOSITED] += deposited
    return status, voxel
