"""The command that draws the arc paper's figures and tables, on made results."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SELECTORS = ("swarm", "exact", "joint, 51 s")
DOSE = np.linspace(0.0, 2.6, 521).astype(np.float32)


@pytest.fixture
def arc_paper(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("arc_paper", "arc_paper_figures", "arc_results"):
        sys.modules.pop(name, None)
    return importlib.import_module("arc_paper")


def _falling(middle, width, axis=DOSE):
    """Share of voxels above each value, of values spread evenly around a middle."""
    return np.clip((middle + width - axis) / (2.0 * width), 0.0, 1.0)


def made_case(folder, robust, number):
    """Results of a ball in a square slice; the joint selector is the better one, more so with the number."""
    rng = np.random.default_rng(number)
    points = list(range(72))
    angle = np.arange(-180.0, 180.0, 5.0)
    found, dvh = {}, {"dvh_target": [], "dvh_stem": [], "slice_gy": []}
    x = np.arange(-100.0, 100.0, 4.0, dtype=np.float32)
    radius = np.hypot(x[None, :], x[:, None])
    for k, name in enumerate(SELECTORS):
        width = 0.3 - 0.08 * k - 0.01 * number
        energy = np.clip(40 + 20 * np.sin(np.radians(angle) * (k + 1)) + rng.integers(-2, 3, 72), 0, 99)
        jump = np.diff(energy.astype(int))
        up, down = int((jump > 0).sum()), int((jump < 0).sum())
        found[name] = {
            "switching_s": 5.5 * up + 0.6 * down, "up": up, "down": down, "unchanged": 71 - up - down,
            "ci": 0.6 + 0.1 * k + 0.01 * number, "hi": 1.8 * width / 2.0, "hi_2_98": 96.0 * width,
            "stem_gy": 0.9 - 0.1 * k + 0.02 * number + 0.1 * rng.random(),
            "point": points, "energy": energy.astype(int).tolist(),
        }  # fmt: skip
        dvh["dvh_target"].append(_falling(2.0, width))
        dvh["dvh_stem"].append(_falling(0.9 - 0.1 * k, 0.6))
        drawn = name != "exact"
        dvh["slice_gy"].append(2.0 / (1.0 + np.exp((radius - 35.0) / 4.0)) if drawn else radius * np.nan)
    numbers = {
        "target_cm3": 90.0 + 17.0 * number + 40.0 * rng.random(), "gantry_deg": angle.tolist(),
        "energies_mev_u": np.linspace(70.0, 200.0, 100).tolist(), "selectors": found,
    }  # fmt: skip
    name = f"validation_pt_{number}_150"
    np.savez(
        folder / f"{name}.npz", selectors=np.array(SELECTORS), dose_gy=DOSE, dose_ref_gy=np.float32(2.0),
        ct_hu=np.where(radius < 90.0, 20, -1000).astype(np.int16), target=radius < 32.0,
        stem=np.hypot(x[None, :], x[:, None] - 50.0) < 12.0, x_mm=x, y_mm=x,
        **{key: np.stack(values).astype(np.float32) for key, values in dvh.items()},
    )  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(numbers))
    curves = {"dose_gy": DOSE}
    for k, selector in enumerate(("swarm", "robust joint")):
        for structure, middle, width in (("PTV70", 2.0, 0.2), ("Brainstem", 0.8 - 0.1 * k, 0.6)):
            key = f"{selector}/{structure}"
            shifts = (0.0, -0.05 / (k + 1), 0.06 / (k + 1))
            curves[f"{key}/dvh"] = np.stack([100.0 * _falling(middle + s, width) for s in shifts])
            curves[f"{key}/rvh"] = 100.0 * _falling(0.1 - 0.02 * k, 0.05)
            curves[f"{key}/rvh_area"] = np.float32(0.1 - 0.02 * k)
    np.savez(robust / f"validation_pt_{number}_expectation_100.npz", **curves)


@pytest.fixture
def folders(tmp_path):
    for name in ("plain", "robust"):
        (tmp_path / name).mkdir()
    for number in range(1, 7):
        made_case(tmp_path / "plain", tmp_path / "robust", number)
    return tmp_path / "plain", tmp_path / "robust"


def test_one_command_gives_all_tables_and_figures(arc_paper, folders, capsys):
    plain, robust = folders
    arc_paper.main([str(plain), "--robust", str(robust), "--out", str(plain / "out")])
    printed = capsys.readouterr().out
    for name in ("figure_2", "figure_3a", "figure_3b", "figure_3c"):
        assert (plain / "out" / f"{name}.png").stat().st_size > 20_000
        assert f"{name}.png" in printed
    rows = (plain / "out" / "table_1.md").read_text().splitlines()
    assert rows[0] == "|  | swarm | exact | joint, 51 s |"
    conformity = next(row for row in rows if "CI" in row)
    # 0.61 to 0.66: mean 0.635, deviation of the sample 0.0187; six of six cases better: p = 2 / 2^6.
    assert "| 0.635 ± 0.019 |" in conformity
    assert "0.835 ± 0.019 (p 0.031) |" in conformity
    near_max = next(row for row in rows if "D2 /" in row)
    # 98 % of voxels from 2 - w to 2 + w lie below 2 + 0.96 w; w is 0.3 - 0.01 n, 0.265 in the mean.
    assert f"| {2.0 + 0.96 * 0.265:.3f} ±" in near_max
    assert "Switching time to the swarm's | +0.0 %" in (plain / "out" / "table_2.md").read_text()


def test_what_is_not_stored_is_not_drawn(arc_paper, folders, capsys):
    plain, _ = folders
    for path in plain.glob("*.npz"):
        stored = dict(np.load(path))
        stored["slice_gy"] = np.full_like(stored["slice_gy"], np.nan)
        np.savez(path, **stored)
    arc_paper.main([str(plain), "--cases", "pt_2", "pt_5"])
    assert "figure_3b.png: nothing stored" in capsys.readouterr().out
    assert not (plain / "paper" / "figure_3b.png").exists()
    assert not (plain / "paper" / "figure_3c.png").exists()
    assert (plain / "paper" / "figure_3a.png").exists()


def test_a_few_cases_have_no_density_but_are_drawn(arc_paper, folders):
    plain, _ = folders
    for path in sorted(plain.glob("*.json"))[2:]:
        path.unlink()
    arc_paper.main([str(plain)])
    assert (plain / "paper" / "figure_2.png").exists()


def test_folders_without_results_and_unknown_selectors_end_the_command(arc_paper, folders, tmp_path):
    with pytest.raises(SystemExit, match=r"no case with"):
        arc_paper.main([str(tmp_path)])
    with pytest.raises(SystemExit, match="not one of swarm"):
        arc_paper.main([str(folders[0]), "--selector", "best"])
    with pytest.raises(SystemExit, match="only of robust joint, swarm"):
        arc_paper.main([str(folders[0]), "--robust", str(folders[1]), "--robust-selector", "best"])
