"""``isodose learn``, from counting to evaluation, with networks that have seen next to nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isodose.cli import main
from isodose.learn.layer_image import read_layer_images
from isodose.learn.layer_weights import read_layer_weights

COUNT = ("learn", "count", "head", "--seeds", 2, "--target", "PTV", "--organ", "Brainstem")


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    assert run(*COUNT, "--out", folder) == 0
    return folder


def test_counting_goes_on_where_it_was(data, monkeypatch):
    images = read_layer_images(data)
    assert list(images) == ["head_000", "head_001"]
    assert images["head_000"].target.shape[0] == 72
    assert not np.array_equal(images["head_000"].target, images["head_001"].target)
    monkeypatch.setattr("isodose.patient.builtin.builtin_patient", lambda *a: pytest.fail("counted again"))
    assert run(*COUNT, "--out", data) == 0


def test_train_and_evaluate(data, tmp_path, capsys):
    out = tmp_path / "networks"
    ask = ("learn", "train", "energy-layers", "--data", data, "--out", out, "--folds", 2, "--epochs", 1)
    assert run(*ask, "--time-weight", 0.05) == 0
    assert read_layer_weights(out / "all.npz").times.weight == 0.05
    record = json.loads((out / "run.json").read_text())
    assert record["verb"] == "learn train"
    assert record["options"]["loss"] == "aligned"
    assert record["options"]["time_weight"] == 0.05
    assert record["files"] == ["all.npz", "fold_1.npz", "fold_2.npz"]
    assert run("learn", "evaluate", "energy-layers", "--data", data, "--networks", out) == 0
    said = capsys.readouterr().out
    assert "all: 2 arcs" in said
    assert "particle" in said


def test_interrupted_training_goes_on(data, tmp_path, capsys, monkeypatch):
    from isodose.learn import layer_training

    out, step = tmp_path / "networks", layer_training._Run._step
    ask = ("learn", "train", "energy-layers", "--data", data, "--out", out, "--folds", 0, "--epochs", 6)

    def stop_at_the_end(self, images, number):
        if number == 5:
            raise KeyboardInterrupt
        step(self, images, number)

    monkeypatch.setattr(layer_training._Run, "_step", stop_at_the_end)
    assert run(*ask) == 130
    assert "goes on from" in capsys.readouterr().err
    assert (out / "all.checkpoint").exists()
    monkeypatch.setattr(layer_training._Run, "_step", step)
    assert run(*ask) == 0
    assert read_layer_weights(out / "all.npz").loss == "aligned"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "energy-layers", "--data", "none", "--out", "o"), "isodose learn count"),
        (("evaluate", "energy-layers", "--data", "none"), "isodose learn count"),
        (("count", "water", "--target", "PTV", "--organ", "Nothing", "--out", "o"), "Nothing"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("learn", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1


def test_without_torch_the_extra_is_named(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("isodose.learn.torch_extra.find_spec", lambda name: None)
    assert run("learn", "train", "energy-layers", "--data", data, "--out", tmp_path / "o") == 2
    assert "isodose[learn]" in capsys.readouterr().err
