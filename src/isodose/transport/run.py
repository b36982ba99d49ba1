"""One Monte Carlo computation: batches of histories over threads, their sums and their interruption."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np

from isodose.dose.progress import Progress
from isodose.patient.grid import Grid
from isodose.transport import checkpoint
from isodose.transport.geometry import Geometry
from isodose.transport.history import run_histories
from isodose.transport.options import RunOptions
from isodose.transport.particle import BINDING, BUDGET, DEPOSITED, ESCAPED, NEUTRAL, REACTIONS, SOURCE
from isodose.transport.region import lateral_region
from isodose.transport.scoring import BLOCK_SHIFT, Scorer, Slots
from isodose.transport.source import Source
from isodose.transport.spectrum_sums import FULL, TABLE_SIZE, SpectrumSums, spectrum_table
from isodose.transport.statistics import BatchSums
from isodose.transport.tables import Tables

BATCHES = 20
"""Batches that a run of a given number of histories is cut into; their spread gives the uncertainty."""
LARGEST_BATCH = 20_000
"""Histories of a batch where a wanted uncertainty ends the run, so that it is looked at often enough."""
FEWEST_BATCHES = 8
"""Batches before a wanted uncertainty is believed."""
CHECKPOINT_SECONDS = 300.0
"""Time between two checkpoints of a long run, which also survives being killed then."""
PIECE_SECONDS = 1.0
"""Aimed time between two reports of progress."""


class Run:
    """Batches of histories, their sums and their interruption.

    Parameters
    ----------
    options
        How to run.
    source, box, tables
        What is shot at what.
    grid
        Grid of the box.
    slots, kind
        What is scored per voxel, and which spectrum.
    """

    def __init__(
        self,
        options: RunOptions,
        source: Source,
        box: Geometry,
        tables: Tables,
        grid: Grid,
        slots: Slots,
        kind: int,
    ) -> None:
        self.options, self.source, self.box, self.tables = options, source, box, tables
        self.slots, self.kind = slots, kind
        threads = min(options.threads, options.histories)
        self.batch_size = math.ceil(options.histories / BATCHES)
        if options.uncertainty is not None:
            self.batch_size = min(self.batch_size, LARGEST_BATCH)
        self.batches = math.ceil(options.histories / self.batch_size)
        self.sums = BatchSums.empty(grid.size, slots)
        self.spectra = SpectrumSums(options.energy_edges_mev) if kind else None
        self.parts = np.zeros((threads, grid.size, slots.columns))
        self.marks = np.zeros((threads, (grid.size >> BLOCK_SHIFT) + 1), dtype=np.uint8)
        token = np.zeros(1, dtype=np.uint8)
        region = (
            lateral_region(grid, source, np.array(grid.lower_mm), options.spectrum_margin_mm)
            if kind
            else token
        )
        tables_of = [spectrum_table(kind, options.energy_edges_mev, region) for _ in range(threads)]
        self.scorers = [Scorer(slots, self.parts[t], self.marks[t], tables_of[t]) for t in range(threads)]
        nothing = Slots(0, -1, -1, -1, -1, -1, 1)
        unscored = spectrum_table(0, options.energy_edges_mev, token)
        self.idles = [Scorer(nothing, np.zeros((1, 1)), token, unscored) for _ in range(threads)]
        self.budgets = np.zeros((threads, BUDGET))
        self.earlier_budget = np.zeros(BUDGET)
        self.stop = np.zeros(1, dtype=np.uint8)
        self.seconds = 0.0
        self.piece = 200 * threads
        self.reported = -PIECE_SECONDS
        self.uncertainty = float("nan")

    @property
    def done(self) -> int:
        """Histories in finished batches."""
        return self.sums.batches * self.batch_size

    def budget(self) -> dict[str, float]:
        """Energies in MeV and the number of primaries that reacted, over all histories."""
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
        options, path = self.options, self.options.checkpoint
        if options.resume and path is not None and path.exists():
            state = checkpoint.load(path, identity, self.sums, self.spectra)
            self.earlier_budget = np.array(state["budget"])
            self.uncertainty = self.sums.relative_uncertainty()
            self.seconds = state["seconds"]
        self._compile()
        begun = time.perf_counter() - self.seconds
        partial = False
        try:
            with ThreadPoolExecutor(len(self.scorers)) as pool:
                saved = time.perf_counter()
                while self.sums.batches < self.batches and not self._certain():
                    self._batch(pool, begun)
                    self.seconds = time.perf_counter() - begun
                    if time.perf_counter() - saved > CHECKPOINT_SECONDS:
                        self._save(identity)
                        saved = time.perf_counter()
        except KeyboardInterrupt:
            if self.sums.batches == 0:
                raise
            partial = self.sums.batches < self.batches and not self._certain()
        self.seconds = time.perf_counter() - begun
        if partial:
            self._save(identity)
        return partial

    def _save(self, identity: str) -> None:
        if self.options.checkpoint is not None:
            state = {"budget": self.earlier_budget.tolist(), "seconds": self.seconds}
            checkpoint.save(self.options.checkpoint, identity, self.sums, self.spectra, state)

    def _certain(self) -> bool:
        wanted = self.options.uncertainty
        return wanted is not None and self.sums.batches >= FEWEST_BATCHES and self.uncertainty <= wanted

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
        # On a thread, as an interruption reaches only the main one: a batch counts as a whole or not at all.
        closing = pool.submit(self._close_batch)
        try:
            closing.result()
        except KeyboardInterrupt:
            closing.result()
            raise

    def _close_batch(self) -> None:
        self.earlier_budget = self.earlier_budget + self.budgets.sum(axis=0)
        if self.spectra is not None:
            self.spectra.empty_tables([s.spectrum for s in self.scorers])
            self.spectra.close_batch(self.batch_size)
        self.sums.take(self.parts, self.marks, self.batch_size)
        if self.options.uncertainty is not None or self.options.progress is not None:
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
        try:
            for t in range(threads):
                share = (first, self.batch_size, t, threads, begin, end)
                jobs.append(
                    pool.submit(
                        run_histories,
                        share,
                        self.options.seed,
                        self.source,
                        self.box,
                        self.tables,
                        self.scorers[t],
                        self.idles[t],
                        self.budgets[t],
                        self.stop,
                    )
                )
            wait(jobs)
        except KeyboardInterrupt:
            self.stop[0] = 1
            wait(jobs)
            raise
        for job in jobs:
            job.result()

    def _report(self, done: int, begun: float) -> None:
        wanted, elapsed = self.options.uncertainty, time.perf_counter() - begun
        total = self.batches * self.batch_size
        if wanted is not None and self.uncertainty > 0.0:
            needed = self.done * (self.uncertainty / wanted) ** 2
            total = min(total, max(done, FEWEST_BATCHES * self.batch_size, math.ceil(needed)))
        if self.options.progress is None or (elapsed - self.reported < 0.5 * PIECE_SECONDS and done < total):
            return
        self.reported = elapsed
        remaining = elapsed * (total - done) / max(done, 1)
        self.options.progress(Progress(done, total, elapsed, remaining, self.uncertainty))

    def _compile(self) -> None:
        """Run no histories: compiling, once per machine, must not enter the estimates of time."""
        nothing = (0, 1, 0, 1, 0, 0)
        work = self.source, self.box, self.tables, self.scorers[0], self.idles[0], self.budgets[0], self.stop
        run_histories(nothing, self.options.seed, *work)
