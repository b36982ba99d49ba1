"""Pencil kernels and base data: what is refused, ranges, and energies between those of the data."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.machine.base_data import BaseData, DepthSpectra, DepthWeighting, PencilKernel

ALPHA, POWER = 0.022, 1.77
"""Bragg and Kleeman's rule for protons, in mm and MeV: an energy of 150 MeV reaches 156 mm."""


def bragg_range(energy: float) -> float:
    return float(ALPHA * energy**POWER)


def bragg_curve(energy: float, depth: NDArray[np.float64], width: float = 0.015) -> NDArray[np.float64]:
    """Peak that depends on the depth as a part of the range alone, with 80 % behind it at the range."""
    peak = np.exp(-0.5 * ((depth / bragg_range(energy) - 1.0) / width + np.sqrt(-2.0 * np.log(0.8))) ** 2)
    return np.asarray(peak)


def kernel(energy: float, gaussians: int = 2) -> PencilKernel:
    depth = np.linspace(0.0, 1.2, 481) * bragg_range(energy)
    sigma = 0.02 * depth[:, None] * (1.0 + 4.0 * np.arange(gaussians))
    weight = np.tile([[1.0], [0.9, 0.1], [0.85, 0.1, 0.05]][gaussians - 1], (depth.size, 1))
    letd = 2.0 + np.tile(depth[:, None], (1, gaussians))
    return PencilKernel(energy, depth, bragg_curve(energy, depth), sigma, weight, letd)


def data(*energies: float) -> BaseData:
    return BaseData("proton", tuple(kernel(e) for e in energies))


def test_range_is_the_distal_80_percent() -> None:
    # Linear interpolation on steps of 0.0025 ranges.
    assert kernel(150.0).range_mm == pytest.approx(bragg_range(150.0), rel=1e-4)


def test_range_of_a_curve_that_ends_before_it_falls() -> None:
    short = kernel(150.0)
    cut = slice(0, 395)
    ended = PencilKernel(150.0, short.depth_mm[cut], short.dose[cut], short.sigma_mm[cut], short.weight[cut])
    assert ended.range_mm == short.depth_mm[394]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"depth_mm": np.zeros(481)}, "depth_mm.*ascending depths"),
        ({"depth_mm": np.append(np.arange(480.0), np.nan)}, "depth_mm.*found nan"),
        ({"depth_mm": np.arange(481.0) - 1.0}, "depth_mm.*no negative"),
        ({"depth_mm": np.arange(481.0).reshape(13, 37)}, "depth_mm.*at least 10"),
        ({"dose": np.ones(480)}, r"dose.*\(481,\)"),
        ({"dose": np.zeros(481)}, "dose: found zero everywhere"),
        ({"dose": -np.ones(481)}, "dose.*no negative"),
        ({"dose": np.full(481, np.inf)}, "dose.*found inf at 0 mm"),
        ({"sigma_mm": np.ones(481)}, "sigma_mm.*at least one Gaussian"),
        ({"weight": np.ones((481, 3))}, r"weight.*\(481, 2\)"),
        ({"weight": np.full((481, 2), 0.6)}, "weight.*sum of 1.2 at 0 mm.*add up to 1"),
        ({"letd": np.full((481, 2), np.nan)}, "letd.*found nan"),
    ],
)
def test_wrong_kernels(change: dict[str, NDArray[np.float64]], says: str) -> None:
    with pytest.raises(InputError, match=f"base data at 150 MeV/u: {says}"):
        replace(kernel(150.0), **change)


def test_energies_of_the_data_are_given_as_they_are() -> None:
    both = data(100.0, 150.0)
    assert both.kernel(150.0) is both.kernels[1]
    # A file's rounding of the energy, up to the very edge of what is tolerated.
    for near in (100.0 - 1e-3, 100.0 - 0.9e-3, 100.0 + 1e-4):
        assert both.kernel(near) is both.kernels[0]
    assert both.kernel(np.nextafter(150.0 + 1e-3, 0.0)) is both.kernels[1]
    assert data(100.0).kernel(100.0).energy_mev_u == 100.0


@pytest.mark.parametrize("energy", [99.99, 150.01, float("nan"), -1.0])
def test_energies_beyond_the_data(energy: float) -> None:
    with pytest.raises(
        InputError, match=r"energy_mev_u: found .* 100 to 150 MeV/u, which the base data cover"
    ):
        data(100.0, 150.0).kernel(energy)


