"""Dose around a pencil of photons in water, by a Monte Carlo simulation of photons and their electrons.

Photons scatter by Klein and Nishina, are absorbed, or make pairs whose positrons annihilate at rest;
electrons are followed in steps of 8 % of their energy with multiple scattering after Highland (Lynch and
Dahl, NIM B58 (1991) 6, eq. 6). Bremsstrahlung leaves without a trace (2 % of the energy). The water reaches
from the surface at depth 0 to infinity. A slab may have another density: depths and paths stay those in
water, and only what lies across is stretched. Numbers of `photon_water`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.photon.photon_water import (
    compton_cm2_g,
    electron_stopping_mev_cm2_g,
    pair_cm2_g,
    photoelectric_cm2_g,
)
from isodose.physics.constants import ELECTRON_MASS_MEV
from isodose.physics.materials import WATER
from isodose.physics.random import exponential, start, uniform
from isodose.transport.direction import rotated

Doubles = NDArray[np.float64]

ENERGY_EDGES_MEV = np.linspace(0.0, 6.0, 13)
DEPTH_STEP_MM, DEPTHS = 2.0, 200
RADIUS_EDGES_MM = np.array(
    [0.0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 125, 150, 200, 300]
)
_LEAST_MEV = 0.01
"""Photons and electrons below this stop where they are; at 0.2 MeV an electron's range is 0.4 mm."""
_FOLLOWED_MEV = 0.15
_LOG_STEP = 0.02
_TABLE_MEV = _LEAST_MEV * np.exp(_LOG_STEP * np.arange(325))
_STEP = 0.08
_RADIUS_STEP_MM = 0.5


@dataclass(frozen=True, slots=True)
class Slab:
    """Water of another density, across the pencil.

    Parameters
    ----------
    first_mm, last_mm
        Where it begins and ends, as depth in water: path times density.
    density
        Relative to water.
    """

    first_mm: float = 0.0
    last_mm: float = 0.0
    density: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedKernel:
    """Energy given to rings around a pencil of photons.

    Parameters
    ----------
    deposit_mev
        Mean energy per photon, by photon energy, depth and ring: ``(energies, depths, rings)``.
    photons
        Number of simulated photons of each energy bin.
    """

    deposit_mev: Doubles
    photons: int

    def of_spectrum(self, photons: Doubles) -> Doubles:
        """Energy per photon in rings ``(depths, rings)`` MeV, of numbers of photons per energy bin."""
        return np.asarray(np.tensordot(photons / photons.sum(), self.deposit_mev, axes=1))


def simulate_kernel(photons: int, seed: int, slab: Slab = Slab()) -> SimulatedKernel:
    """Follow a number of photons of each energy bin, with energies uniform in the bin.

    Parameters
    ----------
    photons
        Per bin of `ENERGY_EDGES_MEV`.
    seed
        Of the random numbers.
    slab
        A stretch of another density; none by default.
    """
    collisions, total = electron_stopping_mev_cm2_g(_TABLE_MEV)
    tables = (compton_cm2_g(_TABLE_MEV), photoelectric_cm2_g(_TABLE_MEV), pair_cm2_g(_TABLE_MEV))
    cells = np.arange(0.0, RADIUS_EDGES_MM[-1], _RADIUS_STEP_MM) + 0.25 * _RADIUS_STEP_MM
    ring_of = np.searchsorted(RADIUS_EDGES_MM, cells, side="right") - 1
    out = np.zeros((ENERGY_EDGES_MEV.size - 1, DEPTHS, RADIUS_EDGES_MM.size - 1))
    per_energy = np.stack([*tables, collisions, total])
    layer = (0.1 * slab.first_mm, 0.1 * slab.last_mm, 1.0 / slab.density)
    for i in range(out.shape[0]):
        _simulate(
            ENERGY_EDGES_MEV[i], ENERGY_EDGES_MEV[i + 1], photons, seed, i, per_energy, layer, ring_of, out[i]
        )
    return SimulatedKernel(out / photons, photons)


