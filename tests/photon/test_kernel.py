"""The kernel of 6 MV against what is measured at linear accelerators."""

import numpy as np
import pytest
from scipy.integrate import quad

from isodose.errors import InputError
from isodose.photon.generic_6mv import GENERIC_6MV
from isodose.photon.kernel import PhotonKernel

DEPTH = np.arange(0.0, 320.0, 0.5)


def percent_depth_dose(side_mm: float) -> np.ndarray:
    dose = GENERIC_6MV.on_axis_gy(DEPTH, side_mm)
    return 100.0 * dose / dose.max()


def at(depth_mm: float, side_mm: float = 100.0) -> float:
    return float(np.interp(depth_mm, DEPTH, percent_depth_dose(side_mm)))


def test_depth_dose_of_the_reference_field() -> None:
    """10 cm x 10 cm at 100 cm: the range over linear accelerators of 6 MV (BJR supplement 25 and later)."""
    assert DEPTH[percent_depth_dose(100.0).argmax()] == pytest.approx(15.0, abs=1.5)
    assert at(50.0) == pytest.approx(86.5, abs=1.0)
    assert at(100.0) == pytest.approx(67.0, abs=1.0)
    assert at(200.0) == pytest.approx(38.7, abs=1.0)


@pytest.mark.parametrize(("side", "expected"), [(40.0, 62.8), (200.0, 69.7), (300.0, 71.0)])
def test_depth_dose_grows_with_the_field(side: float, expected: float) -> None:
    """At 100 mm, typical of 6 MV; accelerators differ by about a percent."""
    assert at(100.0, side) == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize(("side", "expected"), [(50.0, 0.955), (200.0, 1.04)])
def test_output_factors(side: float, expected: float) -> None:
    """At the maximum, head and phantom scatter together; accelerators differ by 0.01."""
    largest = GENERIC_6MV.on_axis_gy(DEPTH, side).max() / GENERIC_6MV.on_axis_gy(DEPTH, 100.0).max()
    assert largest == pytest.approx(expected, abs=0.01)


def test_monitor_unit() -> None:
    assert GENERIC_6MV.on_axis_gy(DEPTH, 100.0).max() == pytest.approx(0.01, rel=1e-3)


def test_field_is_the_sum_of_pencils() -> None:
    """Against an integral of the pencil over a square, by quadrature, without divergence."""
    far, depth, half = 1e9, 80.0, 30.0
    weight = GENERIC_6MV.weights_gy([depth])[0]

    def line(sigma: float) -> float:
        return quad(lambda x: np.exp(-0.5 * (x / sigma) ** 2), -half, half)[0] / np.sqrt(2 * np.pi) / sigma

    expected = sum(a * line(s) ** 2 for a, s in zip(weight, GENERIC_6MV.sigma_mm, strict=True))
    spread = (1000.0 / (far + depth)) ** 2
    found = GENERIC_6MV.on_axis_gy([depth], 2 * half, surface_mm=far)[0] / spread
    assert found == pytest.approx(expected, rel=1e-6)


def test_no_dose_is_negative() -> None:
    assert GENERIC_6MV.weights_gy(np.linspace(-5.0, 700.0, 2000)).min() >= 0.0


@pytest.mark.parametrize(
    ("sigma", "decay", "amplitude", "field"),
    [
        ([2.0, -1.0], [0.1], [[1.0], [1.0]], "kernel.sigma_mm"),
        ([2.0], [0.0], [[1.0]], "kernel.decay_per_mm"),
        ([2.0], [0.1], [[1.0, 2.0]], "kernel.amplitude_gy"),
        ([2.0], [0.1], [[np.nan]], "kernel.amplitude_gy"),
    ],
)
def test_refuses_a_wrong_kernel(sigma, decay, amplitude, field) -> None:
    with pytest.raises(InputError) as error:
        PhotonKernel("wrong", np.array(sigma), np.array(decay), np.array(amplitude))
    assert error.value.field == field
