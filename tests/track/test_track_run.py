"""Runs of tracks: yields, files, and the verb ``isodose track run``."""

import json

import numpy as np
import pytest

from isodose.cli import BAD_INPUT, main
from isodose.errors import InputError
from isodose.track.events import IONISATION
from isodose.track.ion_tracks import Segment
from isodose.track.track_run import run_electrons, run_ions


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["track", *arguments])
    return ended.value.code


def test_yields_of_ions_belong_together():
    run = run_ions(Segment("He4", 5.0, 300.0), 40, 2)
    assert len(run.events) == 2
    assert run.yields["F1 / um"].value > run.yields["F4 / um"].value > 0.0
    assert all(estimate.uncertainty > 0.0 for estimate in run.yields.values())
    sizes = np.arange(run.size_shares.size)
    # both are means over the tracks; one of them has the noise of rare electrons regressed away
    mean, error = run.yields["M1 / um"]
    assert run.size_shares @ sizes == pytest.approx(mean, abs=8.0 * error + 0.1 * mean)
    assert run.title == "He4, 5 MeV/u"


def test_yields_of_electrons_belong_together():
    run = run_electrons(300.0, 500, 3)
    ionisations, w = run.yields["ionisations"], run.yields["W / eV"]
    assert w.value == pytest.approx(300.0 / ionisations.value)
    assert run.size_shares.sum() == pytest.approx(1.0)
    assert run.yields["F2 within 4 nm"].value == pytest.approx(run.size_shares[2:].sum())


@pytest.mark.parametrize(("tracks", "kept", "field"), [(1, 1, "tracks"), (10, 0, "keep")])
def test_bad_numbers_are_named(tracks, kept, field):
    with pytest.raises(InputError, match=field):
        run_ions(Segment("p", 5.0), tracks, kept)
    with pytest.raises(InputError, match=field):
        run_electrons(100.0, tracks, kept)


def test_verb_writes_record_positions_and_pictures(tmp_path, capsys):
    folder = tmp_path / "run"
    numbers = ("--path", "100", "--tracks", "8", "--keep", "2", "--out", str(folder))
    assert call("run", "--ion", "C12", "--energy", "20", *numbers) == 0
    assert "F4 / um" in capsys.readouterr().out
    record = json.loads((folder / "run.json").read_text())
    assert record["inputs"] == {"ion": "C12", "energy_mev_u": 20.0, "electron_ev": None}
    assert sorted(record["files"]) == ["cluster_sizes.png", "track.png", "tracks.npz"]
    assert record["provenance"]["yields"]["F2 / um"][1] > 0.0
    with np.load(folder / "tracks.npz") as rows:
        assert set(rows["track"]) == {0, 1}
        assert rows["position_nm"].shape == (rows["kind"].size, 3)
        assert np.count_nonzero(rows["kind"] == IONISATION) > 100
    for name in record["files"]:
        assert (folder / name).stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ion", "Fe56", "--energy", "10"), "ion: found 'Fe56'"),
        (("--ion", "C12", "--energy", "1000"), "energy_mev_u: found 1000.0"),
        (("--ion", "C12"), "an ion and its energy, or --electron alone"),
        (("--electron", "100", "--ion", "p"), "found --ion, --electron"),
        (("--electron", "5"), "energy_ev: found 5.0"),
        (("--ion", "p", "--energy", "5", "--path", "0"), "path_nm"),
        (("--electron", "50", "--tracks", "1"), "tracks: found 1"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(tmp_path, capsys, arguments, message):
    folder = tmp_path / "run"
    assert call("run", *arguments, "--out", str(folder)) == BAD_INPUT
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not folder.exists()
