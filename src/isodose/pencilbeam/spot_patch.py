"""One spot on the planes of its beam: every ray's dose, spread by the mean variance of the spot's rays.

The variance is the mean over the spot's rays on a plane, weighted with their dose, so that the second moment of the
spot is that of the forward superposition, which spreads every ray by its own. Narrow Gaussians are followed on the
lattice of the rays; wide ones on one coarser by two, which reaches further.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.fluence_map import cell_parts
from isodose.pencilbeam.gaussian_taps import GaussianTaps, add_smoothed, taps_of
from isodose.pencilbeam.spot_source import AMOUNT, MOMENT, LayerSource

COARSE_CELLS = 2.0
"""A Gaussian whose standard deviation, with the spot's, is so many coarse cells or more goes on the coarse lattice."""
_QUARTER = (0.8671875, 0.2265625, -0.0703125, -0.0234375)
"""Cubic weights of the coarse cell whose quarter a fine cell is, its neighbour on that side, its neighbour on the
other, and the next but one."""
_UNROUND = 1.15
"""So much further than on a circle anything is looked for: where only some of the rays give dose, it is not one."""


_UNEVEN = 0.03
"""Rays whose variances deviate by less, as a part of the spot's variance, are all spread by their mean."""
_APART = 1.5
"""Otherwise every ray goes on two widths so many standard deviations above and below, with weights linear in its
variance."""


class Lattice(NamedTuple):
    """Where a spot is followed.

    Parameters
    ----------
    first_mm, spacing_mm
        Of the fan.
    cell_mm
        Size of fine cells along u and v by plane, ``(planes, 2)`` mm.
    half_fine, half_coarse
        Coarse cells to each side of the spot's that the fine and the coarse lattice cover; no coarse lattice if the
        latter is 0.
    """

    first_mm: tuple[float, float]
    spacing_mm: float
    cell_mm: NDArray[np.float64]
    half_fine: int
    half_coarse: int


class Patch(NamedTuple):
    """A spot on its planes.

    Parameters
    ----------
    fine
        Dose, and products, per fine cell, float32 ``(1 + channels, planes, rows, columns)``.
    coarse
        The same on the coarse lattice, with the fine one's content, still per fine cell.
    values
        Memory of both, fine first, float32 ``(n,)``.
    threshold
        What is below is cut off, by plane.
    factor
        What the rest is multiplied by, by plane.
    radius
        How far from the axis anything is kept, by plane, mm.
    """

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    values: NDArray[np.float32]
    threshold: NDArray[np.float32]
    factor: NDArray[np.float32]
    radius: NDArray[np.float32]


