"""The nanodosimetric database: entries, refining, resuming, files, interpolation."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.track import database_file, sums_file
from isodose.track.database import ClusterDatabase, load_database
from isodose.track.database_build import (
    all_entries,
    build_database,
    database_of_folder,
    rough_entries,
    stages,
)
from isodose.track.database_entry import (
    DATABASE_IONS,
    PAPER_ENERGIES_MEV,
    Entry,
    compute_sums,
    database_energies,
)
from isodose.track.entry_sums import QUANTITIES

QUICK = 0.08
WANTED = [("p", 1.0), ("p", 30.0), ("He4", 50.0)]


def stop_when_one_is_done(_stage, done, _total):
    if done:
        raise KeyboardInterrupt


def made_up(energies, power=-1.0):
    rows = [Entry("p", e, e**power * np.ones(12), 0.01 * e**power * np.ones(12), 100) for e in energies]
    return ClusterDatabase(tuple(rows), {"seed": 1})


def test_energies_are_those_of_the_paper():
    assert PAPER_ENERGIES_MEV.size == 84
    assert PAPER_ENERGIES_MEV[[0, 4, 5, 12, 18, 54, 74, -1]] == pytest.approx(
        [1, 5, 10, 50, 125, 1050, 2100, 3000], abs=51
    )
    for mev in PAPER_ENERGIES_MEV:
        assert np.min(np.abs(database_energies("C12") - mev / 12.0)) < 1e-6
    assert len(DATABASE_IONS) == 14
    assert len(all_entries()) == sum(len(database_energies(ion)) for ion in DATABASE_IONS)


@pytest.mark.physics
def test_an_entry_is_consistent():
    values, uncertainties = compute_sums("He4", 2.0, 0.2).estimates()
    frequencies = dict(zip(QUANTITIES, values, strict=True))
    assert all(frequencies[f"F{k}"] > frequencies[f"F{k + 1}"] for k in range(1, 10))
    assert frequencies["M1"] > sum(frequencies[f"F{k}"] for k in range(1, 11)) * 0.999
    # M1 is the number of ionisations: 62 keV/um at 22 eV each
    assert frequencies["M1"] == pytest.approx(62.4 / 22.0, rel=0.1)
    assert np.all(uncertainties > 0.0)


def test_more_tracks_go_on_from_those_that_are_known():
    rough = compute_sums("p", 30.0, 0.08)
    fine = compute_sums("p", 30.0, 0.02, known=rough)
    assert rough.relative_uncertainty("F4") <= 0.08
    assert fine.relative_uncertainty("F4") <= 0.02
    assert fine.tracks > rough.tracks >= 16
    assert compute_sums("p", 30.0, 0.08, known=fine) is fine
    difference = rough.estimates()[0][3] - fine.estimates()[0][3]
    assert abs(difference) < 4.0 * rough.estimates()[1][3]
    with pytest.raises(InputError, match="uncertainty"):
        compute_sums("p", 30.0, 0.0)


def test_stages_halve_the_uncertainty():
    assert stages(0.01) == pytest.approx([0.08, 0.04, 0.02, 0.01])
    assert stages(0.1) == [0.08]
    with pytest.raises(InputError, match="uncertainty"):
        stages(1.0)


def test_interrupted_build_goes_on_to_the_same_result(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        whole = build_database(tmp_path / "whole", WANTED, pool, 0.5 * QUICK)
    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        build_database(tmp_path / "cut", WANTED, pool, QUICK, progress=stop_when_one_is_done)
    assert 1 <= len(list((tmp_path / "cut").iterdir())) < 3
    assert len(database_of_folder(tmp_path / "cut", WANTED).entries) < 3
    told = []
    with ThreadPoolExecutor(2) as pool:
        resumed = build_database(
            tmp_path / "cut", WANTED, pool, 0.5 * QUICK, progress=lambda *report: told.append(report)
        )
    assert told[-1] == (0.5 * QUICK, 3, 3)
    for a, b in zip(whole.entries, resumed.entries, strict=True):
        assert (a.ion, a.energy_mev_u, a.tracks) == (b.ion, b.energy_mev_u, b.tracks)
        assert np.array_equal(a.values, b.values)


def test_rough_entries_stay_the_same_while_they_are_refined(tmp_path):
    rows = np.ones(12), np.full(12, 0.004)
    worse = np.full(12, 0.006)
    sure = ClusterDatabase((Entry("p", 10.0, *rows, 8), Entry("p", 20.0, rows[0], worse, 8)), {})
    assert rough_entries(tmp_path, sure, 0.005) == [("p", 20.0)]
    refined = ClusterDatabase((Entry("p", 10.0, *rows, 8), Entry("p", 20.0, *rows, 8)), {})
    assert rough_entries(tmp_path, refined, 0.005) == [("p", 20.0)]
    assert rough_entries(tmp_path, refined, 0.004001) == []
    (tmp_path / "rough_0.005.json").write_text("[1")
    with pytest.raises(InputError, match="delete it"):
        rough_entries(tmp_path, refined, 0.005)


def test_entries_of_another_seed_or_physics_are_refused(tmp_path, monkeypatch):
    with ThreadPoolExecutor(1) as pool:
        build_database(tmp_path, WANTED[:1], pool, QUICK)
        with pytest.raises(InputError, match=r"p_1\.npz: seed: found 1, expected 2, or another folder"):
            build_database(tmp_path, WANTED[:1], pool, QUICK, seed=2)
        monkeypatch.setattr(sums_file, "PHYSICS_VERSION", 999)
        with pytest.raises(InputError, match=r"physics: found \d+, expected 999, or another folder"):
            build_database(tmp_path, WANTED[:1], pool, QUICK)
    (tmp_path / "p_1.npz").write_bytes(b"cut off")
    with ThreadPoolExecutor(1) as pool, pytest.raises(InputError, match=r"p_1\.npz"):
        build_database(tmp_path, WANTED[:1], pool, QUICK)
    with pytest.raises(InputError, match="no entry"):
        database_of_folder(tmp_path / "empty", WANTED)


def test_files_keep_everything(tmp_path):
    made_up([1.0, 2.0]).save(tmp_path / "d.npz")
    read = load_database(tmp_path / "d.npz")
    assert read.ions == ("p",)
    assert read.provenance == {"seed": 1}
    assert read.entries[1].tracks == 100
    assert read.table("p", "F4")[0] == pytest.approx([1.0, 0.5])
    assert read.table("p", "F4")[1] == pytest.approx([0.01, 0.005])


def test_another_physics_is_refused(tmp_path, monkeypatch):
    made_up([1.0, 2.0]).save(tmp_path / "d.npz")
    monkeypatch.setattr(database_file, "PHYSICS_VERSION", 999)
    with pytest.raises(
        InputError, match=r"d\.npz: physics: found that of another version.*isodose track database"
    ):
        load_database(tmp_path / "d.npz")


def test_damaged_files_are_refused(tmp_path):
    made_up([1.0, 2.0]).save(tmp_path / "d.npz")
    whole = (tmp_path / "d.npz").read_bytes()
    for number, content in enumerate((b"", b"nonsense", whole[: len(whole) // 2])):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{number}\.npz"):
            load_database(path)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match=r"other\.npz"):
        load_database(tmp_path / "other.npz")


def test_noise_of_energies_side_by_side_makes_no_slope():
    """Energies of the paper lie within 1 % of others: their difference is noise, not a derivative."""
    energies = np.array([6.0, 8.0, 10.0, 10.13, 13.5, 18.0, 24.0])
    values = 1.0 / energies
    values[2:4] *= 0.995, 1.005
    rows = tuple(
        Entry("p", e, v * np.ones(12), 0.005 * v * np.ones(12), 100)
        for e, v in zip(energies, values, strict=True)
    )
    between = np.linspace(8.0, 13.5, 30)
    found = ClusterDatabase(rows, {"seed": 1}).per_nm("p", "F4", between) * between
    # the two cancel; a cubic through six points follows 1 / E to 0.3 %
    assert found == pytest.approx(np.ones(30), rel=0.004)


def test_interpolation_has_bounds():
    database = made_up(np.geomspace(0.1, 100.0, 31), power=-0.8)
    assert database.per_nm("p", "F2", 3.3) == pytest.approx(3.3**-0.8, rel=2e-3)
    assert database.per_nm("p", "F2", [[1.0, 2.0]]).shape == (1, 2)
    with pytest.raises(InputError, match=r"energy_mev_u: found 200.0, expected 0\.1 to 100 MeV/u"):
        database.per_nm("p", "F2", [1.0, 200.0])
    with pytest.raises(InputError, match="energy_mev_u"):
        database.per_nm("p", "F2", np.nan)
    with pytest.raises(InputError, match=r"ion.*expected one of p"):
        database.per_nm("Fe56", "F2", 1.0)
    with pytest.raises(InputError, match="F11"):
        database.per_nm("p", "F11", 1.0)
