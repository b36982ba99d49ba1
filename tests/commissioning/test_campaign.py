"""Campaigns: which energies, and files that are not made twice."""

from dataclasses import replace

import numpy as np
import pytest

from isodose.commissioning import campaign as module
from isodose.commissioning.campaign import Campaign
from isodose.errors import InputError
from isodose.machine.machine_file import machine
from isodose.plan.depth_dose import range_mm


def test_energies_lie_at_even_distances_in_range(tmp_path):
    energies = Campaign(machine("generic_proton"), tmp_path).energies_mev_u
    assert energies.size == 64
    assert energies[[0, -1]].tolist() == [70.0, 230.0]
    # Energies are rounded to 0.01 MeV, ranges of 330 mm grow by 2.5 mm per MeV.
    gaps = np.diff(range_mm("proton", energies))
    np.testing.assert_allclose(gaps, gaps.mean(), atol=0.03)


def test_a_campaign_resumes(tmp_path, low_energies, monkeypatch):
    small = Campaign(low_energies, tmp_path, energies=2, histories=100, seed=3)
    reports = []
    first = small.run(reports.append)
    assert [(r.done, r.total, r.unit) for r in reports] == [(1, 2, "energies"), (2, 2, "energies")]
    assert [s.energy_mev_u for s in first] == [70.0, 80.0]

    def refuse(*_):
        raise AssertionError("simulated again")

    monkeypatch.setattr(module, "simulate", refuse)
    again = small.run()
    np.testing.assert_array_equal(again[1].dose, first[1].dose)
    with pytest.raises(AssertionError, match="simulated again"):
        replace(small, seed=4).run()


def test_only_what_is_missing_is_simulated(tmp_path, low_energies, monkeypatch):
    small = Campaign(low_energies, tmp_path, energies=2, histories=100)
    small.run()
    lost = sorted(tmp_path.glob("*.npz"))[1]
    lost.unlink()
    made = []
    real = module.simulate
    monkeypatch.setattr(module, "simulate", lambda m, e, *rest: made.append(e) or real(m, e, *rest))
    small.run()
    assert made == [80.0]
    assert lost.exists()


@pytest.mark.parametrize("change", [{"seed": 1}, {"histories": 200}, {"machine": "spread"}])
def test_what_decides_the_content_is_in_the_name(tmp_path, low_energies, change):
    if change.get("machine"):
        optics = low_energies.optics
        wider = replace(optics, energy_spread_percent=optics.energy_spread_percent + 0.1)
        change = {"machine": replace(low_energies, optics=wider)}
    small = Campaign(low_energies, tmp_path, energies=2, histories=100)
    assert replace(small, **change)._path(0, 70.0) != small._path(0, 70.0)


@pytest.mark.parametrize(
    ("change", "says"), [({"energies": 1}, "energies"), ({"histories": 10}, "histories")]
)
def test_senseless_campaigns_are_refused(tmp_path, low_energies, change, says):
    with pytest.raises(InputError, match=says):
        Campaign(low_energies, tmp_path, **change)
