"""Plans as YAML: exact round trips, messages that help, and whatever else a file may hold."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.plan.load import load_plan
from isodose.plan.plan import Beam, Layer, Plan, RangeShifter, Spots
from isodose.plan.yaml_plan import read_plan, write_plan

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

BY_HAND = """
name: two spots
ion: carbon
machine: generic_carbon
beams:
  - name: left
    gantry_angle_deg: 90
    isocentre_mm: [0, 12.5, -30]
    layers:
      - energy_mev_u: 212.5
        spots:
          - [-3, 0, 1e6]
          - [0, 0, 1.5e+6]
"""

numbers = st.floats(-1e6, 1e6)
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
spots = st.lists(st.tuples(numbers, numbers, st.floats(0, 1e12)), max_size=4).map(
    lambda rows: Spots(*(np.array(rows, dtype=float).reshape(-1, 3).T))
)
layers = st.builds(Layer, st.floats(1e-3, 1e3), spots)
shifters = st.builds(RangeShifter, texts, st.floats(0.1, 100), texts, st.floats(0, 1000))
beams = st.builds(
    Beam,
    texts,
    numbers,
    numbers,
    st.tuples(numbers, numbers, numbers),
    st.lists(layers, max_size=3).map(tuple),
    st.none() | shifters,
    st.none() | numbers,
)
plans = st.builds(
    Plan,
    texts,
    st.sampled_from(["proton", "helium", "carbon", "oxygen"]),
    texts,
    st.lists(beams, min_size=1, max_size=2).map(tuple),
    st.integers(1, 60),
    st.none() | st.floats(0.1, 100),
    st.none() | texts,
    st.dictionaries(texts, st.text(st.characters(codec="utf-8"), max_size=10), max_size=3),
)


def parts(plan: Plan) -> list[object]:
    """Everything that a plan holds, comparable."""
    out: list[object] = [
        plan.name, plan.ion, plan.machine, plan.fractions, plan.prescription_gy, plan.target, plan.metadata
    ]  # fmt: skip
    for b in plan.beams:
        out += [
            b.name,
            b.gantry_angle_deg,
            b.couch_angle_deg,
            b.isocentre_mm,
            b.range_shifter,
            b.snout_position_mm,
        ]
        for layer in b.layers:
            s = layer.spots
            out += [layer.energy_mev_u, s.x_mm.tolist(), s.y_mm.tolist(), s.particles.tolist()]
    return out


@QUIET
@given(plan=plans)
def test_round_trip_is_exact(tmp_path: Path, plan: Plan) -> None:
    path = tmp_path / "plan.yaml"
    write_plan(plan, path)
    assert parts(read_plan(path)) == parts(plan)


def test_a_plan_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "hand.yaml"
    path.write_text(BY_HAND)
    plan = load_plan(path)
    beam = plan.beams[0]
    assert (plan.fractions, plan.prescription_gy, beam.couch_angle_deg) == (1, None, 0.0)
    # YAML 1.1 takes 1e6 for text; it is a number all the same.
    assert beam.layers[0].spots.particles.tolist() == [1e6, 1.5e6]


def test_spots_stand_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    layer = Layer(100.0, Spots([1, 2], [3, 4], [5e6, 6e20]))
    write_plan(Plan("p", "proton", "generic_proton", (Beam("b", 0, 0, (0, 0, 0), (layer,)),)), path)
    assert "    - [1.0, 3.0, 5000000.0]\n" in path.read_text()


@pytest.mark.parametrize(
    ("old", "new", "field", "text"),
    [
        ("gantry_angle_deg", "gantry_angle", "beams[0].gantry_angle", "did you mean 'gantry_angle_deg'"),
        ("machine", "machin", "machin", "did you mean 'machine'"),
        ("212.5", "-212.5", "beams[0].layers[0].energy_mev_u", "greater than 0"),
        ("212.5", ".nan", "beams[0].layers[0].energy_mev_u", "greater than 0"),
        ("212.5", "fast", "beams[0].layers[0].energy_mev_u", "a valid number"),
        ("1e6", "-1", "beams[0].layers[0].spots[0][2]", "greater than or equal to 0"),
        ("[0, 12.5, -30]", "[0, 12.5]", "beams[0].isocentre_mm[2]", "a value"),
        ("[-3, 0, 1e6]", "[-3, 0]", "beams[0].layers[0].spots[0][2]", "a value"),
        ("carbon\n", "muon\n", "ion", "'proton', 'helium', 'carbon' or 'oxygen'"),
        ("name: left", "name: left\n    name: right", "file", "given twice"),
        ("90", "yes", "beams[0].gantry_angle_deg", "not true or false"),
        ("beams:", "fractions: 0\nbeams:", "fractions", "greater than or equal to 1"),
        ("beams:", "beams: {}\nmore:", "more", "unknown key"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, field: str, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BY_HAND.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert (caught.value.file, caught.value.field) == (path, field)
    assert text in str(caught.value)


def read_or_refuse(path: Path) -> None:
    named: Path | None = path
    try:
        assert isinstance(load_plan(path), Plan)
    except InputError as error:
        named = error.file
    assert named == path


@QUIET
@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_plan_or_an_input_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(data)
    read_or_refuse(path)


@QUIET
@given(data=st.data())
def test_damaged_text_gives_a_plan_or_an_input_error(tmp_path: Path, data: st.DataObject) -> None:
    text = BY_HAND
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 10))
        text = (
            text[:at]
            + data.draw(st.text(alphabet="[]{}:,-&*!|>'\"%@`#? \n\t~aé1.e", max_size=6))
            + text[at + cut :]
        )
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8")
    read_or_refuse(path)


@QUIET
@given(
    place=st.sampled_from(
        ["name", "ion", "beams", "beams.0", "beams.0.layers", "beams.0.layers.0.spots",
        "beams.0.range_shifter",
         "metadata", "fractions", "beams.0.layers.0.spots.0", "beams.0.isocentre_mm"]
    ),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)  # fmt: skip
def test_any_value_gives_a_plan_or_an_input_error(tmp_path: Path, place: str, value: object) -> None:
    document = yaml.safe_load(BY_HAND)
    at = document
    *inner, last = place.split(".")
    for part in inner:
        at = at[int(part) if part.isdigit() else part]
    at[int(last) if last.isdigit() else last] = value
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    read_or_refuse(path)
