"""Influence of unsplit spots with one Gaussian: every voxel has a depth of its own and the spot's axis is one ray.

This is the pencil-beam algorithm of Hong et al. (Phys. Med. Biol. 41 (1996) 1305) as matRad and pyRadPlan run it. It
takes no notice of what lies beside the ray that leads through a voxel; `influence_full` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.influence_columns import ColumnStore
from isodose.pencilbeam.influence_voxels import InfluenceVoxels
from isodose.pencilbeam.layer_tables import AMPLITUDE, FIRST_CHANNEL, GAIN, STEP_MM, VARIANCE
from isodose.pencilbeam.voxel_depths import voxel_depths
from isodose.pencilbeam.voxel_rows import row_on_beam, rows_near
from isodose.physics.constants import GY_PER_MEV_PER_G

_EXPONENT_PARTS = 8.0
_FAINT = 1e-4
"""A layer ends where its integral dose falls below this part of its largest."""
SQUARE_X, SQUARE_Y, WATER, ALONG, FACTOR = range(5)
"""What is known of a voxel near a ray: squares of its distances (mm2), water-equivalent depth and position along the
beam (mm), and dose to the medium over dose to water."""


class SpotAxes(NamedTuple):
    """Spots of a beam by the ray on which they lie.

    Parameters
    ----------
    place
        Position (x, y) of each ray on the isocentre plane, ``(rays, 2)`` mm.
    first
        Where the spots of each ray begin, and the end, int64 ``(rays + 1,)``.
    layer
        Layer of each spot by ascending range, int64.
    column
        Its column in the matrix, int64.
    """

    place: NDArray[np.float64]
    first: NDArray[np.int64]
    layer: NDArray[np.int64]
    column: NDArray[np.int64]


class AxisTables(NamedTuple):
    """Layers as the kernel reads them.

    Parameters
    ----------
    table
        Of `isodose.pencilbeam.layer_tables`, float32 ``(layers, columns, depths)``, 0 behind the layer's end.
    end_mm
        Depth where a layer ends, ``(layers,)``.
    gain
        What its excess variance is multiplied by.
    node
        Row of the excess variance.
    air
        Coefficients of a spot's variance in air by the position along the beam, x and y, ``(layers, 2, 3)``.
    reach_mm
        Largest distance at which a layer's spots count.
    """

    table: NDArray[np.float32]
    end_mm: NDArray[np.float32]
    gain: NDArray[np.float32]
    node: NDArray[np.int32]
    air: NDArray[np.float32]
    reach_mm: NDArray[np.float64]


def add_single(
    store: ColumnStore, view: BeamView, voxels: InfluenceVoxels, first_column: int, kept: float, threads: int
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
    threads
        Number of threads.
    """
    limit = -float(np.log(1.0 - kept))
    axes = spot_axes(view, first_column)
    tables = axis_tables(view, limit, 100.0 * GY_PER_MEV_PER_G / (2.0 * np.pi * kept))
    arrays = view.superposition
    depth = voxel_depths(view.fan, arrays.depth, voxels.grid, voxels.inside, threads)
    fan = view.fan
    lattice = (*fan.first_mm, fan.spacing_mm, fan.first_plane_mm, fan.plane_spacing_mm, fan.shape[0], fan.shape[1])
    origin, spacing = np.array(voxels.grid.origin_mm), np.array(voxels.grid.spacing_mm)
    span = fan.plane_mm[0] - fan.plane_spacing_mm, fan.plane_mm[-1] + fan.plane_spacing_mm
    box = _box(depth)

    def fill(begin, end, indices, values, length):  # type: ignore[no-untyped-def]
        return _fill(
            fan.frame, fan.source_distance_mm, lattice, span, origin, spacing, box, depth, arrays.excess,
            voxels.dose_factor, axes, tables, limit, begin, end, indices, values, length,
        )  # fmt: skip

    def columns_of(begin: int, end: int) -> NDArray[np.int64]:
        return axes.column[axes.first[begin] : axes.first[end]]

    store.run(fill, columns_of, axes.first.size - 1, threads)


def spot_axes(view: BeamView, first_column: int) -> SpotAxes:
    """Gather the spots of all layers that lie on one ray."""
    layers = view.beam.layers
    counts = [len(layer.spots) for layer in layers]
    rank = np.empty(len(layers), dtype=np.int64)
    rank[list(view.order)] = np.arange(len(layers))
    x = np.concatenate([layer.spots.x_mm for layer in layers])
    y = np.concatenate([layer.spots.y_mm for layer in layers])
    place, ray = np.unique(np.stack([y, x], axis=1), axis=0, return_inverse=True)
    by_ray = np.argsort(ray.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(ray.ravel(), minlength=len(place)))])
    layer = np.repeat(rank, counts)[by_ray]
    return SpotAxes(np.ascontiguousarray(place[:, ::-1]), first.astype(np.int64), layer, by_ray + first_column)


def axis_tables(view: BeamView, limit: float, scale: float) -> AxisTables:
    """Tables of a beam's layers.

    Parameters
    ----------
    view
        The beam.
    limit
        Exponent up to which a Gaussian is followed.
    scale
        Dose is multiplied by it.
    """
    arrays = view.superposition
    table = np.ascontiguousarray(arrays.table[:, :, 0, :].transpose(1, 2, 0))
    table[:, AMPLITUDE] *= scale
    planes = view.fan.plane_mm
    air = np.array([o.coefficients() for o in view.optics])
    end, reach = np.empty(len(table)), np.empty(len(table))
    for i, columns in enumerate(table):
        amplitude = columns[AMPLITUDE]
        last = int(np.flatnonzero(amplitude > _FAINT * amplitude.max())[-1])
        end[i] = STEP_MM * min(last + 1, amplitude.size - 1)
        amplitude[last + 1 :] = 0.0
        in_air = max(np.polyval(c[::-1], planes).max() for c in air[i])
        excess = arrays.excess[..., arrays.node[i]].max(where=arrays.depth < end[i], initial=0.0)
        widest = (columns[VARIANCE] + columns[GAIN] * excess)[: last + 1].max() + in_air
        reach[i] = np.sqrt(2.0 * limit * widest)
    gain = np.ascontiguousarray(table[:, GAIN, 0])  # of the narrowest Gaussian, the same at all depths
    return AxisTables(table, end.astype(np.float32), gain, arrays.node, air.astype(np.float32), reach)


