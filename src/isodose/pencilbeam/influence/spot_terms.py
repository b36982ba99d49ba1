"""One plane of one spot: the rays of every Gaussian, spread.

Where the rays of a spot have scattered alike, they are spread by the mean of their variances; where they have
not, each goes on the two nearest of a few widths, with weights linear in its variance. Either way the second
moment is that of the forward superposition, which spreads every ray by its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.gaussian_taps import GaussianTaps, add_smoothed, taps_of
from isodose.pencilbeam.influence.spot_lattice import COARSE_CELLS, Lattice
from isodose.pencilbeam.influence.spot_source import AMOUNT, FIRST_PRODUCT, MOMENT, LayerSource

_UNEVEN, _UNEVEN_COARSE = 0.012, 0.06
"""Rays whose variances deviate by less, as a part of the total, are all spread by their mean."""
_RATIO, _RATIO_COARSE = 1.25, 1.7
"""Of neighbouring widths, as total variances. What is so wide that it goes on the coarse lattice is faint."""
_SHARP_CELLS = 1.0
"""However wide the spot is, its dose may change over so many cells, with which widths are compared."""
_WIDTHS = 16
_SLIGHT = 1e-5
"""Rays with less of the spot's dose do not decide which widths there are."""


class Room(NamedTuple):
    """What a thread works in.

    Parameters
    ----------
    parts
        Parts of the spot in rows and columns of the fan, float32 ``(components, 2, cells)``.
    span
        First cell and number of cells along v and along u, int64 ``(components, 4)``.
    images
        The spot's rays of one term by width, each as `isodose.pencilbeam.gaussian_taps.add_smoothed` wants
        it.
    width, is_coarse, half
        Variances (mm2), whether they go on the coarse lattice, and half kernels along u.
    work, lines
        Room for convolutions.
    taps
        Kernels along u and v.
    term
        Dose and variance of each term, spot included, ``(terms, 2)``.
    """

    parts: NDArray[np.float32]
    span: NDArray[np.int64]
    images: NDArray[np.float32]
    width: NDArray[np.float32]
    is_coarse: NDArray[np.bool_]
    half: NDArray[np.int64]
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
        np.empty((_WIDTHS, image), dtype=np.float32),
        np.empty(_WIDTHS, dtype=np.float32),
        np.empty(_WIDTHS, dtype=np.bool_),
        np.empty(_WIDTHS, dtype=np.int64),
        np.empty(image, dtype=np.float32),
        np.empty((max(nv, width) + 8) * width, dtype=np.float32),
        np.empty((2, reach + 1), dtype=np.float32),
        np.zeros((terms, 2)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def add_terms(given, gaussians, map_sigma, lattice, cell, taps, middle, patch, plane, room):  # type: ignore[no-untyped-def]
    """Add all terms of a spot to a plane; gives their dose, and whether the coarse lattice was used."""
    total, wide = 0.0, False
    for t in range(given.shape[0]):
        n = t // gaussians
        span, parts = room.span[n], room.parts[n]
        amounts, moments = given[t, AMOUNT], given[t, MOMENT]
        amount, width, deviation = _sums(amounts, moments, parts, span)
        room.term[t, 0], room.term[t, 1] = amount, 1.0
        if amount <= 0.0:
            continue
        total += amount
        base_u, base_v = (map_sigma[n] * cell / lattice.spacing_mm) ** 2
        room.term[t, 1] = math.sqrt((width + base_u) * (width + base_v))
        widths = 1
        room.width[0] = width
        base = min(base_u, base_v, (_SHARP_CELLS * cell[0]) ** 2)
        limit = (2.0 * COARSE_CELLS * max(cell[0], cell[1])) ** 2
        uneven, ratio = (_UNEVEN_COARSE, _RATIO_COARSE) if width > limit else (_UNEVEN, _RATIO)
        if deviation > uneven * (width + base):
            widths = _choose_widths(amounts, moments, parts, span, amount, base, ratio, room.width)
        for k in range(widths):
            room.is_coarse[k] = lattice.half_coarse > 0 and room.width[k] >= limit
            wide = wide or room.is_coarse[k]
            room.half[k] = taps_of(taps, _in_cells(room.width[k], cell[0], room.is_coarse[k]), room.taps[0])
        for q in range(patch.fine.shape[0]):
            kind = AMOUNT if q == 0 else FIRST_PRODUCT + q - 1
            if widths > 1:
                _distribute(given[t, kind], amounts, moments, parts, span, widths, room)
            elif room.is_coarse[0]:
                _lay_out_coarse(given[t, kind], parts, span, room.half[0], room.images[0], room.lines)
            else:
                _lay_out(given[t, kind], parts, span, room.half[0], room.images[0])
            for k in range(widths):
                _smooth(k, q, span, cell, lattice, taps, middle, patch, plane, room)
    return total, wide


@njit(cache=True, inline="always", error_model="numpy")
def _in_cells(width, cell, is_coarse):  # type: ignore[no-untyped-def]
    """Variance in cells squared, less what going to coarse cells has brought already."""
    square = width / cell**2
    return np.float32(0.25 * (square - 0.75) if is_coarse else square)


@njit(cache=True, inline="always")
def _coarse_cells(first, count):  # type: ignore[no-untyped-def]
    """First coarse cell that fine cells reach, and how many.

    A fine cell is a quarter of a coarse one off the middle of its own, and gives it three quarters and a
    quarter to the neighbour on that side: the mean stays where it is.
    """
    begin = (first - 1) >> 1
    return begin, ((first + count) >> 1) - begin + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _smooth(k, q, span, cell, lattice, taps, middle, patch, plane, room):  # type: ignore[no-untyped-def]
    is_coarse, half_u = room.is_coarse[k], room.half[k]
    taps_u, taps_v = room.taps[0], room.taps[1]
    taps_of(taps, _in_cells(room.width[k], cell[0], is_coarse), taps_u)
    half_v = taps_of(taps, _in_cells(room.width[k], cell[1], is_coarse), taps_v)
    if is_coarse:
        (row, rows), (column, columns) = _coarse_cells(span[0], span[1]), _coarse_cells(span[2], span[3])
        corner = row - middle[0] + lattice.half_coarse, column - middle[1] + lattice.half_coarse
        add_smoothed(
            room.images[k],
            rows,
            columns + 2 * half_u,
            columns,
            corner,
            taps_u,
            half_u,
            taps_v,
            half_v,
            room.work,
            room.lines,
            patch.coarse[q, plane],
        )
    else:
        corner = span[0] - 2 * (middle[0] - lattice.half_fine), span[2] - 2 * (middle[1] - lattice.half_fine)
        add_smoothed(
            room.images[k],
            span[1],
            span[3] + 2 * half_u,
            span[3],
            corner,
            taps_u,
            half_u,
            taps_v,
            half_v,
            room.work,
            room.lines,
            patch.fine[q, plane],
        )


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


@njit(cache=True, nogil=True, error_model="numpy")
def _choose_widths(amounts, moments, parts, span, amount, base, ratio, width):  # type: ignore[no-untyped-def]
    """Write variances in steps of a ratio, with the spot's, from the least to the largest of the rays."""
    low, high = np.float32(1e30), np.float32(0.0)
    for j in range(span[1]):
        for i in range(span[3]):
            given = amounts[span[0] + j, span[2] + i]
            if parts[0, j] * parts[1, i] * given > _SLIGHT * amount:
                here = moments[span[0] + j, span[2] + i] / given
                low, high = min(low, here), max(high, here)
    span_of_logs = math.log((high + base) / (low + base))
    count = min(int(span_of_logs / math.log(ratio)) + 2, width.size)
    for k in range(count):
        width[k] = (low + base) * math.exp(span_of_logs * k / (count - 1)) - base
    return count


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _lay_out(amounts, parts, span, half, image):  # type: ignore[no-untyped-def]
    """Write rays times the spot's parts, with zeros before and behind each row."""
    image[: 2 * half] = 0.0
    at = 2 * half
    for j in range(span[1]):
        given, line, weight = amounts[span[0] + j, span[2] :], image[at:], parts[0, j]
        for i in range(span[3]):
            line[i] = weight * parts[1, i] * given[i]
        line[span[3] : span[3] + 2 * half] = 0.0
        at += span[3] + 2 * half


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _lay_out_coarse(amounts, parts, span, half, image, line):  # type: ignore[no-untyped-def]
    """As `_lay_out`, in coarse cells and per fine cell."""
    (_, rows), (first, columns) = _coarse_cells(span[0], span[1]), _coarse_cells(span[2], span[3])
    stride = columns + 2 * half
    image[: 2 * half + rows * stride] = 0.0
    near, far = np.float32(0.75), np.float32(0.25)
    for j in range(span[1]):
        given, weight = amounts[span[0] + j, span[2] :], np.float32(0.25) * parts[0, j]
        line[:columns] = 0.0
        for i in range(span[3]):
            u = span[2] + i
            dose, lower = weight * parts[1, i] * given[i], ((u - 1) >> 1) - first
            line[lower] += (far if u & 1 == 0 else near) * dose
            line[lower + 1] += (near if u & 1 == 0 else far) * dose
        v = span[0] + j
        one, two = (far, near) if v & 1 == 0 else (near, far)
        at = 2 * half + (((v - 1) >> 1) - ((span[0] - 1) >> 1)) * stride
        low, high = image[at:], image[at + stride :]
        for i in range(columns):
            low[i] += one * line[i]
            high[i] += two * line[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _distribute(given, amounts, moments, parts, span, widths, room):  # type: ignore[no-untyped-def]
    """Write images by width, fine or coarse, every ray on the two widths nearest to its own."""
    (row, rows), (column, columns) = _coarse_cells(span[0], span[1]), _coarse_cells(span[2], span[3])
    for k in range(widths):
        across, down = (columns, rows) if room.is_coarse[k] else (span[3], span[1])
        room.images[k, : 2 * room.half[k] + down * (across + 2 * room.half[k])] = 0.0
    for j in range(span[1]):
        for i in range(span[3]):
            v, u = span[0] + j, span[2] + i
            if amounts[v, u] <= 0.0:
                continue
            dose, width = parts[0, j] * parts[1, i] * given[v, u], moments[v, u] / amounts[v, u]
            upper = 1
            while upper < widths - 1 and room.width[upper] < width:
                upper += 1
            share = (width - room.width[upper - 1]) / (room.width[upper] - room.width[upper - 1])
            share = min(max(share, np.float32(0.0)), np.float32(1.0))
            for k, part in ((upper - 1, dose * (np.float32(1.0) - share)), (upper, dose * share)):
                image, half = room.images[k], room.half[k]
                if not room.is_coarse[k]:
                    image[2 * half + j * (span[3] + 2 * half) + i] += part
                    continue
                stride = columns + 2 * half
                at = 2 * half + (((v - 1) >> 1) - row) * stride + ((u - 1) >> 1) - column
                lower = np.float32(0.25 if v & 1 == 0 else 0.75) * part * np.float32(0.25)
                upper_row = part * np.float32(0.25) - lower
                left = np.float32(0.25 if u & 1 == 0 else 0.75)
                image[at] += left * lower
                image[at + 1] += (np.float32(1.0) - left) * lower
                image[at + stride] += left * upper_row
                image[at + stride + 1] += (np.float32(1.0) - left) * upper_row
