import numpy as np
import pytest

from isodose.errors import InputError, MissingExtraError
from isodose.learn import torch_extra
from isodose.learn.layer_inference import layer_scores
from isodose.learn.layer_network import LayerNetwork
from isodose.learn.layer_weights import (
    SHIPPED,
    LayerWeights,
    read_layer_weights,
    shipped_weights,
    write_layer_weights,
)


def weights(times):
    arrays = {k: v.numpy() for k, v in LayerNetwork().state_dict().items()}
    return LayerWeights("spread", times, True, arrays, {"command": "none", "images": []})


def test_round_trip_but_for_half_precision(tmp_path, times):
    written = weights(times)
    write_layer_weights(tmp_path / "a.npz", written)
    again = read_layer_weights(tmp_path / "a.npz")
    assert (again.loss, again.times, again.chain) == ("spread", times, True)
    assert again.provenance == written.provenance
    for name, values in written.arrays.items():
        np.testing.assert_allclose(again.arrays[name], values, rtol=2.0**-11, atol=1e-7)


def test_other_files_and_versions_are_refused(tmp_path):
    np.savez(tmp_path / "later.npz", format=np.array("isodose layer network 2"))
    with pytest.raises(InputError, match=r"later.npz: format: found 'isodose layer network 2'"):
        read_layer_weights(tmp_path / "later.npz")
    (tmp_path / "damaged.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"damaged\.npz"):
        read_layer_weights(tmp_path / "damaged.npz")


def test_parameters_of_another_network_are_refused(image_of, times):
    broken = LayerWeights("spread", times, True, {"last.bias": np.zeros(1, dtype=np.float32)}, {})
    with pytest.raises(InputError, match="parameters of the U-Net"):
        layer_scores(image_of(), broken)


@pytest.mark.parametrize("loss", SHIPPED)
def test_shipped_networks_say_how_they_came_about(loss):
    found = shipped_weights(loss)
    assert found.loss == loss
    assert found.provenance["command"].startswith("isodose learn train energy-layers")
    assert len(found.provenance["images"]) > 200


def test_there_is_none_for_the_papers_loss():
    with pytest.raises(InputError, match="aligned, spread"):
        shipped_weights("paper")


def test_scores_are_where_layers_are(image_of, times):
    image = image_of()
    scores = layer_scores(image, weights(times))
    np.testing.assert_array_equal(np.isfinite(scores), image.allowed)


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(torch_extra, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"needs torch; install it with: pip install 'isodose\[learn\]'"
    ):
        torch_extra.require_torch("energy layers by a network")
