"""From simulations of narrow beams to base data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from isodose.commissioning.depth_curves import DepthCurves
from isodose.commissioning.lateral_fit import LateralFit, fit_profile, letd_of_gaussians
from isodose.commissioning.lateral_profiles import LateralProfile, lateral_profiles
from isodose.commissioning.over_energy import smoothed
from isodose.commissioning.simulation import Simulation
from isodose.machine.base_data import PencilKernel
from isodose.pencilbeam.spreading import STEP_MM, scattering_power, water_variance
from isodose.plan.depth_dose import range_mm as csda_range_mm

_DEPTHS = np.concatenate(
    [
        [0.0, 0.00125, 0.0025, 0.005],
        np.arange(0.01, 0.9, 0.01),
        np.arange(0.9, 1.08, 0.00125),
        np.arange(1.08, 1.2, 0.01),
        np.arange(1.2, 1.7, 0.02),
    ]
)
"""Depths of kernels, as parts of the range."""
_NODES = np.concatenate(
    [
        [0.01, 0.03, 0.06],
        np.arange(0.1, 0.9, 0.05),
        np.arange(0.9, 0.98, 0.01),
        np.arange(0.98, 1.0275, 0.005),
        [1.03, 1.04, 1.06, 1.1, 1.2, 1.35, 1.5, 1.65],
    ]
)
"""Depths at which lateral profiles are fitted."""
_SEARCH = {
    4: ([1.0, 2.0, 5.0, 12.0], [0.86, 0.08, 0.04, 0.02]),
    3: ([1.0, 3.0, 10.0], [0.9, 0.08, 0.02]),
    2: ([1.0, 6.0], [0.92, 0.08]),
    1: ([1.0], [1.0]),
}
_BEGIN = 0.9
"""Part of the range at which the first profile is fitted: the core is wide there, and the halo strong."""
_FREE, _BOUND, _FIXED = 2.0, 0.05, 1e-3
"""Expected departure of the logarithms of widths and weights: from the depth beside, times the root of the
step in ranges, in the first round of fits; from the smooth course over energy, in the second; of a core too
narrow to be measured."""
_MEASURABLE_MM = 0.35
"""Standard deviation that a core must have to be seen through a spot."""


def fit_kernels(simulations: Sequence[Simulation], ion: str, gaussians: int = 3) -> tuple[PencilKernel, ...]:
    """Kernels of all energies.

    Lateral profiles are fitted twice: each by itself, and then as near as they allow to what is smooth over
    energy, because several Gaussians can describe one profile nearly alike. Where the core is too narrow
    to matter it follows the theory of Fermi and Eyges from the depth at which it is not.

    Parameters
    ----------
    simulations
        Of narrow beams, by ascending energy.
    ion
        Which one.
    gaussians
        1 to 4 Gaussians for the lateral profile.
    """
    curves = [DepthCurves(s) for s in simulations]
    reach = min(c.end_mm / c.range_mm for c in curves)
    parts, nodes = _DEPTHS[reach > _DEPTHS], _NODES[reach > _NODES]
    profiles = [lateral_profiles(s, nodes * c.range_mm) for s, c in zip(simulations, curves, strict=True)]
    first = [_each(p, nodes, c.range_mm, ion, gaussians) for p, c in zip(profiles, curves, strict=True)]
    reaches = np.array([c.range_mm for c in curves])
    course = _smooth_over_energy(first, reaches)
    second = [_near(p, f) for p, f in zip(profiles, course, strict=True)]
    fits = _smooth_over_energy(second, reaches)
    shares = [_letd_shares(p, f) for p, f in zip(profiles, fits, strict=True)]
    letd_shares = np.exp(smoothed(np.log(np.array(shares))))
    ranges, doses, letds = _depth_columns(simulations, curves, parts, ion)
    return tuple(
        _kernel(s.energy_mev_u, range_mm, parts, (dose, letd), nodes, row, share)
        for s, range_mm, dose, letd, row, share in zip(
            simulations, ranges, doses, letds, fits, letd_shares, strict=True
        )
    )


def _each(
    profiles: Sequence[LateralProfile], nodes: NDArray[np.float64], range_mm: float, ion: str, gaussians: int
) -> list[LateralFit]:
    """Fits of one energy from the first depth towards the surface and towards the end, each near the last."""
    core = _core_shape(ion, range_mm, nodes * range_mm)
    sigma, weight = _SEARCH[gaussians]
    middle = int(np.searchsorted(nodes, _BEGIN))
    guess = LateralFit(core[middle] * np.array(sigma), np.array(weight))
    fits = [_fitted(profiles[middle], guess, _FREE)] * nodes.size
    for way in (range(middle - 1, -1, -1), range(middle + 1, nodes.size)):
        last = middle
        for i in way:
            start = fits[last].with_first(fits[last].sigma_mm[0] * core[i] / core[last])
            fits[i] = _fitted(profiles[i], start, _FREE * float(np.sqrt(abs(nodes[i] - nodes[last]))))
            last = i
    return fits


def _near(profiles: Sequence[LateralProfile], starts: Sequence[LateralFit]) -> list[LateralFit]:
    return [_fitted(p, start, _BOUND) for p, start in zip(profiles, starts, strict=True)]


def _fitted(profile: LateralProfile, start: LateralFit, freedom: float) -> LateralFit:
    if not profile.certain:
        return start
    each = np.full(start.parameters.size, freedom)
    if start.sigma_mm[0] < _MEASURABLE_MM:
        each[0] = _FIXED
    return fit_profile(profile, start, each)


def _smooth_over_energy(
    fits: Sequence[Sequence[LateralFit]], ranges_mm: NDArray[np.float64]
) -> list[list[LateralFit]]:
    parameters = np.array([[f.parameters for f in row] for row in fits])
    # Widths are nearly in proportion to the range; what is left changes slowly.
    scale = np.log(ranges_mm)[:, None]
    parameters[..., 0] -= scale
    parameters = smoothed(parameters)
    parameters[..., 0] += scale
    return [[LateralFit.of(p) for p in row] for row in parameters]


def _core_shape(ion: str, range_mm: float, depths_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Width of the core in water after Fermi and Eyges, mm; its scale is only nearly right."""
    variance = water_variance(scattering_power(ion, range_mm), range_mm)
    return np.sqrt(np.interp(depths_mm, STEP_MM * np.arange(variance.size), variance))


