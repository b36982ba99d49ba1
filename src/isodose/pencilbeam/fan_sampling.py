"""From the fan to the voxels of the dose grid and back: cubic across the beam, linear along it.

The cubic is Catmull and Rom's (Keys, IEEE Trans. Acoust. 29 (1981) 1153): exact for quadratics, so that a
narrow beam keeps its height.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.pencilbeam.fan import Fan
from isodose.pencilbeam.threads import over_chunks


def add_to_voxels(
    fan: Fan,
    values: NDArray[np.float32],
    grid: Grid,
    inside: NDArray[np.bool_],
    out: NDArray[np.float32],
    threads: int,
) -> None:
    """Add the fan's ``(channels, planes, nv, nu)`` to volumes ``(channels, z, y, x)``, inside a mask."""
    frame, distance, lattice, origin, spacing = geometry_of(fan, grid)

    def work(begin: int, end: int) -> None:
        _gather(frame, distance, lattice, origin, spacing, values, inside, out, begin, end)

    over_chunks(work, grid.shape[0], threads)


def seen_by_fan(
    fan: Fan, volumes: NDArray[np.float32], grid: Grid, inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Adjoint of `add_to_voxels`: from volumes ``(channels, z, y, x)`` to the fan."""
    out = np.zeros((volumes.shape[0], fan.planes, *fan.shape), dtype=np.float32)
    frame, distance, lattice, origin, spacing = geometry_of(fan, grid)
    _scatter(frame, distance, lattice, origin, spacing, volumes, inside, out)
    return out


def geometry_of(fan: Fan, grid: Grid) -> Any:
    """Frame, sources and lattice of a fan, and origin and spacing of a grid, as the kernels read them."""
    lattice = (*fan.first_mm, fan.spacing_mm, fan.first_plane_mm, fan.plane_spacing_mm)
    return fan.frame, fan.source_distance_mm, lattice, np.array(grid.origin_mm), np.array(grid.spacing_mm)


@njit(cache=True, inline="always")
def cubic_weights(part):  # type: ignore[no-untyped-def]
    """Weights of four neighbours at a part (float32) of the way from the second to the third."""
    half, two = np.float32(0.5), np.float32(2.0)
    rest = np.float32(1.0) - part
    first, last = -half * part * rest * rest, -half * rest * part * part
    return first, rest + last - two * first, part + first - two * last, last


@njit(cache=True, inline="always", error_model="numpy")
def coordinates(frame, distance, lattice, x, y, z):  # type: ignore[no-untyped-def]
    """Fractional indices (u, v, plane) of a point."""
    dx, dy, dz = x - frame[3, 0], y - frame[3, 1], z - frame[3, 2]
    w = dx * frame[2, 0] + dy * frame[2, 1] + dz * frame[2, 2]
    u = (dx * frame[0, 0] + dy * frame[0, 1] + dz * frame[0, 2]) / (1.0 + w / distance[0])
    v = (dx * frame[1, 0] + dy * frame[1, 1] + dz * frame[1, 2]) / (1.0 + w / distance[1])
    return (u - lattice[0]) / lattice[2], (v - lattice[1]) / lattice[2], (w - lattice[3]) / lattice[4]


@njit(cache=True, inline="always")
def covered(u, v, w, planes, nv, nu):  # type: ignore[no-untyped-def]
    """Whether the fan has values around a point."""
    return -0.5 <= w < planes - 0.5 and 1.0 <= u < nu - 2.0 and 1.0 <= v < nv - 2.0


@njit(cache=True, inline="always")
def plane_before(w, planes):  # type: ignore[no-untyped-def]
    """Plane before a point, the one behind it, and the part of the way from one to the other."""
    # Comparisons, as numba 0.68 compiles min and max for the CPU only.
    if planes == 1 or w <= 0.0:
        return 0, 1 if planes > 1 else 0, np.float32(0.0)
    if w >= planes - 1.0:
        return planes - 2, planes - 1, np.float32(1.0)
    plane = int(w)
    return plane, plane + 1, np.float32(w - plane)


@njit(cache=True, inline="always")
def interpolated(values, c, plane, following, part, iv, iu, cv, cu):  # type: ignore[no-untyped-def]
    """Value of a channel between two planes, with weights of the 4 x 4 rays around."""
    near, far = np.float32(0.0), np.float32(0.0)
    for b in range(4):
        one, two = np.float32(0.0), np.float32(0.0)
        for a in range(4):
            one += cu[a] * values[c, plane, iv - 1 + b, iu - 1 + a]
            two += cu[a] * values[c, following, iv - 1 + b, iu - 1 + a]
        near += cv[b] * one
        far += cv[b] * two
    return near + part * (far - near)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _gather(  # type: ignore[no-untyped-def]
    frame, distance, lattice, origin, spacing, values, inside, out, begin, end
):
    channels, planes, nv, nu = values.shape
    for k in range(begin, end):
        z = origin[2] + k * spacing[2]
        for j in range(out.shape[2]):
            y = origin[1] + j * spacing[1]
            for i in range(out.shape[3]):
                if not inside[k, j, i]:
                    continue
                u, v, w = coordinates(frame, distance, lattice, origin[0] + i * spacing[0], y, z)
                if not covered(u, v, w, planes, nv, nu):
                    continue
                plane, following, part = plane_before(w, planes)
                iu, iv = int(u), int(v)
                cu, cv = cubic_weights(np.float32(u - iu)), cubic_weights(np.float32(v - iv))
                for c in range(channels):
                    out[c, k, j, i] += interpolated(values, c, plane, following, part, iv, iu, cv, cu)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _scatter(frame, distance, lattice, origin, spacing, volumes, inside, out):  # type: ignore[no-untyped-def]
    channels, planes, nv, nu = out.shape
    for k in range(volumes.shape[1]):
        z = origin[2] + k * spacing[2]
        for j in range(volumes.shape[2]):
            y = origin[1] + j * spacing[1]
            for i in range(volumes.shape[3]):
                if not inside[k, j, i]:
                    continue
                u, v, w = coordinates(frame, distance, lattice, origin[0] + i * spacing[0], y, z)
                if not covered(u, v, w, planes, nv, nu):
                    continue
                plane, following, part = plane_before(w, planes)
                iu, iv = int(u), int(v)
                cu, cv = cubic_weights(np.float32(u - iu)), cubic_weights(np.float32(v - iv))
                for c in range(channels):
                    value = volumes[c, k, j, i]
                    if value == 0.0:
                        continue
                    for b in range(4):
                        near, far = cv[b] * value * (np.float32(1.0) - part), cv[b] * value * part
                        for a in range(4):
                            out[c, plane, iv - 1 + b, iu - 1 + a] += cu[a] * near
                            out[c, following, iv - 1 + b, iu - 1 + a] += cu[a] * far
