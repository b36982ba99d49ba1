"""Stretches of a beam that share one fluence map.

A spot that diverges, above all behind a range shifter, is wider at the end of its range than at the skin. Its
particles went straight to where they are, so each stretch takes the fluence as wide as it is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from isodose.pencilbeam.fan import Fan
from isodose.pencilbeam.spot_optics import SpotOptics

_GROWTH = 1.12
"""Variance may grow by this much over a stretch."""
_MOST = 12


@dataclass(frozen=True, slots=True, eq=False)
class Station:
    """Planes with one fluence map.

    Parameters
    ----------
    begin, end
        First plane, and the one behind the last.
    optics
        Spots by column, with the map of this stretch.
    """

    begin: int
    end: int
    optics: tuple[SpotOptics, ...]


def stations_of(fan: Fan, optics: tuple[SpotOptics, ...]) -> tuple[Station, ...]:
    """Cut the planes of a fan into stretches."""
    planes = fan.plane_mm
    ends = float(planes[0]), float(planes[-1])
    growth = max(one.growth(ends) for one in optics)
    count = int(np.clip(math.ceil(math.log(growth) / math.log(_GROWTH)), 1, min(_MOST, fan.planes)))
    edges = [fan.planes * i // count for i in range(count + 1)]
    return tuple(
        Station(a, b, tuple(one.over((float(planes[a]), float(planes[b - 1]))) for one in optics))
        for a, b in pairwise(edges)
    )
