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
from isodose.pencilbeam.spot_source import AMOUNT, FIRST_PRODUCT, MOMENT

COARSE_CELLS = 2.0
"""A Gaussian whose standard deviation, with the spot's, is so many coarse cells or more goes on the coarse lattice."""
_EARLY = np.array([-0.0234375, 0.2265625, 0.8671875, -0.0703125], dtype=np.float32)
"""Cubic weights three quarters of a cell behind the second of four cells: a fine cell before its coarse one's middle;
reversed, one behind it."""


_FAR = np.float32(1e9)


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
    threshold
        What is below is cut off, by plane.
    factor
        What the rest is multiplied by, by plane.
    box
        Where anything is kept, in cells of the fan: least and largest u and v, by plane.
    """

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    threshold: NDArray[np.float32]
    factor: NDArray[np.float32]
    box: NDArray[np.float32]


def empty_patch(lattice: Lattice, planes: int, quantities: int) -> Patch:
    """Room for a spot."""
    fine, coarse = 4 * lattice.half_fine + 2, 2 * lattice.half_coarse + 1
    return Patch(
        np.empty((quantities, planes, fine, fine), dtype=np.float32),
        np.empty((quantities, planes, coarse, coarse), dtype=np.float32),
        np.empty(planes, dtype=np.float32),
        np.empty(planes, dtype=np.float32),
        np.empty((planes, 4), dtype=np.float32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def middle_cell(lattice, x, y):  # type: ignore[no-untyped-def]
    """Coarse cell (v, u) in which a spot lies."""
    u = int(math.floor((x - lattice.first_mm[0]) / lattice.spacing_mm + 0.5))
    v = int(math.floor((y - lattice.first_mm[1]) / lattice.spacing_mm + 0.5))
    return v >> 1, u >> 1


class Work(NamedTuple):
    """Room that a thread works in.

    Parameters
    ----------
    parts
        Parts of the spot in rows and columns of the fan, ``(components, 2, cells)``.
    span
        First cell and number of cells along v and u, int64 ``(components, 4)``.
    image, block
        The spot's rays of one term, fine and coarse.
    taps
        Kernels along u and v.
    line
        One row.
    term
        Amount and variance of each term, ``(terms, 2)``.
    most
        Largest value of each column.
    """

    parts: NDArray[np.float64]
    span: NDArray[np.int64]
    image: NDArray[np.float32]
    block: NDArray[np.float32]
    taps: NDArray[np.float32]
    line: NDArray[np.float32]
    term: NDArray[np.float64]
    most: NDArray[np.float32]


@njit(cache=True, nogil=True, error_model="numpy")
def room(given, components, taps):  # type: ignore[no-untyped-def]
    """Room for spots of a layer."""
    nv, nu = given.shape[3], given.shape[4]
    long = max(nv, nu) + 2 * taps.kernel.shape[1] + 64
    return (
        np.empty((components, 2, max(nv, nu))),
        np.empty((components, 4), dtype=np.int64),
        np.empty((nv, nu), dtype=np.float32),
        np.empty((nv // 2 + 2, nu // 2 + 2), dtype=np.float32),
        np.empty((2, 2 * taps.kernel.shape[1] + 1), dtype=np.float32),
        np.empty(long, dtype=np.float32),
        np.empty((given.shape[1], 2)),
        np.empty(long, dtype=np.float32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def fill_patch(given, gaussians, map_sigma, lattice, taps, x, y, kept, faint, patch, work):  # type: ignore[no-untyped-def]
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
    work
        Of `room`.
    """
    parts, span, image, block, taps_work, line, term, most = work
    middle_v, middle_u = middle_cell(lattice, x, y)
    for n in range(map_sigma.shape[0]):
        first, cells = lattice.first_mm, lattice.spacing_mm
        span[n, 2], span[n, 3] = cell_parts(x, map_sigma[n, 0], first[0], cells, given.shape[4], parts[n, 1])
        span[n, 0], span[n, 1] = cell_parts(y, map_sigma[n, 1], first[1], cells, given.shape[3], parts[n, 0])
    largest = 0.0
    for plane in range(given.shape[0]):
        patch.fine[:, plane] = 0.0
        patch.coarse[:, plane] = 0.0
        total, wide = _add_terms(
            given[plane], gaussians, map_sigma, lattice, lattice.cell_mm[plane], taps, (middle_v, middle_u),
            patch.fine, patch.coarse, plane, parts, span, image, block, taps_work, line, term,
        )  # fmt: skip
        largest = max(largest, total)
        if total < faint * largest or total <= 0.0:
            patch.fine[:, plane] = 0.0
            patch.coarse[:, plane] = 0.0
            patch.threshold[plane], patch.factor[plane] = 0.0, 1.0
            patch.box[plane, 0], patch.box[plane, 1], patch.box[plane, 2], patch.box[plane, 3] = _FAR, -_FAR, _FAR, -_FAR
            return plane
        if wide:
            for q in range(patch.fine.shape[0]):
                _refine(patch.coarse[q, plane], patch.fine[q, plane], line)
        density = edge_of(term, kept)[1]
        threshold = np.float32(density * lattice.cell_mm[plane, 0] * lattice.cell_mm[plane, 1])
        found = _kept(
            patch.fine[0, plane], patch.coarse[0, plane], threshold, lattice, middle_v, middle_u, most,
            patch.box[plane],
        )  # fmt: skip
        patch.threshold[plane] = threshold
        patch.factor[plane] = total / found if found > 0.0 else 1.0
    return given.shape[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_terms(
    given, gaussians, map_sigma, lattice, cell, taps, middle, fine, coarse, plane, parts, span, image, block, taps_work,
    line, term,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Add all terms of a spot to one plane; returns their dose, and whether any went to the coarse lattice."""
    total, wide = 0.0, False
    for t in range(given.shape[0]):
        n = t // gaussians
        v0, rows, u0, columns = span[n, 0], span[n, 1], span[n, 2], span[n, 3]
        amount, moment = _weigh(given[t, AMOUNT], given[t, MOMENT], parts[n], v0, rows, u0, columns, image)
        term[t, 0], term[t, 1] = amount, 1.0
        if amount <= 0.0:
            continue
        total += amount
        width = moment / amount
        scale_u, scale_v = cell[0] / lattice.spacing_mm, cell[1] / lattice.spacing_mm
        all_u, all_v = width + (map_sigma[n, 0] * scale_u) ** 2, width + (map_sigma[n, 1] * scale_v) ** 2
        term[t, 1] = math.sqrt(all_u * all_v)
        limit = 2.0 * COARSE_CELLS
        is_coarse = lattice.half_coarse > 0 and min(all_u / cell[0] ** 2, all_v / cell[1] ** 2) >= limit * limit
        square_u, square_v = width / cell[0] ** 2, width / cell[1] ** 2
        if is_coarse:  # adding up two by two cells has widened the image by a quarter of a fine cell squared
            square_u, square_v = 0.25 * (square_u - 0.25), 0.25 * (square_v - 0.25)
        half_u = taps_of(taps, np.float32(square_u), taps_work[0])
        half_v = taps_of(taps, np.float32(square_v), taps_work[1])
        for q in range(fine.shape[0]):
            if q > 0:
                _weigh_only(given[t, FIRST_PRODUCT + q - 1], parts[n], v0, rows, u0, columns, image)
            if is_coarse:
                wide = True
                blocks = _add_up(image, v0, rows, u0, columns, block)
                corner = (v0 >> 1) - middle[0] + lattice.half_coarse, (u0 >> 1) - middle[1] + lattice.half_coarse
                add_smoothed(
                    block, blocks[0], blocks[1], corner, taps_work[0], half_u, taps_work[1], half_v,
                    np.float32(0.25), line, coarse[q, plane],
                )  # fmt: skip
            else:
                corner = v0 - 2 * (middle[0] - lattice.half_fine), u0 - 2 * (middle[1] - lattice.half_fine)
                add_smoothed(
                    image, rows, columns, corner, taps_work[0], half_u, taps_work[1], half_v, np.float32(1.0), line,
                    fine[q, plane],
                )  # fmt: skip
    return total, wide


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _weigh(amounts, moments, parts, v0, rows, u0, columns, image):  # type: ignore[no-untyped-def]
    """Rays times the spot's parts, their sum and that of the moments."""
    amount, moment = np.float32(0.0), np.float32(0.0)
    along_u = parts[1]
    for j in range(rows):
        given, widths, line = amounts[v0 + j, u0:], moments[v0 + j, u0:], image[j]
        row_amount, row_moment = np.float32(0.0), np.float32(0.0)
        weight = np.float32(parts[0, j])
        for i in range(columns):
            part = weight * np.float32(along_u[i])
            line[i] = part * given[i]
            row_amount += part * given[i]
            row_moment += part * widths[i]
        amount += row_amount
        moment += row_moment
    return amount, moment


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _weigh_only(products, parts, v0, rows, u0, columns, image):  # type: ignore[no-untyped-def]
    for j in range(rows):
        given, line = products[v0 + j, u0:], image[j]
        weight = np.float32(parts[0, j])
        for i in range(columns):
            line[i] = weight * np.float32(parts[1, i]) * given[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_up(image, v0, rows, u0, columns, block):  # type: ignore[no-untyped-def]
    """Sum an image over coarse cells; returns rows and columns of the sums."""
    tall, broad = ((v0 + rows - 1) >> 1) - (v0 >> 1) + 1, ((u0 + columns - 1) >> 1) - (u0 >> 1) + 1
    block[:tall, :broad] = 0.0
    shift = u0 & 1
    for j in range(rows):
        line, sums = image[j], block[((v0 + j) >> 1) - (v0 >> 1)]
        for i in range(columns):
            sums[(i + shift) >> 1] += line[i]
    return tall, broad


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _refine(coarse, fine, line):  # type: ignore[no-untyped-def]
    """Add the coarse lattice to the fine one, which covers the cells in its middle, by cubic interpolation."""
    rows = fine.shape[0]
    offset = (coarse.shape[0] - rows // 2) // 2
    early, late = _EARLY, _EARLY[::-1]
    for y in range(rows):
        base = offset + (y >> 1) - (1 if y & 1 else 2)
        weights = late if y & 1 else early
        one, two, three, four = coarse[base], coarse[base + 1], coarse[base + 2], coarse[base + 3]
        first, last = offset - 2, offset + rows // 2 + 2
        for x in range(first, last):
            line[x] = weights[0] * one[x] + weights[1] * two[x] + weights[2] * three[x] + weights[3] * four[x]
        target = fine[y]
        for i in range(rows // 2):
            c = offset + i
            target[2 * i] += (
                early[0] * line[c - 2] + early[1] * line[c - 1] + early[2] * line[c] + early[3] * line[c + 1]
            )
            target[2 * i + 1] += (
                early[3] * line[c - 1] + early[2] * line[c] + early[1] * line[c + 1] + early[0] * line[c + 2]
            )


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


@njit(cache=True, nogil=True, error_model="numpy")
def _kept(fine, coarse, threshold, lattice, middle_v, middle_u, most, box):  # type: ignore[no-untyped-def]
    """Dose that reaches the threshold, and the box around it."""
    box[0], box[1], box[2], box[3] = _FAR, -_FAR, _FAR, -_FAR
    first_v, first_u = 2 * (middle_v - lattice.half_fine), 2 * (middle_u - lattice.half_fine)
    total = _kept_of(fine, threshold, 0, 0, most, first_v, first_u, 1.0, box)
    if lattice.half_coarse == 0:
        return total
    hole = lattice.half_coarse - lattice.half_fine
    first_v, first_u = 2 * (middle_v - lattice.half_coarse), 2 * (middle_u - lattice.half_coarse)
    around = _kept_of(
        coarse, threshold, hole, coarse.shape[0] - hole, most, first_v + 0.5, first_u + 0.5, 2.0, box
    )
    return total + 4.0 * around


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _kept_of(image, threshold, begin, end, most, first_v, first_u, step, box):  # type: ignore[no-untyped-def]
    """Of an image, without the square ``[begin:end, begin:end]`` in its middle."""
    total = np.float32(0.0)
    none = np.float32(0.0)
    size = image.shape[1]
    for x in range(size):
        most[x] = none
    for y in range(image.shape[0]):
        line = image[y]
        if begin <= y < end:
            sums = _row(line[:begin], threshold, most)
            sums += _row(line[end:], threshold, most[end:])
        else:
            sums = _row(line, threshold, most)
        if sums > none:
            box[2], box[3] = min(box[2], first_v + step * (y - 1)), max(box[3], first_v + step * (y + 1))
        total += sums
    for x in range(size):
        if most[x] >= threshold:
            box[0], box[1] = min(box[0], first_u + step * (x - 1)), max(box[1], first_u + step * (x + 1))
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _row(line, threshold, most):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for x in range(line.size):
        value = line[x]
        total += value if value >= threshold else np.float32(0.0)
        most[x] = max(most[x], value)
    return total
