"""Small arcs that look like spot counts: layers around a depth that changes with the angle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from isodose.learn.layer_image import LayerImage
from isodose.learn.switch_times import SwitchTimes


@pytest.fixture(scope="session")
def times() -> SwitchTimes:
    return SwitchTimes(5.5, 0.6, 0.1)


@pytest.fixture(scope="session")
def image_of() -> Callable[..., LayerImage]:
    def make(seed: int = 0, points: int = 18, energies: int = 20) -> LayerImage:
        rng = np.random.default_rng(seed)
        angle = 2.0 * np.pi * (np.arange(points) / points + rng.random())
        middle = 10.0 + 3.0 * np.cos(angle) + rng.random()
        away = np.abs(np.arange(energies) - middle[:, None])
        count = np.rint(40.0 * np.maximum(0.0, 1.0 - (away / 5.0) ** 2))
        organ = np.rint(count * rng.random((points, 1)) * (np.arange(energies) > middle[:, None]))
        target = count / count.max(axis=1, keepdims=True)
        avoiding = (count - organ) / (count - organ).max(axis=1, keepdims=True)
        worth = 0.5 * target + 0.4 * avoiding
        depth = 20.0 + 3.0 * (middle + 5.0)
        return LayerImage(target, avoiding, worth, depth, 70.0 + 1.5 * np.arange(energies))

    return make
