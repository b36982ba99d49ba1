"""Interrupting for real: SIGINT to a process that computes, a full disk under a checkpoint, and going on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.plan.plan import Layer, Spots
from isodose.transport.engine import MonteCarlo
from isodose.transport.run import BATCHES
from isodose.transport.statistics import BatchSums

HISTORIES = 150_000

COMPUTE = f"""
import sys
from pathlib import Path
import numpy as np
from isodose.dose.quantity import Quantity
from isodose.errors import IsodoseError
from isodose.patient.builtin import builtin_patient
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.transport.engine import MonteCarlo
resume, limit, checkpoint, out = sys.argv[1] == "resume", int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
patient = builtin_patient("water", 5.0, size_mm=(100.0, 200.0, 100.0))
beam = Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(120.0, Spots([0.0], [0.0], [1e8])),))
plan = Plan("p", "proton", "generic_proton", (beam,))
engine = MonteCarlo(
    {HISTORIES}, seed=3, threads=1, checkpoint=checkpoint, resume=resume,
    progress=lambda p: print(p.done, flush=True),
)
if limit:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    dose = engine.compute(patient, plan, (Quantity.DOSE, Quantity.LETD))
except IsodoseError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
np.savez(
    out, dose=dose.values[Quantity.DOSE], letd=dose.values[Quantity.LETD],
    error=dose.uncertainty[Quantity.DOSE], partial=dose.provenance["partial"],
    histories=dose.provenance["histories"], energy=dose.provenance["mean_energy_mev_per_primary"]["source"],
)
"""


@pytest.fixture(autouse=True)
def listening():
    """A shell that starts tests in the background has them ignore SIGINT, and so would their children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(folder: Path, out: str, resume: bool = False, limit: int = 0) -> subprocess.Popen[str]:
    arguments = ["resume" if resume else "new", str(limit), str(folder / "checkpoint.npz"), str(folder / out)]
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", COMPUTE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def interrupted(process: subprocess.Popen[str]) -> str:
    """Send SIGINT once a quarter of the histories is done; what the process said."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) > HISTORIES // 4:
            break
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=60)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_sigint_and_resume_give_the_uninterrupted_result(tmp_path):
    whole = started(tmp_path, "whole.npz")
    assert whole.wait(timeout=120) == 0, whole.communicate()[1]
    assert not (tmp_path / "checkpoint.npz").exists()

    first = started(tmp_path, "first.npz")
    said = interrupted(first)
    assert first.returncode == 0, said
    part = np.load(tmp_path / "first.npz")
    assert part["partial"]
    assert 0 < part["histories"] < HISTORIES
    saved = (tmp_path / "checkpoint.npz").read_bytes()

    full = started(tmp_path, "none.npz", resume=True, limit=10_000)
    said = interrupted(full)
    assert full.returncode == 1
    assert "OutputError" in said
    assert "checkpoint.npz: could not be written" in said
    assert (tmp_path / "checkpoint.npz").read_bytes() == saved
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.npz", "first.npz", "whole.npz"]

    rest = started(tmp_path, "rest.npz", resume=True)
    assert rest.wait(timeout=120) == 0, rest.communicate()[1]
    with np.load(tmp_path / "whole.npz") as expected, np.load(tmp_path / "rest.npz") as found:
        assert not found["partial"]
        assert found["histories"] == expected["histories"]
        # equal but for the order of sums; the uncertainty is a difference of such sums, in float32
        np.testing.assert_allclose(found["dose"], expected["dose"], rtol=1e-6)
        np.testing.assert_allclose(found["letd"], expected["letd"], rtol=1e-5)
        np.testing.assert_allclose(
            found["error"], expected["error"], rtol=1e-3, atol=1e-3 * expected["error"].max()
        )
        assert found["energy"] == pytest.approx(expected["energy"], rel=1e-12)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_a_batch_counts_as_a_whole_or_not_at_all(tmp_path, monkeypatch, proton_machine, patient_of, plan_of):
    patient, plan = patient_of(), plan_of()
    whole = MonteCarlo(640, machine=proton_machine).compute(patient, plan)
    take = BatchSums.take

    def take_interrupted(self, *arguments):
        if self.batches == 5:
            os.kill(os.getpid(), signal.SIGINT)
        take(self, *arguments)

    checkpoint = tmp_path / "checkpoint.npz"
    with monkeypatch.context() as patch:
        patch.setattr(BatchSums, "take", take_interrupted)
        part = MonteCarlo(640, machine=proton_machine, checkpoint=checkpoint).compute(patient, plan)
    assert part.provenance["partial"] is True
    assert part.provenance["histories"] == 6 * 640 // BATCHES
    # the energy of the source is that of the finished batches, no more
    assert part.provenance["mean_energy_mev_per_primary"]["source"] == pytest.approx(100.0)
    rest = MonteCarlo(640, machine=proton_machine, checkpoint=checkpoint, resume=True).compute(patient, plan)
    assert rest.values[Quantity.DOSE] == pytest.approx(whole.values[Quantity.DOSE], rel=1e-6)


def interrupt_late(progress):
    if progress.done > progress.total // 2:
        raise KeyboardInterrupt


def test_checkpoint_tells_apart_plans_that_differ_in_one_of_many_spots(
    tmp_path, proton_machine, patient_of, plan_of
):
    checkpoint, patient = tmp_path / "checkpoint.npz", patient_of()
    plan = plan_of(spots=tuple((0.001 * k, 0.0, 1.0) for k in range(2000)))
    options = {"machine": proton_machine, "checkpoint": checkpoint}
    MonteCarlo(64, progress=interrupt_late, **options).compute(patient, plan)
    x = plan.beams[0].layers[0].spots.x_mm.copy()
    x[1000] += 5.0
    layer = Layer(100.0, Spots(x, np.zeros(2000), np.ones(2000)))
    moved = replace(plan, beams=(replace(plan.beams[0], layers=(layer,)),))
    with pytest.raises(InputError, match="another computation"):
        MonteCarlo(64, resume=True, **options).compute(patient, moved)


def test_checkpoint_tells_apart_energy_bins(tmp_path, proton_machine, patient_of, plan_of):
    checkpoint, patient = tmp_path / "checkpoint.npz", patient_of()
    options = {"machine": proton_machine, "checkpoint": checkpoint}
    quantities = (Quantity.DOSE, Quantity.TRACK_LENGTH)
    MonteCarlo(64, progress=interrupt_late, **options).compute(patient, plan_of(), quantities)
    other = MonteCarlo(64, resume=True, energy_edges_mev=np.array([1.0, 10.0, 100.0]), **options)
    with pytest.raises(InputError, match="another computation"):
        other.compute(patient, plan_of(), quantities)