@pytest.mark.parametrize("energy", [101.0, 122.0, 149.5])
def test_energies_between_are_interpolated_at_equal_parts_of_the_range(energy: float) -> None:
    between, exact = data(100.0, 150.0).kernel(energy), kernel(energy)
    assert between.energy_mev_u == energy
    # The curves are one function of the part of the range, and the range is a power of the energy.
    assert between.range_mm == pytest.approx(bragg_range(energy), rel=1e-4)
    np.testing.assert_allclose(between.depth_mm, exact.depth_mm, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(between.dose, exact.dose, atol=0.01)
    np.testing.assert_allclose(between.weight.sum(axis=1), 1.0)
    # Columns that grow with the range are linear in energy instead: E^1.77 is convex, 4.4 % above at worst.
    ratio = between.sigma_mm[240:, 0] / exact.sigma_mm[240:, 0]
    assert np.all((ratio >= 1.0 - 1e-4) & (ratio < 1.045))
    assert between.letd is not None


def test_let_is_lost_where_a_neighbour_has_none() -> None:
    pair = BaseData("proton", (kernel(100.0), replace(kernel(150.0), letd=None)))
    assert pair.kernel(120.0).letd is None


def test_wrong_base_data() -> None:
    with pytest.raises(InputError, match="no energies"):
        BaseData("proton", ())
    with pytest.raises(InputError, match="ascending energies"):
        data(150.0, 100.0)
    with pytest.raises(InputError, match="ascending energies"):
        data(100.0, 100.0)
    with pytest.raises(InputError, match="different numbers of Gaussians"):
        BaseData("proton", (kernel(100.0, 1), kernel(150.0, 3)))


def test_fewer_gaussians() -> None:
    three, one = (tuple(kernel(e, k) for e in (100.0, 150.0)) for k in (3, 1))
    both = BaseData("proton", three, simpler=(one,))
    assert both.with_gaussians(1).kernels is one
    assert both.with_gaussians(3).kernels is three
    assert both.with_gaussians(None).kernels is three
    with pytest.raises(InputError, match="gaussians: found 2, expected what the base data have: 3, 1"):
        both.with_gaussians(2)


def test_depth_weighting() -> None:
    part = np.array([0.0, 1.0])
    two = DepthWeighting(np.array([100.0, 200.0]), part, np.array([[1.0, 2.0], [3.0, 6.0]]))
    at = np.array([-1.0, 0.5, 2.0])
    np.testing.assert_allclose(two.at(150.0, at), [2.0, 3.0, 4.0])
    np.testing.assert_allclose(two.at(50.0, at), [1.0, 1.5, 2.0])
    np.testing.assert_allclose(two.at(250.0, at), [3.0, 4.5, 6.0])
    one = DepthWeighting(np.array([100.0]), part, np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(one.at(170.0, at), [1.0, 1.5, 2.0])


def spectra(**change: object) -> DepthSpectra:
    fields: dict[str, object] = {
        "classes": ("proton", "other"),
        "energy_edges_mev": np.array([0.1, 1.0, 10.0, 100.0]),
        "energy_mev_u": np.array([100.0, 150.0]),
        "range_mm": np.array([77.0, 156.0]),
        "part": np.linspace(0.0, 1.2, 5),
        "track_length": np.ones((2, 5, 2, 3), dtype=np.float32),
    }
    return DepthSpectra(**(fields | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": ("proton",)}, r"track_length.*\(2, 5, 1, 3\)"),
        ({"range_mm": np.array([77.0])}, r"range_mm.*\(2,\)"),
        ({"part": np.zeros(5)}, "part.*ascend"),
        ({"energy_mev_u": np.array([150.0, 100.0])}, "energy_mev_u.*ascend"),
        ({"track_length": np.full((2, 5, 2, 3), np.nan, dtype=np.float32)}, "track_length.*NaN"),
    ],
)
def test_wrong_spectra(change: dict[str, object], says: str) -> None:
    assert spectra().track_length.shape == (2, 5, 2, 3)
    with pytest.raises(InputError, match=f"spectra: {says}"):
        spectra(**change)
