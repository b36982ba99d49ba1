"""DVHs against Eclipse's own tables for two public patients."""

from __future__ import annotations

from pathlib import Path

import pytest

from isodose.evaluate.dvh import dvh

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "eclipse_breast"

# Two structures do not reach every point. "Scar" is a sheet of skin some 4 mm thick that moves sideways from
# plane to plane; "Dose 5200[cGy]" is an isodose whose three outlines enclose two thirds of its 0.15 cm3.
EXCEPTIONS = {"Scar": 85.0, "Dose 5200[cGy]": 98.0}


@pytest.mark.physics
@pytest.mark.filterwarnings("ignore::isodose.errors.IsodoseWarning")
@pytest.mark.parametrize("patient", ["breast", "ent"])
def test_every_point_of_eclipse_is_met(patient, monkeypatch):
    if not DATA.is_dir():
        pytest.skip("the Eclipse patients are not beside the checkout")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import dvh_eclipse
    import eclipse_cases

    case = getattr(eclipse_cases, patient)()
    found = {
        name: dvh_eclipse.agreement(dvh(case.dose, case.structures[name]), curve, case.full_gy)
        for name, curve in case.curves.items()
    }
    missed = {n: a for n, a in found.items() if a.within < EXCEPTIONS.get(n, 100.0)}
    assert not missed
    assert len(found) == {"breast": 9, "ent": 16}[patient]
