"""Deviations over scenarios, worked out by hand."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.evaluate.dvh import Dvh, dvh
from isodose.evaluate.robustness import root_mean_square_deviation, worst_cases
from isodose.patient.grid import Grid
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume

GRID = Grid((0.0, 0.0, 0.0), (10.0, 10.0, 10.0), (1, 1, 2))


def volume(*doses: float, grid: Grid = GRID) -> Volume:
    return Volume(grid, np.array(doses, dtype=np.float32).reshape(grid.shape))


def ramp(low: float, high: float) -> Dvh:
    n = 20_000
    return Dvh("ptv", np.linspace(low, high, n), np.full(n, 1000.0 / n))


def test_deviation_is_from_the_nominal_dose() -> None:
    # (3^2 + 4^2 + 0) / 3 and (1 + 1 + 1) / 3: what all scenarios shift counts, unlike a standard deviation.
    found = root_mean_square_deviation(volume(2.0, 2.0), [volume(5, 3), volume(-2, 3), volume(2, 3)])
    assert found.values.ravel() == pytest.approx([np.sqrt(25.0 / 3.0), 1.0])


def test_area_under_the_rvh_is_the_mean_deviation() -> None:
    grid = Grid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0), (6, 6, 6))
    rng = np.random.default_rng(4)
    nominal = volume(*rng.uniform(1.0, 2.0, grid.size), grid=grid)
    others = [volume(*rng.uniform(1.0, 2.0, grid.size), grid=grid) for _ in range(3)]
    structure = Structure("ptv", Role.PTV, grid, np.ones(grid.shape, dtype=np.float32))
    rvh = dvh(root_mean_square_deviation(nominal, others), structure)
    deviation, volume_percent = rvh.curve(20_000)
    area = float(np.trapezoid(volume_percent / 100.0, deviation))
    assert area == pytest.approx(rvh.mean, rel=1e-3)
    stacked = np.stack([d.values - nominal.values for d in others])
    # The histogram fills the structure with samples between the voxels; the mean stays nearly the same.
    assert rvh.mean == pytest.approx(float(np.sqrt((stacked**2).mean(axis=0)).mean()), rel=0.05)


def test_worst_figures_and_where_they_are() -> None:
    nominal, others = ramp(1.0, 2.0), [ramp(0.8, 2.0), ramp(1.0, 2.4), ramp(0.9, 1.9)]
    d95, d2 = worst_cases(nominal, others, is_target=True)
    assert (d95.figure, d95.scenario, d2.figure, d2.scenario) == ("D95", 0, "D2", 1)
    assert (d95.nominal, d95.worst) == pytest.approx((1.05, 0.86), abs=1e-3)
    assert (d2.nominal, d2.worst) == pytest.approx((1.98, 2.372), abs=1e-3)
    mean, _ = worst_cases(nominal, others, is_target=False)
    assert (mean.figure, mean.scenario, mean.nominal) == ("mean", 1, pytest.approx(1.5, abs=1e-3))
    assert worst_cases(nominal, [ramp(1.1, 1.9)], is_target=True)[0].scenario is None


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="scenarios: found none"):
        root_mean_square_deviation(volume(1.0, 1.0), [])
    other = Grid((1.0, 0.0, 0.0), (10.0, 10.0, 10.0), (1, 1, 2))
    with pytest.raises(InputError, match=r"scenarios\[1\].grid"):
        root_mean_square_deviation(volume(1, 1), [volume(1, 1), volume(1, 1, grid=other)])
    with pytest.raises(InputError, match="scenarios: found none"):
        worst_cases(ramp(1.0, 2.0), [], is_target=True)
    with pytest.raises(InputError, match="histograms"):
        worst_cases(ramp(1.0, 2.0), [Dvh("cord", [1.0], [1.0])], is_target=True)
