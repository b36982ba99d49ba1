"""Influence of spots that are split over the rays they cover: the forward superposition, spot by spot."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.fan_sampling import cubic_weights, geometry_of
from isodose.pencilbeam.gaussian_taps import gaussian_taps
from isodose.pencilbeam.influence.columns import ColumnStore
from isodose.pencilbeam.influence.spot_lattice import FAINT, empty_patch, middle_cell, spot_lattice
from isodose.pencilbeam.influence.spot_patch import fill_patch
from isodose.pencilbeam.influence.spot_source import LayerSource, layer_source
from isodose.pencilbeam.influence.spot_terms import room_for
from isodose.pencilbeam.influence.voxels import InfluenceVoxels
from isodose.pencilbeam.superposition import between
from isodose.pencilbeam.voxel_rows import (
    row_beside_ray,
    row_on_beam,
    rows_near,
    stretch_near_ray,
    used_box,
    voxels_in,
)


def add_full(
    store: ColumnStore, view: BeamView, voxels: InfluenceVoxels, first_column: int, kept: float, threads: int
) -> None:
    """Compute the columns of a beam.

    Parameters
    ----------
    store
        Takes them.
    view
        The beam.
    voxels
        The dose grid.
    first_column
        Number of the beam's first column.
    kept
        Part of the dose on each plane that is kept; it is scaled up by what is lost.
    threads
        Number of threads.
    """
    wanted = np.where(voxels.inside, voxels.dose_factor, np.float32(0.0))
    first = first_column
    for index, layer in enumerate(view.beam.layers):
        source = layer_source(view, index, threads)
        _add_layer(
            store, view, source, voxels, wanted, (layer.spots.x_mm, layer.spots.y_mm), first, kept, threads
        )
        first += len(layer.spots)


def _add_layer(
    store: ColumnStore,
    view: BeamView,
    source: LayerSource,
    voxels: InfluenceVoxels,
    wanted: NDArray[np.float32],
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
    first: int,
    kept: float,
    threads: int,
) -> None:
    x, y = places
    fan = view.fan
    sigma = np.empty((fan.planes, source.columns.size, 2))
    for station in view.stations:
        sigma[station.begin : station.end] = [station.optics[c].map_sigma_mm for c in source.columns]
    lattice = spot_lattice(view, source, sigma, kept)
    taps = gaussian_taps()
    geometry = geometry_of(fan, voxels.grid)
    arrays = view.superposition
    box = used_box(wanted > 0.0)

    def fill(begin, end, indices, values, length):  # type: ignore[no-untyped-def]
        patch, room = empty_patch(lattice, fan.planes, values.shape[0]), room_for(source, lattice, taps)
        return _fill(
            geometry,
            box,
            wanted,
            arrays.scale,
            source.given,
            source.gaussians,
            sigma,
            lattice,
            taps,
            x,
            y,
            kept,
            patch,
            room,
            first,
            begin,
            end,
            indices,
            values,
            length,
        )

    def columns_of(begin: int, end: int) -> NDArray[np.int64]:
        return np.arange(first + begin, first + end)

    store.run(fill, columns_of, x.size, threads)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(  # type: ignore[no-untyped-def]
    geometry,
    box,
    wanted,
    scale,
    given,
    gaussians,
    sigma,
    lattice,
    taps,
    x,
    y,
    kept,
    patch,
    room,
    first,
    begin,
    end,
    indices,
    values,
    length,
):
    frame, distance, planes, origin, spacing = geometry
    rows = np.empty((max((box[1] - box[0]) * (box[3] - box[2]), 1), 4), dtype=np.int64)
    used = 0
    for spot in range(begin, end):
        place = np.array((x[spot], y[spot]))
        reached = fill_patch(
            given, gaussians, sigma, lattice, taps, x[spot], y[spot], kept, FAINT, patch, room
        )
        for plane in range(reached):  # a voxel lies between two planes
            following = patch.radius[plane + 1] if plane + 1 < given.shape[0] else np.float32(0.0)
            patch.radius[plane] = max(patch.radius[plane], following)
        radius = patch.radius[:reached].max() if reached > 0 else 0.0
        span = planes[3] - 0.5 * planes[4], planes[3] + min(reached, given.shape[0] - 0.5) * planes[4]
        count = rows_near(place, radius, frame, distance, span, origin, spacing, box, wanted.shape[2], rows)
        most = 1 + voxels_in(rows[:count])
        if used + most > indices.size:
            return spot, used, most
        entries = _sample(
            place,
            geometry,
            wanted,
            scale,
            lattice,
            patch,
            min(reached + 1, given.shape[0]),
            rows[:count],
            indices[used:],
            values[:, used:],
        )
        length[first + spot] = entries
        used += entries
    return end, used, 0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _sample(place, geometry, wanted, scale, lattice, patch, planes, rows, indices, values):  # type: ignore[no-untyped-def]
    """Write a column; returns its entries."""
    frame, distance, (first_u, first_v, spacing_uv, first, spacing_w), origin, spacing = geometry
    ny, nx = wanted.shape[1], wanted.shape[2]
    fine, coarse = _corners(lattice, place)
    inverse, cell = 1.0 / spacing_w, 1.0 / spacing_uv
    lean_x, lean_y = place[0] / distance[0], place[1] / distance[1]
    entries = 0
    for r in range(rows.shape[0]):
        k, j = rows[r, 0], rows[r, 1]
        row = row_on_beam(frame, origin, spacing, k, j)
        x, step_x, y, step_y, along, step_w = row
        across, _ = row_beside_ray(row, place, distance)
        in_planes = (along - first) * inverse, step_w * inverse
        begin, end = _closer(across, in_planes, patch.radius, planes, rows[r, 2], rows[r, 3])
        for i in range(begin, end):
            w, px, py = along + i * step_w, x + i * step_x, y + i * step_y
            at = (w - first) * inverse
            if not -0.5 <= at < planes - 0.5:
                continue
            at = min(max(at, 0.0), planes - 1.0)
            p = min(int(at), max(planes - 2, 0))
            du, dv = px - place[0] - lean_x * w, py - place[1] - lean_y * w
            medium = wanted[k, j, i]
            if du * du + dv * dv > patch.radius[p] * patch.radius[p] or medium == 0.0:
                continue
            u = (px / (1.0 + w / distance[0]) - first_u) * cell
            v = (py / (1.0 + w / distance[1]) - first_v) * cell
            fu, fv, size, start = _on_lattice(u, v, fine, coarse, patch)
            if size == 0:
                continue
            part = np.float32(at - p)
            q = min(p + 1, planes - 1)
            iu, iv = int(fu), int(fv)
            cu, cv = cubic_weights(np.float32(fu - iu)), cubic_weights(np.float32(fv - iv))
            corner = (iv - 1) * size + iu - 1
            near, far = start + p * size * size + corner, start + q * size * size + corner
            seen = _interpolated(patch.values, near, far, part, size, cv, cu)
            if not (seen >= between(patch.threshold[p], patch.threshold[q], part) and seen > 0.0):
                continue
            factor = medium * between(patch.factor[p] * scale[p], patch.factor[q] * scale[q], part)
            indices[entries] = (k * ny + j) * nx + i
            values[0, entries] = factor * seen
            for c in range(1, values.shape[0]):
                all_planes = c * patch.fine.shape[1] * size * size
                other = _interpolated(patch.values, near + all_planes, far + all_planes, part, size, cv, cu)
                values[c, entries] = factor * other
            entries += 1
    return entries


@njit(cache=True, inline="always", error_model="numpy")
def _corners(lattice, place):  # type: ignore[no-untyped-def]
    """First cells (v, u) of the fine and the coarse lattice around a spot, in rays of the fan."""
    v, u = middle_cell(lattice, place[0], place[1])
    fine = 2.0 * (v - lattice.half_fine), 2.0 * (u - lattice.half_fine)
    return fine, (2.0 * (v - lattice.half_coarse) + 0.5, 2.0 * (u - lattice.half_coarse) + 0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def _closer(across, along, radius, planes, first, last):  # type: ignore[no-untyped-def]
    """Narrow the stretch of a row down to the largest radius of the planes that it crosses."""
    one, two = along[0] + first * along[1], along[0] + (last - 1) * along[1]
    low, high = max(int(min(one, two)), 0), min(int(max(one, two)), planes - 1)
    widest = np.float32(0.0)
    for p in range(low, high + 1):
        widest = max(widest, radius[p])
    begin, end = stretch_near_ray(across, along, widest, -1.0, planes + 1.0, last)
    return max(begin, first), end


@njit(cache=True, inline="always", error_model="numpy", fastmath=True)
def _on_lattice(u, v, fine, coarse, patch):  # type: ignore[no-untyped-def]
    """Place in cells of the fine lattice, or of the coarse one around it: u, v, size and where it begins.

    The size is 0 where neither has the neighbours that a cubic needs.
    """
    fu, fv, size = u - fine[1], v - fine[0], patch.fine.shape[2]
    if 1.0 <= fu < size - 2.0 and 1.0 <= fv < size - 2.0:
        return fu, fv, size, 0
    fu, fv, size = 0.5 * (u - coarse[1]), 0.5 * (v - coarse[0]), patch.coarse.shape[2]
    if 1.0 <= fu < size - 2.0 and 1.0 <= fv < size - 2.0:
        return fu, fv, size, patch.fine.size
    return fu, fv, 0, 0


@njit(cache=True, inline="always", error_model="numpy", fastmath=True)
def _interpolated(values, near, far, part, size, cv, cu):  # type: ignore[no-untyped-def]
    """Cubic across the beam, from a row of four cells at each of two planes on; linear along it."""
    one = np.float32(1.0) - part
    total = np.float32(0.0)
    for b in range(4):
        n, f = np.uint64(near + b * size), np.uint64(far + b * size)
        row = cu[0] * (one * values[n] + part * values[f])
        for a in range(1, 4):
            row += cu[a] * (one * values[n + np.uint64(a)] + part * values[f + np.uint64(a)])
        total += cv[b] * row
    return total
