"""Histories: a primary, its secondaries on a stack, and the loop over histories on several threads."""

from __future__ import annotations

import numpy as np
from numba import njit

from isodose.physics import final_state
from isodose.physics.random import exponential, start, uniform
from isodose.physics.species import NUCLEONS
from isodose.transport.direction import rotated
from isodose.transport.geometry import Geometry, distance_to_box
from isodose.transport.particle import (
    BINDING,
    DEPOSITED,
    ENERGY,
    ESCAPED,
    LEFT,
    NEUTRAL,
    REACTED,
    REACTIONS,
    SOURCE,
    deposit,
    transport_particle,
)
from isodose.transport.reaction import react
from isodose.transport.scoring import CURRENT, add
from isodose.transport.source import (
    DIRECTION,
    SHIFTER_FACE,
    SHIFTER_THICKNESS,
    UPSTREAM,
    sample_primary,
    spot_of,
    to_patient,
)

STACK = 256
"""Most particles that wait at once; a history of 430 MeV/u oxygen needs a few dozen."""
SHIFTER_HALF_WIDTH = 500.0
"""Half the lateral size of a range shifter in mm."""

_NUCLEONS = NUCLEONS.astype(np.float64)
_ROW = 9  # state of a particle, its species and whether it is the primary


@njit(cache=True)
def push_products(products, count, state, primary, stack, waiting, budget):  # type: ignore[no-untyped-def]
    """Put the products of a reaction on the stack; what does not fit is counted as escaped.

    The first product of an elastic collision of a primary is still the primary.
    """
    for k in range(count):
        species = int(products[k, final_state.SPECIES])
        energy = products[k, final_state.ENERGY]
        if waiting >= STACK:
            budget[ESCAPED] += energy
            continue
        vx, vy, vz = rotated(
            products[k, final_state.UX],
            products[k, final_state.UY],
            products[k, final_state.UZ],
            state[3],
            state[4],
            state[5],
        )
        row = stack[waiting]
        row[0], row[1], row[2] = state[0], state[1], state[2]
        row[3], row[4], row[5] = vx, vy, vz
        row[6], row[7] = energy / _NUCLEONS[species], species
        row[8] = 1.0 if primary and k == 0 else 0.0
        waiting += 1
    return waiting


@njit(cache=True)
def follow(stack, waiting, geometry, tables, scorer, forward, work, stream, budget):  # type: ignore[no-untyped-def]
    """Transport every particle on the stack, and their products, inside a box.

    Particles that leave are handed back in ``work.left``; returns their number.
    """
    state, depth, products, account, left = work
    gone = 0
    while waiting > 0:
        waiting -= 1
        row = stack[waiting]
        species, primary = int(row[7]), row[8] > 0.0
        for k in range(7):
            state[k] = row[k]
        depth[0] = exponential(stream)
        status, voxel = transport_particle(
            state, species, depth, geometry, tables, scorer, forward, stream, budget
        )
        if status == LEFT:
            if gone < left.shape[0]:
                for k in range(7):
                    left[gone, k] = state[k]
                left[gone, 7] = species
                left[gone, 8] = 1.0 if primary else 0.0
                gone += 1
            else:
                budget[ESCAPED] += state[ENERGY] * _NUCLEONS[species]
        elif status == REACTED:
            material = geometry.material[voxel]
            count, inelastic = react(species, state[ENERGY], material, tables, stream, products, account)
            if inelastic and primary:
                budget[REACTIONS] += 1.0
            local = account[final_state.LOCAL]
            if local != 0.0:
                deposit(scorer, voxel, local, 0.0, 1.0, False)
            budget[DEPOSITED] += local
            budget[NEUTRAL] += account[final_state.NEUTRAL]
            budget[BINDING] += account[final_state.BINDING]
            waiting = push_products(products, count, state, primary and not inelastic, stack, waiting, budget)
    return gone


@njit(cache=True)
def enter(state, geometry):  # type: ignore[no-untyped-def]
    """Move a particle along its direction to the box; False if it misses."""
    size_x = geometry.voxels[0] * geometry.spacing_mm[0]
    size_y = geometry.voxels[1] * geometry.spacing_mm[1]
    size_z = geometry.voxels[2] * geometry.spacing_mm[2]
    distance = distance_to_box(
        state[0], state[1], state[2], state[3], state[4], state[5], size_x, size_y, size_z
    )
    if distance < 0.0:
        return False
    for k in range(3):
        state[k] += distance * state[3 + k]
    return True


@njit(cache=True)
def score_entrance(row, geometry, scorer, forward):  # type: ignore[no-untyped-def]
    """Count a particle that enters the box as a current into its first voxel."""
    index = np.empty(3, dtype=np.int64)
    for k in range(3):
        index[k] = min(max(int(row[k] / geometry.spacing_mm[k]), 0), geometry.voxels[k] - 1)
    voxel = (index[2] * geometry.voxels[1] + index[1]) * geometry.voxels[0] + index[0]
    ahead = row[3] * forward[0] + row[4] * forward[1] + row[5] * forward[2] > 0.0
    if ahead and scorer.spectrum.region[voxel] > 0:
        species = int(row[7])
        add(scorer.spectrum, voxel, species, row[6] * _NUCLEONS[species], 1.0)


