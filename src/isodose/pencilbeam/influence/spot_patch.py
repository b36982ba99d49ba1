"""One spot on the planes of its beam: what is kept of it, and what it is multiplied by."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from isodose.pencilbeam.fluence_map import cell_parts
from isodose.pencilbeam.influence.spot_lattice import edge_of, middle_cell
from isodose.pencilbeam.influence.spot_terms import add_terms

_QUARTER = (0.8671875, 0.2265625, -0.0703125, -0.0234375)
"""Cubic weights of the coarse cell whose quarter a fine cell is, its neighbour on that side, its neighbour on
the other, and the next but one."""
_UNROUND = 1.15
"""So much further than on a circle anything is looked for: where only some of the rays give dose, it is not
one."""


@njit(cache=True, nogil=True, error_model="numpy")
def fill_patch(given, gaussians, map_sigma, lattice, taps, x, y, kept, faint, patch, room):  # type: ignore[no-untyped-def]
    """Follow a spot plane by plane; returns how many planes it reaches.

    Parameters
    ----------
    given, gaussians
        Of a `isodose.pencilbeam.influence.spot_source.LayerSource`.
    map_sigma
        Standard deviation of the fluence map along x and y by plane and component, ``(planes, components,
        2)`` mm.
    lattice, taps
        Where, and the kernels.
    x, y
        The spot on the isocentre plane, mm.
    kept
        Part of the dose that is kept on each plane.
    faint
        The spot ends where its dose falls below this part of its largest.
    patch
        Is filled.
    room
        To work in.
    """
    middle = middle_cell(lattice, x, y)
    largest = 0.0
    for plane in range(given.shape[0]):
        patch.fine[:, plane] = 0.0
        patch.coarse[:, plane] = 0.0
        cell, sigma = lattice.cell_mm[plane], map_sigma[plane]
        if plane == 0 or np.any(sigma != map_sigma[plane - 1]):
            _split(x, y, sigma, lattice, given.shape[3], given.shape[4], room)
        total, wide = add_terms(
            given[plane], gaussians, sigma, lattice, cell, taps, middle, patch, plane, room
        )
        largest = max(largest, total)
        if total < faint * largest or total <= 0.0:
            patch.fine[:, plane] = 0.0
            patch.coarse[:, plane] = 0.0
            patch.threshold[plane], patch.factor[plane], patch.radius[plane] = 0.0, 1.0, 0.0
            return plane
        if wide:
            for q in range(patch.fine.shape[0]):
                _refine(patch.coarse[q, plane], patch.fine[q, plane], room.lines)
        half_square, density = edge_of(room.term, kept)
        threshold = np.float32(density * cell[0] * cell[1])
        found = _kept(patch.fine[0, plane], patch.coarse[0, plane], threshold, lattice)
        patch.threshold[plane] = threshold
        patch.factor[plane] = total / found if found > 0.0 else 1.0
        patch.radius[plane] = _UNROUND * math.sqrt(2.0 * half_square) + max(cell[0], cell[1])
    return given.shape[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _split(x, y, sigma, lattice, rows, columns, room):  # type: ignore[no-untyped-def]
    """Split a spot over rays."""
    (first_u, first_v), spacing = lattice.first_mm, lattice.spacing_mm
    for n in range(sigma.shape[0]):
        span, parts = room.span[n], room.parts[n]
        span[0], span[1] = cell_parts(y, sigma[n, 1], first_v, spacing, rows, parts[0])
        span[2], span[3] = cell_parts(x, sigma[n, 0], first_u, spacing, columns, parts[1])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _refine(coarse, fine, lines):  # type: ignore[no-untyped-def]
    """Add the coarse lattice to the fine one in its middle, by cubic interpolation."""
    size, half = fine.shape[0], fine.shape[0] // 2
    offset = (coarse.shape[0] - half) // 2
    near, far, back, ahead = _QUARTER[0], _QUARTER[1], _QUARTER[2], _QUARTER[3]
    for y in range(half + 4):
        line, target = coarse[offset - 2 + y], lines[y * size : (y + 1) * size]
        for i in range(half):
            c = offset + i
            target[2 * i] = ahead * line[c - 2] + far * line[c - 1] + near * line[c] + back * line[c + 1]
            target[2 * i + 1] = back * line[c - 1] + near * line[c] + far * line[c + 1] + ahead * line[c + 2]
    for y in range(half):
        first = lines[y * size : (y + 5) * size]
        one, two = fine[2 * y], fine[2 * y + 1]
        for x in range(size):
            a, b, c, d, e = (
                first[x],
                first[x + size],
                first[x + 2 * size],
                first[x + 3 * size],
                first[x + 4 * size],
            )
            one[x] += ahead * a + far * b + near * c + back * d
            two[x] += back * b + near * c + far * d + ahead * e


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _kept(fine, coarse, threshold, lattice):  # type: ignore[no-untyped-def]
    """Dose that reaches the threshold."""
    total = _reaching(fine.reshape(fine.size), threshold)
    if lattice.half_coarse == 0:
        return total
    around = _reaching(coarse.reshape(coarse.size), threshold)
    hole = lattice.half_coarse - lattice.half_fine
    for y in range(hole, coarse.shape[0] - hole):
        around -= _reaching(coarse[y, hole : coarse.shape[1] - hole], threshold)
    return total + np.float32(4.0) * around


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _reaching(values, threshold):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for i in range(values.size):
        total += values[i] if values[i] >= threshold else np.float32(0.0)
    return total
