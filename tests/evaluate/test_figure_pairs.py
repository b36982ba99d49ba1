"""Figures of two doses side by side, and the uncertainty of one."""

from __future__ import annotations

import numpy as np
import pytest

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.evaluate.figure_pairs import depth_figures, dvh_figures
from isodose.evaluate.uncertainty import relative_uncertainty
from isodose.patient.grid import Grid
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

GRID = Grid((0, 0, 0), (2, 1, 2), (6, 100, 6))


def beam(range_mm):
    depth = GRID.axis_mm("y") + 0.5
    curve = np.interp(depth, [0, range_mm, range_mm + 4], [1.0, 4.0, 0.0])
    return Volume(GRID, np.broadcast_to(curve[None, :, None], GRID.shape))


def test_a_longer_range_shows_in_the_depth_figures():
    pairs = {p.name: p for p in depth_figures(beam(60.5), beam(62.5), "y")}
    assert pairs["R80"].difference == pytest.approx(2.0, abs=1e-3)
    assert pairs["DFO80/20"].difference == pytest.approx(0.0, abs=1e-3)
    assert pairs["R80"].reference == pytest.approx(60.5 + 0.8, abs=1e-3)


def test_a_scaled_dose_shows_in_the_structures():
    occupancy = np.zeros(GRID.shape)
    occupancy[2:4, 40:60, 2:4] = 1
    structures = [
        Structure("block", Role.PTV, GRID, occupancy),
        Structure("nothing", Role.ORGAN, GRID, np.zeros(GRID.shape)),
    ]
    a = beam(80.5)
    pairs = dvh_figures(a, Volume(GRID, 1.1 * a.values), structures)
    assert {p.subject for p in pairs} == {"block"}
    for pair in pairs:
        assert pair.evaluation == pytest.approx(1.1 * pair.reference, rel=1e-5)
        assert pair.difference > 0


def test_uncertainty_of_the_high_dose_region():
    values = np.full(GRID.shape, 0.1, np.float32)
    values[:, 50:, :] = 2.0
    # 2 % where the dose is high, 50 % elsewhere
    spread = np.where(values > 1, 0.02 * values, 0.5 * values).astype(np.float32)
    dose = Dose(GRID, {Quantity.DOSE: values}, {Quantity.DOSE: spread})
    assert relative_uncertainty(dose) == pytest.approx(0.02, rel=1e-5)
    with pytest.raises(InputError, match="letd"):
        relative_uncertainty(dose, Quantity.LETD)
