"""Turning directions."""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, inline="always")
def perpendicular(ux, uy, uz):  # type: ignore[no-untyped-def]
    """Two unit vectors that make a right-handed frame with a unit vector (Duff et al., JCGT 6 (2017) 1)."""
    sign = math.copysign(1.0, uz)
    a = -1.0 / (sign + uz)
    b = ux * uy * a
    return 1.0 + sign * ux * ux * a, sign * b, -sign * ux, b, sign + uy * uy * a, -uy


@njit(cache=True)
def rotated(vx, vy, vz, ux, uy, uz):  # type: ignore[no-untyped-def]
    """Turn a vector from the frame whose +z axis is the unit vector (ux, uy, uz) into that vector's."""
    ax, ay, az, bx, by, bz = perpendicular(ux, uy, uz)
    return vx * ax + vy * bx + vz * ux, vx * ay + vy * by + vz * uy, vx * az + vy * bz + vz * uz
