"""Influence of unsplit spots: every voxel has a depth of its own, and the spot's axis is one ray.

This is the pencil-beam algorithm of Hong et al. (Phys. Med. Biol. 41 (1996) 1305) as matRad and pyRadPlan run
it. It takes no notice of what lies beside the ray that leads through a voxel;
`isodose.pencilbeam.influence.full` does. Each Gaussian is cut off where it has given the part of its dose
that is to be kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.fan_sampling import geometry_of
from isodose.pencilbeam.influence.axis_tables import axis_tables
from isodose.pencilbeam.influence.columns import ColumnStore
from isodose.pencilbeam.influence.spot_axes import spot_axes
from isodose.pencilbeam.influence.voxels import InfluenceVoxels
from isodose.pencilbeam.layer_tables import AMPLITUDE, FIRST_CHANNEL, GAIN, STEP_MM, VARIANCE
from isodose.pencilbeam.voxel_depths import voxel_depths
from isodose.pencilbeam.voxel_rows import row_on_beam, rows_near, used_box, voxels_in
from isodose.physics.constants import GY_PER_MEV_PER_G

_EXPONENT_PARTS = 8.0
SQUARE_X, SQUARE_Y, WATER, ALONG, FACTOR = range(5)
"""What is known of a voxel near a ray: squares of its distances (mm2), water-equivalent depth and position
along the beam (mm), and dose to the medium over dose to water."""


def add_single(
    store: ColumnStore,
    view: BeamView,
    voxels: InfluenceVoxels,
    first_column: int,
    kept: float,
    in_voxel_mm2: float,
    threads: int,
) -> None:
    """Compute the columns of a beam.

    Parameters
    ----------
    store
        Takes them.
    view
        The beam, all of whose rays have been followed.
    voxels
        The dose grid.
    first_column
        Number of the beam's first column.
    kept
        Part of the dose of each depth that is kept; it is scaled up by what is lost.
    in_voxel_mm2
        Variance of places within a voxel, by which spots are wider if voxels show means.
    threads
        Number of threads.
    """
    limit = -float(np.log(1.0 - kept))
    axes = spot_axes(view.beam, first_column)
    tables = axis_tables(view, limit, 100.0 * GY_PER_MEV_PER_G / (2.0 * np.pi * kept), in_voxel_mm2)
    fan, excess = view.fan, view.superposition.excess
    depth = voxel_depths(fan, view.superposition.depth, voxels.grid, voxels.inside, threads)
    geometry = geometry_of(fan, voxels.grid)
    span = fan.plane_mm[0] - fan.plane_spacing_mm, fan.plane_mm[-1] + fan.plane_spacing_mm
    box = used_box(depth < float(tables.end_mm.max()))

    def fill(begin, end, indices, values, length):  # type: ignore[no-untyped-def]
        return _fill(
            geometry,
            fan.shape[1],
            span,
            box,
            depth,
            excess,
            voxels.dose_factor,
            axes,
            tables,
            limit,
            begin,
            end,
            indices,
            values,
            length,
        )

    def columns_of(begin: int, end: int) -> NDArray[np.int64]:
        return axes.column[axes.first[begin] : axes.first[end]]

    store.run(fill, columns_of, axes.first.size - 1, threads)


@njit(cache=True, inline="always")
def _exp(x):  # type: ignore[no-untyped-def]
    """Exponential of a float32 between -6 and 0 within 3e-6: a polynomial of an eighth of it, thrice squared.

    Unlike a call of the library's, it lets loops become vectors.
    """
    y = x * np.float32(1.0 / _EXPONENT_PARTS)
    p = np.float32(1.0 / 720.0) * y + np.float32(1.0 / 120.0)
    p = p * y + np.float32(1.0 / 24.0)
    p = p * y + np.float32(1.0 / 6.0)
    p = p * y + np.float32(0.5)
    p = p * y + np.float32(1.0)
    p = p * y + np.float32(1.0)
    p *= p
    p *= p
    return p * p


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(  # type: ignore[no-untyped-def]
    geometry,
    rays_along_u,
    span,
    box,
    depth,
    excess,
    factor,
    axes,
    tables,
    limit,
    begin,
    end,
    indices,
    values,
    length,
):
    frame, distance, _, origin, spacing = geometry
    rows = np.empty((max((box[1] - box[0]) * (box[3] - box[2]), 1), 4), dtype=np.int64)
    nodes, quantities = excess.shape[2], values.shape[0]
    voxel, near, wider, work = _room(0, nodes, quantities)
    used = 0
    for ray in range(begin, end):
        mine = axes.layer[axes.first[ray] : axes.first[ray + 1]]
        radius, deepest = _reach(mine, tables)
        count = rows_near(
            axes.place[ray], radius, frame, distance, span, origin, spacing, box, depth.shape[2], rows
        )
        most = voxels_in(rows[:count])
        if used + mine.size * most + 1 > indices.size:
            return ray, used, mine.size * most + 1
        if most > voxel.size:
            voxel, near, wider, work = _room(most, nodes, quantities)
        found = _voxels_near(
            axes.place[ray],
            deepest,
            geometry,
            rays_along_u,
            depth,
            excess,
            factor,
            rows[:count],
            voxel,
            near,
            wider,
        )
        for s in range(mine.size):
            _sum_terms(mine[s], tables, np.float32(limit), found, near, wider, work)
            entries = _write(work, found, voxel, indices[used:], values[:, used:])
            length[axes.column[axes.first[ray] + s]] = entries
            used += entries
    return end, used, 0


@njit(cache=True, inline="always")
def _room(voxels, nodes, quantities):  # type: ignore[no-untyped-def]
    """Room for voxels near a ray: indices, what is known of them, excess variances, and work for terms."""
    return (
        np.empty(voxels, dtype=np.int32),
        np.empty((5, voxels), dtype=np.float32),
        np.empty((nodes, voxels), dtype=np.float32),
        np.empty((3 + quantities, voxels), dtype=np.float32),
    )


@njit(cache=True, inline="always")
def _reach(layers, tables):  # type: ignore[no-untyped-def]
    """How far from their ray, and how deep, any of some layers gives dose."""
    radius, deepest = 0.0, np.float32(0.0)
    for layer in layers:
        radius = max(radius, tables.reach_mm[layer])
        deepest = max(deepest, tables.end_mm[layer])
    return radius, deepest


@njit(cache=True, nogil=True, error_model="numpy")
def _voxels_near(  # type: ignore[no-untyped-def]
    place, deepest, geometry, rays_along_u, depth, excess, factor, rows, voxel, near, wider
):
    """Voxels near a ray: number, square of distance, depth, position along the beam, dose factor, excess."""
    frame, distance, lattice, origin, spacing = geometry
    _, ny, nx = depth.shape
    planes = excess.shape[0]
    found = 0
    lean_x, lean_y = place[0] / distance[0], place[1] / distance[1]
    for r in range(rows.shape[0]):
        k, j = rows[r, 0], rows[r, 1]
        x, step_x, y, step_y, w, step_w = row_on_beam(frame, origin, spacing, k, j)
        for i in range(rows[r, 2], rows[r, 3]):
            water = depth[k, j, i]
            if water >= deepest:
                continue
            at = w + i * step_w
            u, v = x + i * step_x, y + i * step_y
            du, dv = u - place[0] - lean_x * at, v - place[1] - lean_y * at
            voxel[found] = (k * ny + j) * nx + i
            near[SQUARE_X, found], near[SQUARE_Y, found], near[WATER, found] = du * du, dv * dv, water
            near[ALONG, found], near[FACTOR, found] = at, factor[k, j, i]
            iu = int((u / (1.0 + at / distance[0]) - lattice[0]) / lattice[2] + 0.5)
            iv = int((v / (1.0 + at / distance[1]) - lattice[1]) / lattice[2] + 0.5)
            plane = min(max(int((at - lattice[3]) / lattice[4] + 0.5), 0), planes - 1)
            cell = iv * rays_along_u + iu
            for m in range(wider.shape[0]):
                wider[m, found] = excess[plane, cell, m]
            found += 1
    return found


@njit(cache=True, inline="always")
def _sum_terms(layer, tables, limit, found, near, wider, work):  # type: ignore[no-untyped-def]
    """Dose of a layer, and products with further quantities, in the voxels near its ray."""
    work[3:, :found] = 0.0
    for term in range(tables.first[layer], tables.first[layer + 1]):
        excess = wider[tables.node[term]]
        _add_term(tables.table[term], tables.air[term], limit, found, near, excess, work)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _add_term(table, air, limit, found, near, wider, work):  # type: ignore[no-untyped-def]
    """Add a Gaussian to the sums of each quantity, in loops apart so that most become vectors."""
    amount, width, gain, total = work[0], work[1], work[2], work[3]
    _look_up(table[AMPLITUDE], near[WATER], found, amount)
    _look_up(table[VARIANCE], near[WATER], found, width)
    _look_up(table[GAIN], near[WATER], found, gain)
    square_x, square_y, along, factor = near[SQUARE_X], near[SQUARE_Y], near[ALONG], near[FACTOR]
    half, one, none = np.float32(0.5), np.float32(1.0), np.float32(0.0)
    x0, x1, x2, y0, y1, y2 = air[0, 0], air[0, 1], air[0, 2], air[1, 0], air[1, 1], air[1, 2]
    for n in range(found):
        water, w = max(width[n] + gain[n] * wider[n], none), along[n]
        in_x, in_y = water + x0 + w * (x1 + w * x2), water + y0 + w * (y1 + w * y2)
        both = one / (in_x * in_y)
        exponent = half * both * (square_x[n] * in_y + square_y[n] * in_x)
        dose = amount[n] * factor[n] * np.sqrt(both) * _exp(-min(exponent, limit))
        dose = dose if exponent < limit else none
        amount[n] = dose
        total[n] += dose
    for c in range(4, work.shape[0]):
        _look_up(table[FIRST_CHANNEL + c - 4], near[WATER], found, width)
        product = work[c]
        for n in range(found):
            product[n] += amount[n] * width[n]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _write(work, found, voxel, indices, values):  # type: ignore[no-untyped-def]
    """Write the entries of a column that are not 0; returns their number."""
    total, out = work[3], values[0]
    none = np.float32(0.0)
    entries = 0
    for n in range(found):
        out[entries] = total[n]
        indices[entries] = voxel[n]
        entries += total[n] > none
    for c in range(1, values.shape[0]):
        product, out = work[3 + c], values[c]
        at = 0
        for n in range(found):
            out[at] = product[n]
            at += total[n] > none
    return entries


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _look_up(column, depth, found, out):  # type: ignore[no-untyped-def]
    inverse = np.float32(1.0 / STEP_MM)
    for n in range(found):
        at = depth[n] * inverse
        row = np.uint64(at)
        low = column[row]
        out[n] = low + (at - np.float32(row)) * (column[row + np.uint64(1)] - low)