def empty_patch(lattice: Lattice, planes: int, quantities: int) -> Patch:
    """Room for a spot."""
    fine, coarse = 4 * lattice.half_fine + 2, 2 * lattice.half_coarse + 1
    layers, split = quantities * planes, quantities * planes * fine**2
    values = np.empty(split + layers * coarse**2, dtype=np.float32)
    return Patch(
        values[:split].reshape(quantities, planes, fine, fine),
        values[split:].reshape(quantities, planes, coarse, coarse),
        values,
        np.empty(planes, dtype=np.float32),
        np.empty(planes, dtype=np.float32),
        np.empty(planes, dtype=np.float32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def middle_cell(lattice, x, y):  # type: ignore[no-untyped-def]
    """Coarse cell (v, u) in which a spot lies."""
    u = int(math.floor((x - lattice.first_mm[0]) / lattice.spacing_mm + 0.5))
    v = int(math.floor((y - lattice.first_mm[1]) / lattice.spacing_mm + 0.5))
    return v >> 1, u >> 1


class Room(NamedTuple):
    """What a thread works in.

    Parameters
    ----------
    parts
        Parts of the spot in rows and columns of the fan, ``(components, 2, cells)``.
    span
        First cell and number of cells along v and along u, int64 ``(components, 4)``.
    image, block
        The spot's rays of one term, fine and coarse, as `isodose.pencilbeam.gaussian_taps.add_smoothed` wants them.
    work, lines
        Its room.
    taps
        Kernels along u and v.
    term
        Dose and variance of each term, ``(terms, 2)``.
    """

    parts: NDArray[np.float32]
    span: NDArray[np.int64]
    image: NDArray[np.float32]
    block: NDArray[np.float32]
    work: NDArray[np.float32]
    lines: NDArray[np.float32]
    taps: NDArray[np.float32]
    term: NDArray[np.float64]


def room_for(source: LayerSource, lattice: Lattice, taps: GaussianTaps) -> Room:
    """Room for spots of a layer."""
    terms, nv, nu = source.given.shape[1], *source.given.shape[3:]
    reach = 2 * taps.kernel.shape[1]
    image = (nv + 2) * (nu + reach) + reach
    width = max(4 * lattice.half_fine + 2, 2 * lattice.half_coarse + 1)
    return Room(
        np.empty((source.columns.size, 2, max(nv, nu)), dtype=np.float32),
        np.empty((source.columns.size, 4), dtype=np.int64),
        np.zeros(image, dtype=np.float32),
        np.zeros(image, dtype=np.float32),
        np.zeros(image, dtype=np.float32),
        np.zeros((max(nv, width) + 8) * width, dtype=np.float32),
        np.zeros((2, reach + 1), dtype=np.float32),
        np.zeros((terms, 2)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def fill_patch(given, gaussians, map_sigma, lattice, taps, x, y, kept, faint, patch, room):  # type: ignore[no-untyped-def]
    """Follow a spot plane by plane; returns how many planes it reaches.

    Parameters
    ----------
    given, gaussians
        Of a `isodose.pencilbeam.spot_source.LayerSource`.
    map_sigma
        Standard deviation of the fluence map along x and y by component, ``(components, 2)`` mm.
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
    span, parts = room.span, room.parts
    for n in range(map_sigma.shape[0]):
        first, cells = lattice.first_mm, lattice.spacing_mm
        span[n, 2], span[n, 3] = cell_parts(x, map_sigma[n, 0], first[0], cells, given.shape[4], parts[n, 1])
        span[n, 0], span[n, 1] = cell_parts(y, map_sigma[n, 1], first[1], cells, given.shape[3], parts[n, 0])
    largest = 0.0
    for plane in range(given.shape[0]):
        patch.fine[:, plane] = 0.0
        patch.coarse[:, plane] = 0.0
        cell = lattice.cell_mm[plane]
        total, wide = _add_terms(given[plane], gaussians, map_sigma, lattice, cell, taps, middle, patch, plane, room)
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
def _add_terms(given, gaussians, map_sigma, lattice, cell, taps, middle, patch, plane, room):  # type: ignore[no-untyped-def]
    """Add all terms of a spot to one plane; returns their dose, and whether any went to the coarse lattice."""
    total, wide = 0.0, False
    for t in range(given.shape[0]):
        n = t // gaussians
        span, parts = room.span[n], room.parts[n]
        amount, width, deviation = _sums(given[t, AMOUNT], given[t, MOMENT], parts, span)
        room.term[t, 0], room.term[t, 1] = amount, 1.0
        if amount <= 0.0:
            continue
        total += amount
        all_u = width + (map_sigma[n, 0] * cell[0] / lattice.spacing_mm) ** 2
        all_v = width + (map_sigma[n, 1] * cell[1] / lattice.spacing_mm) ** 2
        room.term[t, 1] = math.sqrt(all_u * all_v)
        limit = (2.0 * COARSE_CELLS) ** 2
        is_coarse = lattice.half_coarse > 0 and min(all_u / cell[0] ** 2, all_v / cell[1] ** 2) >= limit
        wide = wide or is_coarse
        if deviation < _UNEVEN * room.term[t, 1]:
            _add_term(given[t], 1.0, 0.0, width, is_coarse, parts, span, lattice, cell, taps, middle, patch, plane, room)
            continue
        low, high = max(width - _APART * deviation, 0.0), width + _APART * deviation
        part = 1.0 / (high - low)
        _add_term(
            given[t], high * part, -part, low, is_coarse, parts, span, lattice, cell, taps, middle, patch, plane, room
        )
        _add_term(
            given[t], -low * part, part, high, is_coarse, parts, span, lattice, cell, taps, middle, patch, plane, room
        )
    return total, wide


@njit(cache=True, nogil=True, error_model="numpy")
def _add_term(
    given, of_dose, of_moment, width, is_coarse, parts, span, lattice, cell, taps, middle, patch, plane, room
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Add a sum of a term's doses and moments, spread by one width."""
    taps_u, taps_v = room.taps[0], room.taps[1]
    square_u, square_v = width / cell[0] ** 2, width / cell[1] ** 2
    if is_coarse:  # adding up two by two cells has widened the image by a quarter of a fine cell squared
        square_u, square_v = 0.25 * (square_u - 0.25), 0.25 * (square_v - 0.25)
    half_u = taps_of(taps, np.float32(square_u), taps_u)
    half_v = taps_of(taps, np.float32(square_v), taps_v)
    one, two = np.float32(of_dose), np.float32(of_moment)
    for q in range(patch.fine.shape[0]):
        first = given[2 * q]
        second = given[2 * q + 1]
        if is_coarse:
            rows, columns = _add_up(first, second, one, two, parts, span, half_u, room.block)
            corner = (span[0] >> 1) - middle[0] + lattice.half_coarse, (span[2] >> 1) - middle[1] + lattice.half_coarse
            add_smoothed(
                room.block, rows, columns + 2 * half_u, columns, corner, taps_u, half_u, taps_v, half_v, room.work,
                room.lines, patch.coarse[q, plane],
            )  # fmt: skip
        else:
            _lay_out(first, second, one, two, parts, span, half_u, room.image)
            corner = span[0] - 2 * (middle[0] - lattice.half_fine), span[2] - 2 * (middle[1] - lattice.half_fine)
            add_smoothed(
                room.image, span[1], span[3] + 2 * half_u, span[3], corner, taps_u, half_u, taps_v, half_v,
                room.work, room.lines, patch.fine[q, plane],
            )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _sums(amounts, moments, parts, span):  # type: ignore[no-untyped-def]
    """Dose of the spot's rays, and mean and standard deviation of their variances."""
    amount, moment, square = 0.0, 0.0, 0.0
    along_u = parts[1]
    tiny = np.float32(1e-30)
    for j in range(span[1]):
        given, widths = amounts[span[0] + j, span[2] :], moments[span[0] + j, span[2] :]
        row_amount, row_moment, row_square = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for i in range(span[3]):
            row_amount += along_u[i] * given[i]
            row_moment += along_u[i] * widths[i]
            row_square += along_u[i] * widths[i] * widths[i] / (given[i] + tiny)
        amount += parts[0, j] * row_amount
        moment += parts[0, j] * row_moment
        square += parts[0, j] * row_square
    if amount <= 0.0:
        return 0.0, 0.0, 0.0
    mean = moment / amount
    return amount, mean, math.sqrt(max(square / amount - mean * mean, 0.0))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _lay_out(first, second, one, two, parts, span, half, image):  # type: ignore[no-untyped-def]
    """Write a sum of two images times the spot's parts, with zeros before and behind each row."""
    image[: 2 * half] = 0.0
    at = 2 * half
    for j in range(span[1]):
        a, b, line = first[span[0] + j, span[2] :], second[span[0] + j, span[2] :], image[at:]
        for i in range(span[3]):
            line[i] = parts[0, j] * parts[1, i] * (one * a[i] + two * b[i])
        line[span[3] : span[3] + 2 * half] = 0.0
        at += span[3] + 2 * half


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _add_up(first, second, one, two, parts, span, half, block):  # type: ignore[no-untyped-def]
    """Write sums over coarse cells, in quarters, as `_lay_out` does; returns their rows and columns."""
    rows = ((span[0] + span[1] - 1) >> 1) - (span[0] >> 1) + 1
    columns = ((span[2] + span[3] - 1) >> 1) - (span[2] >> 1) + 1
    stride, shift = columns + 2 * half, span[2] & 1
    block[: 2 * half + rows * stride] = 0.0
    for j in range(span[1]):
        row = ((span[0] + j) >> 1) - (span[0] >> 1)
        a, b = first[span[0] + j, span[2] :], second[span[0] + j, span[2] :]
        line, weight = block[2 * half + row * stride :], np.float32(0.25) * parts[0, j]
        for i in range(span[3]):
            line[(i + shift) >> 1] += weight * parts[1, i] * (one * a[i] + two * b[i])
    return rows, columns


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _refine(coarse, fine, lines):  # type: ignore[no-untyped-def]
    """Add the coarse lattice to the fine one, which covers the cells in its middle, by cubic interpolation."""
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
            a, b, c, d, e = first[x], first[x + size], first[x + 2 * size], first[x + 3 * size], first[x + 4 * size]
            one[x] += ahead * a + far * b + near * c + back * d
            two[x] += back * b + near * c + far * d + ahead * e


@njit(cache=True, nogil=True, error_model="numpy")
def edge_of(term, kept):  # type: ignore[no-untyped-def]
    """Circle around concentric Gaussians that holds a part of their dose.

    Parameters
    ----------
    term
        Dose and variance of each, ``(terms, 2)``.
    kept
        The part.

    Returns
    -------
    tuple
        Half the square of the radius, and the dose per area there.
    """
    total = 0.0
    for t in range(term.shape[0]):
        total += term[t, 0]
    wanted = math.log((1.0 - kept) * total)
    x = 0.0  # the logarithm of what lies outside is convex in it, so that steps never go too far
    for _ in range(30):
        outside, slope = 0.0, 0.0
        for t in range(term.shape[0]):
            part = term[t, 0] * math.exp(-x / term[t, 1])
            outside += part
            slope += part / term[t, 1]
        step = (math.log(outside) - wanted) * outside / slope
        x += step
        if step < 1e-3 * x:
            break
    density = 0.0
    for t in range(term.shape[0]):
        density += term[t, 0] / (2.0 * math.pi * term[t, 1]) * math.exp(-x / term[t, 1])
    return x, density


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
