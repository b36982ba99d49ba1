"""The verb ``isodose track database``: stages, interruption, what it writes."""

import json

import numpy as np
import pytest

from isodose.cli import BAD_INPUT, INTERRUPTED, main
from isodose.report import database_figures
from isodose.track import database_build
from isodose.track.database import load_database

WANTED = [("p", 30.0), ("p", 40.0), ("He4", 50.0)]


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["track", "database", *arguments])
    return ended.value.code


@pytest.fixture(autouse=True)
def few_entries(monkeypatch):
    """Three entries, and one picture; pictures have tests of their own."""
    monkeypatch.setattr(database_build, "all_entries", lambda: WANTED)
    monkeypatch.setattr(database_figures, "QUANTITIES", ("F4",))


def test_interrupted_verb_goes_on_and_refines(tmp_path, monkeypatch, capsys):
    compute = database_build.compute_sums
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compute(*arguments)

    cut, whole = tmp_path / "cut", tmp_path / "whole"
    monkeypatch.setattr(database_build, "compute_sums", interrupted)
    assert call("--out", str(cut), "--uncertainty", "0.08", "--workers", "1") == INTERRUPTED
    assert f"the same command goes on from {cut}" in capsys.readouterr().err
    assert len(list((cut / "entries").iterdir())) == 1
    monkeypatch.setattr(database_build, "compute_sums", compute)
    for folder in (cut, whole):
        assert call("--out", str(folder), "--uncertainty", "0.04", "--workers", "1") == 0
    assert "3 entries, F4 to 4.0%" in capsys.readouterr().out
    record = json.loads((whole / "run.json").read_text())
    assert {"database.npz", "raw.npz", "F4.png", "residuals.png"} <= set(record["files"])
    assert record["provenance"]["largest_relative_uncertainty_F4"] <= 0.04
    assert all((whole / name).exists() for name in record["files"])
    for name in ("raw.npz", "database.npz"):
        tables = [load_database(folder / name).table("p", "F4") for folder in (cut, whole)]
        assert np.array_equal(tables[0], tables[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--uncertainty", "0"), "uncertainty: found 0.0"),
        (("--dask", "tcp://127.0.0.1:1"), "dask: found"),
    ],
)
def test_bad_options_are_one_line(tmp_path, capsys, arguments, message):
    assert call("--out", str(tmp_path / "new"), *arguments) == BAD_INPUT
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_the_folder_is_named(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert call("--out", str(tmp_path / "taken"), "--uncertainty", "0.5") == BAD_INPUT
    assert "taken" in capsys.readouterr().err


def test_entries_of_another_seed_are_refused(tmp_path, capsys):
    assert call("--out", str(tmp_path), "--uncertainty", "0.5", "--workers", "1") == 0
    assert call("--out", str(tmp_path), "--uncertainty", "0.5", "--seed", "2") == BAD_INPUT
    assert "seed: found 1, expected 2, or another folder" in capsys.readouterr().err
