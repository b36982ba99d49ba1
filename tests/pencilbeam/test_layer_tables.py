import numpy as np
import pytest

from isodose.machine.base_data import DepthWeighting
from isodose.machine.machine import Machine
from isodose.pencilbeam.layer_tables import (
    AMPLITUDE,
    FIRST_CHANNEL,
    GAIN,
    STEP_MM,
    VARIANCE,
    LayerTables,
    layer_tables,
)
from isodose.pencilbeam.spreading import scattering_power, water_variance

POWER = scattering_power("proton", 60.0)


def made(toy: Machine, *args) -> LayerTables:
    return layer_tables(toy.base_data.kernels, POWER, *args)


def test_rows_are_the_base_data(toy: Machine) -> None:
    tables = made(toy, (None,))
    for i, kernel in enumerate(toy.base_data.kernels):
        depth = 0.4 * kernel.range_mm
        row = round(depth / STEP_MM)
        depth = row * STEP_MM
        dose = np.interp(depth, kernel.depth_mm, kernel.dose)
        for g in range(3):
            found = tables.table[row, i, g]
            sigma, weight, letd = (
                np.interp(depth, kernel.depth_mm, column[:, g])
                for column in (kernel.sigma_mm, kernel.weight, kernel.letd)
            )
            assert found[AMPLITUDE] == pytest.approx(dose * weight, rel=1e-5)
            # Variances instead of widths are linear between depths 0.2 mm apart.
            assert found[VARIANCE] == pytest.approx(sigma**2, rel=1e-3)
            assert found[FIRST_CHANNEL] == pytest.approx(letd, rel=1e-5)


def test_weights_of_all_gaussians_make_the_depth_dose(toy: Machine) -> None:
    tables = made(toy)
    for i, kernel in enumerate(toy.base_data.kernels):
        depth = STEP_MM * np.arange(tables.table.shape[0])
        expected = np.interp(depth, kernel.depth_mm, kernel.dose, right=0.0)
        np.testing.assert_allclose(
            tables.table[:, i, :, AMPLITUDE].sum(axis=1), expected, rtol=1e-5, atol=1e-5
        )
    assert tables.table.shape[3] == FIRST_CHANNEL


def test_layers_that_have_ended_are_skipped(toy: Machine) -> None:
    tables = made(toy)
    amounts = tables.table[..., AMPLITUDE].sum(axis=2)
    assert tables.first_layer[0] == 0
    assert np.all(np.diff(tables.first_layer) >= 0)
    for row, first in enumerate(tables.first_layer):
        # Whatever is skipped is below 1e-4 of its maximum from here on.
        assert np.all(amounts[row:, :first] <= 1e-4 * amounts.max(axis=0)[:first])
    assert tables.first_layer[-1] == len(toy.base_data.kernels)


def test_every_layer_has_a_node_at_or_behind_its_range(toy: Machine) -> None:
    tables = made(toy)
    ranges = np.array([k.range_mm for k in toy.base_data.kernels])
    nodes = tables.nodes_mm[tables.node]
    assert np.all(np.diff(tables.nodes_mm) > 0.0)
    assert np.all(nodes >= ranges - 1e-6)
    assert np.all(nodes <= ranges + 8.0 + 1e-6)
    assert nodes[-1] == pytest.approx(ranges[-1])


def test_what_a_component_has_passed_shifts_its_columns(toy: Machine) -> None:
    plain, passed = made(toy), made(toy, (), np.full(4, 3.0))
    rows = round(3.0 / STEP_MM)
    for column in (AMPLITUDE, VARIANCE):
        np.testing.assert_allclose(
            passed.table[:-rows, :, :, column], plain.table[rows:, :, :, column], rtol=1e-4, atol=1e-4
        )
    np.testing.assert_allclose(passed.nodes_mm[-1], plain.nodes_mm[-1] - 3.0)


def test_excess_counts_for_the_core_as_the_data_say(toy: Machine) -> None:
    """The core's gain is its variance over the theory's at three quarters of the range; a halo's is more."""
    tables = made(toy)
    kernel = toy.base_data.kernels[-1]
    at = 0.75 * kernel.range_mm
    theory = np.interp(
        at, 0.5 * np.arange(200), np.pad(water_variance(POWER, kernel.range_mm), (0, 300))[:200]
    )
    core = np.interp(at, kernel.depth_mm, kernel.sigma_mm[:, 0]) ** 2
    gain = tables.table[20:80, -1, :, GAIN]
    np.testing.assert_allclose(gain[:, 0], core / theory, rtol=1e-4)
    ratio = tables.table[20:80, -1, 1:, VARIANCE] / tables.table[20:80, -1, :1, VARIANCE]
    np.testing.assert_allclose(gain[:, 1:], gain[:, :1] * np.minimum(ratio, 300.0), rtol=1e-4)


def test_a_weighting_goes_by_part_of_the_range(toy: Machine) -> None:
    weighting = DepthWeighting(
        np.array([50.0, 80.0]), np.array([0.0, 1.0]), np.array([[1.0, 2.0], [3.0, 6.0]])
    )
    tables = made(toy, (weighting,))
    kernel = toy.base_data.kernels[2]  # 70: two thirds of the way
    row = round(0.5 * kernel.range_mm / STEP_MM)
    part = row * STEP_MM / kernel.range_mm
    expected = (1.0 + part) / 3.0 + 2.0 * (3.0 + 3.0 * part) / 3.0
    np.testing.assert_allclose(tables.table[row, 2, :, FIRST_CHANNEL], expected, rtol=1e-5)
