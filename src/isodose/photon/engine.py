"""The photon engine: dose and influence of fields of bixels."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

import isodose
from isodose.dose.dose import Dose
from isodose.dose.influence import Influence
from isodose.dose.progress import Progress
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.body import body_ct, inside_body
from isodose.patient.grid import Grid, checked_spacing
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.patient import Patient
from isodose.pencilbeam.beam_view import Anatomy
from isodose.photon.beam_voxels import EVERYWHERE, BeamVoxels, Window, beam_voxels, photon_media
from isodose.photon.bixel_lattice import BixelLattice, lattice_of
from isodose.photon.generic_6mv import GENERIC_6MV
from isodose.photon.kernel import PhotonKernel
from isodose.photon.photon_plan import PhotonPlan
from isodose.photon.superposition import add_dose, count_bixels, depth_tables, fill_columns
from isodose.plan.plan import Plan

CUTOFF_MM = 100.0
"""Beyond this the influence matrix leaves out a bixel's dose by default."""


class PhotonBeams:
    """Pencil beams of 6 MV photons with a Gaussian kernel, along diverging rays through the patient.

    The kernel of water (`PhotonKernel`) is taken at a voxel's own radiological depth; the Gaussians that
    electrons make widen with the inverse of the density along the voxel's ray. In a slab of lung that
    gives the dose of a simulation to 2 % for fields of 30 to 70 mm; behind it the dose is 5 % too high
    for some 20 mm, and a tumour's rim in lung is not seen to lack dose. Scatter is that of water
    everywhere. Fields are flat, leaves let nothing through, off-axis softening and the tilt of rays are
    left out. Meant for fields of 20 to 400 mm and up to 400 mm of depth.

    Parameters
    ----------
    spacing_mm
        Voxel size of the dose, mm; the CT's own by default.
    kernel
        Of the beam; `GENERIC_6MV` by default.
    calibration
        Hounsfield calibration; the one that the patient names by default.
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
        kernel: PhotonKernel = GENERIC_6MV,
        calibration: HounsfieldCalibration | None = None,
        threads: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if spacing_mm is not None:
            checked_spacing(spacing_mm)
        if threads is not None and threads < 1:
            raise InputError("threads", threads, "at least 1")
        self.spacing_mm, self.kernel, self.calibration = spacing_mm, kernel, calibration
        self.threads = (os.cpu_count() or 1) if threads is None else threads
        self.progress = progress

    def compute(
        self, patient: Patient, plan: Plan, quantities: Collection[Quantity] = (Quantity.DOSE,)
    ) -> Dose:
        """Dose of a plan in a patient, with all of the bixels' scatter.

        Raises
        ------
        InputError
            If the plan is not one of photons for this kernel, misses the patient or delivers nothing, or a
            quantity is not dose or dose to water.
        """
        started = time.perf_counter()
        lattices = self._lattices(plan)
        _check_quantities(quantities)
        anatomy, grid = self._anatomy(patient), self.grid(patient)
        inside = inside_body(patient, grid)
        tables = depth_tables(self.kernel)
        water = np.zeros(grid.size, dtype=np.float32)
        for i, (beam, lattice) in enumerate(zip(plan.beams, lattices, strict=True)):
            if not beam.particles > 0.0:
                raise InputError(f"beams[{i}].layers", "bixels without monitor units", "a weight above zero")
            voxels = beam_voxels(beam, anatomy, grid, inside, EVERYWHERE, self.threads)
            _check_aim(voxels, lattice, f"beams[{i}]")
            add_dose(voxels, lattice, tables, water, self.threads)
            self._tell(i + 1, len(plan.beams), started)
        water_dose = water.reshape(grid.shape)
        values = {Quantity.DOSE: water_dose * anatomy.media.dose_factor_on(grid, body_ct(patient))}
        if Quantity.DOSE_TO_WATER in quantities:
            values[Quantity.DOSE_TO_WATER] = water_dose
        provenance = self._provenance(plan, started) | {"bixel_monitor_units": plan.particles}
        return Dose(grid, values, provenance=provenance)

    def influence(
        self,
        patient: Patient,
        plan: Plan,
        quantities: Collection[Quantity] = (Quantity.DOSE,),
        cutoff_mm: float = CUTOFF_MM,
        mask: NDArray[np.bool_] | None = None,
    ) -> Influence:
        """Dose of every bixel of a plan per monitor unit; the plan's weights do not matter.

        Parameters
        ----------
        patient, plan, quantities
            As of `compute`.
        cutoff_mm
            Distance from a bixel's middle, on the isocentre plane, beyond which its dose is left out. 100 mm
            leave out 1 % of the dose in the middle of a field of 200 mm at 100 mm depth, and nothing there up
            to 140 mm; 60 mm leave out 7 % there, and 0.3 % of a field of 100 mm.
        mask
            Voxels ``[z, y, x]`` of the dose grid that are wanted; the whole body by default.

        Raises
        ------
        InputError
            As of `compute`, if the mask is not of the dose grid, or the cut-off is not above a bixel's side.
        """
        started = time.perf_counter()
        lattices = self._lattices(plan)
        _check_quantities(quantities)
        side = lattices[0].side_mm
        if not side <= cutoff_mm < np.inf:
            raise InputError("cutoff_mm", cutoff_mm, f"at least the bixels' side of {side:g} mm")
        anatomy, grid = self._anatomy(patient), self.grid(patient)
        inside = inside_body(patient, grid)
        if mask is not None:
            if mask.shape != grid.shape:
                raise InputError("mask", f"shape {mask.shape}", f"the dose grid's shape {grid.shape}")
            inside &= mask
        views, counts = [], []
        for i, (beam, lattice) in enumerate(zip(plan.beams, lattices, strict=True)):
            views.append(beam_voxels(beam, anatomy, grid, inside, _around(lattice, cutoff_mm), self.threads))
            _check_aim(views[-1], lattice, f"beams[{i}]")
            counts.append(count_bixels(views[-1], lattice, cutoff_mm, self.threads))
            self._tell(i + 1, 2 * len(plan.beams), started)
        indptr = _column_ends(lattices, counts)
        indices = np.empty(int(indptr[-1]), dtype=np.int32)
        dose = np.empty(indices.size, dtype=np.float32)
        tables = depth_tables(self.kernel)
        factor = anatomy.media.dose_factor_on(grid, body_ct(patient)).ravel()
        for i, (view, lattice, count) in enumerate(zip(views, lattices, counts, strict=True)):
            begins = indptr[lattice.column] + np.cumsum(count, axis=0) - count
            fill_columns(view, lattice, tables, cutoff_mm, factor, begins, indices, dose, self.threads)
            self._tell(len(plan.beams) + i + 1, 2 * len(plan.beams), started)
        values = {Quantity.DOSE: dose}
        if Quantity.DOSE_TO_WATER in quantities:
            values[Quantity.DOSE_TO_WATER] = dose / factor[indices]
        provenance = self._provenance(plan, started) | {"cutoff_mm": cutoff_mm}
        return Influence(grid, indptr, indices, values, provenance)

    def grid(self, patient: Patient) -> Grid:
        """Grid of the dose."""
        return patient.grid if self.spacing_mm is None else patient.grid.resampled(self.spacing_mm)

    def _lattices(self, plan: Plan) -> list[BixelLattice]:
        """Bixels of every beam, numbered through the plan."""
        if not isinstance(plan, PhotonPlan):
            raise InputError("plan", f"a plan of ion {plan.ion!r}", "a PhotonPlan")
        if plan.machine != self.kernel.name:
            raise InputError("plan.machine", repr(plan.machine), f"{self.kernel.name!r}, the kernel's name")
        lattices, first = [], 0
        for i, beam in enumerate(plan.beams):
            lattices.append(lattice_of(beam, plan.bixel_mm, first, f"beams[{i}]"))
            first += beam.spot_count
        return lattices

    def _anatomy(self, patient: Patient) -> Anatomy:
        body = body_ct(patient)
        media = photon_media(self.calibration or calibration_of(patient.calibration), body)
        return Anatomy(patient.grid, media.row(body.values), media, patient.position)

    def _tell(self, done: int, total: int, started: float) -> None:
        if self.progress is not None:
            elapsed = time.perf_counter() - started
            self.progress(Progress(done, total, elapsed, elapsed * (total - done) / done, unit="beams"))

    def _provenance(self, plan: Plan, started: float) -> dict[str, Any]:
        return {
            "engine": "photon",
            "version": isodose.__version__,
            "machine": self.kernel.name,
            "kernel": self.kernel.provenance,
            "plan": plan.name,
            "threads": self.threads,
            "seconds": round(time.perf_counter() - started, 3),
        }


def _check_quantities(quantities: Collection[Quantity]) -> None:
    for quantity in quantities:
        if quantity not in (Quantity.DOSE, Quantity.DOSE_TO_WATER):
            raise InputError("quantities", quantity.key, "what the photon engine has: dose, dose_to_water")


def _around(lattice: BixelLattice, reach_mm: float) -> Window:
    """Window of the isocentre plane around the bixels."""
    (x0, x1), (y0, y1) = lattice.reach_mm
    return (x0 - reach_mm, x1 + reach_mm), (y0 - reach_mm, y1 + reach_mm)


def _check_aim(voxels: BeamVoxels, lattice: BixelLattice, place: str) -> None:
    (x0, x1), (y0, y1) = _around(lattice, lattice.side_mm)
    met = (voxels.x_mm > x0) & (voxels.x_mm < x1) & (voxels.y_mm > y0) & (voxels.y_mm < y1)
    if not (met & (voxels.depth_mm > 0.0)).any():
        raise InputError(f"{place}.layers[0].spots", "bixels that miss the patient", "bixels that meet it")


def _column_ends(lattices: list[BixelLattice], counts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Where the columns begin, and the end of the last."""
    lengths = np.zeros(sum(int((lattice.column >= 0).sum()) for lattice in lattices), dtype=np.int64)
    for lattice, count in zip(lattices, counts, strict=True):
        used = lattice.column >= 0
        lengths[lattice.column[used]] = count.sum(axis=0)[used]
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
