"""Water-equivalent depth of every voxel of the dose grid, from the rays of a fan."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.pencilbeam.fan import Fan
from isodose.pencilbeam.threads import over_chunks
from isodose.pencilbeam.voxel_rows import row_on_beam

NOWHERE = np.float32(1e9)
"""Depth of a voxel that no ray reaches, or that is not wanted."""


def voxel_depths(
    fan: Fan, depth: NDArray[np.float32], grid: Grid, inside: NDArray[np.bool_], threads: int
) -> NDArray[np.float32]:
    """Depths by trilinear interpolation between rays and planes.

    Parameters
    ----------
    fan
        All of whose rays have been followed.
    depth
        Of the rays on the planes, float32 ``(planes, rays)`` mm.
    grid
        The dose grid.
    inside
        Voxels that are wanted, ``[z, y, x]``.
    threads
        Number of threads.

    Returns
    -------
    ndarray
        float32 ``[z, y, x]`` mm, `NOWHERE` where there is none.
    """
    out = np.full(grid.shape, NOWHERE, dtype=np.float32)
    lattice = (*fan.first_mm, fan.spacing_mm, fan.first_plane_mm, fan.plane_spacing_mm)
    of_fan = depth.reshape(fan.planes, *fan.shape)
    origin, spacing = np.array(grid.origin_mm), np.array(grid.spacing_mm)

    def work(begin: int, end: int) -> None:
        _interpolate(
            fan.frame, fan.source_distance_mm, lattice, origin, spacing, of_fan, inside, out, begin, end
        )

    over_chunks(work, grid.shape[0], threads)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(  # type: ignore[no-untyped-def]
    frame, distance, lattice, origin, spacing, depth, inside, out, begin, end
):
    planes, nv, nu = depth.shape
    for k in range(begin, end):
        for j in range(out.shape[1]):
            x, step_x, y, step_y, w, step_w = row_on_beam(frame, origin, spacing, k, j)
            for i in range(out.shape[2]):
                if not inside[k, j, i]:
                    continue
                at = w + i * step_w
                p = (at - lattice[3]) / lattice[4]
                u = ((x + i * step_x) / (1.0 + at / distance[0]) - lattice[0]) / lattice[2]
                v = ((y + i * step_y) / (1.0 + at / distance[1]) - lattice[1]) / lattice[2]
                if not (-0.5 <= p < planes - 0.5 and 0.0 <= u < nu - 1.0 and 0.0 <= v < nv - 1.0):
                    continue
                p = min(max(p, 0.0), planes - 1.0)
                ip, iu, iv = int(p), int(u), int(v)
                up, uu, uv = min(ip + 1, planes - 1), u - iu, v - iv
                total = 0.0
                for plane, share in ((ip, 1.0 - (p - ip)), (up, p - ip)):
                    low = depth[plane, iv, iu] * (1.0 - uu) + depth[plane, iv, iu + 1] * uu
                    high = depth[plane, iv + 1, iu] * (1.0 - uu) + depth[plane, iv + 1, iu + 1] * uu
                    total += share * (low + uv * (high - low))
                out[k, j, i] = total
