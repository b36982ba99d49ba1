"""Stretches of a beam that share one fluence map.

A particle that is found beside its spot's axis has mostly been there for a while: what widened the spot
before the body, and most of what scattered it upstream in the body, put it on other rays long before the
depth that is looked at. So each stretch of the beam takes the fluence as wide as it is there, and only the
rest of the width is spread after the dose was read off along the rays.

Of a position x(z) reached by multiple scattering, the mean at an earlier depth h is ``(3 h^2 z - h^3) / (2
z^3)`` of x(z), with uniform scattering power (Fermi-Eyges): 0.31 at half the depth, 0.70 at 0.8. The part
that goes into the map was chosen between both ends, 0 and 1, by heads, thoraxes and slabs against Monte
Carlo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isodose.pencilbeam.fan import Fan
from isodose.pencilbeam.layer_tables import GAIN, STEP_MM, VARIANCE, LayerTables
from isodose.pencilbeam.spot_optics import SpotOptics

_GROWTH = 1.12
"""Variance may grow by this much over a stretch."""
_FEWEST, _MOST = 12, 20
_PART_IN_MAP = 0.5
"""Part of the variance from scattering in the body that the maps have."""
_BEHIND_MM = 3.0


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


def stations_of(
    fan: Fan,
    optics: tuple[SpotOptics, ...],
    depth: NDArray[np.float32],
    excess: NDArray[np.float32],
    tables: LayerTables,
) -> tuple[Station, ...]:
    """Cut the planes of a fan into stretches.

    Parameters
    ----------
    fan, optics
        Of the beam; the optics still without maps.
    depth, excess
        Of `isodose.pencilbeam.spreading.excess_variance`.
    tables
        Layers.
    """
    planes = fan.plane_mm
    ends = float(planes[0]), float(planes[-1])
    growth = max(one.growth(ends) for one in optics)
    wanted = math.ceil(math.log(growth) / math.log(_GROWTH))
    count = min(max(wanted, _FEWEST), _MOST, fan.planes)
    edges = [fan.planes * i // count for i in range(count + 1)]
    stations = []
    for begin, end in pairwise(edges):
        middle = (begin + end) // 2
        inside = _inside(float(planes[middle]), optics, depth[middle], excess[middle], tables)
        reach = float(planes[begin]), float(planes[end - 1])
        maps = tuple(
            replace(one, inside_mm2=_PART_IN_MAP * variance).over(reach)
            for one, variance in zip(optics, inside, strict=True)
        )
        stations.append(Station(begin, end, maps))
    return tuple(stations)


def _inside(
    plane_mm: float,
    optics: tuple[SpotOptics, ...],
    depth: NDArray[np.float32],
    excess: NDArray[np.float32],
    tables: LayerTables,
) -> list[float]:
    """Variance of the core from scattering in the body by column, median over the rays that are alive."""
    rows = (depth / STEP_MM).astype(np.int64)
    result = []
    for column, one in enumerate(optics):
        node = tables.node[column]
        reach = float(tables.nodes_mm[node])
        alive = depth < reach + _BEHIND_MM
        if not alive.any():
            result.append(0.0)
            continue
        at = np.minimum(rows[alive], min(int(reach / STEP_MM), tables.table.shape[0] - 1))
        core = tables.table[at, column, 0]
        total = float(np.median(core[:, VARIANCE] + core[:, GAIN] * excess[alive, node]))
        result.append(max(total - float(one.scattered(np.array([plane_mm]))[0]), 0.0))
    return result
