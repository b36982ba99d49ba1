"""Treatment logs: files in and out, what does not fit a plan, and the plan as delivered."""

import contextlib
import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isodose.errors import InputError
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.plan.treatment_log import LoggedBeam, LoggedFraction, LoggedLayer, TreatmentLog, joined
from isodose.plan.treatment_log_csv import read_csv_log, write_csv_log
from isodose.plan.treatment_log_delivered import as_delivered, delivered_plans
from isodose.plan.treatment_log_load import load_treatment_log
from isodose.plan.treatment_log_simulated import simulated_log
from isodose.plan.treatment_log_yaml import read_yaml_log

QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PLAN = Plan(
    "two beams",
    "proton",
    "generic_proton",
    (
        Beam(
            "left",
            90.0,
            0.0,
            (0.0, 0.0, 0.0),
            (
                Layer(150.0, Spots([-5.0, 0.0, 5.0], [0.0, 1.0, 2.0], [1e6, 2e6, 3e6])),
                Layer(140.0, Spots([0.0], [0.0], [4e6])),
            ),
        ),
        Beam("top", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(120.0, Spots([1.0], [-1.0], [5e6])),)),
    ),
    fractions=2,
)

TABLE = """# two spots short of nothing
fraction,beam,layer,spot,energy_mev_u,x_mm,y_mm,particles,sigma_x_mm,sigma_y_mm,date,note
1,left,0,0,150.0,-5.1,0.1,1.01e6,3,4,2026-03-27,
1,left,0,1,150.0,0.1,1.1,2.02e6,3,4,2026-03-27,
1,left,0,2,150.0,5.1,2.1,3.03e6,6,4,2026-03-27,
1,left,1,0,140.0,0.2,0.0,4e6,,,2026-03-27,
1,top,0,0,120.0,1,-1,5e6,,,2026-03-27,resumed
"""

YAML = """
plan: two beams
fractions:
  - number: 1
    date: 2026-03-27
    beams:
      - name: left
        layers:
          - energy_mev_u: 150.0
            spots: [[-5.1, 0.1, 1.01e6, 3, 4], [0.1, 1.1, 2.02e6, 3, 4], [5.1, 2.1, 3.03e6, 6, 4]]
          - energy_mev_u: 140.0
            spots: [[0.2, 0, 4e6]]
      - name: top
        layers:
          - energy_mev_u: 120.0
            spots:
              - [1, -1, 5e6]
"""


def same(a: TreatmentLog, b: TreatmentLog) -> None:
    assert (a.plan, len(a.fractions)) == (b.plan, len(b.fractions))
    for f, g in zip(a.fractions, b.fractions, strict=True):
        assert (f.number, f.date, [x.name for x in f.beams]) == (g.number, g.date, [x.name for x in g.beams])
        for x, y in zip(f.beams, g.beams, strict=True):
            for m, n in zip(x.layers, y.layers, strict=True):
                assert m.energy_mev_u == n.energy_mev_u
                for name in ("x_mm", "y_mm", "particles"):
                    np.testing.assert_array_equal(getattr(m.spots, name), getattr(n.spots, name))
                assert (m.sigma_mm is None) == (n.sigma_mm is None)
                if m.sigma_mm is not None:
                    np.testing.assert_array_equal(m.sigma_mm, n.sigma_mm)


