"""A part of an arc's spots, enough to choose layers by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.arc.arc_influence import ArcInfluence

_FEW_SPOTS = 4
"""Layers that would be left with fewer spots keep all of them."""


def thinned_spots(arc: ArcInfluence) -> NDArray[np.int64]:
    """Columns of every second spot of every second row of each layer.

    Twice 5 or 6 mm is less than two standard deviations of a proton spot in the head; what ripple that
    leaves, the many directions of an arc even out.
    """
    spacing = arc.counts.lattice.spacing_mm
    x, y = (
        np.concatenate([getattr(layer.spots, name) for beam in arc.plan.beams for layer in beam.layers])
        for name in ("x_mm", "y_mm")
    )
    column, row = (np.rint(place / spacing).astype(np.int64) for place in (x, y))
    even = (column % 2 == 0) & (row % 2 == 0)
    layer = arc.point * arc.counts.energies_mev_u.size + arc.energy
    few = np.bincount(layer, even)[layer] < _FEW_SPOTS
    return np.flatnonzero(even | few)
