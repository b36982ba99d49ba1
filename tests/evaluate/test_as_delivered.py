"""Doses of fractions with an engine whose dose can be worked out from the spots."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.evaluate.as_delivered import accumulated, recalculate, spot_size_doses
from isodose.machine.machine_file import machine
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.volume import Volume
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer, TreatmentLog
from isodose.transport.engine import MonteCarlo

GRID = Grid((0, 0, 0), (1, 1, 1), (1, 1, 3))
BOX = Patient("box", Volume(GRID, np.zeros(GRID.shape)))


class Told:
    """Dose: particles / 1e6, mean x and spot size in three voxels."""

    calls = 0

    def compute(self, patient, plan, quantities):
        Told.calls += 1
        layer = plan.beams[0].layers[0]
        size = layer.spot_sigma_mm(machine(plan.machine))[0]
        values = [layer.spots.particles.sum() / 1e6, layer.spots.x_mm.mean(), size]
        return Dose(GRID, {q: np.array([[values]], np.float32) for q in quantities})


@pytest.fixture
def told(monkeypatch):
    points = [
        SimpleNamespace(name="told", load=lambda: Told),
        SimpleNamespace(name="montecarlo", load=lambda: MonteCarlo),
    ]
    monkeypatch.setattr("isodose.dose.engine.entry_points", lambda group: points)
    Told.calls = 0


def plan_of(*particles: float, energy: float = 150.0) -> Plan:
    spots = Spots(np.zeros(len(particles)), np.zeros(len(particles)), np.array(particles))
    beam = Beam("b", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(energy, spots),))
    return Plan("p", "proton", "generic_proton", (beam,), fractions=2)


def fraction(number: int, x: float, particles: float, sigma: float) -> LoggedFraction:
    layer = LoggedLayer(150.0, Spots([x], [0.0], [particles]), np.array([[sigma, sigma]]))
    return LoggedFraction(number, (LoggedBeam("b", (layer,)),))


def test_each_fraction_is_computed_as_delivered(told):
    log = TreatmentLog((fraction(2, 1.0, 1.2e6, 5.0), fraction(1, 0.5, 1.0e6, 3.0)))
    result = recalculate(BOX, plan_of(1e6), log, engine="told")
    assert result.numbers == (1, 2)
    assert result.fractions[0].volume().values.ravel() == pytest.approx([1.0, 0.5, 3.0])
    assert result.fractions[1].volume().values.ravel() == pytest.approx([1.2, 1.0, 5.0])
    assert result.accumulated.volume().values.ravel() == pytest.approx([1.1, 0.75, 4.0])


def test_the_whole_log_is_checked_before_the_first_dose(told):
    log = TreatmentLog((fraction(1, 0.0, 1e6, 3.0), fraction(2, 7.0, 1e6, 3.0)))
    with pytest.raises(InputError, match="fraction 2"):
        recalculate(BOX, plan_of(1e6), log, engine="told")
    assert Told.calls == 0
    assert len(recalculate(BOX, plan_of(1e6), log, engine="told", within_mm=8.0).fractions) == 2


def test_spot_sizes_of_ten_percent(told):
    sizes = [d.volume().values.ravel()[2] for d in spot_size_doses(BOX, plan_of(1e6), engine="told")]
    planned = machine("generic_proton").spot_sigma_mm(150.0)[0]
    assert sizes == pytest.approx([0.9 * planned, planned, 1.1 * planned], rel=1e-6)


def dose(level: float, letd: float, **more: object) -> Dose:
    def full(value: float) -> np.ndarray:
        return np.full(GRID.shape, value, np.float32)

    values = {Quantity.DOSE: full(level), Quantity.LETD: full(letd)}
    return Dose(GRID, values, {Quantity.DOSE: full(0.1 * level)}, **more)


def test_let_is_averaged_by_dose():
    mean = accumulated([dose(1.0, 2.0), dose(3.0, 6.0)])
    assert mean.values[Quantity.DOSE].ravel() == pytest.approx(2.0)
    assert mean.values[Quantity.LETD].ravel() == pytest.approx((1 * 2 + 3 * 6) / 4)
    assert mean.uncertainty[Quantity.DOSE].ravel() == pytest.approx(0.2)
    assert mean.provenance["accumulated_fractions"] == 2
    nothing = accumulated([dose(0.0, 0.0)] * 2)
    assert not nothing.values[Quantity.LETD].any()


def test_doses_must_match():
    with pytest.raises(InputError, match="doses: found none"):
        accumulated([])
    one = dose(1.0, 1.0)
    alone = replace(one, values={Quantity.DOSE: one.values[Quantity.DOSE]})
    with pytest.raises(InputError, match=r"doses\[1\]: found dose, expected dose, letd"):
        accumulated([one, alone])
    other = Grid((1, 0, 0), (1, 1, 1), (1, 1, 3))
    with pytest.raises(InputError, match=r"doses\[1\].grid"):
        accumulated([dose(1, 1), Dose(other, dose(1, 1).values)])


@pytest.mark.physics
def test_monte_carlo_widens_the_spot_by_the_factor(told):
    """Variances of the dose of one spot across thin water."""
    grid = Grid((-24.5, 0.5, -24.5), (1, 1, 1), (50, 4, 50))
    thin = Patient("thin water", Volume(grid, np.zeros(grid.shape)), calibration="phantom")
    narrow, wide = spot_size_doses(
        thin, plan_of(1e6), (0.5, 1.0), engine="montecarlo", histories=60_000, seed=2, threads=1
    )
    x, _, z = np.meshgrid(grid.axis_mm("x"), grid.axis_mm("y"), grid.axis_mm("z"), indexing="ij")
    size = machine("generic_proton").spot_sigma_mm(150.0)[0]
    variance = []
    for result in (narrow, wide):
        weight = result.volume().values.transpose(2, 1, 0).astype(np.float64)
        near = weight * (np.abs(x) < 15) * (np.abs(z) < 15)
        variance.append(float((near * x**2).sum() / near.sum()))
    # What voxels and scattering add is the same in both. 60,000 histories give the wide variance to 0.6 %,
    # the difference to 0.8 %: 3 % is four of them.
    assert variance[1] - variance[0] == pytest.approx(0.75 * size**2, rel=0.03)
