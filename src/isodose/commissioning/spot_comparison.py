"""A single spot of a machine in water: the pencil-beam engine against Monte Carlo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from isodose.commissioning.simulation import water_tank
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.evaluate.bragg import DepthProfile
from isodose.machine.base_data import BaseData
from isodose.machine.machine import Machine
from isodose.pencilbeam.engine import PencilBeam
from isodose.physics.constants import GY_PER_MEV_PER_G
from isodose.plan.depth_dose import range_mm
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.transport.engine import MonteCarlo

RUNS = 5
"""Monte Carlo is run so many times, with other seeds, for the uncertainty of every figure."""
OUTSIDE_MM = 20.0
"""Dose farther than this from the axis, in projection, counts as halo."""
PLACES = (("entrance", 0.05), ("half range", 0.5), ("peak", 1.0))
"""Depths at which profiles are taken, as parts of the depth of the peak."""

_LATERAL_MM, _ACROSS = 1.0, 101
_DEPTH_MM = 0.5
"""Fine enough for a carbon peak: the pencil beam samples voxels, Monte Carlo averages over them."""
_BEHIND = {"proton": 1.1, "helium": 1.25, "carbon": 1.35, "oxygen": 1.35}
"""Depth of the water in ranges."""
_SLICE_MM = 1.0
_LETD_SLICE = 0.05
"""LETd before the peak is averaged over so much of the way to either side: rare recoils make it noisy."""
_CORE_FROM = 0.2
"""A Gaussian is fitted to what is above this part of a lateral profile's maximum."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of both engines.

    Parameters
    ----------
    name, unit
        What it is.
    pencil, monte_carlo
        Its values.
    error
        Standard uncertainty of the latter.
    tolerance
        Largest difference that is accepted, besides three standard uncertainties, in the same unit.
    criterion
        The tolerance in words.
    """

    name: str
    unit: str
    pencil: float
    monte_carlo: float
    error: float
    tolerance: float
    criterion: str

    @property
    def difference(self) -> float:
        """Pencil beam minus Monte Carlo."""
        return self.pencil - self.monte_carlo

    @property
    def passed(self) -> bool:
        """Whether they agree within tolerance and three standard uncertainties."""
        return abs(self.difference) <= self.tolerance + 3.0 * self.error


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A profile of both engines.

    Parameters
    ----------
    at_mm
        Depth, or distance from the axis.
    pencil, monte_carlo, error
        Values, and the standard uncertainty of the latter.
    """

    at_mm: NDArray[np.float64]
    pencil: NDArray[np.float64]
    monte_carlo: NDArray[np.float64]
    error: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SpotComparison:
    """One energy.

    Parameters
    ----------
    energy_mev_u
        Nominal energy.
    interpolated
        Whether it lies between energies of the base data.
    depth_dose
        Dose over the plane, MeV cm2/g per particle.
    letd
        Average over the plane weighted with dose, keV/um, if the base data have LETd.
    lateral
        Part of the dose per mm, in projection, at `PLACES`.
    figures
        Read off these.
    """

    energy_mev_u: float
    interpolated: bool
    depth_dose: Curve
    letd: Curve | None
    lateral: tuple[Curve, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Profiles of one dose."""

    depth_dose: NDArray[np.float64]
    letd: NDArray[np.float64]
    projected: NDArray[np.float64]  # (depth, lateral)

    @property
    def depth_mm(self) -> NDArray[np.float64]:
        return np.asarray(_DEPTH_MM * (np.arange(self.depth_dose.size) + 0.5), dtype=np.float64)

    @property
    def across_mm(self) -> NDArray[np.float64]:
        return np.asarray(_LATERAL_MM * (np.arange(_ACROSS) - _ACROSS // 2), dtype=np.float64)

    @property
    def profile(self) -> DepthProfile:
        return DepthProfile(self.depth_mm, self.depth_dose)

    @property
    def peak_mm(self) -> float:
        return self.profile.peak_mm

    def across(self, depth_mm: float) -> NDArray[np.float64]:
        """Part of the dose at a depth per mm, over a slice of 2 mm."""
        near = np.abs(self.depth_mm - depth_mm) <= _SLICE_MM
        total = self.projected[near].sum(axis=0)
        return np.asarray(total / total.sum() / _LATERAL_MM)


def compare_spot(
    machine: Machine, energy_mev_u: float, histories: int, seed: int = 0, threads: int | None = None
) -> SpotComparison:
    """Compare a spot of the machine's size and divergence, in water with the isocentre on its surface.

    Parameters
    ----------
    machine
        With base data.
    energy_mev_u
        One that the machine has.
    histories
        Of Monte Carlo, in all of its `RUNS`.
    seed, threads
        As in `isodose.transport.engine.MonteCarlo`.
    """
    reach = float(range_mm(machine.ion, energy_mev_u))
    rows = int(np.ceil((_BEHIND[machine.ion] * reach + 10.0) / _DEPTH_MM))
    spots = Spots(np.zeros(1), np.zeros(1), np.ones(1))
    beam = Beam("spot", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(energy_mev_u, spots),))
    plan = Plan("spot", machine.ion, machine.name, (beam,))
    has_letd = base_data(machine).kernels[0].letd is not None
    quantities = (Quantity.DOSE, Quantity.LETD) if has_letd else (Quantity.DOSE,)
    water = water_tank((_ACROSS, rows, _ACROSS), (_LATERAL_MM, _DEPTH_MM, _LATERAL_MM))
    pencil = _seen(PencilBeam(machine=machine, threads=threads).compute(water, plan, quantities))
    engines = [
        MonteCarlo(histories // RUNS, seed=seed + i, threads=threads, machine=machine) for i in range(RUNS)
    ]
    runs = [_seen(engine.compute(water, plan)) for engine in engines]
    if has_letd:
        # In voxels that few particles meet, the mean LET is not that of the plane.
        slabs = water_tank((1, rows, 1), (_ACROSS * _LATERAL_MM, _DEPTH_MM, _ACROSS * _LATERAL_MM))
        letd = [engine.compute(slabs, plan, quantities).values[Quantity.LETD] for engine in engines]
        runs = [replace(r, letd=v.ravel().astype(np.float64)) for r, v in zip(runs, letd, strict=True)]
    return SpotComparison(
        energy_mev_u,
        not np.any(np.isclose(base_data(machine).energies_mev_u, energy_mev_u, atol=1e-3)),
        _curve(pencil.depth_mm, [s.depth_dose for s in (pencil, *runs)]),
        _curve(pencil.depth_mm, [s.letd for s in (pencil, *runs)]) if has_letd else None,
        tuple(
            _curve(pencil.across_mm, [s.across(part * pencil.peak_mm) for s in (pencil, *runs)])
            for _, part in PLACES
        ),
        _figures(pencil, runs, has_letd),
    )


def base_data(machine: Machine) -> BaseData:
    """Base data of a machine that has some.

    Raises
    ------
    InputError
        If it has none.
    """
    if machine.base_data is None:
        raise InputError("machine", repr(machine.name), "a machine with base data")
    return machine.base_data


def _seen(dose: Dose) -> _Seen:
    gy = dose.values[Quantity.DOSE]
    # Both directions together: less statistical uncertainty, and one number for oblong spots.
    projected = 0.5 * (gy.sum(axis=0, dtype=np.float64) + gy.sum(axis=2, dtype=np.float64).T)
    total = projected.sum(axis=1)
    weighted = gy * dose.values.get(Quantity.LETD, np.float32(0.0))
    letd = weighted.sum(axis=(0, 2), dtype=np.float64) / np.maximum(total, 1e-300)
    cm2 = 0.01 * _LATERAL_MM**2
    return _Seen(total * cm2 / GY_PER_MEV_PER_G, letd, projected / total.max() / _LATERAL_MM)


def _mean(runs: Sequence[_Seen]) -> _Seen:
    dose = np.array([r.depth_dose for r in runs])
    letd = np.array([r.letd for r in runs])
    mean = dose.mean(axis=0)
    return _Seen(
        mean,
        (dose * letd).mean(axis=0) / np.maximum(mean, 1e-300),
        np.mean([r.projected for r in runs], axis=0),
    )


def _curve(at_mm: NDArray[np.float64], values: Sequence[NDArray[np.float64]]) -> Curve:
    """Curve of the pencil beam, which comes first, and of the runs of Monte Carlo."""
    runs = np.array(values[1:])
    return Curve(at_mm, values[0], runs.mean(axis=0), runs.std(axis=0, ddof=1) / np.sqrt(len(runs)))


def _figures(pencil: _Seen, runs: Sequence[_Seen], has_letd: bool) -> tuple[Figure, ...]:
    mean = _mean(runs)
    figures = _differences(pencil, mean, runs)

    def add(
        name: str, unit: str, read: Callable[[_Seen], float], within: float, relative: bool = False
    ) -> None:
        error = float(np.std([read(r) for r in runs], ddof=1) / np.sqrt(len(runs)))
        value = read(mean)
        criterion = f"{100.0 * within:g} % of it" if relative else f"{within:g} {unit}"
        absolute = within * value if relative else within
        figures.append(Figure(name, unit, read(pencil), value, error, absolute, criterion))

    add("R80", "mm", lambda s: s.profile.r80_mm, 0.2)
    add("distal fall-off 80 to 20 %", "mm", lambda s: s.profile.dfo_mm, 0.3)
    depths = [(place, part * pencil.peak_mm) for place, part in PLACES]
    for place, depth in depths:
        add(f"sigma, {place}", "mm", partial(_core_sigma, depth_mm=depth), 0.02, relative=True)
    for place, depth in depths:
        read = partial(_outside_percent, depth_mm=depth)
        add(f"beyond {OUTSIDE_MM:g} mm, {place}", "% of the dose", read, 0.3)
    for place, depth in depths if has_letd else []:
        half = _SLICE_MM if place == PLACES[-1][0] else _LETD_SLICE * pencil.peak_mm
        read = partial(_letd, depth_mm=depth, half_mm=half)
        add(f"LETd, {place}", "keV/µm", read, 0.04, relative=True)
    return tuple(figures)


def _outside_percent(seen: _Seen, depth_mm: float) -> float:
    part = seen.across(depth_mm)[np.abs(seen.across_mm) > OUTSIDE_MM]
    return 100.0 * float(part.sum()) * _LATERAL_MM


def _letd(seen: _Seen, depth_mm: float, half_mm: float) -> float:
    near = np.abs(seen.depth_mm - depth_mm) <= half_mm
    return float(np.average(seen.letd[near], weights=seen.depth_dose[near]))


def _differences(pencil: _Seen, mean: _Seen, runs: Sequence[_Seen]) -> list[Figure]:
    """Mean and largest difference of depth doses to the end of the peak, in percent of it."""
    before = pencil.depth_mm <= mean.profile.r20_mm
    scale = 100.0 / mean.depth_dose.max()
    away = scale * np.abs(pencil.depth_dose - mean.depth_dose)[before]
    error = scale * np.std([r.depth_dose for r in runs], axis=0, ddof=1)[before] / np.sqrt(len(runs))
    worst = int(np.argmax(away))
    unit = "% of the peak"

    def figure(name: str, value: float, uncertainty: float, within: float) -> Figure:
        return Figure(
            f"depth dose, {name} difference", unit, value, 0.0, uncertainty, within, f"{within:g} {unit}"
        )

    return [
        figure("mean", float(away.mean()), float(error.mean()), 0.5),
        figure("largest", float(away[worst]), float(error[worst]), 3.0),
    ]


def _core_sigma(seen: _Seen, depth_mm: float) -> float:
    """Standard deviation of a Gaussian through the upper part of a lateral profile, mm."""
    x, y = seen.across_mm, seen.across(depth_mm)
    core = y > _CORE_FROM * y.max()
    height, sigma = float(y.max()), float(core.sum()) * _LATERAL_MM / 3.6
    found, _ = curve_fit(_gaussian, x[core], y[core], (height, sigma))
    return abs(float(found[1]))


def _gaussian(x: NDArray[np.float64], height: float, sigma: float) -> NDArray[np.float64]:
    return np.asarray(height * np.exp(-0.5 * np.square(x / sigma)))
