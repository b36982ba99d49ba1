"""Sums over track length times a response, against dose: what is proportional to it must come out as it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isodose.dose.quantity import Quantity
from isodose.patient.volume import Volume
from isodose.transport.engine import MonteCarlo
from isodose.transport.track_response import response_per_dose

_AS_DOSE = Quantity.CLUSTER_F1


@pytest.mark.physics
@pytest.mark.parametrize(("ion", "energy"), [("proton", 70.0), ("carbon", 120.0)])
def test_a_constant_per_dose_is_the_dose(ion, energy, machine_of, patient_of, plan_of):
    # Three per Gy to water, through bone and lung, to rest in them: not one voxel may get more or less.
    water = patient_of((8, 24, 8), (4.0, 2.0, 4.0))
    hu = water.ct.values.copy()
    hu[:, 3:6, :4], hu[:, 3:8, 4:], hu[:, 12:] = 1525.0, -740.0, 1525.0
    patient = replace(water, ct=Volume(water.grid, hu))
    response = response_per_dose(lambda _, e: np.full(e.shape, 3.0))
    engine = MonteCarlo(500, machine=machine_of(ion, energy), responses={_AS_DOSE: response}, threads=1)
    asked = (Quantity.DOSE, Quantity.DOSE_TO_WATER, _AS_DOSE)
    dose = engine.compute(patient, plan_of(ion, energy), asked)
    water_dose = dose.values[Quantity.DOSE_TO_WATER].sum(axis=(0, 2), dtype=float)
    found = dose.values[_AS_DOSE].sum(axis=(0, 2), dtype=float) / 3.0
    # Less what nuclear reactions deposit on the spot.
    assert found.sum() == pytest.approx(water_dose.sum(), rel=0.01)
    assert np.all(np.abs(found - water_dose) < 0.02 * water_dose.max())
    sigma, error = dose.uncertainty[Quantity.DOSE_TO_WATER], dose.uncertainty[_AS_DOSE]
    assert error.sum() / 3.0 == pytest.approx(sigma.sum(), rel=0.03)


def test_only_what_is_asked_for_is_scored(proton_machine, patient_of, plan_of):
    response = response_per_dose(lambda _, e: np.ones(e.shape))
    engine = MonteCarlo(40, machine=proton_machine, responses={_AS_DOSE: response}, threads=1)
    patient = patient_of((3, 10, 3))
    assert set(engine.compute(patient, plan_of()).values) == {Quantity.DOSE}
    both = engine.compute(patient, plan_of(), (Quantity.LETD, _AS_DOSE)).values
    assert set(both) == {Quantity.DOSE, Quantity.LETD, _AS_DOSE}
    alone = MonteCarlo(40, machine=proton_machine, threads=1).compute(patient, plan_of())
    np.testing.assert_array_equal(both[Quantity.DOSE], alone.values[Quantity.DOSE])
