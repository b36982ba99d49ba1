"""Where spectra are scored: the voxels near the beams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.transport.source import (
    AXIS_X,
    AXIS_Y,
    DIRECTION,
    ISOCENTRE,
    SOURCE_DISTANCE_X,
    SOURCE_DISTANCE_Y,
    SPOT_X,
    SPOT_Y,
    Source,
)


def lateral_region(
    grid: Grid, source: Source, corner_mm: NDArray[np.float64], margin_mm: float
) -> NDArray[np.uint8]:
    """1 in voxels within a margin of the rectangle that holds a beam's spots, 0 elsewhere; flat, uint8.

    The rectangle widens with the beam's divergence; the margin does not.
    """
    x, y, z = (grid.axis_mm(a) for a in "xyz")
    region = np.zeros(grid.shape, dtype=bool)
    for b, beam in enumerate(source.beam):
        spots = source.spot[source.beam_of_spot == b]
        if not len(spots):
            continue
        isocentre = corner_mm + beam[ISOCENTRE : ISOCENTRE + 3]
        dx, dy, dz = x - isocentre[0], y - isocentre[1], z - isocentre[2]

        def along(first: int, dx=dx, dy=dy, dz=dz, beam=beam) -> NDArray[np.float64]:  # type: ignore[no-untyped-def]
            e = beam[first : first + 3]
            out: NDArray[np.float64] = (
                dz[:, None, None] * e[2] + dy[None, :, None] * e[1] + dx[None, None, :] * e[0]
            )
            return out

        downstream = along(DIRECTION)
        inside = np.ones(grid.shape, dtype=bool)
        for axis, column, distance in (
            (AXIS_X, SPOT_X, SOURCE_DISTANCE_X),
            (AXIS_Y, SPOT_Y, SOURCE_DISTANCE_Y),
        ):
            scale = 1.0 + downstream / beam[distance]
            lateral = along(axis)
            low, high = spots[:, column].min(), spots[:, column].max()
            inside &= (lateral >= low * scale - margin_mm) & (lateral <= high * scale + margin_mm)
        region |= inside
    return region.astype(np.uint8).ravel()
