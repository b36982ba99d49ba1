"""Switch tables from files: both formats, and every way in which a file can be wrong."""

import numpy as np
import pytest
import yaml

from isodose.arc.switch_table_file import read_switch_table, table_file
from isodose.errors import InputError

ENERGIES = [70.0, 100.0, 130.0]
SECONDS = [[0.0, 4.1, 5.2], [0.5, 0.0, 4.3], [0.8, 0.6, 0.0]]
CSV = "# measured twice\nfrom/to,70,100,130\n70,0,4.1,5.2\n\n100,0.5,0,4.3\n130,0.8,0.6,0\n"


def _written(tmp_path, **changes):
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump({"energies_mev_u": ENERGIES, "seconds": SECONDS} | changes))
    return path


def test_both_formats_give_the_same_table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(CSV)
    for table in (read_switch_table(path), read_switch_table(_written(tmp_path))):
        np.testing.assert_array_equal(table.energies_mev_u, ENERGIES)
        np.testing.assert_array_equal(table.seconds, SECONDS)
        assert table.source.startswith("table.")
    assert read_switch_table(_written(tmp_path, source="day 1")).source == "day 1"


def _with(row, column, value):
    rows = [list(r) for r in SECONDS]
    rows[row][column] = value
    return {"seconds": rows}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (_with(1, 2, float("nan")), r"seconds\[1\]\[2\]: found nan"),
        (_with(1, 2, float("inf")), r"seconds\[1\]\[2\]: found inf"),
        (_with(0, 1, None), r"seconds\[0\]\[1\], from 70 to 100 MeV/u: found nothing"),
        (_with(2, 0, -0.1), r"seconds\[2\]\[0\], from 130 to 70 MeV/u: found -0.1"),
        (_with(2, 0, "soon"), r"seconds\[2\]\[0\]: found 'soon'"),
        ({"seconds": SECONDS[:2]}, r"seconds: found 2 rows, expected 3"),
        ({"seconds": [*SECONDS[:2], SECONDS[2][:2]]}, r"seconds\[2\]: found 2 numbers, expected 3"),
        ({"energies_mev_u": ENERGIES[::-1]}, r"energies_mev_u: found energies out of order"),
        ({"energies_mev_u": [], "seconds": []}, r"energies_mev_u.*at least one"),
        ({"second": SECONDS}, r"did you mean 'seconds'"),
    ],
)
def test_tables_in_yaml_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=rf"table\.yaml: .*{message}"):
        read_switch_table(_written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("100,0.5,0,4.3", "100,0.5,,4.3", r"seconds\[1\]\[1\], from 100 to 100 MeV/u: found nothing"),
        ("100,0.5,0,4.3", "100,0.5,nan,4.3", r"seconds\[1\]\[1\], from 100 to 100 MeV/u: found nan"),
        ("100,0.5,0,4.3", "100,0.5,0", r"seconds\[1\]: found 2 numbers"),
        ("100,0.5,0,4.3", "110,0.5,0,4.3", r"line 5, column 1: found 110, expected 100"),
        ("100,0.5,0,4.3", "100,0.5,soon,4.3", r"line 5, column 3: found 'soon'"),
        ("130,0.8,0.6,0", "", r"seconds: found 2 rows"),
        ("from/to,70,100", "from/to,70,", r"line 2: found an empty cell"),
        (CSV, "", r"file: found no line"),
    ],
)
def test_tables_in_csv_are_refused(tmp_path, old, new, message):
    path = tmp_path / "table.csv"
    path.write_text(CSV.replace(old, new))
    with pytest.raises(InputError, match=rf"table\.csv: .*{message}"):
        read_switch_table(path)


def test_what_is_neither_a_preset_nor_a_file_is_refused(tmp_path):
    assert table_file("cyclotron") is None
    assert table_file(str(_written(tmp_path))) == tmp_path / "table.yaml"
    for given in ("linac", str(tmp_path / "nothing.yaml"), str(tmp_path)):
        with pytest.raises(InputError, match=r"arc\.switching: .*one of cyclotron"):
            table_file(given)
    with pytest.raises(InputError, match=r"nothing\.csv: file"):
        read_switch_table(tmp_path / "nothing.csv")
