"""Dose of all layers of a beam at once: every ray gives to planes of a few widths, which are smoothed once.

The loop run backwards is the adjoint, which an optimiser needs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.layer_tables import AMPLITUDE, FIRST_CHANNEL, GAIN, STEP_MM, VARIANCE
from isodose.pencilbeam.widths import spread_down, spread_up

_PER_STEP = np.float32(1.0 / STEP_MM)


class Superposition(NamedTuple):
    """What both directions need of a beam.

    Parameters
    ----------
    cell
        Row and column of each ray in the fan, int32 ``(rays, 2)``.
    depth
        Water-equivalent depth, float32 ``(planes, rays)``.
    excess
        Excess variance, float32 ``(planes, rays, m)``.
    air
        Variance that the spot gains in air beyond the fluence map's, float32 ``(planes, layers)``.
    table, first_layer, node
        Of `isodose.pencilbeam.layer_tables.LayerTables`.
    columns
        ``table`` with layers innermost, so that one depth's are computed together, float32
        ``(depths, 3 + channels, gaussians, layers)``.
    variance, level, lookup, lookup_scale
        Of the ladder.
    offsets
        Of its planes in one buffer.
    kernel_u, kernel_v
        Half kernels by fan plane, float32 ``(planes, k, taps)``.
    taps
        Their lengths.
    scale
        Gy per (MeV cm2/g and particle) of a cell, by fan plane, float32.
    shape
        Fan's rays along v and u.
    """

    cell: NDArray[np.int32]
    depth: NDArray[np.float32]
    excess: NDArray[np.float32]
    air: NDArray[np.float32]
    table: NDArray[np.float32]
    first_layer: NDArray[np.int32]
    node: NDArray[np.int32]
    columns: NDArray[np.float32]
    variance: NDArray[np.float32]
    level: NDArray[np.int64]
    lookup: NDArray[np.int16]
    lookup_scale: float
    offsets: NDArray[np.int64]
    kernel_u: NDArray[np.float32]
    kernel_v: NDArray[np.float32]
    taps: NDArray[np.int64]
    scale: NDArray[np.float32]
    shape: tuple[int, int]


def active_layers(fluence: NDArray[np.float32]) -> NDArray[np.int32]:
    """First layer with particles on each ray, and the one behind the last, ``(rays, 2)``."""
    held = fluence > 0.0
    any_held = held.any(axis=1)
    first = np.where(any_held, held.argmax(axis=1), 0)
    behind = np.where(any_held, fluence.shape[1] - held[:, ::-1].argmax(axis=1), 0)
    return np.stack([first, behind], axis=1).astype(np.int32)


@njit(cache=True, inline="always")
def between(low, high, part):  # type: ignore[no-untyped-def]
    """Value between two tabulated depths."""
    return low + part * (high - low)


@njit(cache=True, inline="always")
def widened(variance, gain, wider, beyond, widest):  # type: ignore[no-untyped-def]
    """Variance of a Gaussian where its ray has scattered by more than in water, and its spot was wide."""
    # Comparisons, as numba 0.68 compiles min and max for the CPU only.
    total = variance + beyond + gain * wider
    positive = total if total > np.float32(0.0) else np.float32(0.0)
    return positive if positive < widest else widest


@njit(cache=True, inline="always")
def lookup_place(width, scale):  # type: ignore[no-untyped-def]
    """Where a variance's rung is looked up."""
    return np.int32(math.sqrt(width) * scale)


@njit(cache=True, inline="always")
def share_above(width, below, per_rung):  # type: ignore[no-untyped-def]
    """Part of a Gaussian that goes to the rung above it, so that the variance is kept."""
    return (width - below) * per_rung


@njit(cache=True, inline="always")
def buffer_place(offset, level, row, column, stride):  # type: ignore[no-untyped-def]
    """Where a ray's cell lies in the buffer of all planes of widths."""
    return offset + (row >> level) * (stride >> level) + (column >> level)


@njit(cache=True, inline="always")
def layers_at(depth, first_layer, active):  # type: ignore[no-untyped-def]
    """Row of a depth in the tables, part of the way to the next, and layers from and up to that reach it."""
    # Comparisons, as numba 0.68 compiles min and max for the CPU only.
    at = depth * _PER_STEP
    row = int(at)
    if row + 1 >= first_layer.shape[0]:
        return row, np.float32(0.0), active[1], active[1]
    first = first_layer[row] if first_layer[row] > active[0] else active[0]
    return row, np.float32(at - row), first, active[1]