def file(tmp_path: Path, text: str, name: str = "log.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def fraction(plan: Plan = PLAN, **changes: object) -> LoggedFraction:
    """A fraction delivered exactly as planned, but for the changes to the first layer's spots or energy."""
    made = simulated_log(plan, fractions=1, position_sigma_mm=0, particles_sigma_percent=0).fractions[0]
    first = made.beams[0]
    energy = changes.pop("energy_mev_u", first.layers[0].energy_mev_u)
    sigma = changes.pop("sigma_mm", None)
    layer = LoggedLayer(energy, replace(first.layers[0].spots, **changes), sigma)
    return replace(made, beams=(replace(first, layers=(layer, *first.layers[1:])), *made.beams[1:]))


def test_table_and_yaml_say_the_same(tmp_path: Path) -> None:
    table = read_csv_log(file(tmp_path, TABLE))
    same(replace(table, plan="two beams"), read_yaml_log(file(tmp_path, YAML, "log.yaml")))
    assert table.fraction(1).date == datetime.date(2026, 3, 27)
    assert table.fraction(1).beams[0].layers[0].sigma_mm.tolist() == [[3, 4], [3, 4], [6, 4]]


def test_order_of_rows_and_columns_does_not_matter(tmp_path: Path) -> None:
    rows = [line.split(",") for line in TABLE.splitlines()[1:]]
    turned = [rows[0], *reversed(rows[1:])]
    text = "\n".join(",".join(row[::-1]) for row in turned)
    log = read_csv_log(file(tmp_path, text))
    again = as_delivered(PLAN, log.fractions[0])
    for a, b in zip(
        again.beams, as_delivered(PLAN, read_csv_log(file(tmp_path, TABLE)).fractions[0]).beams, strict=True
    ):
        for m, n in zip(a.layers, b.layers, strict=True):
            np.testing.assert_array_equal(m.spots.x_mm, n.spots.x_mm)


numbers = st.floats(-1e3, 1e3)
layers = st.integers(1, 4).flatmap(
    lambda n: st.builds(
        LoggedLayer,
        st.floats(1, 400),
        st.builds(
            Spots,
            *(st.lists(numbers, min_size=n, max_size=n),) * 2,
            st.lists(st.floats(0, 1e12), min_size=n, max_size=n),
        ),
        st.none() | st.lists(st.tuples(*(st.floats(0.1, 50),) * 2), min_size=n, max_size=n).map(np.array),
    )
)
names = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=12)
beams = st.builds(LoggedBeam, names, st.lists(layers, min_size=1, max_size=3).map(tuple))
fractions = st.builds(
    LoggedFraction,
    st.integers(1, 40),
    st.lists(beams, min_size=1, max_size=2, unique_by=lambda b: b.name).map(tuple),
    st.none() | st.dates(),
)
logs = st.builds(
    TreatmentLog, st.lists(fractions, min_size=1, max_size=2, unique_by=lambda f: f.number).map(tuple), names
)


@QUIET
@given(logs)
def test_table_round_trip(tmp_path: Path, log: TreatmentLog) -> None:
    write_csv_log(log, tmp_path / "log.csv")
    same(log, read_csv_log(tmp_path / "log.csv"))


