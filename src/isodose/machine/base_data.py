"""Base data: what a pencil beam of each energy does in water, from Monte Carlo or measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isodose.errors import InputError

_SAME_ENERGY = 1e-3
"""Energies in MeV/u this close are the same (rounding of files)."""
_ROUNDING = 1e-9
_WEIGHT_TOLERANCE = 1e-3
"""Weights of Gaussians may miss a sum of 1 by so much."""


@dataclass(frozen=True, slots=True, eq=False)
class PencilKernel:
    """An infinitely narrow pencil beam of one nominal energy in water of 1 g/cm3.

    Parameters
    ----------
    energy_mev_u
        Nominal energy, MeV/u; the machine's energy spread is part of the kernel.
    depth_mm
        Ascending depths, the first at or behind the surface, ``(n,)`` mm.
    dose
        Integral depth dose, MeV cm2/g per particle, ``(n,)``: energy per depth and density, over the plane.
    sigma_mm
        Standard deviations of the Gaussians that make the lateral profile, ``(n, k)`` mm, widening with k.
    weight
        Part of the integral dose in each Gaussian, ``(n, k)``; they add up to 1.
    letd
        Dose-averaged LET of each Gaussian, ``(n, k)`` keV/um, or None where it is not known.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not finite or is negative, depths do not ascend, or weights do not
        add up.

    Notes
    -----
    ``range_mm``, the depth behind the peak where the dose has fallen to 80 %, is found from the curve;
    kernels of neighbouring energies are interpolated at equal parts of it.
    """

    energy_mev_u: float
    depth_mm: NDArray[np.float64]
    dose: NDArray[np.float64]
    sigma_mm: NDArray[np.float64]
    weight: NDArray[np.float64]
    letd: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = self.depth_mm.size
        if self.depth_mm.ndim != 1 or n < 10:
            raise self._error("depth_mm", f"shape {self.depth_mm.shape}", "at least 10 depths")
        k = max(self.sigma_mm.shape[-1], 1) if self.sigma_mm.ndim == 2 else 1
        shapes = {"depth_mm": (n,), "dose": (n,), "sigma_mm": (n, k), "weight": (n, k), "letd": (n, k)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is None:
                continue
            if value.shape != shape:
                raise self._error(name, f"shape {value.shape}", f"{shape} with at least one Gaussian")
            if not np.all(np.isfinite(value)):
                at = np.argwhere(~np.isfinite(value))[0]
                raise self._error(
                    name, f"{value[tuple(at)]} at {self.depth_mm[at[0]]:g} mm", "finite numbers"
                )
            if value.min() < 0.0:
                raise self._error(name, f"{value.min():g}", "no negative number")
        self._check_order_and_sums()

    def _check_order_and_sums(self) -> None:
        wrong = np.flatnonzero(np.diff(self.depth_mm) <= 0.0)
        if wrong.size:
            before, after = self.depth_mm[wrong[0] : wrong[0] + 2]
            raise self._error("depth_mm", f"{after:g} after {before:g}", "ascending depths")
        if not self.dose.max() > 0.0:
            raise self._error("dose", "zero everywhere", "a depth dose")
        total = self.weight.sum(axis=1)
        worst = int(np.argmax(np.abs(total - 1.0)))
        if abs(total[worst] - 1.0) > _WEIGHT_TOLERANCE:
            found = f"a sum of {total[worst]:g} at {self.depth_mm[worst]:g} mm"
            raise self._error("weight", found, "weights that add up to 1")

    def _error(self, name: str, found: str, expected: str) -> InputError:
        return InputError(f"base data at {self.energy_mev_u:g} MeV/u: {name}", found, expected)

    @property
    def gaussians(self) -> int:
        """Number of Gaussians."""
        return int(self.sigma_mm.shape[1])

    @property
    def range_mm(self) -> float:
        """Depth behind the peak where the integral dose has fallen to 80 % of it, or the last one, mm."""
        peak = int(np.argmax(self.dose))
        behind = self.dose[peak:]
        fallen = np.flatnonzero(behind < 0.8 * behind[0])
        if fallen.size == 0:
            return float(self.depth_mm[-1])
        j = peak + int(fallen[0])
        part = (self.dose[j - 1] - 0.8 * self.dose[peak]) / (self.dose[j - 1] - self.dose[j])
        return float(self.depth_mm[j - 1] + part * (self.depth_mm[j] - self.depth_mm[j - 1]))


@dataclass(frozen=True, slots=True, eq=False)
class DepthSpectra:
    """Track length per particle class and energy along pencil beams in water.

    Parameters
    ----------
    classes
        Names of the particle classes, as in `isodose.dose.spectra.Spectra`.
    energy_edges_mev
        Edges of the bins in MeV of **total** kinetic energy, ``(bins + 1,)``.
    energy_mev_u
        Nominal energies that have spectra, ascending, ``(m,)``.
    range_mm
        Range of each, as in `PencilKernel`, ``(m,)`` mm.
    part
        Depths as parts of the range, ascending, ``(d,)``: the same for all energies.
    track_length
        mm of track per mm of depth and particle, over the whole plane, float32 ``(m, d, classes, bins)``.
    """

    classes: tuple[str, ...]
    energy_edges_mev: NDArray[np.float64]
    energy_mev_u: NDArray[np.float64]
    range_mm: NDArray[np.float64]
    part: NDArray[np.float64]
    track_length: NDArray[np.float32]

    def __post_init__(self) -> None:
        m, bins = self.energy_mev_u.size, self.energy_edges_mev.size - 1
        shapes = {"range_mm": (m,), "track_length": (m, self.part.size, len(self.classes), bins)}
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(f"spectra: {name}", f"shape {found}", f"{shape}")
        for name in ("energy_edges_mev", "energy_mev_u", "part"):
            if not np.all(np.diff(getattr(self, name)) > 0.0):
                raise InputError(f"spectra: {name}", "numbers that do not ascend", "ascending numbers")
        if not (np.all(np.isfinite(self.track_length)) and np.all(self.track_length >= 0.0)):
            raise InputError("spectra: track_length", "a negative number or NaN", "track lengths")


@dataclass(frozen=True, slots=True, eq=False)
class DepthWeighting:
    """A dose-averaged property of the radiation along pencil beams in water, as LETd or an RBE model's alpha.

    Parameters
    ----------
    energy_mev_u
        Nominal energies, ascending, ``(m,)``.
    part
        Depths as parts of the range (`PencilKernel.range_mm`), ascending, ``(d,)``.
    value
        The property, averaged over the dose in the plane, ``(m, d)``.
    per_let
        By how much it grows with the LETd across the plane, per keV/um, ``(m, d)``: light fragments fly far
        from the axis, so that the Gaussians of the lateral profile differ in LET and in it. None takes it for
        the same all over the plane.
    """

    energy_mev_u: NDArray[np.float64]
    part: NDArray[np.float64]
    value: NDArray[np.float64]
    per_let: NDArray[np.float64] | None = None

    def at(self, energy_mev_u: float, part: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of one energy at parts of its range, linear in both, constant beyond the ends."""
        return self._between(self.value, energy_mev_u, part)

    def per_let_at(self, energy_mev_u: float, part: NDArray[np.float64]) -> NDArray[np.float64]:
        """Growth with LETd of one energy at parts of its range, as `at`; 0 where it is not known."""
        if self.per_let is None:
            return np.zeros(part.shape)
        return self._between(self.per_let, energy_mev_u, part)

    def _between(
        self, table: NDArray[np.float64], energy_mev_u: float, part: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.energy_mev_u.size == 1:
            return np.asarray(np.interp(part, self.part, table[0]))
        upper = int(np.clip(np.searchsorted(self.energy_mev_u, energy_mev_u), 1, self.energy_mev_u.size - 1))
        lower = upper - 1
        low, high = self.energy_mev_u[lower], self.energy_mev_u[upper]
        share = float(np.clip((energy_mev_u - low) / (high - low), 0.0, 1.0))
        row = (1.0 - share) * table[lower] + share * table[upper]
        return np.asarray(np.interp(part, self.part, row))


@dataclass(frozen=True, slots=True, eq=False)
class BaseData:
    """Pencil beams of a machine over its energies.

    Parameters
    ----------
    ion
        ``"proton"``, ``"helium"``, ``"carbon"`` or ``"oxygen"``.
    kernels
        By ascending energy.
    spectra
        Particle spectra along the beams, where there are any; RBE and cluster dose need them.
    provenance
        Where the data come from: command, version, seed, histories, or the file that was imported.
    simpler
        The same kernels with fewer Gaussians, for comparison.
    """

    ion: str
    kernels: tuple[PencilKernel, ...]
    spectra: DepthSpectra | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    simpler: tuple[tuple[PencilKernel, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.kernels:
            raise InputError("base data", "no energies", "at least one")
        energies = self.energies_mev_u
        if np.any(np.diff(energies) <= 0):
            raise InputError("base data energies", energies.tolist()[:8], "ascending energies")
        if len({k.gaussians for k in self.kernels}) > 1:
            raise InputError("base data", "kernels of different numbers of Gaussians", "one number")

    def with_gaussians(self, gaussians: int | None) -> BaseData:
        """Same data with so many Gaussians in the kernels; None keeps all.

        Raises
        ------
        InputError
            If there are none with that number.
        """
        for kernels in (self.kernels, *self.simpler):
            if gaussians in (None, kernels[0].gaussians):
                return BaseData(self.ion, kernels, self.spectra, self.provenance)
        have = ", ".join(str(k[0].gaussians) for k in (self.kernels, *self.simpler))
        raise InputError("gaussians", gaussians, f"what the base data have: {have}")

    @property
    def energies_mev_u(self) -> NDArray[np.float64]:
        """Nominal energies, ascending, MeV/u."""
        return np.array([k.energy_mev_u for k in self.kernels])

    def kernel(self, energy_mev_u: float) -> PencilKernel:
        """Pencil beam of any energy between the lowest and the highest.

        Between two energies of the data, every column is interpolated linearly in energy at equal parts of
        the range, and the range as a power of the energy.

        Raises
        ------
        InputError
            If the energy lies beyond the data.
        """
        energies = self.energies_mev_u
        if not energies[0] - _SAME_ENERGY <= energy_mev_u <= energies[-1] + _SAME_ENERGY:
            raise InputError(
                "energy_mev_u",
                f"{energy_mev_u:g} MeV/u",
                f"{energies[0]:g} to {energies[-1]:g} MeV/u, which the base data cover",
            )
        nearest = int(np.argmin(np.abs(energies - energy_mev_u)))
        between = energies[0] < energy_mev_u < energies[-1]
        if not between or abs(energies[nearest] - energy_mev_u) <= _SAME_ENERGY:
            return self.kernels[nearest]
        upper = int(np.searchsorted(energies, energy_mev_u))
        return _between(self.kernels[upper - 1], self.kernels[upper], energy_mev_u)


def _between(a: PencilKernel, b: PencilKernel, energy_mev_u: float) -> PencilKernel:
    part = (energy_mev_u - a.energy_mev_u) / (b.energy_mev_u - a.energy_mev_u)
    ranges = a.range_mm, b.range_mm
    log_part = np.log(energy_mev_u / a.energy_mev_u) / np.log(b.energy_mev_u / a.energy_mev_u)
    range_mm = float(ranges[0] ** (1.0 - log_part) * ranges[1] ** log_part)
    nearer = b if part > 0.5 else a
    scaled = nearer.depth_mm / nearer.range_mm
    both_reach = min(a.depth_mm[-1] / ranges[0], b.depth_mm[-1] / ranges[1])
    scaled = scaled[scaled <= both_reach * (1.0 + _ROUNDING)]

    def mix(name: str) -> NDArray[np.float64]:
        sides = []
        for kernel, range_of in zip((a, b), ranges, strict=True):
            values, at = getattr(kernel, name), scaled * range_of
            columns = values if values.ndim == 2 else values[:, None]
            sides.append(np.stack([np.interp(at, kernel.depth_mm, c) for c in columns.T], axis=1))
        mixed = (1.0 - part) * sides[0] + part * sides[1]
        return np.asarray(mixed if getattr(a, name).ndim == 2 else mixed[:, 0])

    letd = mix("letd") if a.letd is not None and b.letd is not None else None
    weight = mix("weight")
    return PencilKernel(
        energy_mev_u,
        scaled * range_mm,
        mix("dose"),
        mix("sigma_mm"),
        weight / weight.sum(axis=1, keepdims=True),
        letd,
    )