@njit(cache=True, error_model="numpy")
def _simulate(low, high, photons, seed, number, per_energy, layer, ring_of, out):  # type: ignore[no-untyped-def]
    stream = np.zeros(1, dtype=np.uint64)
    waiting = np.empty((16, 7))  # photons of annihilation: energy, position in cm, direction
    for history in range(photons):
        start(stream, seed, number * photons + history)
        energy = max(low + (high - low) * uniform(stream), _LEAST_MEV)
        waiting[0] = (energy, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        count = 1
        while count:
            count -= 1
            count = _photon(waiting, count, stream, per_energy, layer, ring_of, out)


@njit(cache=True, error_model="numpy")
def _photon(waiting, count, stream, per_energy, layer, ring_of, out):  # type: ignore[no-untyped-def]
    """Follow the photon at the end of the stack to its end; gives the new height of the stack."""
    e, x, y, z, ux, uy, uz = waiting[count]
    while True:
        compton, photo, pair = _at(per_energy, 0, e), _at(per_energy, 1, e), _at(per_energy, 2, e)
        mu = compton + photo + pair
        path = exponential(stream) / mu
        across = path * _stretch(z, z + path * uz, layer)
        x, y, z = x + across * ux, y + across * uy, z + path * uz
        if z < 0.0 or z > 0.1 * DEPTHS * DEPTH_STEP_MM + 5.0:
            return count
        which = mu * uniform(stream)
        if which < photo:
            _score(out, ring_of, x, y, z, e)
            return count
        if which < photo + pair:
            kinetic = e - 2.0 * ELECTRON_MASS_MEV
            share = uniform(stream)
            _electron(share * kinetic, x, y, z, ux, uy, uz, stream, per_energy, layer, ring_of, out)
            x, y, z = _electron(
                (1.0 - share) * kinetic, x, y, z, ux, uy, uz, stream, per_energy, layer, ring_of, out
            )
            cosine, phi = 2.0 * uniform(stream) - 1.0, 2.0 * math.pi * uniform(stream)
            sine = math.sqrt(1.0 - cosine * cosine)
            vx, vy = sine * math.cos(phi), sine * math.sin(phi)
            if z >= 0.0:
                waiting[count] = (ELECTRON_MASS_MEV, x, y, z, vx, vy, cosine)
                waiting[count + 1] = (ELECTRON_MASS_MEV, x, y, z, -vx, -vy, -cosine)
                count += 2
            return count
        scattered, cosine = _compton(e, stream)
        given = e - scattered
        sine, phi = math.sqrt(max(1.0 - cosine * cosine, 0.0)), 2.0 * math.pi * uniform(stream)
        c, s = math.cos(phi), math.sin(phi)
        # The electron takes the momentum that the photon lost.
        px, pz = -scattered * sine, e - scattered * cosine
        norm = math.hypot(px, pz)
        vx, vy, vz = rotated(px / norm * c, px / norm * s, pz / norm, ux, uy, uz)
        _electron(given, x, y, z, vx, vy, vz, stream, per_energy, layer, ring_of, out)
        ux, uy, uz = rotated(sine * c, sine * s, cosine, ux, uy, uz)
        e = scattered
        if e < _LEAST_MEV:
            _score(out, ring_of, x, y, z, e)
            return count


@njit(cache=True, error_model="numpy")
def _compton(energy, stream):  # type: ignore[no-untyped-def]
    """Energy of the scattered photon and cosine of its angle (rejection from 1/e and e, as EGS4 does)."""
    least = 1.0 / (1.0 + 2.0 * energy / ELECTRON_MASS_MEV)
    a, b = -math.log(least), 0.5 * (1.0 - least * least)
    while True:
        if uniform(stream) * (a + b) < a:
            part = math.exp(-a * uniform(stream))
        else:
            part = math.sqrt(least * least + (1.0 - least * least) * uniform(stream))
        t = ELECTRON_MASS_MEV / energy * (1.0 / part - 1.0)  # 1 - cosine
        if uniform(stream) < 1.0 - part * t * (2.0 - t) / (1.0 + part * part):
            return part * energy, 1.0 - t


@njit(cache=True, error_model="numpy")
def _electron(e, x, y, z, ux, uy, uz, stream, per_energy, layer, ring_of, out):  # type: ignore[no-untyped-def]
    """Slow an electron down; gives where it stops."""
    while e > _FOLLOWED_MEV:
        path = _STEP * e / _at(per_energy, 4, e)
        lost = min(path * _at(per_energy, 3, e), e)
        here = path * uniform(stream)
        across = here * _stretch(z, z + here * uz, layer)
        _score(out, ring_of, x + across * ux, y + across * uy, z + here * uz, lost)
        across = path * _stretch(z, z + path * uz, layer)
        x, y, z = x + across * ux, y + across * uy, z + path * uz
        if z < 0.0:
            return x, y, z
        momentum_beta = e * (e + 2.0 * ELECTRON_MASS_MEV) / (e + ELECTRON_MASS_MEV)
        lengths = path / _RADIATION_LENGTH_CM
        sigma = 13.6 / momentum_beta * math.sqrt(lengths) * (1.0 + 0.038 * math.log(lengths))
        theta = sigma * math.sqrt(2.0 * exponential(stream))
        phi = 2.0 * math.pi * uniform(stream)
        sine = math.sin(theta)
        ux, uy, uz = rotated(sine * math.cos(phi), sine * math.sin(phi), math.cos(theta), ux, uy, uz)
        e *= 1.0 - _STEP
    _score(out, ring_of, x, y, z, e)
    return x, y, z


_RADIATION_LENGTH_CM = WATER.radiation_length_g_cm2


@njit(cache=True, error_model="numpy")
def _stretch(before, after, layer):  # type: ignore[no-untyped-def]
    """Length of a straight path over its length in water, between two depths in water."""
    low, high = min(before, after), max(before, after)
    if high - low < 1e-6:
        return layer[2] if layer[0] <= low < layer[1] else 1.0
    inside = max(min(high, layer[1]) - max(low, layer[0]), 0.0)
    return 1.0 + (layer[2] - 1.0) * inside / (high - low)


@njit(cache=True, error_model="numpy")
def _at(per_energy, row, energy):  # type: ignore[no-untyped-def]
    place = min(max(math.log(energy / _LEAST_MEV) / _LOG_STEP, 0.0), per_energy.shape[1] - 1.001)
    i = int(place)
    return per_energy[row, i] + (place - i) * (per_energy[row, i + 1] - per_energy[row, i])


@njit(cache=True, error_model="numpy")
def _score(out, ring_of, x, y, z, energy):  # type: ignore[no-untyped-def]
    depth = int(10.0 * z / DEPTH_STEP_MM) if z >= 0.0 else -1
    radius = int(10.0 * math.sqrt(x * x + y * y) / _RADIUS_STEP_MM)
    if 0 <= depth < out.shape[0] and radius < ring_of.size:
        out[depth, ring_of[radius]] += energy
