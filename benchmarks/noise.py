"""What the noise of Monte Carlo does to a gamma of which it is the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.evaluate.gamma import gamma
from isodose.patient.volume import Volume

_SEED = 5


def gamma_of_noise(pencil: Volume, uncertainty_gy: NDArray[np.float32]) -> float:
    """Pass rate in percent of a dose against itself with noise of a standard deviation by voxel added.

    What is missing to 100 % is due to noise, whichever engine is tested.
    """
    noise = np.random.default_rng(_SEED).standard_normal(pencil.values.shape).astype(np.float32)
    noisy = Volume(pencil.grid, np.maximum(pencil.values + noise * uncertainty_gy, 0.0))
    return gamma(noisy, pencil).pass_rate
