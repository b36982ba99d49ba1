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
SMALL_CELLS2 = 0.6
"""Variance in cells squared below which a sampled Gaussian has neither its variance nor its shape."""
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
    kernel = half_kernels(rows, int(5.0 * _WIDEST_CELLS))
    kernel[np.abs(kernel) < _NEGLIGIBLE * kernel[:, :1]] = 0.0
    kernel /= kernel[:, :1] + 2.0 * kernel[:, 1:].sum(axis=1, keepdims=True)
    count = kernel.shape[1] - (kernel[:, ::-1] != 0.0).argmax(axis=1)
    return GaussianTaps(kernel.astype(np.float32), np.maximum(count, np.append(count[1:], 0)))


def half_kernels(squares: NDArray[np.float64], taps: int) -> NDArray[np.float64]:
    """Kernels of variances in cells squared that have the fourth moment of a Gaussian too, ``(..., taps)``.

    A sampled Gaussian does from about a cell's width on; five taps are solved for below.
    """
    at = np.arange(taps)
    sampled = np.exp(-0.5 * at**2 / np.maximum(squares, SMALL_CELLS2)[..., None])
    sampled /= (2.0 * sampled.sum(axis=-1) - sampled[..., 0])[..., None]
    small = np.zeros_like(sampled)
    small[..., 2] = squares * (3.0 * squares - 1.0) / 24.0
    small[..., 1] = 0.5 * squares - 4.0 * small[..., 2]
    small[..., 0] = 1.0 - 2.0 * (small[..., 1] + small[..., 2])
    return np.where((squares < SMALL_CELLS2)[..., None], small, sampled)


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
