"""Discrete Gaussians of any variance, from a table: what `isodose.pencilbeam.widths` smooths with, spot by spot."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ive

_ROWS = 160
_NEGLIGIBLE = 2e-4
"""A kernel ends where its weights fall below this part of the middle one."""


class GaussianTaps(NamedTuple):
    """Half kernels by variance; between two rows they are mixed, which keeps the variance exact.

    Parameters
    ----------
    kernel
        From the middle outwards, float32 ``(rows, taps)``.
    count
        Weights that a mixture of a row and the next needs, int64 ``(rows,)``.
    scale
        Row of a variance t in cells squared is ``sqrt(t) * scale``.
    """

    kernel: NDArray[np.float32]
    count: NDArray[np.int64]
    scale: float


def gaussian_taps(widest: float) -> GaussianTaps:
    """Table up to a variance in cells squared."""
    scale = (_ROWS - 1) / np.sqrt(widest)
    variance = (np.arange(_ROWS) / scale) ** 2
    most = 4 + int(6.0 * np.sqrt(widest))
    kernel = ive(np.arange(most)[None, :], variance[:, None])
    kernel[kernel < _NEGLIGIBLE * kernel[:, :1]] = 0.0
    kernel /= kernel[:, :1] + 2.0 * kernel[:, 1:].sum(axis=1, keepdims=True)
    count = (kernel > 0.0).sum(axis=1)
    return GaussianTaps(kernel.astype(np.float32), np.append(count[1:], count[-1]), scale)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def taps_of(table, variance, out):  # type: ignore[no-untyped-def]
    """Write a whole symmetric kernel; returns its half width."""
    row = min(int(np.sqrt(max(variance, np.float32(0.0))) * table.scale), table.count.size - 2)
    low, high = (row / table.scale) ** 2, ((row + 1) / table.scale) ** 2
    share = np.float32(min(max((variance - low) / (high - low), 0.0), 1.0))
    half = table.count[row] - 1
    one, two = table.kernel[row], table.kernel[row + 1]
    for i in range(half + 1):
        weight = one[i] + share * (two[i] - one[i])
        out[half + i] = weight
        out[half - i] = weight
    return half


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def add_smoothed(
    source, rows, width, corner, taps_u, half_u, taps_v, half_v, scale, line, out
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Convolve a small image with a separable kernel and add it to another.

    Parameters
    ----------
    source, rows, width
        Image and how much of it is used.
    corner
        Row and column in ``out`` of the image's first.
    taps_u, half_u, taps_v, half_v
        Kernels along columns and rows.
    scale
        Factor of the result.
    line
        Room for a row of the result.
    out
        Receives what falls inside it.
    """
    broad = width + 2 * half_u
    left = corner[1] - half_u
    begin, end = max(0, -left), min(broad, out.shape[1] - left)
    if end <= begin:
        return
    for y in range(rows):
        image = source[y]
        for x in range(broad):
            line[x] = 0.0
        for t in range(2 * half_u + 1):
            weight = taps_u[t] * scale
            shifted = line[t:]
            for x in range(width):
                shifted[x] += weight * image[x]
        first, last = max(0, half_v - corner[0] - y), min(2 * half_v + 1, out.shape[0] + half_v - corner[0] - y)
        ready = line[begin:end]
        for t in range(first, last):
            weight = taps_v[t]
            target = out[corner[0] + y + t - half_v, left + begin : left + end]
            for x in range(end - begin):
                target[x] += weight * ready[x]
