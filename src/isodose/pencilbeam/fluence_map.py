"""Spots of a layer as particles per ray, and back."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_REACH = 3.5
"""A spot reaches so many standard deviations; what lies beyond (0.05 %) is given back to the rest."""


@njit(cache=True, nogil=True, error_model="numpy")
def cell_parts(centre, sigma, first, spacing, count, out):  # type: ignore[no-untyped-def]
    """Parts of a Gaussian in the cells of a row; returns the first cell and how many."""
    begin = max(math.floor((centre - _REACH * sigma - first) / spacing + 0.5), 0)
    end = min(math.floor((centre + _REACH * sigma - first) / spacing + 0.5) + 1, count)
    if end <= begin:
        return 0, 0
    scale = 1.0 / (math.sqrt(2.0) * sigma)
    last = math.erf((first + (begin - 0.5) * spacing - centre) * scale)
    total = 0.0
    for i in range(begin, end):
        here = math.erf((first + (i + 0.5) * spacing - centre) * scale)
        out[i - begin] = here - last
        total += here - last
        last = here
    for i in range(end - begin):
        out[i] /= total
    return begin, end - begin


@njit(cache=True, nogil=True, error_model="numpy")
def map_of(x, y, particles, sigma, first, spacing, out):  # type: ignore[no-untyped-def]
    """Add spots to a map of particles.

    Parameters
    ----------
    x, y, particles
        Spots on the isocentre plane, mm.
    sigma
        Standard deviation along x and y, mm.
    first, spacing
        Centre of the first cell (u, v) and distance of cells, mm.
    out
        Map, float32 ``(nv, nu)``.
    """
    nv, nu = out.shape
    along_u, along_v = np.empty(nu), np.empty(nv)
    for i in range(x.size):
        u0, n = cell_parts(x[i], sigma[0], first[0], spacing, nu, along_u)
        v0, m = cell_parts(y[i], sigma[1], first[1], spacing, nv, along_v)
        for v in range(m):
            weight = particles[i] * along_v[v]
            for u in range(n):
                out[v0 + v, u0 + u] += weight * along_u[u]


@njit(cache=True, nogil=True, error_model="numpy")
def seen_by_spots(x, y, image, sigma, first, spacing, out):  # type: ignore[no-untyped-def]
    """Adjoint of `map_of`: what each spot sees of a map, ``(n,)``."""
    nv, nu = image.shape
    along_u, along_v = np.empty(nu), np.empty(nv)
    for i in range(x.size):
        u0, n = cell_parts(x[i], sigma[0], first[0], spacing, nu, along_u)
        v0, m = cell_parts(y[i], sigma[1], first[1], spacing, nv, along_v)
        total = 0.0
        for v in range(m):
            row = 0.0
            for u in range(n):
                row += along_u[u] * image[v0 + v, u0 + u]
            total += along_v[v] * row
        out[i] = total
