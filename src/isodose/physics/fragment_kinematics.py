"""Momenta of fragments: break-up in the projectile's frame, collisions of nucleons, boost to the laboratory.

Rows of ``momenta`` are float64 ``(PX, PY, PZ, MASS)`` in MeV/c and MeV; +z is the direction of the beam. The
widths of the break-up are those of Goldhaber, Phys. Lett. B 53 (1974) 306.
"""

from __future__ import annotations

import math

from numba import njit

from isodose.physics.random import normal, uniform

PX, PY, PZ, MASS = 0, 1, 2, 3
"""Columns of ``momenta``."""


@njit(cache=True)
def kinetic_energy(row):  # type: ignore[no-untyped-def]
    """Kinetic energy in MeV of one row of ``momenta``."""
    p2 = row[PX] ** 2 + row[PY] ** 2 + row[PZ] ** 2
    return p2 / (math.sqrt(p2 + row[MASS] ** 2) + row[MASS])


@njit(cache=True)
def boost(row, bx, by, bz):  # type: ignore[no-untyped-def]
    """Change one row of ``momenta`` to a frame in which the old one moves with velocity (bx, by, bz) c."""
    b2 = bx * bx + by * by + bz * bz
    gamma = 1.0 / math.sqrt(1.0 - b2)
    along = bx * row[PX] + by * row[PY] + bz * row[PZ]
    energy = math.sqrt(row[PX] ** 2 + row[PY] ** 2 + row[PZ] ** 2 + row[MASS] ** 2)
    shift = gamma * (gamma / (gamma + 1.0) * along + energy)
    row[PX] += shift * bx
    row[PY] += shift * by
    row[PZ] += shift * bz


@njit(cache=True)
def rescale_kinetic_energy(row, factor):  # type: ignore[no-untyped-def]
    """Multiply the kinetic energy of one row of ``momenta`` by a factor, keeping its direction."""
    p2 = row[PX] ** 2 + row[PY] ** 2 + row[PZ] ** 2
    if p2 <= 0.0:
        return
    kinetic = factor * kinetic_energy(row)
    stretch = math.sqrt(kinetic * (kinetic + 2.0 * row[MASS]) / p2)
    row[PX] *= stretch
    row[PY] *= stretch
    row[PZ] *= stretch


@njit(cache=True)
def break_up(momenta, nucleons, count, width, stream):  # type: ignore[no-untyped-def]
    """Draw the momenta of the fragments of a nucleus at rest; they add up to zero.

    Parameters
    ----------
    momenta
        float64 ``(>= count, 4)``; the masses are given, the momenta are written.
    nucleons
        int64 ``(>= count,)``: mass numbers.
    count
        Number of fragments.
    width
        Momentum width of one nucleon in MeV/c: a fragment of A out of N nucleons gets, in each direction, the
        standard deviation ``width * sqrt(A (N - A) / (N - 1))``. Break-ups differ in violence: the
        square of the width is drawn for each from a gamma distribution (shape 2) of mean ``width**2``, which
        turns Gaussian spectra into the exponential tails that are measured.
    stream
        Random numbers.
    """
    total = 0
    for i in range(count):
        total += nucleons[i]
    heat = -0.5 * math.log(uniform(stream) * uniform(stream))
    sigma = width * math.sqrt(heat * total / (total - 1.0))
    sx = sy = sz = 0.0
    for i in range(count):
        s = sigma * math.sqrt(nucleons[i])
        momenta[i, PX], momenta[i, PY], momenta[i, PZ] = (
            s * normal(stream),
            s * normal(stream),
            s * normal(stream),
        )
        sx += momenta[i, PX]
        sy += momenta[i, PY]
        sz += momenta[i, PZ]
    for i in range(count):
        share = nucleons[i] / total
        momenta[i, PX] -= share * sx
        momenta[i, PY] -= share * sy
        momenta[i, PZ] -= share * sz


@njit(cache=True)
def scatter(one, two, slope, stream):  # type: ignore[no-untyped-def]
    """Elastic collision of two rows of ``momenta``.

    ``slope`` is that of exp(-slope |t|) in (MeV/c)^-2; zero is isotropic in the centre of mass.
    """
    e1 = math.sqrt(one[PX] ** 2 + one[PY] ** 2 + one[PZ] ** 2 + one[MASS] ** 2)
    e2 = math.sqrt(two[PX] ** 2 + two[PY] ** 2 + two[PZ] ** 2 + two[MASS] ** 2)
    bx, by, bz = (
        (one[PX] + two[PX]) / (e1 + e2),
        (one[PY] + two[PY]) / (e1 + e2),
        (one[PZ] + two[PZ]) / (e1 + e2),
    )
    boost(one, -bx, -by, -bz)
    p = math.sqrt(one[PX] ** 2 + one[PY] ** 2 + one[PZ] ** 2)
    if p <= 0.0:
        return
    cosine = 2.0 * uniform(stream) - 1.0
    if slope > 0.0:
        # Drawn from exp(-slope |t|) cut at the kinematic limit |t| = 4 p^2.
        limit = 4.0 * p * p
        t = -math.log(1.0 - uniform(stream) * (1.0 - math.exp(-slope * limit))) / slope
        cosine = 1.0 - 2.0 * t / limit
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    azimuth = 2.0 * math.pi * uniform(stream)
    ux, uy, uz = one[PX] / p, one[PY] / p, one[PZ] / p
    # Two unit vectors perpendicular to the direction before the collision.
    if abs(uz) < 0.9:
        norm = math.sqrt(ux * ux + uy * uy)
        vx, vy, vz = -uy / norm, ux / norm, 0.0
    else:
        norm = math.sqrt(uy * uy + uz * uz)
        vx, vy, vz = 0.0, -uz / norm, uy / norm
    wx, wy, wz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    c, s = sine * math.cos(azimuth), sine * math.sin(azimuth)
    one[PX] = p * (cosine * ux + c * vx + s * wx)
    one[PY] = p * (cosine * uy + c * vy + s * wy)
    one[PZ] = p * (cosine * uz + c * vz + s * wz)
    two[PX], two[PY], two[PZ] = -one[PX], -one[PY], -one[PZ]
    boost(one, bx, by, bz)
    boost(two, bx, by, bz)