def _box(depth: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Rows (z and y) between which any voxel has a depth."""
    used = (depth < 1e8).any(axis=2)
    z, y = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    return (int(z[0]), int(z[-1]) + 1, int(y[0]), int(y[-1]) + 1) if z.size else (0, 0, 0, 0)


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
def _fill(
    frame, distance, lattice, span, origin, spacing, box, depth, excess, factor, axes, tables, limit, begin, end,
    indices, values, length,
):  # type: ignore[no-untyped-def]  # fmt: skip
    rows = np.empty((max((box[1] - box[0]) * (box[3] - box[2]), 1), 4), dtype=np.int64)
    nodes = excess.shape[2]
    room = 0
    voxel = np.empty(0, dtype=np.int32)
    near = np.empty((0, 0), dtype=np.float32)
    wider = np.empty((0, 0), dtype=np.float32)
    amount, width = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.float32)
    used = 0
    for ray in range(begin, end):
        spots = axes.first[ray + 1] - axes.first[ray]
        mine = axes.layer[axes.first[ray] : axes.first[ray + 1]]
        radius, deepest = 0.0, np.float32(0.0)
        for layer in mine:
            radius = max(radius, tables.reach_mm[layer])
            deepest = max(deepest, tables.end_mm[layer])
        count = rows_near(
            axes.place[ray], radius, frame, distance, span, origin, spacing, box, depth.shape[2], rows
        )
        most = 0
        for r in range(count):
            most += rows[r, 3] - rows[r, 2]
        if used + spots * most + 1 > indices.size:
            return ray, used, spots * most + 1
        if most > room:
            room = most
            voxel = np.empty(room, dtype=np.int32)
            near = np.empty((5, room), dtype=np.float32)
            amount, width = np.empty(room, dtype=np.float32), np.empty(room, dtype=np.float32)
            wider = np.empty((nodes, room), dtype=np.float32)
        found = _voxels_near(
            axes.place[ray], np.float32(radius * radius), deepest, frame, distance, lattice, origin, spacing, depth,
            excess, factor, rows[:count], voxel, near, wider,
        )  # fmt: skip
        for s in range(spots):
            at = axes.first[ray] + s
            layer = axes.layer[at]
            entries = _column(
                tables.table[layer], tables.gain[layer], tables.air[layer], np.float32(limit), found, voxel, near,
                wider[tables.node[layer]], amount, width, indices[used:], values[:, used:],
            )  # fmt: skip
            length[axes.column[at]] = entries
            used += entries
    return end, used, 0


@njit(cache=True, nogil=True, error_model="numpy")
def _voxels_near(
    place, square, deepest, frame, distance, lattice, origin, spacing, depth, excess, factor, rows, voxel, near, wider
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Voxels near a ray: number, squares of their distances, depth, position along the beam, dose factor, excess."""
    nz, ny, nx = depth.shape
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
            cell = iv * lattice[6] + iu
            for m in range(wider.shape[0]):
                wider[m, found] = excess[plane, cell, m]
            found += 1
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _column(
    table, gain, air, limit, found, voxel, near, wider, amount, width, indices, values
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write a column; returns its entries. Loops are apart so that all but the look-up become vectors."""
    _look_up(table[AMPLITUDE], near[WATER], found, amount)
    _look_up(table[VARIANCE], near[WATER], found, width)
    square_x, square_y, along, factor = near[SQUARE_X], near[SQUARE_Y], near[ALONG], near[FACTOR]
    half, one, none = np.float32(0.5), np.float32(1.0), np.float32(0.0)
    x0, x1, x2, y0, y1, y2 = air[0, 0], air[0, 1], air[0, 2], air[1, 0], air[1, 1], air[1, 2]
    for n in range(found):
        water, w = max(width[n] + gain * wider[n], none), along[n]
        in_x, in_y = water + x0 + w * (x1 + w * x2), water + y0 + w * (y1 + w * y2)
        both = one / (in_x * in_y)
        exponent = half * both * (square_x[n] * in_y + square_y[n] * in_x)
        dose = amount[n] * factor[n] * np.sqrt(both) * _exp(-min(exponent, limit))
        amount[n] = dose if exponent < limit else none
    entries = 0
    for n in range(found):
        values[0, entries] = amount[n]
        indices[entries] = voxel[n]
        entries += amount[n] > none
    for c in range(1, values.shape[0]):
        _look_up(table[FIRST_CHANNEL + c - 1], near[WATER], found, width)
        at = 0
        for n in range(found):
            values[c, at] = amount[n] * width[n]
            at += amount[n] > none
    return entries


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _look_up(column, depth, found, out):  # type: ignore[no-untyped-def]
    inverse = np.float32(1.0 / STEP_MM)
    for n in range(found):
        at = depth[n] * inverse
        row = np.uint64(at)
        low = column[row]
        out[n] = low + (at - np.float32(row)) * (column[row + np.uint64(1)] - low)
