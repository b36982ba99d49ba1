"""The Monte Carlo engine: a patient and a plan go in, quantities with uncertainties come out."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import isodose
from isodose.dose.dose import Dose
from isodose.dose.progress import Progress
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_of
from isodose.patient.body import AIR_HU, body_ct, inside_body
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration, TissueMap, calibration_of
from isodose.patient.patient import Patient
from isodose.plan.plan import Plan
from isodose.plan.plan_check import check_plan
from isodose.transport import checkpoint
from isodose.transport.geometry import geometry
from isodose.transport.options import MOST_HISTORIES, RunOptions
from isodose.transport.particle_classes import default_energy_edges_mev
from isodose.transport.plan_source import check_energies, plan_source, shifter_materials
from isodose.transport.results import dose_values
from isodose.transport.run import Run
from isodose.transport.scoring import CURRENT, TRACK_LENGTH, Slots
from isodose.transport.tables import transport_tables
from isodose.transport.track_response import TrackResponse


class MonteCarlo:
    """Condensed-history Monte Carlo of ions over the voxels of a CT.

    Parameters
    ----------
    histories
        Number of primary particles, one million by default; with ``uncertainty`` the most that are run, by
        default as many as it takes.
    uncertainty
        Mean relative standard uncertainty of the dose above half of its maximum at which to stop (0.01 is 1
        %).
    seed
        One seed gives one result, on any number of threads, up to the order of float sums.
    threads
        Number of threads; all processors by default.
    spacing_mm
        Voxel size of the dose, mm; the CT's own by default.
    machine
        Machine or its name; the plan's by default.
    calibration
        Hounsfield calibration; the one that the patient names by default.
    spectrum_margin_mm
        Spectra are scored in voxels up to this far, laterally, from a beam's outermost spots.
    energy_edges_mev
        Energy bins of spectra in MeV of total kinetic energy; those of the cluster-dose paper by default.
    responses
        Further quantities that tracks add up to, as cluster dose, given inside the body.
    checkpoint
        File that takes the running sums when the run is interrupted, and every five minutes before; who has
        kept the result may delete it.
    resume
        Go on from the checkpoint, if it is there.
    progress
        Called about once a second.

    Notes
    -----
    Valid for p to O-16 from 1 to 430 MeV/u (protons to 250 MeV at least) in matter from air to bone. Delta
    electrons deposit where they are set free; neutrons and photons are not transported (a few per mille of
    the dose). Outside the external contour, where there is one, is air, and its dose is given as 0.
    """

    def __init__(
        self,
        histories: int | None = None,
        uncertainty: float | None = None,
        seed: int = 0,
        threads: int | None = None,
        spacing_mm: float | tuple[float, float, float] | None = None,
        machine: Machine | str | None = None,
        calibration: HounsfieldCalibration | None = None,
        spectrum_margin_mm: float = 16.0,
        energy_edges_mev: NDArray[np.float64] | None = None,
        responses: Mapping[Quantity, TrackResponse] | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.spacing_mm, self.machine, self.calibration = spacing_mm, machine, calibration
        self.responses = dict(responses or {})
        self.options = RunOptions(
            _histories(histories, uncertainty),
            uncertainty,
            seed,
            (os.cpu_count() or 1) if threads is None else threads,
            spectrum_margin_mm,
            default_energy_edges_mev()
            if energy_edges_mev is None
            else np.asarray(energy_edges_mev, np.float64),
            checkpoint,
            resume,
            progress,
        )

    def compute(
        self, patient: Patient, plan: Plan, quantities: Collection[Quantity] = (Quantity.DOSE,)
    ) -> Dose:
        """Dose of a plan in a patient, and what else is asked for.

        An interruption (Ctrl-C) ends the computation at the last finished batch: the result so far is
        returned, marked ``partial`` in its provenance, and saved to the checkpoint.

        Raises
        ------
        InputError
            If the plan does not fit the machine or the patient.
        KeyboardInterrupt
            If interrupted before the first batch was finished.
        """
        started = time.perf_counter()
        machine = self._machine(plan)
        check_plan(plan, machine, patient)
        check_energies(plan)
        calibration = self.calibration or calibration_of(patient.calibration)
        grid = self._grid(patient)
        responding = self._responding(quantities)
        tissue = calibration.tissue(body_ct(patient).on(grid, outside=AIR_HU))
        tables, rows, row_of = transport_tables(
            (*tissue.materials, *shifter_materials(plan)),
            tissue.material,
            [self.responses[q] for q in responding],
        )
        box = geometry(grid, tissue.density, rows)
        source = plan_source(plan, machine, patient, np.array(grid.lower_mm), row_of)
        run = Run(
            self.options,
            source,
            box,
            tables,
            grid,
            _slots(quantities, responding),
            _spectrum_kind(quantities),
        )
        partial = run.go(self._fingerprint(run, grid, tissue))
        body = inside_body(patient, grid).ravel()
        values, uncertainty = dose_values(
            run.sums, quantities, grid, box.density, body, plan.particles, responding
        )
        spectra = {q: run.spectra.result() for q in quantities if q in _SPECTRA} if run.spectra else {}
        provenance = self._provenance(plan, machine, run, partial, time.perf_counter() - started)
        return Dose(grid, values, uncertainty, spectra, provenance)

    def _responding(self, quantities: Collection[Quantity]) -> list[Quantity]:
        """Quantities that tracks add up to; others that no option tells how to score are refused."""
        for quantity in quantities:
            if quantity.cluster_size is not None and quantity not in self.responses:
                expected = "a response for it, as isodose.biology.cluster_dose.compute_cluster_dose gives"
                raise InputError("quantities", quantity.key, expected)
        return [q for q in self.responses if q in quantities]

    def _machine(self, plan: Plan) -> Machine:
        if isinstance(self.machine, Machine):
            return self.machine
        return machine_of(self.machine or plan.machine)

    def _grid(self, patient: Patient) -> Grid:
        """Grid of the dose, refused where it would not fit in the memory of a workstation."""
        if self.spacing_mm is None:
            return patient.grid
        grid = patient.grid.resampled(self.spacing_mm)
        if grid.size > MOST_VOXELS:
            memory = grid.size * (8.0 * self.options.threads + _BYTES_PER_VOXEL) / 2**30
            found = f"{self.spacing_mm} mm: {grid.size / 1e6:.0f} million voxels, at least {memory:.0f} GiB"
            raise InputError("spacing_mm", found, f"at most {MOST_VOXELS / 1e6:.0f} million voxels")
        return grid

    def _fingerprint(self, run: Run, grid: Grid, tissue: TissueMap) -> str:
        """What a checkpoint belongs to: everything that the running sums depend on."""
        return checkpoint.fingerprint(
            isodose.__version__,
            run.batch_size,
            self.options.seed,
            *run.source,
            grid.spacing_mm,
            grid.shape,
            tissue.density,
            tissue.material,
            [repr(material) for material in tissue.materials],
            run.slots,
            run.kind,
            run.tables.response,
            run.tables.response_to_rest,
            self.options.energy_edges_mev,
            self.options.spectrum_margin_mm,
        )

    def _provenance(
        self, plan: Plan, machine: Machine, run: Run, partial: bool, seconds: float
    ) -> dict[str, Any]:
        histories = run.done
        mean = {name: float(value) / max(histories, 1) for name, value in run.budget().items()}
        return {
            "engine": "montecarlo",
            "version": isodose.__version__,
            "machine": machine.name,
            "plan": plan.name,
            "ion": plan.ion,
            "particles_per_fraction": plan.particles,
            "histories": histories,
            "batches": run.sums.batches,
            "seed": self.options.seed,
            "threads": self.options.threads,
            "partial": partial,
            "seconds": round(seconds, 3),
            "transport_seconds": round(run.seconds, 3),
            "relative_uncertainty": run.sums.relative_uncertainty(),
            "mean_energy_mev_per_primary": mean,
            "processor": platform.processor() or platform.machine(),
            "models": "delta electrons local; neutrons and photons not transported; no dose outside the body",
        }


MOST_VOXELS = 400_000_000
"""Beyond this no dose is computed."""
_BYTES_PER_VOXEL = 8 + 4 + 4 + 4 + 1  # sum and sum of squares of the dose, HU, density, material

DEFAULT_HISTORIES = 1_000_000


def _histories(histories: int | None, uncertainty: float | None) -> int:
    if histories is not None:
        return histories
    return DEFAULT_HISTORIES if uncertainty is None else MOST_HISTORIES


_SPECTRA = {Quantity.TRACK_LENGTH: TRACK_LENGTH, Quantity.CURRENT: CURRENT}


def _spectrum_kind(quantities: Collection[Quantity]) -> int:
    kinds = [kind for quantity, kind in _SPECTRA.items() if quantity in quantities]
    if len(kinds) > 1:
        raise InputError("quantities", "track_length and current", "one of them a run")
    return kinds[0] if kinds else 0


def _slots(quantities: Collection[Quantity], responding: Sequence[Quantity]) -> Slots:
    count = 1

    def take(wanted: bool) -> int:
        nonlocal count
        count += wanted
        return count - 1 if wanted else -1

    water = take(Quantity.DOSE_TO_WATER in quantities)
    letd = Quantity.LETD in quantities
    energy, weighted = take(letd), take(letd)
    lett = Quantity.LETT in quantities
    track = take(lett or Quantity.FLUENCE in quantities)
    let = take(lett)
    first = count if responding else -1
    columns = count + len(responding)
    return Slots(0, water, energy, weighted, track, let, columns, first, len(responding))
