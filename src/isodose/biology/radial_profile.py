"""Radial functions around an ion's path, and their means over a disc that the ion passes at a distance.

Amorphous track models need one integral: the mean of a radial function (dose, or the effect of a local dose)
over a domain or a nucleus, seen along the track as a disc, and then the integral of a function of that mean
over all impact parameters. The radial functions are all of the form ``c0 + c1/r^2 + c2/r^4`` on rings, so
that whole circles are integrated in closed form and only the arcs of circles that the disc cuts numerically.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

_RADIAL_NODES = 24
_IMPACT_NODES = 8
_GROWTH = 3.0
"""Panels in impact parameter grow by this factor with the distance from the disc's rim."""


@dataclass(frozen=True, slots=True, eq=False)
class RadialProfile:
    """Radial functions of ``n`` tracks, each ``c0 + c1/r^2 + c2/r^4`` on every one of ``k`` rings, 0 outside.

    Parameters
    ----------
    edges_um
        Radii of the rings, ascending from 0, ``(n, k + 1)`` um; rings may be empty.
    coefficients
        ``c0, c1, c2`` by track and ring, ``(n, k, 3)``, with r in um; the first ring has ``c0`` only.
    """

    edges_um: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    def at(self, radius_um: ArrayLike) -> NDArray[np.float64]:
        """Values ``(n, m)`` at radii ``(m,)`` in um."""
        radius = np.atleast_1d(np.asarray(radius_um, dtype=np.float64))
        inverse = 1.0 / np.maximum(radius, 1e-30) ** 2
        values = np.zeros((self.edges_um.shape[0], radius.size))
        for k in range(self.coefficients.shape[1]):
            inside = (radius >= self.edges_um[:, k, None]) & (radius < self.edges_um[:, k + 1, None])
            c0, c1, c2 = (self.coefficients[:, k, j, None] for j in range(3))
            tail = inverse * (c1 + c2 * inverse) if k else 0.0
            values += np.where(inside, c0 + tail, 0.0)
        return values

    def plane_integral(self) -> NDArray[np.float64]:
        """Integral over the whole plane, ``(n,)``, in the unit of the function times um2."""
        far = self.edges_um[:, -1]
        return np.array(
            [_within(e, c, r) for e, c, r in zip(self.edges_um, self.coefficients, far, strict=True)]
        )


@dataclass(frozen=True, slots=True, eq=False)
class DiscMeans:
    """Means over a disc for impact parameters that integrate over the plane.

    Parameters
    ----------
    mean
        Mean of the radial function over the disc, ``(n, m)``.
    area_um2
        Weight ``2 pi b db`` of every impact parameter, ``(n, m)`` um2; 0 for places not used.
    """

    mean: NDArray[np.float64]
    area_um2: NDArray[np.float64]


def disc_mean(
    profile: RadialProfile, radius_um: float, impact_um: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of the radial functions over a disc that each track passes at given distances.

    Parameters
    ----------
    profile
        Of ``n`` tracks.
    radius_um
        Radius of the disc, um.
    impact_um
        Distances of the track from the disc's centre, ``(n, m)`` um.

    Returns
    -------
    numpy.ndarray
        ``(n, m)``, in the unit of the function.
    """
    x, w = np.polynomial.legendre.leggauss(_RADIAL_NODES)
    # Arcs grow with the root of the distance from where they begin and end; the sine takes that away.
    angle = 0.5 * np.pi * x
    weight = 0.5 * np.pi * w * np.cos(angle)
    mean = np.zeros(impact_um.shape)
    _disc_means(profile.edges_um, profile.coefficients, radius_um, impact_um, np.sin(angle), weight, mean)
    return mean


def disc_means(profile: RadialProfile, radius_um: float) -> DiscMeans:
    """Means over a disc for impact parameters from 0 to where the disc leaves the track, to integrate over.

    Parameters
    ----------
    profile
        Of ``n`` tracks.
    radius_um
        Radius of the disc, um.

    Notes
    -----
    Gauss-Legendre quadrature between the radii where the integrand has kinks, in panels that grow with the
    distance from the disc's rim; the mean dose of a disc integrates to the dose in the plane to 1e-8.
    """
    panels = _panels(profile.edges_um, radius_um)
    x, w = np.polynomial.legendre.leggauss(_IMPACT_NODES)
    middle, half = 0.5 * (panels[:, 1:] + panels[:, :-1]), 0.5 * np.diff(panels, axis=1)
    impact = (middle[..., None] + half[..., None] * x).reshape(len(panels), -1)
    area = 2.0 * np.pi * impact * (half[..., None] * w).reshape(impact.shape)
    return DiscMeans(disc_mean(profile, radius_um, impact), area)


def _panels(edges_um: NDArray[np.float64], radius_um: float) -> NDArray[np.float64]:
    """Impact parameters between which the mean is smooth, ``(n, panels + 1)``, the last ones repeated."""
    outer = edges_um[:, -1:]
    finest = edges_um[:, 1:2]
    count = int(np.ceil(np.log(float(np.max((outer + radius_um) / finest))) / np.log(_GROWTH)))
    distance = finest * _GROWTH ** np.arange(count + 1)
    distance = np.concatenate([np.zeros_like(outer), edges_um[:, 1:], distance], axis=1)
    places = np.concatenate([0.0 * outer, radius_um - distance, radius_um + distance], axis=1)
    places = np.concatenate([places, np.abs(radius_um - edges_um)], axis=1)
    return np.sort(np.clip(places, 0.0, outer + radius_um), axis=1)


@njit(cache=True, error_model="numpy")
def _within(edges, coefficients, radius):  # type: ignore[no-untyped-def]
    """Integral over the circle of that radius around the track."""
    total = 0.0
    for k in range(coefficients.shape[0]):
        a, b = edges[k], min(edges[k + 1], radius)
        if b <= a:
            continue
        c0, c1, c2 = coefficients[k]
        total += np.pi * c0 * (b * b - a * a)
        if k > 0:
            total += 2.0 * np.pi * c1 * np.log(b / a) + np.pi * c2 * (1.0 / (a * a) - 1.0 / (b * b))
    return total


@njit(cache=True, error_model="numpy")
def _cut_circles(edges, coefficients, radius, impact, sine, weight):  # type: ignore[no-untyped-def]
    """Integral over the arcs inside the disc of circles that its rim cuts."""
    near, far = abs(radius - impact), radius + impact
    total = 0.0
    for k in range(coefficients.shape[0]):
        a, b = max(edges[k], near), min(edges[k + 1], far)
        if b <= a:
            continue
        a = max(a, 1e-6 * b)
        c0, c1, c2 = coefficients[k]
        middle, half = 0.5 * np.log(a * b), 0.5 * np.log(b / a)
        part = 0.0
        for i in range(sine.size):
            r = np.exp(middle + half * sine[i])
            cosine = (r * r + impact * impact - radius * radius) / (2.0 * r * impact)
            arc = 2.0 * np.arccos(min(max(cosine, -1.0), 1.0))
            value = c0 * r * r
            if k > 0:
                value += c1 + c2 / (r * r)
            part += weight[i] * arc * value
        total += part * half
    return total


@njit(cache=True, error_model="numpy")
def _disc_means(edges, coefficients, radius, impact, sine, weight, mean):  # type: ignore[no-untyped-def]
    for n in range(impact.shape[0]):
        for m in range(impact.shape[1]):
            b = impact[n, m]
            total = _cut_circles(edges[n], coefficients[n], radius, b, sine, weight)
            if b < radius:
                total += _within(edges[n], coefficients[n], radius - b)
            mean[n, m] = total / (np.pi * radius * radius)