def _letd_shares(profiles: Sequence[LateralProfile], fits: Sequence[LateralFit]) -> list[NDArray[np.float64]]:
    """LETd of each Gaussian over that of all, by depth."""
    shares = [np.ones(fits[0].sigma_mm.size)]
    for profile, fit in zip(profiles, fits, strict=True):
        shares.append(letd_of_gaussians(profile, fit) if profile.certain else shares[-1])
    return shares[1:]


def _depth_columns(
    simulations: Sequence[Simulation], curves: Sequence[DepthCurves], parts: NDArray[np.float64], ion: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Ranges ``(m,)``, dose and LETd ``(m, parts)``, smooth over energy."""
    energies = np.array([s.energy_mev_u for s in simulations])
    measured = np.array([c.range_mm for c in curves])
    csda = csda_range_mm(ion, energies)
    ranges = csda + smoothed(measured - csda)
    columns = [c.at(parts) for c in curves]
    # Energy over range is the scale of depth doses and of LET; what is left changes slowly.
    scale = (energies / ranges)[:, None]
    dose = scale * np.maximum(smoothed(np.array([dose for dose, _ in columns]) / scale), 0.0)
    letd = scale * np.exp(smoothed(np.log(np.array([letd for _, letd in columns]) / scale)))
    return ranges, dose, letd


def _kernel(
    energy_mev_u: float,
    range_mm: float,
    parts: NDArray[np.float64],
    depth_columns: tuple[NDArray[np.float64], NDArray[np.float64]],
    nodes: NDArray[np.float64],
    fits: Sequence[LateralFit],
    letd_shares: NDArray[np.float64],
) -> PencilKernel:
    dose, letd = depth_columns
    sigma = np.exp(_along(parts, nodes, np.log([f.sigma_mm for f in fits])))
    weight = _along(parts, nodes, np.array([f.weight for f in fits]))
    weight /= weight.sum(axis=1, keepdims=True)
    share = np.exp(_along(parts, nodes, np.log(letd_shares)))
    share /= (share * weight).sum(axis=1, keepdims=True)
    return PencilKernel(energy_mev_u, parts * range_mm, dose, sigma, weight, letd[:, None] * share)


def _along(
    depths: NDArray[np.float64], nodes: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values at depths between nodes, without overshoot, held beyond the ends."""
    return np.asarray(PchipInterpolator(nodes, values, axis=0)(np.clip(depths, nodes[0], nodes[-1])))