@QUIET
@given(
    st.text(st.characters(codec="utf-8"), max_size=80)
    | st.just(TABLE).flatmap(
        lambda t: st.tuples(st.integers(0, len(t)), st.text(',"\n#0x-e', max_size=4)).map(
            lambda change: t[: change[0]] + change[1] + t[change[0] :]
        )
    )
)
def test_any_table_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = file(tmp_path, text)
    with contextlib.suppress(InputError):
        read_csv_log(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-5.1,", "left,", r"log.csv: line 3, x_mm: found 'left', expected a number"),
        ("-5.1,", "nan,", "line 3, x_mm: found nan, expected a finite number"),
        ("-5.1,", "", "line 3: found 11 values, expected 12"),
        (",2.02e6,", ",-1,", "line 4, particles: found -1, expected a number of at least 0"),
        (
            "1,left,0,1,",
            "1.5,left,0,1,",
            "line 4, fraction: found 1.5, expected a whole number of at least 1",
        ),
        ("1,left,0,2,", "1,left,0,1,", "line 5, spot: found 1 again"),
        (
            "1,left,0,1,",
            "1,left,0,7,",
            "line 4, spot: found 7, expected.*|line 5, spot: found 2, expected 1, which",
        ),
        ("1,left,1,0,", "1,left,2,0,", "line 6, layer: found 2, expected 1, which is missing"),
        ("0,1,150.0", "0,1,151.0", "line 4, energy_mev_u: found 151, expected 150, as before"),
        ("2.02e6,3,4", "2.02e6,,4", "line 4, sigma_x_mm: found nothing"),
        ("2.02e6,3,4", "2.02e6,0,4", "line 4, sigma_x_mm: found 0, expected above zero"),
        ("2026-03-27,\n1,left,0,1", "27.3.2026,\n1,left,0,1", "line 4, date: found '2026-03-27'"),
        ("2026-03-27", "27.3.2026", "line 3, date: found '27.3.2026', expected a date such as"),
        (",particles,", ",mu,", "column particles: found columns"),
        (",sigma_y_mm,", ",sigma,", "columns: found one spot size"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TABLE
    count = -1 if old == "2026-03-27" else 1
    with pytest.raises(InputError, match=message):
        read_csv_log(file(tmp_path, TABLE.replace(old, new, count)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[0.2, 0, 4e6]",
            "[0.2, 0]",
            r"fractions\[0\].beams\[0\].layers\[1\].spots\[0\]: found.*not 2 numbers",
        ),
        ("[0.2, 0, 4e6]", "[0.2, 0, -4e6]", r"layers\[1\].spots\[0\]: .*particles of at least 0"),
        ("2.02e6, 3, 4]", "2.02e6]", r"layers\[0\].spots\[1\]: found 3 numbers, expected 5"),
        ("2.02e6, 3, 4]", "2.02e6, 0, 4]", r"spots\[1\]: .*sizes above zero"),
        ("date: 2026-03-27", "date: 20260327", "date: found 20260327, expected a date such as"),
        ("number: 1", "number: 0", r"fractions\[0\].number: found 0"),
        ("beams:", "beam:", "did you mean 'beams'"),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in YAML
    with pytest.raises(InputError, match=message):
        read_yaml_log(file(tmp_path, YAML.replace(old, new), "log.yaml"))


def test_one_file_a_fraction(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file(folder, TABLE, "a.csv")
    file(folder, TABLE.replace("\n1,", "\n2,"), "b.csv")
    assert [f.number for f in load_treatment_log(folder, PLAN).fractions] == [1, 2]
    file(folder, TABLE.replace("\n1,", "\n2,"), "c.csv")
    with pytest.raises(InputError, match=r"c.csv: fraction: found 2 twice \(also in .*b.csv"):
        load_treatment_log(folder, PLAN)
    with pytest.raises(InputError, match="0 CSV or YAML files and 0 DICOM"):
        load_treatment_log(tmp_path, PLAN)


def test_logs_of_two_plans_are_not_joined() -> None:
    log = simulated_log(PLAN, fractions=1)
    with pytest.raises(InputError, match="logs of one plan"):
        joined([log, replace(log, plan="other")])
    with pytest.raises(InputError, match="plan: found 'other', expected 'two beams'"):
        delivered_plans(PLAN, replace(log, plan="other"))


def test_delivered_plan_holds_what_was_measured(tmp_path: Path) -> None:
    plan = as_delivered(PLAN, read_csv_log(file(tmp_path, TABLE)).fractions[0])
    assert plan.name == "two beams, fraction 1 as delivered"
    assert plan.fractions == 1
    assert plan.metadata["delivered"] == "2026-03-27"
    first = plan.beams[0].layers[0]
    assert first.spots.x_mm.tolist() == [-5.1, 0.1, 5.1]
    assert first.spots.particles.tolist() == [1.01e6, 2.02e6, 3.03e6]
    # half of the particles in spots of 3 mm, half in spots of 6 mm
    assert first.sigma_mm == pytest.approx((np.sqrt((9 + 36) / 2), 4.0))
    assert plan.beams[0].layers[1].sigma_mm is None
    assert (plan.beams[0].gantry_angle_deg, plan.prescription_gy) == (90.0, None)


def test_a_log_without_errors_gives_the_plan_back() -> None:
    plan = as_delivered(PLAN, fraction())
    for a, b in zip(plan.beams, PLAN.beams, strict=True):
        for m, n in zip(a.layers, b.layers, strict=True):
            np.testing.assert_array_equal(m.spots.x_mm, n.spots.x_mm)
            np.testing.assert_array_equal(m.spots.particles, n.spots.particles)


def test_interrupted_delivery() -> None:
    """Positions of spots that were not delivered do not count, and a beam of nothing is left out."""
    cut = fraction(x_mm=[-5.0, 999.0, 5.0], particles=[1e6, 0.0, 3e6])
    nothing = LoggedLayer(120.0, Spots([0.0], [0.0], [0.0]))
    plan = as_delivered(PLAN, replace(cut, beams=(cut.beams[0], LoggedBeam("top", (nothing,)))))
    assert [beam.name for beam in plan.beams] == ["left"]
    assert plan.beams[0].layers[0].spots.x_mm.tolist() == [-5.0, 0.0, 5.0]
    one = replace(PLAN, beams=PLAN.beams[1:])
    with pytest.raises(InputError, match="particles: found none in any beam"):
        as_delivered(one, LoggedFraction(1, (LoggedBeam("top", (nothing,)),)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"x_mm": [-5.0, 0.0, 5.0, 9.0], "y_mm": [0, 1, 2, 0], "particles": [1e6] * 4},
            r"fraction 1, beam 'left', layers\[0\].spots: found 4 spots, expected 3, as in the plan",
        ),
        (
            {"energy_mev_u": 133.0},
            r"layers\[0\].energy_mev_u: found 133 MeV/u, .*has no layer of that energy",
        ),
        ({"energy_mev_u": 140.0}, r"expected 150 MeV/u, as layers\[0\] of the plan$"),
        (
            {"y_mm": [0.0, 1.0, 8.0]},
            r"spots\[2\]: found \(5, 8\) mm, 6.0 mm from the plan, expected within 5 mm of \(5, 2\) mm",
        ),
        ({"particles": [1e6 / 5e8, 2e6 / 5e8, 3e6 / 5e8]}, "particles: found .* times the planned"),
    ],
)
def test_logs_of_another_plan_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_delivered(PLAN, fraction(**changes))


def test_beams_must_match() -> None:
    good = fraction()
    with pytest.raises(InputError, match="beam: found 'right', expected a beam of the plan"):
        as_delivered(PLAN, replace(good, beams=(replace(good.beams[0], name="right"), good.beams[1])))
    with pytest.raises(InputError, match="expected beam 'top' of the plan, with 0 particles"):
        as_delivered(PLAN, replace(good, beams=good.beams[:1]))
    short = replace(good.beams[0], layers=good.beams[0].layers[:1])
    with pytest.raises(InputError, match="layers: found 1 layers, expected 2"):
        as_delivered(PLAN, replace(good, beams=(short, good.beams[1])))
    with pytest.raises(InputError, match="beams of different names"):
        as_delivered(replace(PLAN, beams=PLAN.beams[:1] * 2), good)


def test_stated_distance_is_the_callers() -> None:
    far = fraction(y_mm=[0.0, 1.0, 8.0])
    assert as_delivered(PLAN, far, within_mm=6.5).beams[0].layers[0].spots.y_mm[2] == 8.0


def test_simulated_errors_have_the_size_asked_for() -> None:
    n = 40_000
    zeros = np.zeros(n)
    layer = Layer(150.0, Spots(zeros, zeros, np.full(n, 1e6)))
    plan = replace(PLAN, beams=(replace(PLAN.beams[0], layers=(layer,)),), fractions=1)
    log = simulated_log(plan, position_sigma_mm=0.5, particles_sigma_percent=2.0, seed=4)
    spots = log.fractions[0].beams[0].layers[0].spots
    # the standard deviation of 40,000 values is known to 1 / sqrt(2 n) = 0.35 %: 4 of them
    assert spots.x_mm.std() == pytest.approx(0.5, rel=0.014)
    assert spots.y_mm.std() == pytest.approx(0.5, rel=0.014)
    assert (spots.particles / 1e6).std() == pytest.approx(0.02, rel=0.014)
    same(log, simulated_log(plan, position_sigma_mm=0.5, particles_sigma_percent=2.0, seed=4))
