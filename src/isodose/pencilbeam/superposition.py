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


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True, inline="always")
def contributions(  # type: ignore[no-untyped-def]
    columns, row, part, first, last, wider, air, widest, scale, amount, width, place
):
    """Dose per particle and width of layers and Gaussians of a ray at a depth, and where to look for rungs.

    Parameters
    ----------
    columns
        Of a `Superposition`.
    row, part
        Row of the depth, and part of the way to the next.
    first, last
        Layers from and up to.
    wider, air
        Excess variance and that from air, by layer.
    widest, scale
        Of the ladder.
    amount, width, place
        Receive results, ``(gaussians, layers)``, from the first layer on.
    """
    # Views of one row each, so that the loops are vectorised.
    for g in range(amount.shape[0]):
        dose_a, dose_b = columns[row, AMPLITUDE, g, first:last], columns[row + 1, AMPLITUDE, g, first:last]
        wide_a, wide_b = columns[row, VARIANCE, g, first:last], columns[row + 1, VARIANCE, g, first:last]
        gain_a, gain_b = columns[row, GAIN, g, first:last], columns[row + 1, GAIN, g, first:last]
        excess, beyond = wider[first:last], air[first:last]
        doses, widths, places = amount[g], width[g], place[g]
        for i in range(last - first):
            doses[i] = between(dose_a[i], dose_b[i], part)
        for i in range(last - first):
            variance = between(wide_a[i], wide_b[i], part)
            gain = between(gain_a[i], gain_b[i], part)
            widths[i] = widened(variance, gain, excess[i], beyond[i], widest)
        for i in range(last - first):
            places[i] = lookup_place(widths[i], scale)


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
    (
        cell, depth, excess, air, _, first_layer, node, columns, variance, level, lookup, lookup_scale,
        offsets, kernel_u, kernel_v, taps, scale, shape,
    ) = view  # fmt: skip
    rays, layers = fluence.shape
    gaussians, channels, rungs = columns.shape[2], out.shape[0], variance.size
    planes = np.zeros((channels, offsets[-1]), dtype=np.float32)
    work = np.empty((2, shape[0], shape[1]), dtype=np.float32)
    amount = np.empty((gaussians, layers), dtype=np.float32)
    width, place = np.empty_like(amount), np.empty(amount.shape, dtype=np.int32)
    wider = np.empty(layers, dtype=np.float32)
    of_ray = np.zeros((channels, rungs), dtype=np.float32)
    per_step, places_per_mm = np.float32(1.0 / STEP_MM), np.float32(lookup_scale)
    per_rung = np.float32(1.0) / np.diff(variance)
    for plane in range(begin, end):
        top = 0
        for ray in range(rays):
            at = depth[plane, ray] * per_step
            row = int(at)
            if row + 1 >= columns.shape[0]:
                continue
            first, last = max(first_layer[row], active[ray, 0]), active[ray, 1]
            if first >= last:
                continue
            part = np.float32(at - row)
            for layer in range(first, last):
                wider[layer] = excess[plane, ray, node[layer]]
            contributions(
                columns, row, part, first, last, wider, air[plane], variance[-1], places_per_mm, amount,
                width, place,
            )  # fmt: skip
            lowest, highest = rungs, 0
            for g in range(gaussians):
                for i in range(last - first):
                    dose = fluence[ray, first + i] * amount[g, i]
                    if dose == 0.0:
                        continue
                    k = lookup[place[g, i]]
                    above = dose * share_above(width[g, i], variance[k], per_rung[k])
                    of_ray[0, k] += dose - above
                    of_ray[0, k + 1] += above
                    for c in range(1, channels):
                        column = FIRST_CHANNEL + c - 1
                        factor = between(
                            columns[row, column, g, first + i], columns[row + 1, column, g, first + i], part
                        )
                        of_ray[c, k] += factor * (dose - above)
                        of_ray[c, k + 1] += factor * above
                    lowest, highest = min(lowest, k), max(highest, k + 1)
            for k in range(lowest, highest + 1):
                where = buffer_place(offsets[k], level[k], cell[ray, 0], cell[ray, 1], shape[1])
                for c in range(channels):
                    planes[c, where] += of_ray[c, k]
                    of_ray[c, k] = 0.0
            top = max(top, highest)
        for c in range(channels):
            image = out[c, plane]
            if top == 0:
                image[:, :] = 0.0
                continue
            spread_down(planes[c], offsets, level, top, kernel_u[plane], kernel_v[plane], taps, image, work)
            image *= scale[plane]
        planes[:, : offsets[top + 1]] = 0.0


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
    (
        cell, depth, excess, air, _, first_layer, node, columns, variance, level, lookup, lookup_scale,
        offsets, kernel_u, kernel_v, taps, scale, shape,
    ) = view  # fmt: skip
    rays, layers = out.shape
    gaussians, channels, rungs = columns.shape[2], image.shape[0], variance.size
    planes = np.zeros((channels, offsets[-1]), dtype=np.float32)
    work = np.empty((2, shape[0], shape[1]), dtype=np.float32)
    amount = np.empty((gaussians, layers), dtype=np.float32)
    width, place = np.empty_like(amount), np.empty(amount.shape, dtype=np.int32)
    wider = np.empty(layers, dtype=np.float32)
    of_ray = np.zeros((channels, rungs), dtype=np.float32)
    per_step, places_per_mm = np.float32(1.0 / STEP_MM), np.float32(lookup_scale)
    per_rung = np.float32(1.0) / np.diff(variance)
    for plane in range(begin, end):
        for c in range(channels):
            spread_up(
                planes[c], offsets, level, rungs - 1, kernel_u[plane], kernel_v[plane], taps, image[c, plane],
                work,
            )  # fmt: skip
        for ray in range(rays):
            at = depth[plane, ray] * per_step
            row = int(at)
            if row + 1 >= columns.shape[0]:
                continue
            first, last = max(first_layer[row], active[ray, 0]), active[ray, 1]
            if first >= last:
                continue
            part = np.float32(at - row)
            for layer in range(first, last):
                wider[layer] = excess[plane, ray, node[layer]]
            contributions(
                columns, row, part, first, last, wider, air[plane], variance[-1], places_per_mm, amount,
                width, place,
            )  # fmt: skip
            for k in range(rungs):
                where = buffer_place(offsets[k], level[k], cell[ray, 0], cell[ray, 1], shape[1])
                for c in range(channels):
                    of_ray[c, k] = planes[c, where] * scale[plane]
            for g in range(gaussians):
                for i in range(last - first):
                    k = lookup[place[g, i]]
                    share = share_above(width[g, i], variance[k], per_rung[k])
                    seen = between(of_ray[0, k], of_ray[0, k + 1], share)
                    for c in range(1, channels):
                        column = FIRST_CHANNEL + c - 1
                        factor = between(
                            columns[row, column, g, first + i], columns[row + 1, column, g, first + i], part
                        )
                        seen += factor * between(of_ray[c, k], of_ray[c, k + 1], share)
                    out[ray, first + i] += amount[g, i] * seen
