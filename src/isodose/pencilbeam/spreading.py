"""How much wider a ray's beam is than in water: Fermi-Eyges moments along every ray.

Base data say how wide a pencil beam is at a depth in water. In a patient the same water-equivalent depth may
lie behind lung, bone, a range shifter or an air gap, and the width follows from where the scattering
happened. Moments of the Fermi-Eyges theory are followed along every ray and in water; their difference is
added to the variance of the base data. Reference: Gottschalk, Med. Phys. 37 (2010) 352 (theory and notation);
scattering power after Fermi and Rossi, whose scale drops out as the base data calibrate it.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.threads import over_chunks
from isodose.physics.materials import material
from isodose.physics.species import species
from isodose.plan.depth_dose import energy_for_range
from isodose.plan.plan import IONS

STEP_MM = 0.5
"""Step of tables over depth."""
_ROSSI_MEV = 15.0


def scattering_power(ion: str, longest_mm: float) -> NDArray[np.float64]:
    """Growth of the variance of the projected angle in water, rad2/mm, by residual range.

    In steps of `STEP_MM`. The scattering power of Fermi and Rossi, ``(15 MeV Z / pv)^2 / X``; at the end of
    the range it is held.
    """
    particle = species(IONS[ion])
    residual = np.maximum(STEP_MM * np.arange(int(longest_mm / STEP_MM) + 2), 0.5)
    kinetic = energy_for_range(ion, residual) * particle.nucleons
    pv = kinetic * (kinetic + 2.0 * particle.mass_mev) / (kinetic + particle.mass_mev)
    length_mm = 10.0 * material("water").scattering_length_g_cm2
    return np.asarray((_ROSSI_MEV * particle.charge / pv) ** 2 / length_mm)


def water_variance(power: NDArray[np.float64], range_mm: float) -> NDArray[np.float64]:
    """Variance of the position in water by depth, mm2 in steps of `STEP_MM`, to the end of the range."""
    depths = STEP_MM * np.arange(int(range_mm / STEP_MM) + 1)
    return np.asarray(_water(power, range_mm, depths.size))


@njit(cache=True)
def _water(power, range_mm, count):  # type: ignore[no-untyped-def]
    out = np.zeros(count)
    angle, mixed, place = 0.0, 0.0, 0.0
    for i in range(1, count):
        growth = power[int(max(range_mm - (i - 0.5) * STEP_MM, 0.0) / STEP_MM)]
        place += 2.0 * mixed * STEP_MM + angle * STEP_MM**2 + growth * STEP_MM**3 / 3.0
        mixed += angle * STEP_MM + growth * STEP_MM**2 / 2.0
        angle += growth * STEP_MM
        out[i] = place
    return out


def excess_variance(
    stopping: NDArray[np.float32],
    scattering: NDArray[np.float32],
    step_mm: NDArray[np.float64],
    power: NDArray[np.float64],
    ranges_mm: NDArray[np.float64],
    before: NDArray[np.float64],
    threads: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depths of rays on their planes, and the variance that they have in excess of water at that depth.

    Parameters
    ----------
    stopping, scattering
        Relative to water, ``(rays, planes)``, as `isodose.pencilbeam.ray_depths.slabs_of` gives them.
    step_mm
        Length of each ray between two planes, ``(rays,)``.
    power
        Of `scattering_power`.
    ranges_mm
        Ranges for which the excess is wanted, ``(m,)``.
    before
        Water-equivalent thickness passed before the first slab (mm), then by range the moments there:
        variance of the angle, covariance, and variance of the position, ``(m, 4)``.
    threads
        Number of threads.

    Returns
    -------
    tuple
        Water-equivalent depth in the middle of slabs ``(planes, rays)`` and excess variance ``(planes, rays,
        m)`` in mm2, float32.
    """
    rays, planes = stopping.shape
    depth = np.empty((planes, rays), dtype=np.float32)
    excess = np.empty((planes, rays, ranges_mm.size), dtype=np.float32)
    longest = int(ranges_mm.max() / STEP_MM) + 1
    water = np.zeros((ranges_mm.size, longest))
    for m, range_mm in enumerate(ranges_mm):
        curve = water_variance(power, float(range_mm))
        water[m, : curve.size], water[m, curve.size :] = curve, curve[-1]

    def work(begin: int, end: int) -> None:
        _excess(stopping, scattering, step_mm, power, ranges_mm, before, water, depth, excess, begin, end)

    over_chunks(work, rays, threads)
    return depth, excess


@njit(cache=True, nogil=True, error_model="numpy")
def _excess(  # type: ignore[no-untyped-def]
    stopping, scattering, step_mm, power, ranges, before, water, depth, excess, begin, end
):
    for ray in range(begin, end):
        length = step_mm[ray]
        for m in range(ranges.size):
            passed, angle, mixed, place = before[m]
            reach = ranges[m]
            for plane in range(stopping.shape[1]):
                slowing = stopping[ray, plane] * length
                # Base data may hold more air than there is before the surface.
                middle = max(passed + 0.5 * slowing, 0.0)
                residual = reach - middle
                growth = power[int(max(residual, 0.0) / STEP_MM)] * scattering[ray, plane]
                if residual <= 0.0:
                    growth = 0.0
                half = 0.5 * length
                there = place + 2.0 * mixed * half + angle * half**2 + growth * half**3 / 3.0
                at = min(middle, reach - STEP_MM) / STEP_MM
                low = max(min(int(at), water.shape[1] - 2), 0)
                base = water[m, low] + (at - low) * (water[m, low + 1] - water[m, low])
                excess[plane, ray, m] = there - base
                if m == 0:
                    depth[plane, ray] = middle
                place += 2.0 * mixed * length + angle * length**2 + growth * length**3 / 3.0
                mixed += angle * length + growth * length**2 / 2.0
                angle += growth * length
                passed += slowing
