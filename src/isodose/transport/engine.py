"""The Monte Carlo engine: a patient and a plan go in, quantities with uncertainties come out."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import isodose
from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine as machine_of
from isodose.patient.grid import Grid
from isodose.patient.hounsfield import HounsfieldCalibration, calibration_of
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.plan import Plan
from isodose.transport import checkpoint
from isodose.transport.geometry import Geometry, geometry
from isodose.transport.history import run_histories
from isodose.transport.particle import BINDING, BUDGET, DEPOSITED, ESCAPED, NEUTRAL, REACTIONS, SOURCE
from isodose.transport.particle_classes import default_energy_edges_mev
from isodose.transport.plan_source import plan_source, shifter_materials
from isodose.transport.progress import Progress
from isodose.transport.region import lateral_region
from isodose.transport.results import dose_values
from isodose.transport.scoring import BLOCK_SHIFT, CURRENT, TRACK_LENGTH, Scorer, Slots
from isodose.transport.source import Source
from isodose.transport.spectrum_sums import FULL, TABLE_SIZE, SpectrumSums, spectrum_table
from isodose.transport.statistics import BatchSums
from isodose.transport.tables import Tables, transport_tables

BATCHES = 32
"""Batches that a run of a given number of histories is cut into; their spread gives the uncertainty."""
FEWEST_BATCHES = 8
"""Batches before a wanted uncertainty is believed."""
PIECE_SECONDS = 1.0
"""Aimed time between two reports of progress."""


class MonteCarlo:
    """Condensed-history Monte Carlo of ions over the voxels of a CT.

    Parameters
    ----------
    histories
        Number of primary particles; with ``uncertainty`` the most that are run.
    uncertainty
        Mean relative standard uncertainty of the dose above half of its maximum at which to stop (0.01 is 1 %).
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
    checkpoint
        File that holds the running sums when the run is interrupted.
    resume
        Go on from the checkpoint, if it is there.
    progress
        Called about once a second.

    Notes
    -----
    Valid for p to O-16 from 1 to 430 MeV/u (protons to 250 MeV at least) in matter from air to bone. Delta electrons
    deposit where they are set free; neutrons and photons are not transported (a few per mille of the dose).
    """

    def __init__(
        self,
        histories: int = 1_000_000,
        uncertainty: float | None = None,
        seed: int = 0,
        threads: int | None = None,
        spacing_mm: float | tuple[float, float, float] | None = None,
        machine: Machine | str | None = None,
        calibration: HounsfieldCalibration | None = None,
        spectrum_margin_mm: float = 16.0,
        energy_edges_mev: NDArray[np.float64] | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if histories < 1:
            raise InputError("histories", histories, "at least 1")
        if uncertainty is not None and not 0.0 < uncertainty < 1.0:
            raise InputError("uncertainty", uncertainty, "a part between 0 and 1 (0.01 is 1 %)")
        if threads is not None and threads < 1:
            raise InputError("threads", threads, "at least 1")
        self.histories, self.uncertainty, self.seed = histories, uncertainty, seed
        self.threads = threads or os.cpu_count() or 1
        self.spacing_mm, self.machine, self.calibration = spacing_mm, machine, calibration
        self.spectrum_margin_mm = spectrum_margin_mm
        self.energy_edges_mev = default_energy_edges_mev() if energy_edges_mev is None else energy_edges_mev
        self.checkpoint, self.resume, self.progress = checkpoint, resume, progress

    def compute(self, patient: Patient, plan: Plan, quantities: Collection[Quantity] = (Quantity.DOSE,)) -> Dose:
        """Dose of a plan in a patient, and what else is asked for.

        An interruption (Ctrl-C) ends the computation at the last finished batch: the result so far is returned,
        marked ``partial`` in its provenance, and saved to the checkpoint.

        Raises
        ------
        InputError
            If the plan does not fit the machine or the patient.
        KeyboardInterrupt
            If interrupted before the first batch was finished.
        """
        started = time.perf_counter()
        machine = self._machine(plan)
        calibration = self.calibration or calibration_of(patient.calibration)
        grid = patient.grid if self.spacing_mm is None else patient.grid.resampled(self.spacing_mm)
        tissue = calibration.tissue(_body(patient).on(grid, outside=_AIR_HU))
        tables, rows, row_of = transport_tables((*tissue.materials, *shifter_materials(plan)), tissue.material)
        box = geometry(grid, tissue.density, rows)
        source = plan_source(plan, machine, patient, np.array(grid.lower_mm), row_of)
        run = _Run(self, source, box, tables, grid, _slots(quantities), _spectrum_kind(quantities))
        identity = checkpoint.fingerprint(
            isodose.__version__, run.batch_size, self.seed, source._asdict(), tissue.density, rows, run.slots, run.kind
        )
        partial = run.go(identity)
        values, uncertainty = dose_values(run.sums, quantities, grid, box.density, plan.particles)
        spectra = {q: run.spectra.result() for q in quantities if q in _SPECTRA} if run.spectra else {}
        provenance = self._provenance(plan, machine, run, partial, time.perf_counter() - started)
        return Dose(grid, values, uncertainty, spectra, provenance)

    def _machine(self, plan: Plan) -> Machine:
        if isinstance(self.machine, Machine):
            return self.machine
        return machine_of(self.machine or plan.machine)

    def _provenance(
        self, plan: Plan, machine: Machine, run: _Run, partial: bool, seconds: float
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
            "seed": self.seed,
            "threads": self.threads,
            "partial": partial,
            "seconds": round(seconds, 3),
            "transport_seconds": round(run.seconds, 3),
            "relative_uncertainty": run.sums.relative_uncertainty(),
            "mean_energy_mev_per_primary": mean,
            "processor": platform.processor() or platform.machine(),
            "models": "delta electrons local; neutrons and photons not transported",
        }


_AIR_HU = -1000.0


def _body(patient: Patient) -> Volume:
    """CT with air outside the external contour, where there is one: couch and clothing are not the patient."""
    if patient.external is None:
        return patient.ct
    outside = patient.external.occupancy <= 0.0
    return Volume(patient.grid, np.where(outside, np.float32(_AIR_HU), patient.ct.values))


_SPECTRA = {Quantity.TRACK_LENGTH: TRACK_LENGTH, Quantity.CURRENT: CURRENT}


def _spectrum_kind(quantities: Collection[Quantity]) -> int:
    kinds = [kind for quantity, kind in _SPECTRA.items() if quantity in quantities]
    if len(kinds) > 1:
        raise InputError("quantities", "track_length and current", "one of them a run")
    return kinds[0] if kinds else 0


def _slots(quantities: Collection[Quantity]) -> Slots:
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
    return Slots(0, water, energy, weighted, track, take(lett), count)


class _Run:
    """One computation: batches of histories over threads, their sums, and how they are interrupted."""

    def __init__(
        self, engine: MonteCarlo, source: Source, box: Geometry, tables: Tables, grid: Grid, slots: Slots, kind: int
    ) -> None:
        self.engine, self.source, self.box, self.tables = engine, source, box, tables
        self.slots, self.kind = slots, kind
        threads = min(engine.threads, engine.histories)
        self.batch_size = math.ceil(engine.histories / BATCHES)
        self.batches = math.ceil(engine.histories / self.batch_size)
        self.sums = BatchSums.empty(grid.size, slots)
        self.spectra = SpectrumSums(engine.energy_edges_mev) if kind else None
        self.parts = np.zeros((threads, grid.size, slots.count))
        self.marks = np.zeros((threads, (grid.size >> BLOCK_SHIFT) + 1), dtype=np.uint8)
        token = np.zeros(1, dtype=np.uint8)
        region = lateral_region(grid, source, np.array(grid.lower_mm), engine.spectrum_margin_mm) if kind else token
        tables_of = [spectrum_table(kind, engine.energy_edges_mev, region) for _ in range(threads)]
        self.scorers = [Scorer(slots, self.parts[t], self.marks[t], tables_of[t]) for t in range(threads)]
        nothing = Slots(0, -1, -1, -1, -1, -1, 1)
        self.idle = Scorer(nothing, np.zeros((1, 1)), token, spectrum_table(0, engine.energy_edges_mev, token))
        self.idles = [self.idle._replace(sums=np.zeros((1, 1))) for _ in range(threads)]
        self.budgets = np.zeros((threads, BUDGET))
        self.earlier_budget = np.zeros(BUDGET)
        self.stop = np.zeros(1, dtype=np.uint8)
        self.seconds = 0.0
        self.piece = 200 * threads
        self.reported = -PIECE_SECONDS
        self.uncertainty = float("nan")

    @property
    def done(self) -> int:
        return self.sums.batches * self.batch_size

    def budget(self) -> dict[str, float]:
        total = self.earlier_budget
        return {
            "source": total[SOURCE],
            "deposited": total[DEPOSITED],
            "escaped": total[ESCAPED],
            "neutral": total[NEUTRAL],
            "binding": total[BINDING],
            "primary_reactions": total[REACTIONS],
        }

    def go(self, identity: str) -> bool:
        """Run what is left to do; True if interrupted."""
        engine, path = self.engine, self.engine.checkpoint
        if engine.resume and path is not None and path.exists():
            state = checkpoint.load(path, identity, self.sums, self.spectra)
            self.earlier_budget = np.array(state["budget"])
            self.uncertainty = self.sums.relative_uncertainty()
            self.seconds = state["seconds"]
        begun = time.perf_counter() - self.seconds
        partial = False
        try:
            with ThreadPoolExecutor(len(self.scorers)) as pool:
                while self.sums.batches < self.batches and not self._certain():
                    self._batch(pool, begun)
        except KeyboardInterrupt:
            if self.sums.batches == 0:
                raise
            partial = True
        self.seconds = time.perf_counter() - begun
        if partial and path is not None:
            state = {"budget": self.earlier_budget.tolist(), "seconds": self.seconds}
            checkpoint.save(path, identity, self.sums, self.spectra, state)
        elif path is not None:
            path.unlink(missing_ok=True)
        return partial

    def _certain(self) -> bool:
        wanted = self.engine.uncertainty
        return (
            wanted is not None
            and self.sums.batches >= FEWEST_BATCHES
            and self.uncertainty <= wanted
        )

    def _batch(self, pool: ThreadPoolExecutor, begun: float) -> None:
        """One batch in pieces of about a second; a batch that is interrupted leaves no trace."""
        first = self.done
        begin = 0
        self.budgets[:] = 0.0
        try:
            while begin < self.batch_size:
                end = min(begin + self.piece, self.batch_size)
                clock = time.perf_counter()
                self._piece(pool, first, begin, end)
                self._fit_piece(end - begin, max(time.perf_counter() - clock, 1e-6))
                begin = end
                self._report(first + end, begun)
        except BaseException:
            self.parts[:] = 0.0
            if self.spectra is not None:
                self.spectra.empty_tables([s.spectrum for s in self.scorers])
                self.spectra.drop_batch()
            raise
        self.earlier_budget = self.earlier_budget + self.budgets.sum(axis=0)
        if self.spectra is not None:
            self.spectra.empty_tables([s.spectrum for s in self.scorers])
            self.spectra.close_batch(self.batch_size)
        self.sums.take(self.parts, self.marks, self.batch_size)
        self.uncertainty = self.sums.relative_uncertainty()

    def _fit_piece(self, piece: int, seconds: float) -> None:
        """Choose the next piece for the aimed time, and small enough not to fill the spectrum tables."""
        wanted = piece * min(PIECE_SECONDS / seconds, 4.0)
        if self.spectra is not None:
            tables = [s.spectrum for s in self.scorers]
            filled = max(int(t.used[0]) for t in tables)
            wanted = min(wanted, piece * FULL * TABLE_SIZE / max(filled, 1))
            self.spectra.empty_tables(tables)
        self.piece = max(1, int(wanted))

    def _piece(self, pool: ThreadPoolExecutor, first: int, begin: int, end: int) -> None:
        threads = len(self.scorers)
        self.stop[0] = 0
        jobs: list[Future[None]] = []
        for t in range(threads):
            share = (first, self.batch_size, t, threads, begin, end)
            jobs.append(
                pool.submit(
                    run_histories,
                    share,
                    self.engine.seed,
                    self.source,
                    self.box,
                    self.tables,
                    self.scorers[t],
                    self.idles[t],
                    self.budgets[t],
                    self.stop,
                )
            )
        try:
            wait(jobs)
        except KeyboardInterrupt:
            self.stop[0] = 1
            wait(jobs)
            raise
        for job in jobs:
            job.result()

    def _report(self, done: int, begun: float) -> None:
        elapsed = time.perf_counter() - begun
        total = self.batches * self.batch_size
        if self.engine.progress is None or (elapsed - self.reported < 0.5 * PIECE_SECONDS and done < total):
            return
        self.reported = elapsed
        uncertainty = self.uncertainty
        remaining = elapsed * (total - done) / max(done, 1)
        if self.engine.uncertainty is not None and uncertainty > 0.0:
            needed = done * (uncertainty / self.engine.uncertainty) ** 2
            remaining = min(remaining, elapsed * max(needed - done, 0.0) / max(done, 1))
        self.engine.progress(Progress(done, total, elapsed, remaining, uncertainty))
