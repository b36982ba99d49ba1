"""A beam that a monitor scatters in part: both engines agree, with it and without."""

from dataclasses import replace

import numpy as np
import pytest

from isodose.dose.quantity import Quantity
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine
from isodose.machine.nozzle import Monitor
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.pencilbeam.beam_view import view_beam
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.transport.engine import MonteCarlo

ENERGY, HISTORIES = 100.0, 20_000
SHAPE, SPACING_MM = (100, 44, 100), 2.0
WATER_MM = 4.0


def water() -> Patient:
    """Surface at y = 0."""
    origin = (-(SHAPE[2] - 1) * SPACING_MM / 2, SPACING_MM / 2, -(SHAPE[0] - 1) * SPACING_MM / 2)
    grid = Grid(origin, (SPACING_MM,) * 3, SHAPE)
    return Patient("water", Volume(grid, np.zeros(SHAPE, np.float32)), calibration="phantom")


def strong() -> Machine:
    """Half of the beam scattered by more than the spot is wide, and four millimetres of water behind."""
    wires = Monitor(0.5, 1100.0, WATER_MM, np.full(9, 0.010))
    return replace(machine("proton_monitor"), monitor=wires)


def doses(of: Machine) -> list[np.ndarray]:
    spots = Spots(np.zeros(1), np.zeros(1), np.full(1, 1e6))
    beam = Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(ENERGY, spots),))
    plan, patient = Plan("p", "proton", of.name, (beam,)), water()
    engines = (PencilBeam(machine=of, threads=1), MonteCarlo(HISTORIES, machine=of, threads=1, seed=11))
    return [engine.compute(patient, plan).values[Quantity.DOSE].astype(np.float64) for engine in engines]


def variance(dose: np.ndarray, rows: slice) -> float:
    """Of the lateral profile over some depths, within 60 mm, where nearly all primaries are."""
    x = SPACING_MM * (np.arange(SHAPE[2]) - (SHAPE[2] - 1) / 2)
    profile = dose[:, rows].sum(axis=(0, 1)) * (np.abs(x) < 60.0)
    return float(profile @ x**2 / profile.sum())


@pytest.mark.physics
def test_engines_agree_on_a_scattered_part() -> None:
    with_wires, without = doses(strong()), doses(replace(strong(), monitor=None))
    entrance = slice(0, 20)
    grown = [variance(a, entrance) - variance(b, entrance) for a, b in zip(with_wires, without, strict=True)]
    # Half the particles gain (10 mrad x 1120 mm on average)^2; the halves' dose is the same within 2 %.
    assert grown[0] == pytest.approx(0.5 * (0.010 * 1120.0) ** 2, rel=0.02)
    # 20,000 histories leave sqrt(2 / 10,000) of the scattered variance: 1.4 %, and what is cut off at 60 mm.
    assert grown[1] == pytest.approx(grown[0], rel=0.05)
    for pencil_beam, monte_carlo in (with_wires, without):
        # Both lose the same halo out of the box; neutral particles make the rest.
        assert pencil_beam.sum() == pytest.approx(monte_carlo.sum(), rel=0.01)
        profile = [
            d[:, entrance].sum(axis=(0, 1)).reshape(-1, 5).sum(axis=1) for d in (pencil_beam, monte_carlo)
        ]
        # Bins of 10 mm: the least of them within 40 mm holds 1,000 of 20,000 histories, 3 % to one deviation.
        middle = slice(6, 14)
        np.testing.assert_allclose(profile[0][middle], profile[1][middle], atol=0.02 * max(profile[1]))
    # What the wires take is missing: the mean energy of half the particles is that of 4 mm of water less.
    lost = [1.0 - a.sum() / b.sum() for a, b in zip(with_wires, without, strict=True)]
    assert lost[0] == pytest.approx(0.5 * WATER_MM * 0.73 / ENERGY, rel=0.1)  # 7.3 MeV/cm: PSTAR at 100 MeV
    assert lost[1] == pytest.approx(lost[0], abs=0.004)
    # Their range is 4 mm shorter.
    for dose, plain in zip(with_wires, without, strict=True):
        # At 79 mm, 2 mm behind the range, only the pristine half gives dose; both straggle by 1 mm and more.
        behind = [d.sum(axis=(0, 2))[39] for d in (dose, plain)]
        assert behind[0] == pytest.approx(0.5 * behind[1], rel=0.1)


def test_parts_add_up_and_the_adjoint_knows_them() -> None:
    engine = PencilBeam(machine=strong(), threads=1)
    spots = Spots(np.array([-5.0, 4.0]), np.array([0.0, 7.0]), np.array([1e6, 3e6]))
    beam = Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(ENERGY, spots), Layer(120.0, spots)))
    patient = water()
    view = view_beam(
        beam, strong(), engine.anatomy(patient), engine.resolution(beam, strong(), patient.grid), (), 1
    )
    # By range: scattered and pristine of 100, then of 120 MeV.
    assert (view.order, view.part) == ((0, 0, 1, 1), (0.5, 0.5, 0.5, 0.5))
    assert view.optics[0].sigma_mm[0] > 2.0 * view.optics[1].sigma_mm[0]
    rng = np.random.default_rng(1)
    for station in view.stations:
        fluence = view.fluence(station)
        assert fluence.sum() == pytest.approx(beam.particles, rel=1e-4)
        seen = rng.random(fluence.shape, dtype=np.float32)
        backwards = sum(
            s @ layer.spots.particles
            for s, layer in zip(view.seen_by_spots(station, seen), beam.layers, strict=True)
        )
        assert backwards == pytest.approx(float(np.sum(seen * fluence, dtype=np.float64)), rel=1e-5)
