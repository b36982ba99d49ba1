"""Plans of photons: their checks, and that other engines refuse them."""

from dataclasses import replace

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.photon.photon_plan import PhotonPlan
from isodose.plan.ion_plan_writer import write_ion_plan
from isodose.plan.plan_check import check_plan


def test_keeps_its_kind_when_changed(fields, square) -> None:
    plan = fields(square(20.0))
    assert isinstance(plan.scaled(2.0), PhotonPlan)
    assert plan.scaled(2.0).particles == pytest.approx(2 * plan.particles)
    assert replace(plan, bixel_mm=10.0).bixel_mm == 10.0


@pytest.mark.parametrize(
    "wrong", [{"ion": "proton"}, {"bixel_mm": 0.1}, {"bixel_mm": np.nan}, {"beams": ()}, {"fractions": 0}]
)
def test_refuses(fields, square, wrong) -> None:
    with pytest.raises(InputError, match=f"plan.{next(iter(wrong))}"):
        replace(fields(square(20.0)), **wrong)


def test_no_machine_for_ions_delivers_it(fields, square) -> None:
    with pytest.raises(InputError, match="ion"):
        check_plan(fields(square(20.0)), machine("generic_proton"))


def test_it_is_not_written_as_an_ion_plan(fields, square, box, tmp_path) -> None:
    with pytest.raises(InputError, match=r"plan\.ion: found 'photon'"):
        write_ion_plan(fields(square(20.0)), tmp_path / "plan.dcm", box(np.zeros((4, 4, 4))))
    assert not list(tmp_path.iterdir())
