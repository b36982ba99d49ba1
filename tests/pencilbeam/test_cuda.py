"""The kernels of the CUDA device in numba's simulator, on a field of a few hundred cells."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numba import cuda

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.pencilbeam import cuda as on_device
from isodose.pencilbeam.beam_dose import HostSums
from isodose.pencilbeam.beam_view import BeamView, view_beam
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.resolution import Resolution

SIMULATE = """
import pickle, sys
import numpy as np
from isodose.pencilbeam import cuda
cuda._BLOCK, cuda._LINE = (8, 2), 16  # a thread of the simulator is a thread of Python
views, grid, inside = pickle.load(open(sys.argv[1], "rb"))
sums = cuda.DeviceSums(2, grid, inside)
for view, room in views:
    cuda._BATCH_BYTES = room
    sums.add(view)
np.save(sys.argv[2], sums.volumes())
"""


@pytest.fixture(scope="module")
def views(toy, box, spot_plan) -> list[BeamView]:
    """Two beams on 16 x 16 rays and a few planes, whose wider widths lie on a coarser lattice.

    Which widths do is the ladder's choice and no concern of the kernels; a field of so few cells has none.
    """
    hu = np.zeros((6, 6, 6))
    hu[:, 1:3, :3] = 1525.0
    patient = box(hu, 4.0)
    spread = replace(toy, optics=replace(toy.optics, divergence_rad=np.full((4, 2), 0.08)))
    anatomy = PencilBeam(machine=spread, threads=1).anatomy(patient)
    fine = Resolution(4.0, 10.0, 4.0, ratio=1.8, gaussians=1)
    made = []
    for gantry in (20.0, 90.0):
        beam = spot_plan(50.0, 55.0, spots=((1.0, -2.0, 1e6), (-3.0, 2.0, 2e6)), gantry=gantry).beams[0]
        layers = tuple(replace(layer, sigma_mm=(2.5, 3.0)) for layer in beam.layers)
        view = view_beam(replace(beam, layers=layers), spread, anatomy, fine, (None,), 1)
        level = (np.arange(view.superposition.level.size) >= 1).astype(np.int64)
        cells = [(view.fan.shape[0] >> lv) * (view.fan.shape[1] >> lv) for lv in level]
        offsets = np.concatenate([[0], np.cumsum(cells)]).astype(np.int64)
        made.append(replace(view, superposition=view.superposition._replace(level=level, offsets=offsets)))
    return made


def test_agrees_with_the_cpu(views: list[BeamView], tmp_path: Path) -> None:
    grid = Grid((-10.0, -9.0, -10.0), (4.0, 5.0, 4.0), (6, 4, 6))
    inside = np.ones(grid.shape, dtype=np.bool_)
    inside[2, 3] = False
    assert max(len(view.stations) for view in views) > 1
    host = HostSums(2, grid, inside, 1)
    for view in views:
        host.add(view)
    # Room for all planes of a beam at once, and for two at a time.
    per_plane = 4 * 2 * (int(views[1].superposition.offsets[-1]) + 2 * 16 * 16)
    task, result = tmp_path / "task.pkl", tmp_path / "sums.npy"
    task.write_bytes(pickle.dumps(([(views[0], 2**28), (views[1], 2 * per_plane)], grid, inside)))
    simulator = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", SIMULATE, str(task), str(result)]
    subprocess.run(command, check=True, env=os.environ | simulator)
    expected = host.volumes()
    assert (expected[0] > 0.1 * expected[0].max()).sum() > 20
    for one, other in zip(np.load(result), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * other.max())


class _OnHost(HostSums):
    def __init__(self, channels: int, grid: Grid, inside: np.ndarray) -> None:
        super().__init__(channels, grid, inside, 1)


def test_the_engine_sums_up_on_the_device(monkeypatch, toy, mixed, spot_plan) -> None:
    monkeypatch.setattr(on_device, "DeviceSums", _OnHost)
    plan = spot_plan(60.0)
    one, two = (PencilBeam(machine=toy, device=d, threads=1).compute(mixed, plan) for d in ("cpu", "cuda"))
    assert [d.provenance["device"] for d in (one, two)] == ["cpu", "cuda"]
    for quantity, values in one.values.items():
        np.testing.assert_allclose(two.values[quantity], values, atol=1e-6 * values.max())


@pytest.mark.skipif(cuda.is_available(), reason="there is a CUDA device")
def test_says_what_is_missing_without_a_device(toy, mixed, spot_plan) -> None:
    with pytest.raises(
        InputError, match=r"device: found 'cuda' without a usable CUDA device \(.+\), expected"
    ):
        PencilBeam(machine=toy, device="cuda").compute(mixed, spot_plan(60.0))


def test_other_devices_are_refused(toy) -> None:
    with pytest.raises(InputError, match="device: found 'tpu', expected 'cpu' or 'cuda'"):
        PencilBeam(machine=toy, device="tpu")
