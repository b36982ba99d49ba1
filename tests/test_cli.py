"""The verbs, with a quick engine in the Monte Carlo's place."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from isodose.cli import BAD_INPUT, INTERRUPTED, main
from isodose.dose.dose import Dose
from isodose.dose.progress import Progress
from isodose.dose.quantity import Quantity
from isodose.errors import InputError
from isodose.patient.dicom_dose import read_dose
from isodose.patient.load import write_patient_dicom
from isodose.plan.yaml_plan import write_plan


class FakeMonteCarlo:
    """Gives a smooth dose at once; as interrupted or as broken as a test wants it."""

    interrupted = False
    broken = False
    stillborn = False

    def __init__(self, histories=1000, seed=0, threads=None, spacing_mm=None, checkpoint=None, resume=False,
                 uncertainty=None, machine=None, progress=None):  # fmt: skip
        self.histories, self.seed, self.spacing_mm = histories, seed, spacing_mm
        self.checkpoint, self.resume, self.progress = checkpoint, resume, progress
        self.uncertainty, self.machine = uncertainty, machine

    def compute(self, patient, plan, quantities):
        if self.stillborn:
            raise KeyboardInterrupt
        if self.broken:
            raise InputError("plan.beams[0].layers[0].energy_mev_u", 9000, "20 to 430 MeV/u")
        if self.interrupted:
            self.checkpoint.write_bytes(b"sums")
        elif self.resume:
            self.checkpoint.unlink()
        done = self.histories // (2 if self.interrupted else 1)
        self.progress(Progress(done, self.histories, 1.0, 1.0, 0.01))
        grid = patient.grid if self.spacing_mm is None else patient.grid.resampled(self.spacing_mm)
        z, y, x = np.meshgrid(*(grid.axis_mm(a) for a in "zyx"), indexing="ij")
        gy = np.exp(-(x**2 + (y + 25) ** 2 + z**2) / 2000.0).astype(np.float32) * (1 + 0.01 * self.seed)
        provenance = {"engine": "fake", "histories": done, "seed": self.seed, "partial": self.interrupted}
        return Dose(grid, dict.fromkeys(quantities, gy), {Quantity.DOSE: 0.01 * gy}, provenance=provenance)


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    for flag in ("interrupted", "broken", "stillborn"):
        monkeypatch.setattr(FakeMonteCarlo, flag, False)
    point = SimpleNamespace(name="montecarlo", load=lambda: FakeMonteCarlo)
    monkeypatch.setattr("isodose.dose.engine.entry_points", lambda group: [point])


@pytest.fixture
def no_pictures(monkeypatch):
    """Pages without pictures, which take seconds to draw and have tests of their own."""
    monkeypatch.setattr("isodose.report.html.dose_pictures", lambda *a: [])
    monkeypatch.setattr("isodose.report.comparison._pictures", lambda *a: [])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, head, two_fields):
    folder = tmp_path_factory.mktemp("inputs")
    write_patient_dicom(head, folder / "ct")
    write_plan(two_fields, folder / "plan.yaml")
    return str(folder / "ct"), str(folder / "plan.yaml")


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return int(end.value.code or 0)


def test_dose_writes_results_report_and_record(inputs, tmp_path, capsys):
    out = tmp_path / "run"
    code = run(
        "dose", *inputs, "--quantity", "letd", "--histories", 500, "--seed", 7, "--spacing", 5, "--out", out
    )
    assert code == 0
    assert str(out / "report.html") in capsys.readouterr().out
    record = json.loads((out / "run.json").read_text())
    assert record["verb"] == "dose"
    assert record["inputs"]["patient"] == inputs[0]
    assert record["options"]["seed"] == 7
    assert record["options"]["quantities"] == ["dose", "letd"]
    assert record["partial"] is False
    written = {path.name for path in out.iterdir()}
    assert written == {*record["files"], "run.json", "figures"}
    assert {"dose.dcm", "dose_uncertainty.dcm", "letd.dcm", "report.html"} <= written
    assert read_dose(out / "dose.dcm").volume.grid.spacing_mm == (5.0, 5.0, 5.0)


def test_interruption_is_partial_and_resume_finishes(inputs, tmp_path, monkeypatch, capsys, no_pictures):
    out = tmp_path / "run"
    monkeypatch.setattr(FakeMonteCarlo, "interrupted", True)
    assert run("dose", *inputs, "--spacing", 8, "--out", out) == INTERRUPTED
    assert "--resume" in capsys.readouterr().out
    assert json.loads((out / "run.json").read_text())["partial"] is True
    assert "This dose is partial" in (out / "report.html").read_text(encoding="utf-8")
    monkeypatch.setattr(FakeMonteCarlo, "interrupted", False)
    assert run("dose", *inputs, "--spacing", 8, "--out", out, "--resume") == 0
    assert json.loads((out / "run.json").read_text())["partial"] is False
    assert not (out / "checkpoint.npz").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--quantity", "kerma"), "quantity: found 'kerma'"),
        (("--engine", "abacus"), "engine: found 'abacus'"),
        (("--machine", "cyclotron"), "machine: found 'cyclotron'"),
        (("--resume",), "--resume: found no --out"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(inputs, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    assert run("dose", *inputs, *more) == BAD_INPUT
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_an_engine_that_refuses_leaves_nothing(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(FakeMonteCarlo, "broken", True)
    assert run("dose", *inputs, "--out", tmp_path / "run") == BAD_INPUT
    assert "isodose: plan.beams[0].layers[0].energy_mev_u: found 9000" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_interruption_before_the_first_batch_leaves_nothing(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(FakeMonteCarlo, "stillborn", True)
    assert run("dose", *inputs, "--out", tmp_path / "run") == INTERRUPTED
    assert capsys.readouterr().err == "isodose: interrupted before there was anything to write\n"
    assert not (tmp_path / "run").exists()


def test_missing_files_are_named(inputs, tmp_path, capsys):
    assert run("dose", inputs[0], tmp_path / "none.yaml", "--out", tmp_path / "run") == BAD_INPUT
    assert "none.yaml" in capsys.readouterr().err
    assert run("dose", tmp_path / "nobody", inputs[1], "--out", tmp_path / "run") == BAD_INPUT
    assert "nobody" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_compare_two_runs(inputs, tmp_path, capsys, no_pictures):
    for seed in (0, 3):
        assert run("dose", *inputs, "--spacing", 6, "--seed", seed, "--out", tmp_path / f"run{seed}") == 0
    out = tmp_path / "compared"
    arguments = (
        "compare",
        tmp_path / "run0",
        tmp_path / "run3",
        "--gamma",
        "4/1",
        "--gamma",
        "1/0.1",
        "--out",
        out,
    )
    assert run(*arguments) == 0
    text = capsys.readouterr().out
    assert "gamma 4 %/1 mm, global, threshold 10 %: 100.00 % pass" in text
    assert "mean difference above half of the maximum: +3.00 %" in text
    record = json.loads((out / "run.json").read_text())
    assert record["inputs"]["patient"] == inputs[0]  # taken over from the reference run
    assert len(record["provenance"]["gamma_pass_percent"]) == 2
    assert "ptv" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{run}", "{run}", "--gamma", "3mm"), "--gamma: found '3mm', expected percent/mm"),
        (("{run}", "nowhere"), "dose: found nowhere, which does not exist"),
        (("{run}", "{empty}"), "dose: found no dose file"),
    ],
)
def test_compare_refuses(inputs, tmp_path, monkeypatch, capsys, two_field_dose, arguments, message):
    from isodose.patient.images import write_image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "a.mha", two_field_dose.volume())
    paths = {"run": tmp_path / "a.mha", "empty": tmp_path / "empty"}
    assert run("compare", *(a.format(**paths) for a in arguments)) == BAD_INPUT
    assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "a.mha"}


def test_plan_writes_what_dose_reads(tmp_path, head, monkeypatch, capsys):
    from isodose.plan.load import load_plan

    write_patient_dicom(replace(head), tmp_path / "ct")
    for name in ("plan.dcm", "plan.yaml"):
        code = run(
            "plan",
            tmp_path / "ct",
            "--target",
            "ptv",
            "--gantry",
            90,
            "--dose",
            1.5,
            "--out",
            tmp_path / name,
        )
        assert code == 0, capsys.readouterr().err
        made = load_plan(tmp_path / name)
        assert made.ion == "proton"
        assert made.prescription_gy == pytest.approx(1.5)
        assert [beam.gantry_angle_deg for beam in made.beams] == [90.0]
    assert run("plan", tmp_path / "ct", "--target", "spleen", "--out", tmp_path / "b.dcm") == BAD_INPUT
    assert "spleen" in capsys.readouterr().err
    assert run("plan", tmp_path / "ct", "--out", tmp_path / "b.doc") == BAD_INPUT
    assert not (tmp_path / "b.dcm").exists()


def test_version_and_help(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("isodose ")
    assert run("dose", "--help") == 0
    assert "Examples" in capsys.readouterr().out
