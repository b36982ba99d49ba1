"""Planes of a few widths that share the lateral spreading of all layers, and their smoothing.

A Gaussian of any variance is put on the two nearest of a ladder of variances, with weights linear in the
variance, so that the second moment is exact. The widest plane is smoothed by what separates it from the next,
added to that, and so on down: a Gaussian convolved with a Gaussian is a Gaussian. The kernels have the second
and fourth moments of a Gaussian, so that many short steps add up to its shape. Wide planes lie on lattices
coarser by 2, 4 and 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.gaussian_taps import SMALL_CELLS2, half_kernels

LEVELS = 4
"""Lattices, each coarser by two than the one before."""
_COARSER_AT = 2.0
"""Standard deviation, in cells, from which a plane lies on the next coarser lattice."""
_LEAST_STEP = 0.35
"""Step of variance, in coarse cells squared, with which a plane may lie on a coarser lattice than the one
below: refining takes a quarter, and cells are up to a third larger in other planes and directions."""
_NEGLIGIBLE = 2e-4
_REACH = math.sqrt(-2.0 * math.log(_NEGLIGIBLE))
LOOKUP = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Variances of the planes.

    Parameters
    ----------
    variance_mm2
        Ascending from 0, float32 ``(k,)``.
    level
        Lattice of each plane, int64 ``(k,)``.
    lookup
        Plane below a variance: ``lookup[int(sqrt(variance) * scale)]``, int16.
    scale
        Entries of ``lookup`` per mm.
    """

    variance_mm2: NDArray[np.float32]
    level: NDArray[np.int64]
    lookup: NDArray[np.int16]
    scale: float


def ladder(smallest_mm2: float, largest_mm2: float, cell_mm: float, ratio: float) -> Ladder:
    """Ladder from 0 to a largest variance.

    Parameters
    ----------
    smallest_mm2
        Variance that the fluence has already; steps are relative to the sum of it and the plane's.
    largest_mm2
        Variance that must be reached.
    cell_mm
        Distance of rays, where they lie closest.
    ratio
        Of neighbouring total variances.
    """
    steps = max(2, int(np.ceil(np.log1p(largest_mm2 / smallest_mm2) / np.log(ratio))) + 1)
    variance = smallest_mm2 * (ratio ** np.arange(steps) - 1.0)
    wide = np.sqrt(variance) / (cell_mm * _COARSER_AT)
    step = np.diff(variance, prepend=0.0) / (_LEAST_STEP * cell_mm**2)
    level = np.zeros(steps, dtype=np.int64)
    for k in range(1, steps):  # one lattice coarser at a time, and not where refining alone would smooth more
        coarser = level[k - 1] + 1
        fits = coarser < LEVELS and wide[k] >= 2.0 ** (coarser - 1) and step[k] >= 4.0**coarser
        level[k] = coarser if fits else level[k - 1]
    scale = (LOOKUP - 1) / np.sqrt(variance[-1])
    middle = ((np.arange(LOOKUP) + 0.5) / scale) ** 2
    below = np.clip(np.searchsorted(variance, middle, side="right") - 1, 0, steps - 2)
    return Ladder(variance.astype(np.float32), level, below.astype(np.int16), float(scale))


