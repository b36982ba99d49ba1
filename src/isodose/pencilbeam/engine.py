"""The pencil-beam engine: dose of a plan in seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from statistics import median_high
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import isodose
from isodose.dose.dose import Dose
from isodose.dose.influence import Influence
from isodose.dose.progress import Progress
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.base_data import DepthWeighting
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_of
from isodose.patient.body import body_ct, body_hu, inside_body
from isodose.patient.grid import Grid, checked_spacing
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.patient import Patient
from isodose.pencilbeam.beam_dose import HostSums
from isodose.pencilbeam.beam_view import Anatomy, view_beam
from isodose.pencilbeam.entrance import warn_of_entrance
from isodose.pencilbeam.influence.matrix import KEPT, influence_matrix
from isodose.pencilbeam.influence.voxels import InfluenceVoxels
from isodose.pencilbeam.media import media_of
from isodose.pencilbeam.resolution import Resolution
from isodose.plan.plan import Beam, Plan
from isodose.plan.plan_check import check_plan

if TYPE_CHECKING:
    from isodose.pencilbeam.cuda import DeviceSums

_FINEST_RAY_MM, _COARSEST_RAY_MM = 0.5, 1.6
_RAY_SIGMAS = 0.7
"""Distance of rays in standard deviations of the narrowest spot."""
_RAY_VOXELS = 0.5, 0.8
"""Distance of rays at most, in voxels of the dose: for ions that hardly scatter, and for those that do."""
_FINEST_PLANE_MM, _COARSEST_PLANE_MM = 0.5, 1.5

Channels = dict[Quantity, DepthWeighting | None]


class PencilBeam:
    """Fluence superposition of pencil beams that are sums of Gaussians.

    The spots of a layer become particles per ray; every ray has its own water-equivalent depth and history of
    scattering, so that it is a beamlet of its own. Valid for p, He, C and O over the energies of the
    machine's base data; a ray's beam spreads as if what lies beside it were like itself, which errs behind
    lateral edges of bone and air (a few percent of the dose, see the validation).

    Parameters
    ----------
    spacing_mm
        Voxel size of the dose, mm; the CT's own by default.
    machine
        Machine with base data, or its name; the plan's by default.
    calibration
        Hounsfield calibration; the one that the patient names by default.
    gaussians
        Gaussians of the lateral profile; by default the most that the base data have: 4 of the built-in
        machines for carbon and oxygen, 3 for protons and helium.
    split
        False sends all of a spot along its central ray, as quality assurance in water does.
    ray_spacing_mm
        Distance of rays on the isocentre plane, at most; by default 0.7 standard deviations of the narrowest
        spot, but no more than what scattering in water smooths and than half to 0.8 voxels of the dose;
        between 0.5 and 1.6 mm. In a beam along an axis of the CT whole numbers of them fit into its voxels.
    weightings
        Further dose-averaged quantities along the beams, as alpha of an RBE model.
    device
        ``"cpu"``, or ``"cuda"`` for the superposition on a CUDA device.
    stopping_factor
        Stopping powers are taken so many times as high, as for range errors; the ratio of dose to medium and
        dose to water stays.
    threads
        Number of threads; all processors by default.
    progress
        Called after every beam.

    Raises
    ------
    InputError
        If an option is out of its range.
    """

    def __init__(
        self,
        spacing_mm: float | tuple[float, float, float] | None = None,
        machine: Machine | str | None = None,
        calibration: HounsfieldCalibration | None = None,
        gaussians: int | None = None,
        split: bool = True,
        ray_spacing_mm: float | None = None,
        weightings: Mapping[Quantity, DepthWeighting] | None = None,
        device: str = "cpu",
        stopping_factor: float = 1.0,
        threads: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if spacing_mm is not None:
            checked_spacing(spacing_mm)
        if ray_spacing_mm is not None and not 0.1 <= ray_spacing_mm <= 10.0:
            raise InputError("ray_spacing_mm", ray_spacing_mm, "0.1 to 10 mm")
        if gaussians is not None and gaussians < 1:
            raise InputError("gaussians", gaussians, "at least 1")
        if device not in ("cpu", "cuda"):
            raise InputError("device", repr(device), "'cpu' or 'cuda'")
        if not 0.5 <= stopping_factor <= 2.0:
            raise InputError("stopping_factor", stopping_factor, "0.5 to 2")
        if threads is not None and threads < 1:
            raise InputError("threads", threads, "at least 1")
        self.spacing_mm, self.machine, self.calibration = spacing_mm, machine, calibration
        self.gaussians, self.split, self.ray_spacing_mm = gaussians, split, ray_spacing_mm
        self.weightings, self.device = dict(weightings or {}), device
        self.stopping_factor = stopping_factor
        self.threads = (os.cpu_count() or 1) if threads is None else threads
        self.progress = progress

    def compute(
        self, patient: Patient, plan: Plan, quantities: Collection[Quantity] = (Quantity.DOSE,)
    ) -> Dose:
        """Dose of a plan in a patient, and what else is asked for.

        Raises
        ------
        InputError
            If the plan does not fit the machine or the patient, or a quantity is not to be had.
        """
        started = time.perf_counter()
        machine = self._machine(plan)
        check_plan(plan, machine, patient)
        channels = self._channels(quantities, machine)
        anatomy = self.anatomy(patient)
        grid = self.grid(patient)
        inside = inside_body(patient, grid)
        sums = self._sums(1 + len(channels), grid, inside)
        rays, kernels = 0, 0.0
        for i, beam in enumerate(plan.beams):
            resolution = self.resolution(beam, machine, grid)
            view = view_beam(beam, machine, anatomy, resolution, tuple(channels.values()), self.threads)
            warn_of_entrance(view, patient)
            begun = time.perf_counter()
            sums.add(view)
            kernels += time.perf_counter() - begun
            rays += view.rays.size
            if self.progress is not None:
                done, elapsed = i + 1, time.perf_counter() - started
                left = elapsed * (len(plan.beams) - done) / done
                self.progress(Progress(done, len(plan.beams), elapsed, left, unit="beams"))
        provenance = self._provenance(plan, machine, started) | {
            "particles_per_fraction": plan.particles,
            "rays": rays,
            "device": self.device,
            "kernel_seconds": round(kernels, 3),
            "base_data": dict(machine.base_data.provenance) if machine.base_data else {},
        }
        totals = sums.volumes()
        reached = np.flatnonzero(totals[0] > 0.0)
        factor = anatomy.media.dose_factor_of(body_hu(patient, grid, reached))
        return Dose(grid, _values(totals, reached, quantities, list(channels), factor), {}, {}, provenance)

    def influence(
        self,
        patient: Patient,
        plan: Plan,
        quantities: Collection[Quantity] = (Quantity.DOSE,),
        kept: float = KEPT,
        mask: NDArray[np.bool_] | None = None,
    ) -> Influence:
        """Dose of every spot of a plan, per particle; the plan's weights do not matter.

        Parameters
        ----------
        patient, plan, quantities
            As of `compute`.
        kept
            Part of a spot's dose that is kept at every depth; the rest is given to what is kept.
        mask
            Voxels ``[z, y, x]`` of the dose grid that are wanted; the whole body by default.

        Raises
        ------
        InputError
            As of `compute`, and if the mask is not of the dose grid.
        """
        machine = self._machine(plan)
        check_plan(plan, machine, patient)
        channels = self._channels(quantities, machine)
        anatomy, grid = self.anatomy(patient), self.grid(patient)
        inside = inside_body(patient, grid)
        if mask is not None:
            if mask.shape != grid.shape:
                raise InputError("mask", f"shape {mask.shape}", f"the dose grid's shape {grid.shape}")
            inside &= mask
        voxels = InfluenceVoxels(grid, inside, anatomy.media.dose_factor_on(grid, body_ct(patient)))
        started = time.perf_counter()
        found = influence_matrix(
            plan,
            machine,
            anatomy,
            voxels,
            lambda beam: self.resolution(beam, machine, grid),
            channels,
            kept,
            self.threads,
        )
        provenance = {**self._provenance(plan, machine, started), **found.provenance}
        return replace(found, provenance=provenance)

    def anatomy(self, patient: Patient) -> Anatomy:
        """Patient as rays see it."""
        body = body_ct(patient)
        media = media_of(self.calibration or calibration_of(patient.calibration), body)
        media = replace(media, stopping=media.stopping * np.float32(self.stopping_factor))
        return Anatomy(patient.grid, media.row(body.values), media, patient.position)

    def grid(self, patient: Patient) -> Grid:
        """Grid of the dose."""
        return patient.grid if self.spacing_mm is None else patient.grid.resampled(self.spacing_mm)

    def resolution(self, beam: Beam, machine: Machine, grid: Grid) -> Resolution:
        """How finely a beam is followed."""
        narrowest = min(min(layer.spot_sigma_mm(machine)) for layer in beam.layers)
        spacing = min(grid.spacing_mm)
        near, far = (part * spacing for part in _RAY_VOXELS)
        scattered = _scattered_mm(beam, machine) if self.split else far
        widest = float(np.clip(np.clip(scattered, near, far), _FINEST_RAY_MM, _COARSEST_RAY_MM))
        rays = self.ray_spacing_mm or float(np.clip(_RAY_SIGMAS * narrowest, _FINEST_RAY_MM, widest))
        planes = float(np.clip(0.5 * spacing, _FINEST_PLANE_MM, _COARSEST_PLANE_MM))
        return Resolution(rays, planes, spacing, split=self.split, gaussians=self.gaussians)

    def _sums(self, channels: int, grid: Grid, inside: NDArray[np.bool_]) -> HostSums | DeviceSums:
        if self.device == "cpu":
            return HostSums(channels, grid, inside, self.threads)
        from isodose.pencilbeam.cuda import DeviceSums

        return DeviceSums(channels, grid, inside)

    def _machine(self, plan: Plan) -> Machine:
        return self.machine if isinstance(self.machine, Machine) else machine_of(self.machine or plan.machine)

    def _provenance(self, plan: Plan, machine: Machine, started: float) -> dict[str, Any]:
        """What doses and influence matrices have in common."""
        return {
            "engine": "pencilbeam",
            "version": isodose.__version__,
            "machine": machine.name,
            "plan": plan.name,
            "ion": plan.ion,
            "gaussians": self._gaussians(machine),
            "split": self.split,
            "stopping_factor": self.stopping_factor,
            "threads": self.threads,
            "seconds": round(time.perf_counter() - started, 3),
        }

    def _gaussians(self, machine: Machine) -> int:
        if self.gaussians is not None or machine.base_data is None:
            return self.gaussians or 0
        return machine.base_data.kernels[0].gaussians

    def _channels(self, quantities: Collection[Quantity], machine: Machine) -> Channels:
        channels: Channels = {}
        for quantity in quantities:
            if quantity in self.weightings:
                channels[quantity] = self.weightings[quantity]
            elif quantity is Quantity.LETD:
                if machine.base_data is not None and machine.base_data.kernels[0].letd is None:
                    raise InputError(
                        "quantities", quantity.key, f"base data of machine {machine.name!r} with LET"
                    )
                channels[quantity] = None
            elif quantity not in (Quantity.DOSE, Quantity.DOSE_TO_WATER):
                expected = ", ".join(["dose", "dose_to_water", "letd", *(q.key for q in self.weightings)])
                raise InputError("quantities", quantity.key, f"what the pencil-beam engine has: {expected}")
        return channels


def _scattered_mm(beam: Beam, machine: Machine) -> float:
    """Width of the core at the end of a middle layer's range, over which rays are smoothed anyway."""
    if machine.base_data is None:
        return 0.0
    kernel = machine.base_data.kernel(median_high(layer.energy_mev_u for layer in beam.layers))
    return float(np.interp(kernel.range_mm, kernel.depth_mm, kernel.sigma_mm[:, 0]))


def _values(
    sums: NDArray[np.float32],
    reached: NDArray[np.int64],
    quantities: Collection[Quantity],
    channels: list[Quantity],
    factor: NDArray[np.float32],
) -> dict[Quantity, NDArray[np.float32]]:
    """Quantities from sums ``(1 + channels, z, y, x)``, where dose to water is above 0; 0 elsewhere.

    ``factor`` makes it dose to the medium in these voxels, which are given by flat index. Cubics undershoot
    beside steep edges, by a part in a thousand: that is 0 too.
    """
    water = sums[0].ravel()[reached]
    found = {Quantity.DOSE: water * factor}
    if Quantity.DOSE_TO_WATER in quantities:
        found[Quantity.DOSE_TO_WATER] = water
    for i, quantity in enumerate(channels, start=1):
        found[quantity] = np.maximum(sums[i].ravel()[reached], 0.0) / water
    values = {q: np.zeros(sums.shape[1:], dtype=np.float32) for q in found}
    for quantity, of_reached in found.items():
        values[quantity].ravel()[reached] = of_reached
    return values
