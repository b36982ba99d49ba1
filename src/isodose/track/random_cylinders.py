"""Cluster sizes in cylinders that stand where they are told to, or anywhere at random in a volume.

Cylinders are those of :mod:`isodose.track.shell_targets` (2.3 nm by 3.4 nm).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.random import start, uniform
from isodose.track.cell_list import cell_numbers, checked_points, in_order, sort_into_cells
from isodose.track.electron import isotropic
from isodose.track.neighbourhood import neighbourhood_in, points_in_cylinder, surround
from isodose.track.shell_targets import DIAMETER_NM, HEIGHT_NM


@dataclass(frozen=True, slots=True)
class CylinderVolume:
    """Volume in which centres of cylinders are uniform and their axes isotropic; cylinders may overlap.

    Parameters
    ----------
    radius_nm, half_length_nm
        The volume, around the z axis and centred on the origin, nm.
    targets
        Cylinders thrown per track.

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


def random_cylinders(volume: CylinderVolume, seed: int = 1, track: int = 0) -> NDArray[np.float64]:
    """Throw cylinders into a volume.

    Parameters
    ----------
    volume
        Where, and how many.
    seed, track
        Cylinders are the same for the same seed and number of the track.

    Returns
    -------
    numpy.ndarray
        ``[targets, 6]`` centres (nm) and unit vectors of the axes.
    """
    cylinders = np.empty((volume.targets, 6))
    _throw(volume.radius_nm, volume.half_length_nm, seed, track, cylinders)
    return cylinders


def cylinder_sizes(
    points_nm: NDArray[np.float64], cylinders: NDArray[np.float64], sizes: int = 512
) -> NDArray[np.float64]:
    """Cylinders by their cluster size for the ionisations of one track.

    Parameters
    ----------
    points_nm
        ``[points, 3]`` places of the ionisations, nm.
    cylinders
        ``[targets, 6]`` centres (nm) and unit vectors of the axes.
    sizes
        Length of the answer; its last entry holds all larger clusters too.

    Returns
    -------
    numpy.ndarray
        ``[sizes]`` number of cylinders with ``k`` ionisations, from ``k = 0``.

    Raises
    ------
    InputError
        If a shape or a place is impossible.
    """
    points = checked_points(points_nm)
    if cylinders.ndim != 2 or cylinders.shape[1] != 6:
        raise InputError("cylinders", cylinders.shape, "an array [targets, 6]")
    counts = np.zeros(sizes)
    _count(points, np.ascontiguousarray(cylinders, dtype=np.float64), counts)
    return counts


@njit(cache=True, error_model="numpy")
def _throw(radius_nm, half_length_nm, seed, track, cylinders):  # type: ignore[no-untyped-def]
    stream = np.zeros(1, np.uint64)
    start(stream, seed, track)
    for n in range(cylinders.shape[0]):
        out = radius_nm * math.sqrt(uniform(stream))
        azimuth = 2.0 * math.pi * uniform(stream)
        cylinders[n, 0], cylinders[n, 1] = out * math.cos(azimuth), out * math.sin(azimuth)
        cylinders[n, 2] = half_length_nm * (2.0 * uniform(stream) - 1.0)
        cylinders[n, 3], cylinders[n, 4], cylinders[n, 5] = isotropic(stream)


@njit(cache=True, error_model="numpy")
def _count(points_nm, cylinders, counts):  # type: ignore[no-untyped-def]
    last = counts.size - 1
    radius, half = 0.5 * DIAMETER_NM, 0.5 * HEIGHT_NM
    cell_list = sort_into_cells(points_nm, math.hypot(DIAMETER_NM, HEIGHT_NM))
    numbers, was = in_order(cell_numbers(cell_list.lattice, cylinders), cell_list.lattice)
    near = neighbourhood_in(cell_list)
    for n in range(numbers.size):
        x, y, z, ux, uy, uz = cylinders[was[n]]
        count = surround(cell_list, near, numbers[n])
        size = points_in_cylinder(near, count, x, y, z, (ux, uy, uz), radius, half)
        counts[min(size, last)] += 1.0