@njit(cache=True, inline="always")
def weighting(columns, row, part, c, g, layer):  # type: ignore[no-untyped-def]
    """What the dose of a Gaussian of a layer is weighted with for a channel (1 and on) at a depth."""
    column = FIRST_CHANNEL + c - 1
    return between(columns[row, column, g, layer], columns[row + 1, column, g, layer], part)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def forward(view, fluence, active, out, begin, end):  # type: ignore[no-untyped-def]
    """Dose to water of a beam on its fan.

    Parameters
    ----------
    view
        A `Superposition`.
    fluence
        Particles by ray and layer, float32 ``(rays, layers)``.
    active
        Of `active_layers`.
    out
        Receives dose, and dose weighted with each channel, float32 ``(1 + channels, planes, nv, nu)``.
    begin, end
        Planes to compute.
    """
    channels, variance = out.shape[0], view.variance
    per_rung = np.float32(1.0) / np.diff(variance)
    planes, of_ray, work, given = _room(view, channels)
    for plane in range(begin, end):
        top = 0
        for ray in range(fluence.shape[0]):
            row, part, first, last = layers_at(view.depth[plane, ray], view.first_layer, active[ray])
            if first >= last:
                continue
            _contributions(view, plane, ray, row, part, first, last, given)
            lowest, highest = _share_among_rungs(
                view, fluence[ray], row, part, first, last, given, variance, per_rung, of_ray
            )
            _add_to_planes(view, ray, lowest, highest, of_ray, planes)
            top = max(top, highest)
        for c in range(channels):
            _smooth(view, plane, top, planes[c], work, out[c, plane])
        planes[:, : view.offsets[top + 1]] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def adjoint(view, image, active, out, begin, end):  # type: ignore[no-untyped-def]
    """Derivative by the particles of each ray and layer of a sum over dose times an image on the fan.

    Parameters
    ----------
    view
        A `Superposition`.
    image
        By which the dose, and the dose weighted with each channel, is multiplied, float32
        ``(1 + channels, planes, nv, nu)``.
    active
        Layers of each ray for which the derivative is wanted, as `active_layers` gives them.
    out
        Is added to, float32 ``(rays, layers)``.
    begin, end
        Planes that count.
    """
    channels, variance = image.shape[0], view.variance
    per_rung = np.float32(1.0) / np.diff(variance)
    planes, of_ray, work, given = _room(view, channels)
    for plane in range(begin, end):
        for c in range(channels):
            spread_up(
                planes[c], view.offsets, view.level, view.variance.size - 1, view.kernel_u[plane],
                view.kernel_v[plane], view.taps, image[c, plane], work,
            )  # fmt: skip
        for ray in range(out.shape[0]):
            row, part, first, last = layers_at(view.depth[plane, ray], view.first_layer, active[ray])
            if first >= last:
                continue
            _contributions(view, plane, ray, row, part, first, last, given)
            _see_planes(view, plane, ray, planes, of_ray)
            _gather_from_rungs(view, of_ray, row, part, first, last, given, variance, per_rung, out[ray])