def smoothing(rungs: Ladder, cell_mm: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Half kernels that lead from each plane to the one below, for cells of several sizes.

    Parameters
    ----------
    rungs
        The ladder.
    cell_mm
        Size of the fine cells, ``(n,)`` mm.

    Returns
    -------
    tuple
        Kernels from the middle outwards, float32 ``(n, k, taps)`` - entry k leads from plane k to plane k - 1
        on the lattice of plane k - and the number of taps of each, ``(k,)``, the same for all sizes.
    """
    variance = rungs.variance_mm2.astype(np.float64)
    steps = np.diff(variance, prepend=0.0)
    cells = cell_mm[:, None] * 2.0 ** rungs.level[None, :]
    squares = steps[None, :] / cells**2
    down = np.diff(rungs.level, prepend=0) > 0
    # Refining by two has a variance of 3/4 + 1/4 of the finer cell squared: interpolation, and the larger
    # cell.
    squares -= np.where(down[None, :], 0.25, 0.0)
    squares = np.maximum(squares, 0.0)
    widest = squares.max(axis=0)
    most = 3 + math.ceil(_REACH * math.sqrt(float(widest.max())))
    kernels = half_kernels(squares, most)
    held = kernels.max(axis=0) > _NEGLIGIBLE * kernels[..., 0].min(axis=0)[:, None]
    taps = np.maximum(2, most - held[:, ::-1].argmax(axis=1))
    taps[(widest > 0.0) & (widest < SMALL_CELLS2)] = 3
    taps[0] = 1
    kernels *= np.arange(most)[None, None, :] < taps[None, :, None]
    total = kernels[..., 0] + 2.0 * kernels[..., 1:].sum(axis=-1)
    return (kernels / total[..., None]).astype(np.float32)[..., : int(taps.max())], taps


def plane_offsets(rungs: Ladder, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Where each plane begins in one buffer, and the buffer's length at the end, ``(k + 1,)``."""
    sizes = [(shape[0] >> lv) * (shape[1] >> lv) for lv in rungs.level]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def smooth(image, kernel, taps, along_rows, work):  # type: ignore[no-untyped-def]
    """Convolve an image along v (rows) or u with a symmetric kernel, 0 beyond the edges; into ``work``.

    Four neighbours are added at a time, so that a row is read and written half as often as for each.
    """
    ny, nx = image.shape
    edge = taps + 1
    line = np.zeros(nx + 2 * edge, dtype=np.float32)  # a row with zeros at its ends; all 0 for rows
    empty = line[:nx]
    for y in range(ny):
        row, out = image[y], work[y]
        if not along_rows:
            line[edge : edge + nx] = row
        for t in range(1, max(taps, 2), 2):
            near = kernel[t] if t < taps else np.float32(0.0)
            far = kernel[t + 1] if t + 1 < taps else np.float32(0.0)
            if along_rows:
                one = image[y - t] if y >= t else empty
                two = image[y + t] if y + t < ny else empty
                three = image[y - t - 1] if y > t else empty
                four = image[y + t + 1] if y + t + 1 < ny else empty
            else:
                one, two = line[edge - t : edge - t + nx], line[edge + t : edge + t + nx]
                three, four = line[edge - t - 1 : edge - t - 1 + nx], line[edge + t + 1 : edge + t + 1 + nx]
            if t == 1:
                for x in range(nx):
                    out[x] = kernel[0] * row[x] + near * (one[x] + two[x]) + far * (three[x] + four[x])
            else:
                for x in range(nx):
                    out[x] += near * (one[x] + two[x]) + far * (three[x] + four[x])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def refine(coarse, fine):  # type: ignore[no-untyped-def]
    """Add a coarse image of sums to one finer by two; its values spread with (1, 3, 3, 1) / 8."""
    ny, nx = coarse.shape
    for y in range(ny):
        for x in range(nx):
            value = coarse[y, x]
            if value == 0.0:
                continue
            value *= np.float32(1.0 / 64.0)
            for j in range(-1, 3):
                row = 2 * y + j
                if row < 0 or row >= 2 * ny:
                    continue
                wy = np.float32(3.0) if 0 <= j <= 1 else np.float32(1.0)
                for i in range(-1, 3):
                    column = 2 * x + i
                    if 0 <= column < 2 * nx:
                        wx = np.float32(3.0) if 0 <= i <= 1 else np.float32(1.0)
                        fine[row, column] += value * wy * wx


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def coarsen(fine, coarse):  # type: ignore[no-untyped-def]
    """Adjoint of `refine`, into ``coarse``."""
    ny, nx = coarse.shape
    for y in range(ny):
        for x in range(nx):
            total = np.float32(0.0)
            for j in range(-1, 3):
                row = 2 * y + j
                if row < 0 or row >= 2 * ny:
                    continue
                wy = np.float32(3.0) if 0 <= j <= 1 else np.float32(1.0)
                for i in range(-1, 3):
                    column = 2 * x + i
                    if 0 <= column < 2 * nx:
                        wx = np.float32(3.0) if 0 <= i <= 1 else np.float32(1.0)
                        total += wy * wx * fine[row, column]
            coarse[y, x] = total * np.float32(1.0 / 64.0)


@njit(cache=True, nogil=True, error_model="numpy")
def spread_down(planes, offsets, level, top, kernel_u, kernel_v, taps, image, work):  # type: ignore[no-untyped-def]
    """Smooth planes from the widest that is used down to the narrowest, and give their sum.

    Parameters
    ----------
    planes
        All planes in one buffer; destroyed.
    offsets, level
        Where they begin, and on which lattices they lie.
    top
        Widest plane that holds anything.
    kernel_u, kernel_v, taps
        Half kernels of this fan plane, ``(k, taps)``, and their lengths.
    image
        Receives the sum, ``(nv, nu)``.
    work
        Two images of the same shape to work in, ``(2, nv, nu)``.
    """
    nv, nu = image.shape
    for k in range(top, 0, -1):
        lv = level[k]
        here = planes[offsets[k] : offsets[k + 1]].reshape(nv >> lv, nu >> lv)
        half = work[0].ravel()[: here.size].reshape(here.shape)
        done = work[1].ravel()[: here.size].reshape(here.shape)
        smooth(here, kernel_u[k], taps[k], False, half)
        smooth(half, kernel_v[k], taps[k], True, done)
        below = level[k - 1]
        next_plane = planes[offsets[k - 1] : offsets[k]].reshape(nv >> below, nu >> below)
        if below == lv:
            for y in range(here.shape[0]):
                for x in range(here.shape[1]):
                    next_plane[y, x] += done[y, x]
        else:
            refine(done, next_plane)
    image[:, :] = planes[: offsets[1]].reshape(nv, nu)


@njit(cache=True, nogil=True, error_model="numpy")
def spread_up(planes, offsets, level, top, kernel_u, kernel_v, taps, image, work):  # type: ignore[no-untyped-def]
    """Adjoint of `spread_down`: from an image to what each plane sees of it."""
    nv, nu = image.shape
    planes[: offsets[1]].reshape(nv, nu)[:, :] = image
    for k in range(1, top + 1):
        lv, below = level[k], level[k - 1]
        here = planes[offsets[k] : offsets[k + 1]].reshape(nv >> lv, nu >> lv)
        last = planes[offsets[k - 1] : offsets[k]].reshape(nv >> below, nu >> below)
        half = work[0].ravel()[: here.size].reshape(here.shape)
        seen = work[1].ravel()[: here.size].reshape(here.shape)
        if below == lv:
            seen[:, :] = last
        else:
            coarsen(last, seen)
        smooth(seen, kernel_v[k], taps[k], True, half)
        smooth(half, kernel_u[k], taps[k], False, here)
