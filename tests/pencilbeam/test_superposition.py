"""The kernel against the sum that it stands for: a Gaussian for every ray, layer and part of a profile."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from isodose.pencilbeam.beam_view import BeamView, view_beam
from isodose.pencilbeam.engine import PencilBeam
from isodose.pencilbeam.gaussian_taps import half_kernels
from isodose.pencilbeam.layer_tables import AMPLITUDE, FIRST_CHANNEL, GAIN, STEP_MM, VARIANCE
from isodose.pencilbeam.superposition import active_layers, adjoint, forward

SPOTS = ((-6.0, 2.0, 1e6), (5.0, -4.0, 2e6), (1.0, 7.0, 5e5))


@pytest.fixture(scope="module")
def view_at(toy, mixed, spot_plan) -> Callable[[float], BeamView]:
    engine = PencilBeam(machine=toy, threads=1)
    beam = spot_plan(60.0, 80.0, spots=SPOTS, gantry=20.0).beams[0]
    resolution = engine.resolution(beam, toy, mixed.grid)

    @cache
    def made(ratio: float) -> BeamView:
        return view_beam(beam, toy, engine.anatomy(mixed), replace(resolution, ratio=ratio), (None,), 1)

    return made


@pytest.fixture(scope="module")
def view(view_at) -> BeamView:
    return view_at(1.2)


def dose_of(view: BeamView, fluence: np.ndarray, begin: int = 0, end: int | None = None) -> np.ndarray:
    out = np.zeros((2, view.fan.planes, *view.fan.shape), dtype=np.float32)
    active = active_layers(fluence)
    forward(view.superposition, fluence, active, out, begin, view.fan.planes if end is None else end)
    return out


def summed(view: BeamView, fluence: np.ndarray, plane: int) -> np.ndarray:
    """Dose and LETd times dose of a plane by Gaussians of each variance, one after the other."""
    s, fan = view.superposition, view.fan
    w = fan.plane_mm[plane]
    cells = [fan.spacing_mm * (1.0 + w / d) for d in fan.source_distance_mm]
    out = np.zeros((2, *fan.shape))
    for ray in range(view.rays.size):
        at = s.depth[plane, ray] / STEP_MM
        row = int(at)
        if row + 1 >= s.table.shape[0]:
            continue
        table = s.table[row] + (at - row) * (s.table[row + 1].astype(float) - s.table[row])
        v, u = divmod(int(view.rays[ray]), fan.shape[1])
        for layer in np.flatnonzero(fluence[ray]):
            excess = s.excess[plane, ray, s.node[layer]]
            for entry in table[layer]:
                variance = max(entry[VARIANCE] + entry[GAIN] * excess + s.air[plane, layer], 0.0)
                parts = [
                    half_kernels(np.array(variance / c**2), n)[abs(np.arange(n) - i)]
                    for n, i, c in zip(fan.shape[::-1], (u, v), cells, strict=True)
                ]
                dose = fluence[ray, layer] * entry[AMPLITUDE] * np.outer(parts[1], parts[0])
                out[0] += dose
                out[1] += entry[FIRST_CHANNEL] * dose
    # MeV cm2/g per particle over mm2: 1.602e-10 Gy g/MeV, and 100 mm2 in a cm2.
    return out * 1.602177e-8 / (cells[0] * cells[1])


@pytest.mark.parametrize(("ratio", "error"), [(1.2, 0.01), (1.05, 0.005)])
@pytest.mark.parametrize("part", [0.15, 0.5, 0.8])
def test_every_plane_is_the_sum_of_its_gaussians(view_at, part: float, ratio: float, error: float) -> None:
    """Two rungs stand for the widths between them, which tells most where rays beside each other differ.

    Single cells near the end of the range are off by up to 1 %, less with more rungs; the plane as a whole by
    a tenth of that.
    """
    view = view_at(ratio)
    plane = int(part * view.fan.planes)
    found = np.zeros((2, view.fan.planes, *view.fan.shape), dtype=np.float32)
    for station in view.stations:
        found += dose_of(view, view.fluence(station), station.begin, station.end)
        if station.begin <= plane < station.end:
            fluence = view.fluence(station)
    highest = found.max(axis=(1, 2, 3))
    expected = summed(view, fluence, plane)
    for one, other, most in zip(found[:, plane].astype(float), expected, highest, strict=True):
        assert other.max() > 0.05 * most
        np.testing.assert_allclose(one, other, atol=error * most)
        assert np.sqrt(np.mean((one - other) ** 2)) < 0.1 * error * most
        assert one.sum() == pytest.approx(other.sum(), rel=2e-3)


def test_layers_without_particles_are_not_looked_at() -> None:
    fluence = np.array([[0, 0, 0], [0, 1, 0], [2, 0, 3], [0, 0, 4]], dtype=np.float32)
    assert active_layers(fluence).tolist() == [[0, 0], [1, 2], [0, 3], [2, 3]]


def test_planes_do_not_depend_on_how_they_are_shared_out(view: BeamView) -> None:
    fluence = view.fluence(view.stations[0])
    whole = dose_of(view, fluence)
    middle = view.fan.planes // 2
    parts = dose_of(view, fluence, 0, middle) + dose_of(view, fluence, middle)
    # The last bit may differ, as loops are vectorised or not by how arrays lie in the memory.
    np.testing.assert_allclose(whole, parts, atol=1e-6 * whole.max())


def test_adjoint(view: BeamView) -> None:
    rng = np.random.default_rng(8)
    fluence = view.fluence(view.stations[0]) * rng.random((view.rays.size, 2), dtype=np.float32)
    image = rng.standard_normal((2, view.fan.planes, *view.fan.shape)).astype(np.float32)
    seen = np.zeros_like(fluence)
    adjoint(view.superposition, image, active_layers(fluence), seen, 0, view.fan.planes)
    there = np.vdot(dose_of(view, fluence).astype(float), image)
    # float32 sums over some 30,000 cells of both signs
    assert np.vdot(fluence.astype(float), seen) == pytest.approx(there, rel=1e-4)
