import numpy as np
import pytest

from isodose.errors import InputError
from isodose.learn.layer_inference import layer_scores
from isodose.learn.layer_training import WHOLE, LayerTraining, train_layers
from isodose.learn.layer_weights import read_layer_weights


@pytest.fixture(scope="module")
def images(image_of):
    return {f"arc_{i}": image_of(i) for i in range(4)}


def settings(times, **options):
    return LayerTraining(
        **({"loss": "aligned", "times": times, "chain": True, "epochs": 6, "folds": 2, "batch": 2} | options)
    )


def cost(images, weights, times):
    """Mean cost of the likeliest layers."""
    total = 0.0
    for image in images.values():
        path = layer_scores(image, weights).argmax(axis=1)
        jump = np.diff(path)
        total += (image.worth.max(axis=1) - image.worth[np.arange(len(path)), path]).sum()
        total += times.weight * (times.up_s * (jump > 0).sum() + times.down_s * (jump < 0).sum())
    return total / len(images)


def test_each_image_is_held_out_once(times):
    names = [f"arc_{i}" for i in range(11)]
    held_out = settings(times, folds=5).held_out(names)
    assert held_out.pop(WHOLE) == []
    assert len(held_out) == 5
    assert sorted(name for fold in held_out.values() for name in fold) == sorted(names)
    assert settings(times, folds=5, seed=1).held_out(names)["fold_1"] != held_out["fold_1"]


@pytest.mark.parametrize(("loss", "chain"), [("aligned", True), ("spread", False), ("paper", False)])
def test_networks_say_what_they_saw(tmp_path, images, times, loss, chain):
    asked = settings(times, loss=loss, chain=chain, epochs=1)
    files = train_layers(images, asked, tmp_path, "a command")
    assert [file.name for file in files] == ["all.npz", "fold_1.npz", "fold_2.npz"]
    fold = read_layer_weights(files[1])
    assert (fold.loss, fold.chain) == (loss, chain)
    assert fold.times == times
    assert set(fold.provenance["images"]) | set(fold.provenance["held_out"]) == set(images)
    assert not set(fold.provenance["images"]) & set(fold.provenance["held_out"])
    assert fold.provenance["command"] == "a command"
    assert not list(tmp_path.glob("*.checkpoint"))


def test_training_lowers_the_cost(tmp_path, images, times):
    found = {}
    for epochs in (1, 60):
        asked = settings(times, chain=False, folds=0, epochs=epochs)
        (file,) = train_layers(images, asked, _made(tmp_path / str(epochs)), "")
        found[epochs] = cost(images, read_layer_weights(file), times)
    assert found[60] < 0.3 * found[1]


@pytest.mark.parametrize("stop", [15, 31])
def test_an_interruption_changes_nothing(tmp_path, images, times, stop):
    asked = settings(times, epochs=12)  # 24 steps of the first network, 12 of each other
    whole = train_layers(images, asked, _made(tmp_path / "whole"), "")
    cut = _made(tmp_path / "cut")

    def interrupt(progress):
        if progress.done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_layers(images, asked, cut, "", interrupt)
    name = "all" if stop < 24 else "fold_1"
    assert [file.name for file in cut.glob("*.checkpoint")] == [f"{name}.checkpoint"]
    done = []
    again = train_layers(images, asked, cut, "", lambda progress: done.append(progress.done))
    assert done[0] == (11 if stop < 24 else 30)
    for one, other in zip(whole, again, strict=True):
        a, b = read_layer_weights(one).arrays, read_layer_weights(other).arrays
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_another_training_is_not_mixed_in(tmp_path, images, times):
    train_layers(images, settings(times, folds=0, epochs=1), tmp_path, "")
    with pytest.raises(InputError, match="another training"):
        train_layers(images, settings(times, folds=0, epochs=1, seed=3), tmp_path, "")
    fewer = {name: images[name] for name in ("arc_0", "arc_1")}
    with pytest.raises(InputError, match="images"):
        train_layers(fewer, settings(times, folds=0, epochs=1), tmp_path, "")
    with pytest.raises(InputError, match="checkpoint"):
        train_layers(images, settings(times, folds=2, epochs=1), _with(tmp_path / "other", b"nothing"), "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "luck"}, "aligned, spread, paper"),
        ({"loss": "paper"}, "--no-chain"),
        ({"epochs": 0}, "--epochs"),
        ({"folds": -1}, "--folds"),
        ({"learning_rate": float("nan")}, "--learning-rate"),
    ],
)
def test_bad_settings_are_refused(times, options, message):
    with pytest.raises(InputError, match=message):
        settings(times, **options)


def test_more_folds_than_images_are_refused(tmp_path, images, times):
    with pytest.raises(InputError, match="at most 4"):
        train_layers(images, settings(times, folds=5), tmp_path, "")


def _made(folder):
    folder.mkdir()
    return folder


def _with(folder, content):
    _made(folder)
    (folder / "all.checkpoint").write_bytes(content)
    return folder
