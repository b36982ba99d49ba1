"""Scenarios: which there are, and what they do to plan and engine."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.optimise.scenarios import (
    NOMINAL,
    Scenario,
    check_shifts,
    engine_of,
    scenario_influences,
    scenario_set,
    shifted,
)
from isodose.patient.builtin import builtin_patient
from isodose.pencilbeam.engine import PencilBeam
from isodose.plan.plan import Beam, Layer, Plan, Spots

BEAM = Beam("1", 0.0, 0.0, (1.0, 2.0, 3.0), (Layer(100.0, Spots([0.0], [0.0], [1.0])),))
PLAN = Plan("p", "proton", "generic_proton", (BEAM,))


@pytest.mark.parametrize("count", [1, 9, 21])
def test_sets_have_as_many_as_asked_for_and_each_once(count):
    found = scenario_set(count, 3.0, 3.5)
    assert len(found) == count
    assert found[0] == NOMINAL
    assert len({(s.shift_mm, s.range_percent) for s in found}) == count
    assert len({s.name for s in found}) == count
    # Errors to both sides cancel.
    assert np.allclose(np.sum([s.shift_mm for s in found], axis=0), 0.0)
    assert sum(s.range_percent for s in found) == pytest.approx(0.0)


def test_nine_have_one_error_each_and_21_combine_two():
    errors = [(np.count_nonzero(s.shift_mm), s.range_percent != 0.0) for s in scenario_set(9)[1:]]
    assert sorted(errors) == [(0, True)] * 2 + [(1, False)] * 6
    both = [s for s in scenario_set(21) if any(s.shift_mm) and s.range_percent]
    assert len(both) == 12
    assert all(np.linalg.norm(s.shift_mm) == 3.0 and abs(s.range_percent) == 3.5 for s in both)


@pytest.mark.parametrize("wrong", [{"count": 5}, {"setup_mm": 0.0}, {"range_percent": 60.0}])
def test_sets_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        scenario_set(**({"count": 9} | wrong))


def test_shifts_displace_isocentres():
    moved = shifted(PLAN, Scenario("x", (3.0, 0.0, -1.0)))
    assert moved.beams[0].isocentre_mm == (4.0, 2.0, 2.0)
    assert moved.beams[0].layers == BEAM.layers


def test_range_errors_scale_stopping_powers_and_nothing_else():
    patient = builtin_patient("pelvis", spacing_mm=12.0)
    engine = PencilBeam(6.0, threads=1)
    nominal, off = (
        engine.anatomy(patient),
        engine_of(engine, Scenario("r", range_percent=3.5)).anatomy(patient),
    )
    np.testing.assert_allclose(off.media.stopping, 1.035 * nominal.media.stopping, rtol=1e-6)
    assert np.array_equal(off.media.dose_factor, nominal.media.dose_factor)
    assert np.array_equal(off.media.scattering, nominal.media.scattering)
    assert np.array_equal(off.rows, nominal.rows)
    assert engine_of(engine, NOMINAL) is engine
    assert engine_of(engine, Scenario("r", range_percent=3.5)).grid(patient) == engine.grid(patient)


@dataclass
class _Recorder:
    """Stands for an engine and notes what it is asked for."""

    asked: list = field(default_factory=list)

    def influence(self, patient, plan, quantities, mask):
        self.asked.append((plan.beams[0].isocentre_mm, None if mask is None else int(mask.sum())))
        return len(self.asked)


def test_matrices_come_one_by_one_and_robust_ones_are_smaller():
    engine = _Recorder()
    wide, narrow = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    narrow[0] = True
    shifts = [s for s in scenario_set(9) if not s.range_percent]
    matrices = scenario_influences(engine, None, PLAN, shifts, mask=wide, robust_mask=narrow)
    assert not engine.asked
    assert next(matrices) == 1
    assert len(engine.asked) == 1
    assert list(matrices) == [2, 3, 4, 5, 6, 7]
    assert [n for _, n in engine.asked] == [8] + [4] * 6
    assert engine.asked[1][0] == (4.0, 2.0, 3.0)


def test_shifts_that_leave_the_ct_are_refused_with_the_largest_that_do_not():
    patient = builtin_patient("pelvis", spacing_mm=12.0)
    target = patient.structure("CTV")
    check_shifts(scenario_set(21, 10.0), target, patient)
    check_shifts([Scenario("range", range_percent=20.0)], target, patient)
    upper = target.grid.position_mm(np.argwhere(target.mask).max(axis=0))
    room = float((patient.grid.upper_mm - upper)[2])
    check_shifts([Scenario("z", (0.0, 0.0, room - 0.1))], target, patient)
    with pytest.raises(
        InputError, match=rf"far, .*'CTV' 2 mm off the CT.*at most {room:.3g} mm along z"
    ) as e:
        check_shifts([NOMINAL, Scenario("far", (0.0, 0.0, room + 2.0))], target, patient)
    assert e.value.field == "scenarios.setup_mm"
