"""Loops of the superposition for a CUDA device; what they do per element is the CPU's own functions.

Buffers of widths are ``(planes, channels, cells)``: a batch of planes of the fan is worked on together.
"""

# mypy: disable-error-code=attr-defined
# (numba makes the names of its CUDA module as it is imported)

from __future__ import annotations

import numpy as np
from numba import cuda

from isodose.pencilbeam.fan_sampling import coordinates, covered, cubic_weights, interpolated, plane_before
from isodose.pencilbeam.layer_tables import AMPLITUDE, GAIN, VARIANCE
from isodose.pencilbeam.superposition import (
    between,
    buffer_place,
    layers_at,
    lookup_place,
    share_above,
    weighting,
    widened,
)


@cuda.jit
def clear(planes):  # type: ignore[no-untyped-def]
    """Empty a buffer of widths."""
    cell, image = cuda.grid(2)
    if cell < planes.shape[2] and image < planes.shape[0] * planes.shape[1]:
        planes[image // planes.shape[1], image % planes.shape[1], cell] = np.float32(0.0)


@cuda.jit
def deposit(  # type: ignore[no-untyped-def]
    cell, depth, excess, air, first_layer, node, columns, variance, per_rung, level, lookup, lookup_scale,
    offsets, stride, fluence, active, begin, count, planes,
):  # fmt: skip
    """Give every ray's dose on a batch of planes to the widths, as `superposition.forward` does.

    Parameters
    ----------
    cell, depth, excess, air, first_layer, node, columns, variance, level, lookup, lookup_scale, offsets
        Of a `isodose.pencilbeam.superposition.Superposition`.
    per_rung
        One over the difference of each rung's variance and the next.
    stride
        Rays along u.
    fluence, active
        Particles by ray and layer, and the layers that have any.
    begin, count
        First plane of the batch, and how many.
    planes
        Is added to, float32 ``(planes, channels, cells)``.
    """
    ray, plane = cuda.grid(2)
    if ray >= cell.shape[0] or plane >= count:
        return
    row, part, first, last = layers_at(depth[begin + plane, ray], first_layer, active[ray])
    widest = variance[variance.shape[0] - 1]
    for layer in range(first, last):
        wider, beyond = excess[begin + plane, ray, node[layer]], air[begin + plane, layer]
        for g in range(columns.shape[2]):
            dose = fluence[ray, layer] * between(
                columns[row, AMPLITUDE, g, layer], columns[row + 1, AMPLITUDE, g, layer], part
            )
            in_water = between(columns[row, VARIANCE, g, layer], columns[row + 1, VARIANCE, g, layer], part)
            gain = between(columns[row, GAIN, g, layer], columns[row + 1, GAIN, g, layer], part)
            width = widened(in_water, gain, wider, beyond, widest)
            k = lookup[lookup_place(width, lookup_scale)]
            above = dose * share_above(width, variance[k], per_rung[k])
            for side in range(2):
                rung = k + side
                amount = above if side == 1 else dose - above
                where = buffer_place(offsets[rung], level[rung], cell[ray, 0], cell[ray, 1], stride)
                cuda.atomic.add(planes, (plane, 0, where), amount)
                for c in range(1, planes.shape[1]):
                    factor = weighting(columns, row, part, c, g, layer)
                    cuda.atomic.add(planes, (plane, c, where), factor * amount)


@cuda.jit
def smooth_along_u(planes, offset, ny, nx, kernels, begin, k, taps, out):  # type: ignore[no-untyped-def]
    """Convolve one width of every plane and channel along u with the kernel of its plane."""
    cell, image = cuda.grid(2)
    channels = planes.shape[1]
    if cell >= ny * nx or image >= planes.shape[0] * channels:
        return
    plane, c, x = image // channels, image % channels, cell % nx
    total = kernels[begin + plane, k, 0] * planes[plane, c, offset + cell]
    for t in range(1, taps):
        weight = kernels[begin + plane, k, t]
        if x >= t:
            total += weight * planes[plane, c, offset + cell - t]
        if x + t < nx:
            total += weight * planes[plane, c, offset + cell + t]
    out[plane, c, cell] = total


@cuda.jit
def smooth_along_v(half, ny, nx, kernels, begin, k, taps, out):  # type: ignore[no-untyped-def]
    """Convolve along v what `smooth_along_u` gave."""
    cell, image = cuda.grid(2)
    channels = half.shape[1]
    if cell >= ny * nx or image >= half.shape[0] * channels:
        return
    plane, c, y = image // channels, image % channels, cell // nx
    total = kernels[begin + plane, k, 0] * half[plane, c, cell]
    for t in range(1, taps):
        weight = kernels[begin + plane, k, t]
        if y >= t:
            total += weight * half[plane, c, cell - t * nx]
        if y + t < ny:
            total += weight * half[plane, c, cell + t * nx]
    out[plane, c, cell] = total


@cuda.jit
def add_below(done, ny, nx, refined, offset, planes):  # type: ignore[no-untyped-def]
    """Add a smoothed width to the next narrower one, whose lattice is the same or finer by two.

    Parameters
    ----------
    done
        Smoothed width, ``(planes, channels, cells)``.
    ny, nx
        Rows and columns of the narrower width.
    refined
        Whether its lattice is finer: coarse sums are spread with (1, 3, 3, 1) / 8, here gathered.
    offset, planes
        Where the narrower width begins in the buffer, and the buffer.
    """
    cell, image = cuda.grid(2)
    channels = planes.shape[1]
    if cell >= ny * nx or image >= planes.shape[0] * channels:
        return
    plane, c = image // channels, image % channels
    if not refined:
        planes[plane, c, offset + cell] += done[plane, c, cell]
        return
    y, x = cell // nx, cell % nx
    total = np.float32(0.0)
    for j in range(2):
        # The cell it lies in gives 3 of 8 in each direction, the neighbour on its side 1.
        row = y // 2 + j * (2 * (y % 2) - 1)
        if row < 0 or row >= ny // 2:
            continue
        for i in range(2):
            column = x // 2 + i * (2 * (x % 2) - 1)
            if 0 <= column < nx // 2:
                weight = np.float32((3 - 2 * j) * (3 - 2 * i))
                total += weight * done[plane, c, row * (nx // 2) + column]
    planes[plane, c, offset + cell] += total * np.float32(1.0 / 64.0)


@cuda.jit
def finish(planes, begin, count, scale, values):  # type: ignore[no-untyped-def]
    """Write a batch of narrowest widths, as dose, to the fan ``(channels, planes, nv, nu)``."""
    cell, image = cuda.grid(2)
    channels, nv, nu = values.shape[0], values.shape[2], values.shape[3]
    if cell >= nv * nu or image >= count * channels:
        return
    plane, c = image // channels, image % channels
    values[c, begin + plane, cell // nu, cell % nu] = planes[plane, c, cell] * scale[begin + plane]


@cuda.jit
def gather(frame, distance, lattice, origin, spacing, values, inside, out):  # type: ignore[no-untyped-def]
    """Add the fan's values to voxels, as `isodose.pencilbeam.fan_sampling.add_to_voxels`."""
    voxel = cuda.grid(1)
    nz, ny, nx = inside.shape
    if voxel >= nz * ny * nx:
        return
    k, j, i = voxel // (ny * nx), voxel // nx % ny, voxel % nx
    if not inside[k, j, i]:
        return
    planes, nv, nu = values.shape[1], values.shape[2], values.shape[3]
    u, v, w = coordinates(
        frame,
        distance,
        lattice,
        origin[0] + i * spacing[0],
        origin[1] + j * spacing[1],
        origin[2] + k * spacing[2],
    )
    if not covered(u, v, w, planes, nv, nu):
        return
    plane, following, part = plane_before(w, planes)
    iu, iv = int(u), int(v)
    cu, cv = cubic_weights(np.float32(u - iu)), cubic_weights(np.float32(v - iv))
    for c in range(values.shape[0]):
        out[c, k, j, i] += interpolated(values, c, plane, following, part, iv, iu, cv, cu)
