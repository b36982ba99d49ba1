"""Machines written and read back."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isodose.errors import OutputError
from isodose.machine.base_data import BaseData, PencilKernel
from isodose.machine.base_data_file import RELATIVE_ROUNDING
from isodose.machine.machine import BeamOptics, Machine, Shifter
from isodose.machine.machine_file import machine, read_machine
from isodose.machine.machine_writer import write_machine
from isodose.machine.nozzle import Monitor, RippleFilter


def assert_same(one: object, two: object) -> None:
    """Equal in every field, arrays by their numbers."""
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, two)
    elif isinstance(one, dict):
        assert isinstance(two, dict)
        assert list(one) == list(two)
        for name in one:
            assert_same(one[name], two[name])
    elif hasattr(one, "__dataclass_fields__"):
        assert type(one) is type(two)
        for name in one.__dataclass_fields__:
            if name != "base_data":
                assert_same(getattr(one, name), getattr(two, name))
    else:
        assert one == two


@pytest.mark.parametrize("name", ["generic_carbon", "proton_monitor"])
def test_built_in_machines_round_trip(tmp_path: Path, name: str) -> None:
    path = write_machine(machine(name), tmp_path / "made" / "here")
    assert path == tmp_path / "made" / "here" / f"{name}.yaml"
    found, expected = machine(path), machine(name)
    assert_same(found, expected)
    assert found.base_data is not None
    assert expected.base_data is not None
    for one, two in zip(found.base_data.kernels, expected.base_data.kernels, strict=True):
        np.testing.assert_array_equal(one.depth_mm, two.depth_mm)
        np.testing.assert_allclose(one.dose, two.dose, rtol=RELATIVE_ROUNDING)


positive = st.floats(1e-3, 1e5)
angles = st.floats(0, 0.1)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    n = draw(st.integers(1, 4))
    energies = np.array(sorted(draw(st.lists(st.floats(1, 400), min_size=n, max_size=n, unique=True))))

    def rows(values: st.SearchStrategy[float], shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(values, min_size=size, max_size=size))).reshape(shape)

    spread, particles = rows(angles, (n,)), rows(positive, (n,))

    def optics() -> BeamOptics:
        sigma, divergence = rows(positive, (n, 2)), rows(angles, (n, 2))
        return BeamOptics(energies, sigma, divergence, rows(st.floats(-1, 1), (n, 2)), spread, particles)

    foci = draw(st.lists(st.from_regex(r"[A-Za-z0-9_.+-]{1,15}", fullmatch=True), max_size=2, unique=True))
    maybe = st.booleans()
    low, high = float(energies[0]), float(energies[-1])
    return Machine(
        draw(texts),
        "carbon",
        draw(texts),
        (low, high),
        tuple(energies.tolist()) if draw(maybe) else (),
        optics(),
        (draw(positive), draw(positive)),
        draw(positive),
        (Shifter(draw(texts), draw(positive), "pmma", draw(positive)),) if draw(maybe) else (),
        tuple(draw(st.lists(texts, max_size=2))),
        None,
        {name: optics() for name in foci},
        RippleFilter(draw(texts), rows(positive, (n,))) if draw(maybe) else None,
        Monitor(0.3, draw(positive), draw(angles), rows(angles, (n,))) if draw(maybe) else None,
        draw(st.none() | st.floats(-100, 1000)),
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=machines())
def test_any_machine_round_trips(tmp_path: Path, one: Machine) -> None:
    assert_same(read_machine(write_machine(one, tmp_path)), one)


def test_base_data_lie_beside(tmp_path: Path) -> None:
    depth = np.linspace(0.0, 100.0, 50)
    kernel = PencilKernel(
        100.0, depth, np.exp(-(((depth - 75.0) / 5.0) ** 2)) + 0.3, depth[:, None] / 50.0, np.ones((50, 1))
    )
    column = np.full((1, 2), 1.0)
    optics = BeamOptics(np.array([100.0]), column, column, 0 * column, np.ones(1), np.ones(1))
    data = BaseData("proton", (kernel,), provenance={"imported_from": "a.mat"})
    one = Machine("a b/c", "proton", "", (100.0, 100.0), (), optics, (2e3, 2e3), 400.0, base_data=data)
    path = write_machine(one, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_b_c.npz", "a_b_c.yaml"]
    found = machine(path).base_data
    assert found is not None
    assert found.provenance == {"imported_from": "a.mat"}
    assert machine(path).name == "a b/c"


def test_where_no_folder_can_be_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="no folder"):
        write_machine(machine("generic_proton"), tmp_path / "file")
