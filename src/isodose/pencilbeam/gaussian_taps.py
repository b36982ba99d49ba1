"""Gaussian kernels of any variance, from a table, and convolution of small images with them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ROWS_PER_CELL = 12.0
"""Rows of the table per standard deviation of one cell."""
_WIDEST_CELLS = 20.0
"""Largest standard deviation in cells."""
_SMOOTH = 0.5
"""Variance in cells squared from which a sampled Gaussian has the right one; below, three weights are made
to."""
_NEGLIGIBLE = 5e-4
"""A kernel ends where its weights fall below this part of the middle one."""


class GaussianTaps(NamedTuple):
    """Half kernels of variances with evenly spaced roots, mixed between two rows to keep the variance.

    Parameters
    ----------
    kernel
        From the middle outwards, float32 ``(rows, taps)``.
    count
        Weights that a mixture of a row and the next needs, int64 ``(rows,)``.
    """

    kernel: NDArray[np.float32]
    count: NDArray[np.int64]  # type: ignore[assignment]  # hides tuple.count, which no one needs


def gaussian_taps() -> GaussianTaps:
    """Table up to the largest variance; wider kernels are given as that."""
    rows = (np.arange(_WIDEST_CELLS * _ROWS_PER_CELL + 2) / _ROWS_PER_CELL) ** 2
    step = np.arange(int(5.0 * _WIDEST_CELLS), dtype=np.float64)
    kernel = np.exp(-(step**2) / (2.0 * np.maximum(rows, _SMOOTH)[:, None]))
    kernel[kernel < _NEGLIGIBLE] = 0.0
    kernel /= kernel[:, :1] + 2.0 * kernel[:, 1:].sum(axis=1, keepdims=True)
    narrow = rows < _SMOOTH
    kernel[narrow] = 0.0
    kernel[narrow, 0], kernel[narrow, 1] = 1.0 - rows[narrow], 0.5 * rows[narrow]
    count = (kernel > 0.0).sum(axis=1)
    return GaussianTaps(kernel.astype(np.float32), np.append(count[1:], count[-1]))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def taps_of(table, variance, out):  # type: ignore[no-untyped-def]
    """Write a whole symmetric kernel; returns its half width."""
    row = min(int(np.sqrt(max(variance, np.float32(0.0))) * _ROWS_PER_CELL), table.count.size - 2)
    low, high = (row / _ROWS_PER_CELL) ** 2, ((row + 1) / _ROWS_PER_CELL) ** 2
    share = np.float32(min(max((variance - low) / (high - low), 0.0), 1.0))
    half = table.count[row] - 1
    one, two = table.kernel[row], table.kernel[row + 1]
    for i in range(half + 1):
        weight = one[i] + share * (two[i] - one[i])
        out[half + i] = weight
        out[half - i] = weight
    return half


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def add_smoothed(  # type: ignore[no-untyped-def]
    image, rows, stride, columns, corner, taps_u, half_u, taps_v, half_v, work, lines, out
):
    """Convolve a small image with a separable kernel and add it to another.

    Rows follow each other without a gap in all arrays, so that loops are long.

    Parameters
    ----------
    image
        Begins with ``2 half_u`` zeros; then rows of numbers, each with ``2 half_u`` zeros behind it.
    rows, stride, columns
        Its rows, numbers per row, and those without the zeros.
    corner
        Row and column in ``out`` of the image's first.
    taps_u, half_u, taps_v, half_v
        Kernels along columns and rows.
    work, lines
        Room for the image and for its rows at the length of those of ``out``.
    out
        Receives what falls inside it.
    """
    size, width = rows * stride, out.shape[1]
    for i in range(size):
        work[i] = taps_u[0] * image[2 * half_u + i]
    for t in range(1, 2 * half_u, 2):
        one, two = taps_u[t], taps_u[t + 1]
        shifted, further = image[2 * half_u - t :], image[2 * half_u - t - 1 :]
        for i in range(size):
            work[i] += one * shifted[i] + two * further[i]
    left = corner[1] - half_u
    begin, end = max(0, -left), min(columns + 2 * half_u, width - left)
    if end <= begin:
        return
    for j in range(rows):
        lines[j * width : j * width + left + begin] = 0.0
        lines[j * width + left + begin : j * width + left + end] = work[j * stride + begin : j * stride + end]
        lines[j * width + left + end : (j + 1) * width] = 0.0
    flat = out.reshape(out.size)
    for t in range(2 * half_v + 1):
        top = corner[0] + t - half_v
        first, last = max(0, -top), min(rows, out.shape[0] - top)
        if last <= first:
            continue
        weight, target, source = taps_v[t], flat[(top + first) * width :], lines[first * width :]
        for i in range((last - first) * width):
            target[i] += weight * source[i]
