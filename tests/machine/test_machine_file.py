"""Machines: the built-in ones, and what a wrong file is told."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.machine.machine import Machine
from isodose.machine.machine_file import machine, machine_names, read_machine

GOOD = {
    "name": "mine",
    "ion": "proton",
    "energy_mev_u": {"minimum": 100, "maximum": 200, "available": [100, 150, 200]},
    "source_distance_mm": [2000, 2500],
    "nozzle_distance_mm": 400,
    "optics": [
        {
            "energy_mev_u": e,
            "sigma_mm": [s, s + 1],
            "divergence_rad": [0.001, 0.002],
            "energy_spread_percent": 1.0,
            "particles_per_mu": 1e8,
        }
        for e, s in ((100, 5.0), (200, 3.0))
    ],
    "range_shifters": [{"name": "RS", "thickness_mm": 40, "material": "lexan", "distance_mm": 300}],
}


def file_with(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


@pytest.mark.parametrize("name", ["generic_proton", "generic_helium", "generic_carbon", "generic_oxygen"])
def test_built_in_machines(name: str) -> None:
    found = machine(name)
    assert name in machine_names()
    assert (found.name, found.ion) == (name, name.removeprefix("generic_"))
    assert "eneric" in found.description
    low, high = found.energy_range_mev_u
    energies = np.linspace(low, high, 30)
    sigma = np.array([found.spot_sigma_mm(e)[0] for e in energies])
    assert np.all(np.diff(sigma) < 0)
    assert sigma.max() < 8
    assert sigma.min() >= 1.5
    # Faster particles ionise the monitor less.
    assert np.all(np.diff([found.particles_per_mu(e) for e in energies]) > 0)
    assert found.source_distance_mm[0] > found.nozzle_distance_mm > found.shifters[0].distance_mm


def test_interpolation_and_axes(tmp_path: Path) -> None:
    mine = machine(str(file_with(tmp_path, energy_mev_u={"minimum": 100, "maximum": 200})))
    assert mine.spot_sigma_mm(150) == (4.0, 5.0)
    assert mine.divergence_rad(120) == (0.001, 0.002)
    assert mine.correlation(120) == (0.0, 0.0)
    assert mine.energy_spread_percent(111) == 1.0
    assert mine.nearest_energy_mev_u(133.3) == 133.3


@pytest.mark.parametrize("energy", [99.9, 200.1, float("nan")])
def test_energies_off_the_table_are_refused(tmp_path: Path, energy: float) -> None:
    mine = read_machine(file_with(tmp_path))
    for ask in (mine.spot_sigma_mm, mine.energy_spread_percent, mine.particles_per_mu, mine.divergence_rad):
        with pytest.raises(InputError, match="100 to 200 MeV/u of machine 'mine'"):
            ask(energy)


def test_energies_between_listed_ones_are_refused(tmp_path: Path) -> None:
    mine = read_machine(file_with(tmp_path))
    mine.check_energy(150.0005)
    assert mine.nearest_energy_mev_u(170) == 150
    with pytest.raises(InputError, match=r"beams\[1\].*nearest is 150"):
        mine.check_energy(151, "beams[1]")


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"ionn": "proton"}, "ionn", "did you mean 'ion'"),
        ({"ion": "muon"}, "ion", "'proton', 'helium', 'carbon' or 'oxygen'"),
        ({"nozzle_distance_mm": -1}, "nozzle_distance_mm", "greater than 0"),
        ({"nozzle_distance_mm": True}, "nozzle_distance_mm", "not true or false"),
        ({"source_distance_mm": [2000]}, "source_distance_mm[1]", "a value"),
        ({"energy_mev_u": {"minimum": 200, "maximum": 100}}, "energy_mev_u.maximum", "no less than"),
        ({"energy_mev_u": {"minimum": 50, "maximum": 200}}, "optics", "rows from 50 to 200"),
        (
            {"energy_mev_u": {"minimum": 100, "maximum": 200, "available": [100, 210]}},
            "energy_mev_u.available[1]",
            "from 100 to 200",
        ),
        ({"optics": GOOD["optics"][::-1]}, "optics[1].energy_mev_u", "ascending"),
        (
            {"optics": [{**GOOD["optics"][0], "sigma_mm": [0, 1]}, GOOD["optics"][1]]},
            "optics[0].sigma_mm[0]",
            "greater",
        ),
        (
            {"range_shifters": [{**GOOD["range_shifters"][0], "material": "wood"}]},
            "range_shifters[0].material",
            "one of water",
        ),
    ],
)
def test_wrong_files_are_told_where(tmp_path: Path, changes: dict, field: str, text: str) -> None:
    path = file_with(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_machine(path)
    assert (caught.value.file, caught.value.field) == (path.resolve(), field)
    assert text in str(caught.value)


FOCUS = [{k: row[k] for k in ("energy_mev_u", "sigma_mm", "divergence_rad")} for row in GOOD["optics"]]
MONITOR = {"part": 0.2, "distance_mm": 1000, "water_equivalent_mm": 0.1, "angle_rad": [0.004, 0.002]}


def test_nozzle_and_foci(tmp_path: Path) -> None:
    wide = [{**row, "sigma_mm": [9.0, 8.0], "correlation": [0.5, 0.0]} for row in FOCUS]
    changes = {
        "foci": {"F2": wide},
        "monitor": MONITOR,
        "ripple_filter": {"name": "RF", "range_sigma_mm": 1},
        "fit_air_offset_mm": 100,
        "energy_mev_u": {"minimum": 100, "maximum": 200},
    }
    mine = read_machine(file_with(tmp_path, **changes))
    assert mine.at_focus(None) is mine
    at = mine.at_focus("F2")
    assert at.phase_space(150).sigma_mm == (9.0, 8.0)
    assert at.correlation(150) == (0.5, 0.0)
    assert at.particles_per_mu(150) == mine.particles_per_mu(150)
    assert mine.monitor is not None
    assert mine.monitor.angle_rad.tolist() == [0.004, 0.002]
    assert mine.ripple_filter is not None
    assert mine.ripple_filter.range_sigma_mm.tolist() == [1.0, 1.0]
    # The nozzle is 400 mm away and 100 mm of air belong to the base data: 250 mm are left before 50 mm.
    assert mine.air_depth_mm(50.0) == pytest.approx(0.0011 * 250.0)
    assert read_machine(file_with(tmp_path)).air_depth_mm(50.0) == 0.0
    with pytest.raises(InputError, match=r"beams\[0\].*'F9'.*F2, none"):
        mine.at_focus("F9", "beams[0]")


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"foci": {"F2": FOCUS[:1]}}, "foci.F2", "same energies as optics"),
        ({"foci": {"F2": []}}, "foci.F2", "(none)"),
        ({"foci": {"a name too long for DICOM": FOCUS}}, "foci.a name too long for DICOM.[key]", "pattern"),
        ({"monitor": {**MONITOR, "angle_rad": [1e-3] * 3}}, "monitor.angle_rad", "one for each of 2 rows"),
        ({"monitor": {**MONITOR, "part": 1.5}}, "monitor.part", "less than 1"),
        ({"monitor": {**MONITOR, "angle_rad": [-1, 0]}}, "monitor.angle_rad[0]", "greater"),
        ({"ripple_filter": {"name": "R", "range_sigma_mm": 0}}, "ripple_filter.range_sigma_mm[0]", "greater"),
        ({"ripple_filter": {"range_sigma_mm": 1}}, "ripple_filter.name", "a value"),
    ],
)
def test_wrong_nozzles_are_told_where(tmp_path: Path, changes: dict, field: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_machine(file_with(tmp_path, **changes))
    assert caught.value.field == field
    assert text in str(caught.value)


def test_unknown_machines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="generic_carbon"):
        machine("generic_muon")
    with pytest.raises(InputError, match="No such file"):
        machine(tmp_path / "none.yaml")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    assert read_machine(file_with(tmp_path)).nozzle_distance_mm == 400
    path = file_with(tmp_path, nozzle_distance_mm=500)
    os.utime(path, (1, 1))
    assert read_machine(path).nozzle_distance_mm == 500


def test_shifters_by_name(tmp_path: Path) -> None:
    mine = read_machine(file_with(tmp_path))
    assert mine.shifter("RS").thickness_mm == 40
    with pytest.raises(InputError, match="RS"):
        mine.shifter("other")


DEEP = [
    "[" * 100_000 + "]" * 100_000,
    "- " * 60_000,
    'a: "' + "]" * 50_000 + '"\nb: ' + "[" * 50_000,
    "a: &a [*a]",
    "name: 1\nname: 2",
    "a: !!int ''",
    "? [1, 2]\n: 3",
    "",
    "\x00",
    "a: 2020-13-45",
    "a: " + "9" * 5000,
]


@pytest.mark.parametrize("text", DEEP)
def test_hostile_yaml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_machine(path)
    assert caught.value.file == path.resolve()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from([*GOOD, "optics.0.sigma_mm", "optics.1.energy_mev_u", "energy_mev_u.minimum"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_value_gives_a_machine_or_an_input_error(tmp_path: Path, key: str, value: object) -> None:
    document = yaml.safe_load(yaml.safe_dump(GOOD))
    at = document
    *parts, last = key.split(".")
    for part in parts:
        at = at[int(part) if part.isdigit() else part]
    at[last] = value
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    try:
        found = read_machine(path)
    except InputError as error:
        named = error.file
    else:
        named = path.resolve()
        assert isinstance(found, Machine)
    assert named == path.resolve()