@njit(cache=True)
def place_on_stack(rays, count, beam, geometry, scorer, stack, budget):  # type: ignore[no-untyped-def]
    """Take particles from the beam's eye view to the edge of the patient's box and onto the stack."""
    waiting = 0
    for k in range(count):
        row = stack[waiting]
        to_patient(rays[k], beam, row)
        row[7], row[8] = rays[k, 7], rays[k, 8]
        if not enter(row, geometry):
            budget[ESCAPED] += row[6] * _NUCLEONS[int(row[7])]
            continue
        if scorer.spectrum.kind == CURRENT:
            score_entrance(row, geometry, scorer, beam[DIRECTION : DIRECTION + 3])
        waiting += 1
    return waiting


@njit(cache=True)
def run_history(spot, source, geometry, tables, scorer, idle, work, rays, stack, stream, budget):  # type: ignore[no-untyped-def]
    """One primary particle with everything it sets free; ``idle`` scores what nobody asks for."""
    beam = source.beam[source.beam_of_spot[spot]]
    left = work[4]
    species = source.species
    thickness = beam[SHIFTER_THICKNESS]
    count = 1
    if thickness > 0.0:
        start_plane = beam[SHIFTER_FACE] + thickness
        sample_primary(source, spot, start_plane, rays[0], stream)
        budget[SOURCE] += rays[0, 6] * _NUCLEONS[species]
        row = stack[0]
        for k in range(7):
            row[k] = rays[0, k]
        row[0] += SHIFTER_HALF_WIDTH
        row[1] += SHIFTER_HALF_WIDTH
        row[2] = 0.0
        row[7], row[8] = species, 1.0
        slab = Geometry(
            np.zeros(3),
            np.array([2 * SHIFTER_HALF_WIDTH, 2 * SHIFTER_HALF_WIDTH, thickness]),
            np.ones(3, dtype=np.int64),
            source.shifter_density[source.beam_of_spot[spot] : source.beam_of_spot[spot] + 1],
            source.shifter_material[source.beam_of_spot[spot] : source.beam_of_spot[spot] + 1],
        )
        gone = follow(stack, 1, slab, tables, idle, np.zeros(3), work, stream, budget)
        count = 0
        for k in range(gone):
            if left[k, 5] > 0.0 and left[k, 2] > thickness * (1.0 - 1e-9):
                for j in range(_ROW):
                    rays[count, j] = left[k, j]
                rays[count, 0] -= SHIFTER_HALF_WIDTH
                rays[count, 1] -= SHIFTER_HALF_WIDTH
                rays[count, 2] = -beam[SHIFTER_FACE]
                count += 1
            else:
                budget[ESCAPED] += left[k, 6] * _NUCLEONS[int(left[k, 7])]
    else:
        sample_primary(source, spot, beam[UPSTREAM], rays[0], stream)
        rays[0, 7], rays[0, 8] = species, 1.0
        budget[SOURCE] += rays[0, 6] * _NUCLEONS[species]
    waiting = place_on_stack(rays, count, beam, geometry, scorer, stack, budget)
    gone = follow(
        stack, waiting, geometry, tables, scorer, beam[DIRECTION : DIRECTION + 3], work, stream, budget
    )
    for k in range(gone):
        budget[ESCAPED] += left[k, 6] * _NUCLEONS[int(left[k, 7])]


@njit(cache=True, nogil=True)
def run_histories(share, seed, source, geometry, tables, scorer, idle, budget, stop):  # type: ignore[no-untyped-def]
    """Run one thread's share of a batch.

    ``share`` is (first history of the batch, histories in the batch, this thread, number of threads, first
    place in the batch, end place in the batch). Every batch draws its spots in order, one history to each of
    as many equal parts of the plan's particles, so that every batch is a sample of the whole plan. Stops
    early, between two histories, when ``stop[0]`` is set.
    """
    first, total, thread, threads, begin, end = share
    stream = np.zeros(1, dtype=np.uint64)
    stack = np.zeros((STACK, _ROW))
    rays = np.zeros((STACK, _ROW))
    left = np.zeros((STACK, _ROW))
    products = np.zeros((final_state.MAX_SECONDARIES, 5))
    work = (np.zeros(7), np.zeros(1), products, np.zeros(3), left)
    for k in range(begin + thread, end, threads):
        if stop[0]:
            break
        start(stream, seed, first + k)
        spot = spot_of(source, (k + uniform(stream)) / total)
        run_history(spot, source, geometry, tables, scorer, idle, work, rays, stack, stream, budget)
