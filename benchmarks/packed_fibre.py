"""Targets packed at random into a fibre, none overlapping another: as TOPAS-nBio places them.

TOPAS-nBio's component ``TsRandomCylindersInComponent`` draws a centre uniformly in the fibre and three
angles uniformly between 0 and 180 degrees, and keeps the cylinder if none of 1,000 points on its surface lies
outside the fibre or inside another. So all targets lie wholly inside, and their axes are not isotropic.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from isodose.physics.random import start, uniform
from isodose.track.shell_targets import DIAMETER_NM, HEIGHT_NM
from isodose.transport.direction import perpendicular

_RADIUS, _HALF = 0.5 * DIAMETER_NM, 0.5 * HEIGHT_NM
_EDGE = math.hypot(DIAMETER_NM, HEIGHT_NM)
_SURFACE_POINTS = 1000


@njit(cache=True, error_model="numpy")
def _inside(x, y, z, target):  # type: ignore[no-untyped-def]
    dx, dy, dz = x - target[0], y - target[1], z - target[2]
    along = dx * target[3] + dy * target[4] + dz * target[5]
    return abs(along) <= _HALF and dx * dx + dy * dy + dz * dz - along * along <= _RADIUS * _RADIUS


@njit(cache=True, error_model="numpy")
def _on_surface(target, stream):  # type: ignore[no-untyped-def]
    side, end = 2.0 * _HALF * 2.0 * math.pi * _RADIUS, math.pi * _RADIUS * _RADIUS
    which = (side + 2.0 * end) * uniform(stream)
    out, along = _RADIUS, _HALF * (2.0 * uniform(stream) - 1.0)
    if which >= side:
        out = _RADIUS * math.sqrt(uniform(stream))
        along = _HALF if which < side + end else -_HALF
    angle = 2.0 * math.pi * uniform(stream)
    a, b = out * math.cos(angle), out * math.sin(angle)
    px, py, pz, qx, qy, qz = perpendicular(target[3], target[4], target[5])
    return (
        target[0] + along * target[3] + a * px + b * qx,
        target[1] + along * target[4] + a * py + b * qy,
        target[2] + along * target[5] + a * pz + b * qz,
    )


@njit(cache=True, error_model="numpy")
def _fits(targets, count, radius_nm, half_length_nm, stream):  # type: ignore[no-untyped-def]
    """Whether the target after the first ``count`` lies in the fibre and in none of these."""
    new = targets[count]
    near = np.empty(count, np.int64)
    neighbours = 0
    for n in range(count):
        if np.sum((targets[n, :3] - new[:3]) ** 2) < _EDGE * _EDGE:
            near[neighbours] = n
            neighbours += 1
    for _ in range(_SURFACE_POINTS):
        x, y, z = _on_surface(new, stream)
        if x * x + y * y > radius_nm * radius_nm or abs(z) > half_length_nm:
            return False
        for n in near[:neighbours]:
            if _inside(x, y, z, targets[n]):
                return False
    return True


@njit(cache=True, error_model="numpy")
def packed_targets(radius_nm, half_length_nm, number, seed):  # type: ignore[no-untyped-def]
    """Centres (nm) and axes ``[number, 6]`` of targets in a cylindrical fibre around z."""
    targets, stream = np.empty((number, 6)), np.zeros(1, np.uint64)
    start(stream, seed, 0)
    count = 0
    while count < number:
        out, angle = radius_nm * math.sqrt(uniform(stream)), 2.0 * math.pi * uniform(stream)
        targets[count, 0], targets[count, 1] = out * math.cos(angle), out * math.sin(angle)
        targets[count, 2] = half_length_nm * (2.0 * uniform(stream) - 1.0)
        # a frame turned about x by u, then about y by v, then about z, which leaves the axis as it is
        u, v = math.pi * uniform(stream), math.pi * uniform(stream)
        targets[count, 3] = -math.sin(v)
        targets[count, 4], targets[count, 5] = math.sin(u) * math.cos(v), math.cos(u) * math.cos(v)
        count += _fits(targets, count, radius_nm, half_length_nm, stream)
    return targets
