"""Cluster sizes by associated-volume clustering: sites drawn where the ionisations of a track are.

For each ionisation a site is drawn whose volume contains it, and the ionisations of the same track in that
site are counted. A site that holds ``k`` of them could have been drawn for each of them, so it counts
``1/k``: the sums are then the volume of all places where a site finds ``k`` ionisations, in units of the
site's own volume. That is the expected number of such sites if space were filled with them, the quantity
that :mod:`isodose.track.shell_targets` samples with one fixed filling.

The method is that of the EURADOS associated-volume code (H. Rabus, PTB).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.physics.random import start, uniform
from isodose.track.cell_list import SPARE, CellList, checked_points, sort_into_cells
from isodose.track.electron import isotropic
from isodose.track.neighbourhood import neighbourhood_in, points_in_cylinder, points_in_sphere, surround
from isodose.track.shell_targets import DIAMETER_NM, HEIGHT_NM


def sphere_clusters(
    points_nm: NDArray[np.float64], radius_nm: float, sizes: int = 512, seed: int = 1, repeats: int = 1
) -> NDArray[np.float64]:
    """Spherical sites by their cluster size, of the ionisations of one track.

    Parameters
    ----------
    points_nm
        ``[points, 3]`` places of the ionisations, nm.
    radius_nm
        Radius of a site, nm.
    sizes
        Length of the answer; its last entry holds all larger clusters too.
    seed
        Seed of the random sites.
    repeats
        Sites drawn per ionisation.

    Returns
    -------
    numpy.ndarray
        ``[sizes]``: number of sites with ``k`` ionisations, in units of the site's volume.

    Raises
    ------
    InputError
        If the shape of the points, the radius or a number is impossible.
    """
    points = _checked(points_nm, sizes, repeats)
    if not (np.isfinite(radius_nm) and radius_nm > 0.0):
        raise InputError("radius_nm", radius_nm, "a positive length")
    counts = np.zeros(sizes)
    _score_spheres(sort_into_cells(points, 2.0 * radius_nm), radius_nm, seed, repeats, counts)
    return counts


def cylinder_clusters(
    points_nm: NDArray[np.float64], sizes: int = 512, seed: int = 1, repeats: int = 1
) -> NDArray[np.float64]:
    """Cylindrical sites (2.3 nm by 3.4 nm, of random direction) by their cluster size.

    Parameters, return value and errors are those of :func:`sphere_clusters`.
    """
    points = _checked(points_nm, sizes, repeats)
    counts = np.zeros(sizes)
    edge = math.hypot(DIAMETER_NM, HEIGHT_NM)
    _score_cylinders(sort_into_cells(points, edge), seed, repeats, counts)
    return counts


def _checked(points_nm: NDArray[np.float64], sizes: int, repeats: int) -> NDArray[np.float64]:
    if sizes < 2 or repeats < 1:
        raise InputError("sizes, repeats", (sizes, repeats), "at least 2 sizes and 1 repeat")
    return checked_points(points_nm)


@njit(cache=True, error_model="numpy")
def _score_spheres(cell_list: CellList, radius_nm, seed, repeats, counts):  # type: ignore[no-untyped-def]
    last = counts.size - 1
    stream = np.zeros(1, np.uint64)
    near = neighbourhood_in(cell_list)
    start(stream, seed, 0)
    r2 = radius_nm * radius_nm
    xs, ys, zs = cell_list.points_nm
    for cell in range(cell_list.numbers.size - SPARE):
        count = surround(cell_list, near, cell_list.numbers[cell])
        for n in range(cell_list.first_point[cell], cell_list.first_point[cell + 1]):
            for _ in range(repeats):
                dx, dy, dz = radius_nm, radius_nm, radius_nm
                while dx * dx + dy * dy + dz * dz > r2:
                    dx = (2.0 * uniform(stream) - 1.0) * radius_nm
                    dy = (2.0 * uniform(stream) - 1.0) * radius_nm
                    dz = (2.0 * uniform(stream) - 1.0) * radius_nm
                size = points_in_sphere(near, count, xs[n] + dx, ys[n] + dy, zs[n] + dz, radius_nm)
                size = max(1, size)  # the ionisation itself may fall out by rounding
                counts[min(size, last)] += 1.0 / (size * repeats)


@njit(cache=True, error_model="numpy")
def _score_cylinders(cell_list: CellList, seed, repeats, counts):  # type: ignore[no-untyped-def]
    last = counts.size - 1
    stream = np.zeros(1, np.uint64)
    near = neighbourhood_in(cell_list)
    start(stream, seed, 0)
    radius, half = 0.5 * DIAMETER_NM, 0.5 * HEIGHT_NM
    xs, ys, zs = cell_list.points_nm
    for cell in range(cell_list.numbers.size - SPARE):
        count = surround(cell_list, near, cell_list.numbers[cell])
        for n in range(cell_list.first_point[cell], cell_list.first_point[cell + 1]):
            for _ in range(repeats):
                ux, uy, uz = isotropic(stream)
                px, py, pz = isotropic(stream)
                along = px * ux + py * uy + pz * uz
                px, py, pz = px - along * ux, py - along * uy, pz - along * uz
                out = radius * math.sqrt(uniform(stream)) / math.sqrt(px * px + py * py + pz * pz)
                up = half * (2.0 * uniform(stream) - 1.0)
                x, y, z = xs[n] + out * px + up * ux, ys[n] + out * py + up * uy, zs[n] + out * pz + up * uz
                size = max(1, points_in_cylinder(near, count, x, y, z, (ux, uy, uz), radius, half))
                counts[min(size, last)] += 1.0 / (size * repeats)
