"""Dose of all layers of a beam at once: every ray gives to planes of a few widths, which are smoothed once.

The loop run backwards is the adjoint, which an optimiser needs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.layer_tables import AMPLITUDE, FIRST_CHANNEL, GAIN, STEP_MM, VARIANCE
from isodose.pencilbeam.widths import LEVELS, spread_down, spread_up


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


@njit(cache=True, inline="always")
def rung(variance, ladder, lookup, scale):  # type: ignore[no-untyped-def]
    """Plane below a variance, and the part that goes to the one above it."""
    below = lookup[min(int(np.sqrt(variance) * scale), lookup.size - 1)]
    low = ladder[below]
    return below, (variance - low) / (ladder[below + 1] - low)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def forward(view, fluence, out, begin, end):  # type: ignore[no-untyped-def]
    """Dose to water of a beam on its fan.

    Parameters
    ----------
    view
        A `Superposition`.
    fluence
        Particles by ray and layer, float32 ``(rays, layers)``.
    out
        Receives dose, and dose weighted with each channel, float32 ``(1 + channels, planes, nv, nu)``.
    begin, end
        Planes to compute.
    """
    (
        cell,
        depth,
        excess,
        air,
        table,
        first_layer,
        node,
        variance,
        level,
        lookup,
        lookup_scale,
        offsets,
        kernel_u,
        kernel_v,
        taps,
        scale,
        shape,
    ) = view
    rays, layers = fluence.shape
    gaussians = table.shape[2]
    channels = out.shape[0]
    planes = np.zeros((channels, offsets[-1]), dtype=np.float32)
    work = np.empty((2, shape[0], shape[1]), dtype=np.float32)
    place = np.empty(LEVELS, dtype=np.int64)
    inverse = np.float32(1.0 / STEP_MM)
    for plane in range(begin, end):
        top = 0
        for ray in range(rays):
            at = depth[plane, ray] * inverse
            row = int(at)
            if row + 1 >= table.shape[0]:
                continue
            part = np.float32(at - row)
            for lv in range(LEVELS):
                place[lv] = (cell[ray, 0] >> lv) * (shape[1] >> lv) + (cell[ray, 1] >> lv)
            for layer in range(first_layer[row], layers):
                particles = fluence[ray, layer]
                if particles == 0.0:
                    continue
                wider = excess[plane, ray, node[layer]]
                beyond = air[plane, layer]
                for g in range(gaussians):
                    a, b = table[row, layer, g], table[row + 1, layer, g]
                    amount = particles * (a[AMPLITUDE] + part * (b[AMPLITUDE] - a[AMPLITUDE]))
                    if amount == 0.0:
                        continue
                    width = a[VARIANCE] + part * (b[VARIANCE] - a[VARIANCE])
                    width += beyond + wider * (a[GAIN] + part * (b[GAIN] - a[GAIN]))
                    width = min(max(width, np.float32(0.0)), variance[-1])
                    k, share = rung(width, variance, lookup, lookup_scale)
                    upper = offsets[k + 1] + place[level[k + 1]]
                    lower = offsets[k] + place[level[k]]
                    more = share * amount
                    planes[0, lower] += amount - more
                    planes[0, upper] += more
                    for c in range(1, channels):
                        column = FIRST_CHANNEL + c - 1
                        factor = a[column] + part * (b[column] - a[column])
                        planes[c, lower] += factor * (amount - more)
                        planes[c, upper] += factor * more
                    top = max(top, k + 1)
        for c in range(channels):
            image = out[c, plane]
            if top == 0:
                image[:, :] = 0.0
                continue
            spread_down(planes[c], offsets, level, top, kernel_u[plane], kernel_v[plane], taps, image, work)
            image *= scale[plane]
        planes[:, : offsets[top + 1]] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def adjoint(view, image, fluence, out, begin, end):  # type: ignore[no-untyped-def]
    """Derivative by the particles of each ray and layer of a sum over dose times an image on the fan.

    Parameters
    ----------
    view
        A `Superposition`.
    image
        By which the dose, and the dose weighted with each channel, is multiplied, float32
        ``(1 + channels, planes, nv, nu)``.
    fluence
        Where it is 0 the derivative is not computed, float32 ``(rays, layers)``.
    out
        Is added to, float32 ``(rays, layers)``.
    begin, end
        Planes that count.
    """
    (
        cell,
        depth,
        excess,
        air,
        table,
        first_layer,
        node,
        variance,
        level,
        lookup,
        lookup_scale,
        offsets,
        kernel_u,
        kernel_v,
        taps,
        scale,
        shape,
    ) = view
    rays, layers = fluence.shape
    gaussians = table.shape[2]
    channels = image.shape[0]
    planes = np.zeros((channels, offsets[-1]), dtype=np.float32)
    work = np.empty((2, shape[0], shape[1]), dtype=np.float32)
    place = np.empty(LEVELS, dtype=np.int64)
    inverse = np.float32(1.0 / STEP_MM)
    top = variance.size - 1
    for plane in range(begin, end):
        for c in range(channels):
            spread_up(
                planes[c], offsets, level, top, kernel_u[plane], kernel_v[plane], taps, image[c, plane], work
            )
        for ray in range(rays):
            at = depth[plane, ray] * inverse
            row = int(at)
            if row + 1 >= table.shape[0]:
                continue
            part = np.float32(at - row)
            for lv in range(LEVELS):
                place[lv] = (cell[ray, 0] >> lv) * (shape[1] >> lv) + (cell[ray, 1] >> lv)
            for layer in range(first_layer[row], layers):
                if fluence[ray, layer] == 0.0:
                    continue
                wider = excess[plane, ray, node[layer]]
                beyond = air[plane, layer]
                total = np.float32(0.0)
                for g in range(gaussians):
                    a, b = table[row, layer, g], table[row + 1, layer, g]
                    amount = a[AMPLITUDE] + part * (b[AMPLITUDE] - a[AMPLITUDE])
                    if amount == 0.0:
                        continue
                    width = a[VARIANCE] + part * (b[VARIANCE] - a[VARIANCE])
                    width += beyond + wider * (a[GAIN] + part * (b[GAIN] - a[GAIN]))
                    width = min(max(width, np.float32(0.0)), variance[-1])
                    k, share = rung(width, variance, lookup, lookup_scale)
                    upper = offsets[k + 1] + place[level[k + 1]]
                    lower = offsets[k] + place[level[k]]
                    seen = planes[0, lower] + share * (planes[0, upper] - planes[0, lower])
                    for c in range(1, channels):
                        column = FIRST_CHANNEL + c - 1
                        factor = a[column] + part * (b[column] - a[column])
                        seen += factor * (planes[c, lower] + share * (planes[c, upper] - planes[c, lower]))
                    total += amount * seen
                out[ray, layer] += total * scale[plane]
