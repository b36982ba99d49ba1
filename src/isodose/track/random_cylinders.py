"""Cluster sizes in cylinders thrown at random into a cylindrical volume around the beam axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.random import start, uniform
from isodose.track.cell_list import CANDIDATE_CELLS, points_in_cylinder, sort_into_cells
from isodose.track.electron import isotropic
from isodose.track.shell_targets import DIAMETER_NM, HEIGHT_NM


@dataclass(frozen=True, slots=True)
class CylinderVolume:
    """Volume in which centres of targets are uniform and their axes isotropic; targets may overlap.

    Parameters
    ----------
    radius_nm, half_length_nm
        The volume, around the z axis and centred on the origin, nm.
    targets
        Targets thrown per track.

    Raises
    ------
    InputError
        If a number is not positive.
    """

    radius_nm: float
    half_length_nm: float
    targets: int

    def __post_init__(self) -> None:
        for name in ("radius_nm", "half_length_nm", "targets"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(name, value, "a positive number")


def random_cylinder_sizes(
    points_nm: NDArray[np.float64], volume: CylinderVolume, sizes: int = 512, seed: int = 1, track: int = 0
) -> NDArray[np.float64]:
    """Targets by their cluster size for the ionisations of one track.

    Parameters
    ----------
    points_nm
        ``[points, 3]`` places of the ionisations, nm.
    volume
        Where targets are thrown.
    sizes
        Length of the answer; its last entry holds all larger clusters too.
    seed, track
        Targets are the same for the same seed and number of the track.

    Returns
    -------
    numpy.ndarray
        ``[sizes]`` number of targets with ``k`` ionisations, from ``k = 0``.
    """
    points = np.ascontiguousarray(points_nm, dtype=np.float64)
    counts = np.zeros(sizes)
    cell_list = sort_into_cells(points, math.hypot(DIAMETER_NM, HEIGHT_NM))
    _throw(cell_list, volume.radius_nm, volume.half_length_nm, volume.targets, seed, track, counts)
    return counts


@njit(cache=True, error_model="numpy")
def _throw(cell_list, radius_nm, half_length_nm, targets, seed, track, counts):  # type: ignore[no-untyped-def]
    last = counts.size - 1
    stream = np.zeros(1, np.uint64)
    found = np.empty((CANDIDATE_CELLS, 2), np.int64)
    radius, half = 0.5 * DIAMETER_NM, 0.5 * HEIGHT_NM
    start(stream, seed, track)
    for _ in range(targets):
        out = radius_nm * math.sqrt(uniform(stream))
        azimuth = 2.0 * math.pi * uniform(stream)
        z = half_length_nm * (2.0 * uniform(stream) - 1.0)
        ux, uy, uz = isotropic(stream)
        x, y = out * math.cos(azimuth), out * math.sin(azimuth)
        size = points_in_cylinder(cell_list, x, y, z, (ux, uy, uz), radius, half, found)
        counts[min(size, last)] += 1.0