@njit(cache=True, error_model="numpy", inline="always")
def _room(view, channels):  # type: ignore[no-untyped-def]
    """Planes of widths, the same of one ray, room to smooth in, and what the layers of a ray give."""
    gaussians, layers, rungs = view.columns.shape[2], view.columns.shape[3], view.variance.size
    planes = np.zeros((channels, view.offsets[-1]), dtype=np.float32)
    of_ray = np.zeros((channels, rungs), dtype=np.float32)
    work = np.empty((2, view.shape[0], view.shape[1]), dtype=np.float32)
    amount = np.empty((gaussians, layers), dtype=np.float32)
    width, place = np.empty_like(amount), np.empty(amount.shape, dtype=np.int32)
    return planes, of_ray, work, (amount, width, place, np.empty(layers, dtype=np.float32))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _contributions(view, plane, ray, row, part, first, last, given):  # type: ignore[no-untyped-def]
    """Dose per particle and width of layers and Gaussians of a ray at a depth, and where to look for rungs.

    They are written to the first three of `given`, ``(gaussians, layers)``, from the first layer on.
    """
    amount, width, place, wider = given
    columns, widest, scale = view.columns, view.variance[-1], np.float32(view.lookup_scale)
    for layer in range(first, last):
        wider[layer] = view.excess[plane, ray, view.node[layer]]
    # Views of one row each, so that the loops are vectorised.
    excess, beyond = wider[first:last], view.air[plane, first:last]
    for g in range(amount.shape[0]):
        dose_a, dose_b = columns[row, AMPLITUDE, g, first:last], columns[row + 1, AMPLITUDE, g, first:last]
        wide_a, wide_b = columns[row, VARIANCE, g, first:last], columns[row + 1, VARIANCE, g, first:last]
        gain_a, gain_b = columns[row, GAIN, g, first:last], columns[row + 1, GAIN, g, first:last]
        doses, widths, places = amount[g], width[g], place[g]
        for i in range(last - first):
            doses[i] = between(dose_a[i], dose_b[i], part)
        for i in range(last - first):
            variance = between(wide_a[i], wide_b[i], part)
            gain = between(gain_a[i], gain_b[i], part)
            widths[i] = widened(variance, gain, excess[i], beyond[i], widest)
        for i in range(last - first):
            places[i] = lookup_place(widths[i], scale)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _share_among_rungs(  # type: ignore[no-untyped-def]
    view, fluence, row, part, first, last, given, variance, per_rung, of_ray
):
    """Add the dose of a ray's particles to the rungs beside each width; lowest and highest rung reached."""
    amount, width, place, _ = given
    lowest, highest = variance.size, 0
    for g in range(amount.shape[0]):
        for i in range(last - first):
            dose = fluence[first + i] * amount[g, i]
            if dose == 0.0:
                continue
            k = view.lookup[place[g, i]]
            above = dose * share_above(width[g, i], variance[k], per_rung[k])
            of_ray[0, k] += dose - above
            of_ray[0, k + 1] += above
            for c in range(1, of_ray.shape[0]):
                factor = weighting(view.columns, row, part, c, g, first + i)
                of_ray[c, k] += factor * (dose - above)
                of_ray[c, k + 1] += factor * above
            lowest, highest = min(lowest, k), max(highest, k + 1)
    return lowest, highest


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _add_to_planes(view, ray, lowest, highest, of_ray, planes):  # type: ignore[no-untyped-def]
    """Move what a ray has given to its rungs to the planes of widths."""
    for k in range(lowest, highest + 1):
        where = buffer_place(
            view.offsets[k], view.level[k], view.cell[ray, 0], view.cell[ray, 1], view.shape[1]
        )
        for c in range(of_ray.shape[0]):
            planes[c, where] += of_ray[c, k]
            of_ray[c, k] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _smooth(view, plane, top, widths, work, image):  # type: ignore[no-untyped-def]
    """Write the dose of a plane of the fan: all widths, smoothed, per mass."""
    if top == 0:
        image[:, :] = 0.0
        return
    spread_down(
        widths, view.offsets, view.level, top, view.kernel_u[plane], view.kernel_v[plane], view.taps, image,
        work,
    )  # fmt: skip
    image *= view.scale[plane]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _see_planes(view, plane, ray, planes, of_ray):  # type: ignore[no-untyped-def]
    """Adjoint of `_add_to_planes`, with the scale of `_smooth`: what each rung of a ray sees."""
    for k in range(of_ray.shape[1]):
        where = buffer_place(
            view.offsets[k], view.level[k], view.cell[ray, 0], view.cell[ray, 1], view.shape[1]
        )
        for c in range(of_ray.shape[0]):
            of_ray[c, k] = planes[c, where] * view.scale[plane]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def _gather_from_rungs(  # type: ignore[no-untyped-def]
    view, of_ray, row, part, first, last, given, variance, per_rung, out
):
    """Adjoint of `_share_among_rungs`: add what a ray's particles see, by layer."""
    amount, width, place, _ = given
    for g in range(amount.shape[0]):
        for i in range(last - first):
            k = view.lookup[place[g, i]]
            share = share_above(width[g, i], variance[k], per_rung[k])
            seen = between(of_ray[0, k], of_ray[0, k + 1], share)
            for c in range(1, of_ray.shape[0]):
                factor = weighting(view.columns, row, part, c, g, first + i)
                seen += factor * between(of_ray[c, k], of_ray[c, k + 1], share)
            out[first + i] += amount[g, i] * seen
