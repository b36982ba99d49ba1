"""Bands and spreads of histograms that can be worked out by hand."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.evaluate.dvh import Dvh
from isodose.evaluate.dvh_bands import dvh_band, dvh_spread


def ramp(low: float, high: float, name: str = "ptv") -> Dvh:
    """Histogram of a dose that rises linearly from low to high over a litre."""
    n = 20_000
    return Dvh(name, np.linspace(low, high, n), np.full(n, 1000.0 / n))


def test_band_of_shifted_ramps() -> None:
    band = dvh_band([ramp(s, s + 1.0) for s in (1.0, 1.1, 1.2)], points=221)
    at = int(np.argmin(np.abs(band.dose_gy - 1.5)))
    dose = band.dose_gy[at]
    # V(d) of a ramp from s to s + 1 is 1 - (d - s); one sample is 0.005 %
    by_hand = 100 * (1 - (dose - np.array([1.0, 1.1, 1.2])))
    assert band.lowest[at] == pytest.approx(by_hand[0], abs=0.02)
    assert band.highest[at] == pytest.approx(by_hand[2], abs=0.02)
    assert band.mean[at] == pytest.approx(by_hand[1], abs=0.02)
    assert band.quantile([0.25, 0.5])[:, at] == pytest.approx([by_hand[:2].mean(), by_hand[1]], abs=0.02)
    assert band.dose_gy[0] == 0.0
    assert band.dose_gy[-1] == pytest.approx(1.02 * 2.2)
    assert band.lowest[0] == 100.0
    assert band.highest[-1] == 0.0


def test_spread_of_shifted_ramps() -> None:
    d95, d50, d5 = dvh_spread([ramp(s, s + 1.0) for s in (1.0, 1.1, 1.2)])
    assert [d95.name, d50.name, d5.name] == ["D95", "D50", "D5"]
    assert d95.values == pytest.approx([1.05, 1.15, 1.25], abs=1e-4)
    assert (d50.mean, d50.min, d50.max) == pytest.approx((1.6, 1.5, 1.7), abs=1e-4)
    assert d5.deviation == pytest.approx(0.1, abs=1e-4)
    assert dvh_spread([ramp(0, 1)])[0].deviation == 0.0


def test_histograms_must_be_of_one_structure() -> None:
    with pytest.raises(InputError, match="histograms: found ptv, cord, expected at least one, all of one"):
        dvh_band([ramp(0, 1), ramp(0, 1, "cord")])
    with pytest.raises(InputError, match="histograms: found none"):
        dvh_spread([])
