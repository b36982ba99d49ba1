from dataclasses import replace

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.learn.layer_image import read_layer_image, read_layer_images, write_layer_image


def test_round_trip(tmp_path, image_of):
    image = image_of()
    write_layer_image(tmp_path / "a.npz", image)
    again = read_layer_images(tmp_path)["a"]
    for name in ("target", "avoiding", "worth", "max_wet_mm", "energies_mev_u"):
        np.testing.assert_array_equal(getattr(again, name), getattr(image, name))


def test_turned_arcs_hold_the_same_control_points(image_of):
    image = image_of()
    turned = image.turned(5)
    np.testing.assert_array_equal(turned.target[0], image.target[5])
    np.testing.assert_array_equal(turned.target[-1], image.target[4])
    back = image.turned(5, backwards=True)
    np.testing.assert_array_equal(back.worth, turned.worth[::-1])
    np.testing.assert_array_equal(back.max_wet_mm, turned.max_wet_mm[::-1])


def test_what_is_used(image_of):
    image = image_of()
    target = image.target.copy()
    target[3] = 0.0
    less = replace(image, target=target)
    assert 3 not in less.delivered
    assert less.delivered.size == image.delivered.size - 1
    first, beyond = image.used
    assert image.allowed[:, first].any()
    assert image.allowed[:, beyond - 1].any()
    assert not image.allowed[:, :first].any()
    assert not image.allowed[:, beyond:].any()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("target", np.zeros((18, 20)), "at least one"),
        ("target", np.full((18, 20), 2.0), "shares of at most 1"),
        ("worth", np.full((18, 20), -1.0), "finite numbers"),
        ("max_wet_mm", np.full(18, np.nan), "finite numbers"),
        ("max_wet_mm", np.zeros(17), r"\(18,\)"),
    ],
)
def test_bad_images_are_refused(image_of, field, value, message):
    with pytest.raises(InputError, match=message):
        replace(image_of(), **{field: value})


def test_other_files_are_named(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 nothing")
    for name in ("other.npz", "damaged.npz", "missing.npz"):
        with pytest.raises(InputError, match=name):
            read_layer_image(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="isodose learn count"):
        read_layer_images(tmp_path / "empty")
