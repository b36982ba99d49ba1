"""Exact area of a polygon inside each pixel, by signed areas accumulated along the edges.

Every edge adds, to the pixels right of it, the height it spans in their row; the running sum along a row is
then the winding number integrated over each pixel. The winding number is folded even-odd, so that a keyhole
outline (an outer ring joined to an inner one by a channel of no width) leaves its hole open whichever way
the inner ring is drawn. Exact wherever a pixel holds at most two neighbouring winding numbers, that is
everywhere but in pixels where an outline touches or crosses itself.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, error_model="numpy")
def _add_span(row, xa, xb, height):  # type: ignore[no-untyped-def]
    """Add an edge piece that stays within one row; ``row`` has one entry more than pixels."""
    n = row.size - 1
    left, right = min(xa, xb), max(xa, xb)
    if left >= n:
        return
    if right <= 0.0:
        row[0] += height
        return
    per_length = height / (right - left) if right > left else 0.0
    if left < 0.0:
        row[0] += -left * per_length
        height += left * per_length
        left = 0.0
    if right > n:
        height -= (right - n) * per_length
        right = float(n)
    first = min(int(left), n - 1)
    if right <= first + 1:
        part = 0.5 * (left + right) - first
        row[first] += height * (1.0 - part)
        row[first + 1] += height * part
        return
    last = min(math.ceil(right), n)
    for pixel in range(first, last):
        a, b = max(left, float(pixel)), min(right, pixel + 1.0)
        piece = per_length * (b - a)
        part = 0.5 * (a + b) - pixel
        row[pixel] += piece * (1.0 - part)
        row[pixel + 1] += piece * part


@njit(cache=True, error_model="numpy")
def _accumulate(area, x, y):  # type: ignore[no-untyped-def]
    """Add all edges of a closed polygon, vertices in pixel units, pixel ``k`` reaching from k to k + 1."""
    rows = area.shape[0]
    for i in range(x.size):
        j = i + 1 if i + 1 < x.size else 0
        x0, y0, x1, y1 = x[i], y[i], x[j], y[j]
        sign = 1.0
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
            sign = -1.0
        if y0 == y1 or y1 <= 0.0 or y0 >= rows:
            continue
        slope = (x1 - x0) / (y1 - y0)
        for row in range(int(max(y0, 0.0)), min(math.ceil(y1), rows)):
            ya, yb = max(y0, float(row)), min(y1, row + 1.0)
            _add_span(area[row], x0 + (ya - y0) * slope, x0 + (yb - y0) * slope, sign * (yb - ya))


@njit(cache=True, error_model="numpy")
def _fold(area):  # type: ignore[no-untyped-def]
    """Turn accumulated edges into even-odd coverage, in place; the last column is left over."""
    for row in range(area.shape[0]):
        winding = 0.0
        for pixel in range(area.shape[1] - 1):
            winding += area[row, pixel]
            inside = abs(winding - 2.0 * math.floor(0.5 * winding + 0.5))
            # Rounding noise must not count as touched, nor keep a full pixel below 1.
            if inside < 1e-9:
                inside = 0.0
            elif inside > 1.0 - 1e-9:
                inside = 1.0
            area[row, pixel] = inside


def polygon_coverage(
    x: NDArray[np.float64], y: NDArray[np.float64], rows: int, columns: int
) -> NDArray[np.float64]:
    """Part of each pixel inside a closed polygon, even-odd.

    Parameters
    ----------
    x, y
        Vertices ``(n,)`` in pixel units: pixel ``[r, c]`` is the square from (c, r) to (c + 1, r + 1). They
        may lie outside the image.
    rows, columns
        Size of the image.

    Returns
    -------
    NDArray
        ``[rows, columns]`` from 0 to 1.
    """
    area = np.zeros((rows, columns + 1))
    _accumulate(area, np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64))
    _fold(area)
    return area[:, :-1]
