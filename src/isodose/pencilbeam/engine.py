"""The pencil-beam engine: dose of a plan in seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import isodose
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.base_data import DepthWeighting
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_of
from isodose.patient.body import AIR_HU, body_ct, inside_body
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.patient import Patient
from isodose.pencilbeam.beam_view import Anatomy, Resolution, view_beam
from isodose.pencilbeam.fan_sampling import add_to_voxels
from isodose.pencilbeam.media import media_of
from isodose.pencilbeam.superposition import forward
from isodose.pencilbeam.threads import over_chunks
from isodose.plan.plan import Beam, Plan
from isodose.plan.plan_check import check_plan

_FINEST_RAY_MM, _COARSEST_RAY_MM = 0.8, 2.0
_RAY_SIGMAS = 0.7
"""Distance of rays in standard deviations of the narrowest spot."""


class PencilBeam:
    """Fluence superposition of triple-Gaussian pencil beams.

    Parameters
    ----------
    spacing_mm
        Voxel size of the dose, mm; the CT's own by default.
    machine
        Machine with base data, or its name; the plan's by default.
    calibration
        Hounsfield calibration; the one that the patient names by default.
    ray_spacing_mm
        Distance of rays on the isocentre plane; by default 0.7 standard deviations of the narrowest spot, between
        0.8 and 2 mm, and no more than the voxel size.
    weightings
        Further dose-averaged quantities along the beams, as alpha of an RBE model.
    threads
        Number of threads; all processors by default.
    """

    def __init__(
        self,
        spacing_mm: float | tuple[float, float, float] | None = None,
        machine: Machine | str | None = None,
        calibration: HounsfieldCalibration | None = None,
        ray_spacing_mm: float | None = None,
        weightings: Mapping[Quantity, DepthWeighting] | None = None,
        threads: int | None = None,
    ) -> None:
        self.spacing_mm, self.machine, self.calibration = spacing_mm, machine, calibration
        self.ray_spacing_mm, self.weightings = ray_spacing_mm, dict(weightings or {})
        self.threads = (os.cpu_count() or 1) if threads is None else threads

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
        machine = self.machine if isinstance(self.machine, Machine) else machine_of(self.machine or plan.machine)
        check_plan(plan, machine, patient)
        channels = self._channels(quantities)
        anatomy, body = self._anatomy(patient)
        grid = patient.grid if self.spacing_mm is None else patient.grid.resampled(self.spacing_mm)
        inside = inside_body(patient, grid)
        sums = np.zeros((1 + len(channels), *grid.shape), dtype=np.float32)
        prepared = time.perf_counter()
        kernels = 0.0
        for beam in plan.beams:
            view = view_beam(
                beam, machine, anatomy, self._resolution(beam, machine, grid), tuple(channels.values()), self.threads
            )
            begun = time.perf_counter()
            fluence = view.fluence()
            values = np.zeros((1 + len(channels), view.fan.planes, *view.fan.shape), dtype=np.float32)
            arrays = view.superposition

            def work(begin: int, end: int, arrays=arrays, fluence=fluence, values=values) -> None:  # type: ignore[no-untyped-def]
                forward(arrays, fluence, values, begin, end)

            over_chunks(work, view.fan.planes, self.threads)
            add_to_voxels(view.fan, values, grid, inside, sums, self.threads)
            kernels += time.perf_counter() - begun
        factor = anatomy.media.dose_factor[anatomy.media.row(body.on(grid, outside=AIR_HU).values)]
        values = _values(sums, quantities, list(channels), factor)
        provenance = self._provenance(plan, machine, time.perf_counter() - started, kernels, prepared - started)
        return Dose(grid, values, {}, {}, provenance)

    def _channels(self, quantities: Collection[Quantity]) -> dict[Quantity, DepthWeighting | None]:
        channels: dict[Quantity, DepthWeighting | None] = {}
        for quantity in quantities:
            if quantity in self.weightings:
                channels[quantity] = self.weightings[quantity]
            elif quantity is Quantity.LETD:
                channels[quantity] = None
            elif quantity not in (Quantity.DOSE, Quantity.DOSE_TO_WATER):
                raise InputError("quantities", quantity.key, "dose, dose_to_water or letd of the pencil-beam engine")
        return channels

    def _anatomy(self, patient: Patient):  # type: ignore[no-untyped-def]
        calibration = self.calibration or calibration_of(patient.calibration)
        body = body_ct(patient)
        media = media_of(calibration, body)
        return Anatomy(patient.grid, media.row(body.values), media, patient.position), body

    def _resolution(self, beam: Beam, machine: Machine, grid: Grid) -> Resolution:
        narrowest = min(min(machine.spot_sigma_mm(layer.energy_mev_u)) for layer in beam.layers)
        spacing = min(grid.spacing_mm)
        rays = self.ray_spacing_mm or float(
            np.clip(_RAY_SIGMAS * narrowest, _FINEST_RAY_MM, min(_COARSEST_RAY_MM, max(spacing, _FINEST_RAY_MM)))
        )
        return Resolution(rays, min(max(0.5 * spacing, 0.5), 1.25))

    def _provenance(
        self, plan: Plan, machine: Machine, seconds: float, kernels: float, preparation: float
    ) -> dict[str, Any]:
        return {
            "engine": "pencilbeam",
            "version": isodose.__version__,
            "machine": machine.name,
            "plan": plan.name,
            "ion": plan.ion,
            "particles_per_fraction": plan.particles,
            "threads": self.threads,
            "seconds": round(seconds, 3),
            "kernel_seconds": round(kernels, 3),
            "preparation_seconds": round(preparation, 3),
        }


def _values(
    sums: NDArray[np.float32],
    quantities: Collection[Quantity],
    channels: list[Quantity],
    factor: NDArray[np.float32],
) -> dict[Quantity, NDArray[np.float32]]:
    water = sums[0]
    values = {Quantity.DOSE: water * factor}
    if Quantity.DOSE_TO_WATER in quantities:
        values[Quantity.DOSE_TO_WATER] = water
    for i, quantity in enumerate(channels, start=1):
        values[quantity] = np.divide(sums[i], water, out=np.zeros_like(water), where=water > 0.0)
    return values
