"""Kernels have the variance that was asked for; convolution is that of scipy, cut off at the edges."""

import numpy as np
import pytest
from scipy.signal import convolve2d

from isodose.pencilbeam.gaussian_taps import add_smoothed, gaussian_taps, taps_of

TABLE = gaussian_taps()


@pytest.mark.parametrize("variance", [0.0, 0.03, 0.3, 0.49, 0.51, 0.8, 2.0, 6.3, 41.0, 180.0])
def test_kernel_has_the_variance(variance: float) -> None:
    out = np.zeros(300, dtype=np.float32)
    half = taps_of(TABLE, np.float32(variance), out)
    weights = out[: 2 * half + 1].astype(np.float64)
    place = np.arange(-half, half + 1)
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)
    # Sampling costs a half percent of a variance of half a cell squared, the end of the kernel 0.4 % of any.
    assert (weights * place**2).sum() == pytest.approx(variance, rel=6e-3, abs=1e-6)


def test_kernel_is_a_gaussian() -> None:
    out = np.zeros(300, dtype=np.float32)
    half = taps_of(TABLE, np.float32(5.0), out)
    place = np.arange(-half, half + 1)
    exact = np.exp(-(place**2) / 10.0) / np.sqrt(10.0 * np.pi)
    np.testing.assert_allclose(out[: 2 * half + 1], exact, atol=2e-4)


@pytest.mark.parametrize("corner", [(12, 9), (-3, 5), (18, 20), (0, -40)])
def test_convolution(corner: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    source = rng.uniform(size=(7, 5)).astype(np.float32)
    taps = np.zeros((2, 100), dtype=np.float32)
    half_u, half_v = (taps_of(TABLE, np.float32(t), row) for t, row in zip((2.0, 5.0), taps, strict=True))
    stride = 5 + 2 * half_u
    image = np.zeros(2 * half_u + 7 * stride, dtype=np.float32)
    image[2 * half_u :].reshape(7, stride)[:, :5] = source
    before = rng.uniform(size=(25, 31)).astype(np.float32)
    out = before.copy()
    work, lines = np.empty(1000, dtype=np.float32), np.empty(1000, dtype=np.float32)
    add_smoothed(image, 7, stride, 5, corner, taps[0], half_u, taps[1], half_v, work, lines, out)
    kernel = np.outer(taps[1, : 2 * half_v + 1], taps[0, : 2 * half_u + 1])
    wide = np.zeros((25 + 120, 31 + 120))
    wide[60 + corner[0] : 67 + corner[0], 60 + corner[1] : 65 + corner[1]] = source
    expected = before + convolve2d(wide, kernel, mode="same")[60:-60, 60:-60]
    np.testing.assert_allclose(out, expected, atol=1e-6)
