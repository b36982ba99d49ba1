"""The rays on which spots lie: layers share them, and with them what lies around."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isodose.plan.plan import Beam


class SpotAxes(NamedTuple):
    """Spots of a beam by the ray on which they lie.

    Parameters
    ----------
    place
        Position (x, y) of each ray on the isocentre plane, ``(rays, 2)`` mm.
    first
        Where the spots of each ray begin, and the end, int64 ``(rays + 1,)``.
    layer
        Layer of each spot, int64.
    column
        Its column in the matrix, int64.
    """

    place: NDArray[np.float64]
    first: NDArray[np.int64]
    layer: NDArray[np.int64]
    column: NDArray[np.int64]


def spot_axes(beam: Beam, first_column: int) -> SpotAxes:
    """Gather the spots of all layers that lie on one ray; columns count from the beam's first."""
    counts = [len(layer.spots) for layer in beam.layers]
    x = np.concatenate([layer.spots.x_mm for layer in beam.layers])
    y = np.concatenate([layer.spots.y_mm for layer in beam.layers])
    place, ray = np.unique(np.stack([y, x], axis=1), axis=0, return_inverse=True)
    by_ray = np.argsort(ray.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(ray.ravel(), minlength=len(place)))])
    layer = np.repeat(np.arange(len(counts)), counts)[by_ray]
    return SpotAxes(
        np.ascontiguousarray(place[:, ::-1]), first.astype(np.int64), layer, by_ray + first_column
    )
