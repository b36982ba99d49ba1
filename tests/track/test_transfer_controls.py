"""Control variates: mean zero, and a smaller uncertainty around the same mean."""

import numpy as np
import pytest

from isodose.track.database_entry import PLACEMENTS, compute_sums
from isodose.track.dielectric import transfer_grid
from isodose.track.entry_sums import QUANTITIES, EntrySums, sum_batches
from isodose.track.ion_tables import mean_control_rates
from isodose.track.ion_tracks import Segment, shell_batches
from isodose.track.transfer_controls import CONTROLS, KNOTS_EV, control_weights


def follow(ion, energy, each, batches=200, seed=3, **options):
    found = shell_batches(Segment(ion, energy), each, batches, seed=seed, placements=PLACEMENTS, **options)
    return found, sum_batches(found, each * batches, mean_control_rates(ion, energy))


def test_weights_sum_to_the_expected_yield():
    grid = transfer_grid()
    weights = control_weights(grid)
    assert weights.shape == (grid.size - 1, CONTROLS)
    for column, knot in enumerate(KNOTS_EV):
        at_knot = np.searchsorted(grid, knot) - 1
        assert weights[at_knot, column] == pytest.approx(1.0, abs=0.08)
        if column < CONTROLS - 1:
            beyond = grid[:-1] > KNOTS_EV[column + 1] * 1.1
            assert np.all(weights[beyond, : column + 1] == 0.0)


@pytest.mark.physics
@pytest.mark.parametrize(("ion", "energy", "each"), [("p", 0.05, 1), ("He4", 0.03, 1), ("C12", 20.0, 1)])
def test_controls_have_mean_zero(ion, energy, each):
    """Also where the ion slows down and changes its charge in the path."""
    found, sums = follow(ion, energy, each)
    common = sums.expected > 100.0
    assert common.any()
    z = found.controls.sum(axis=0) / np.sqrt((found.controls**2).sum(axis=0) + 1e-300)
    assert np.abs(z[common]).max() < 4.0


@pytest.mark.physics
def test_controls_leave_the_mean_and_take_the_noise():
    found, sums = follow("p", 60.0, 40)
    values, uncertainties = sums.estimates()
    for name, least_gain in (("F2", 2.5), ("F4", 1.3)):
        targets = found.targets[:, int(name[1]) :].sum(axis=1)
        mean = targets.sum() / found.path_nm.sum()
        plain = np.sqrt(np.sum((targets - mean * found.path_nm) ** 2)) / found.path_nm.sum()
        column = QUANTITIES.index(name)
        assert abs(values[column] - mean) < 4.0 * plain
        assert uncertainties[column] < plain / least_gain


@pytest.mark.physics
def test_uncertainty_is_the_scatter_of_repetitions():
    runs = [follow("He4", 20.0, 2, 128, seed=seed)[1].estimates() for seed in range(40)]
    values, told = np.array([run[0] for run in runs]), np.array([run[1] for run in runs])
    ratio = values.std(axis=0, ddof=1) / np.sqrt((told**2).mean(axis=0))
    # 40 runs give a scatter to 11 %
    assert ratio[[0, 1, 3, 6, 10]] == pytest.approx(1.0, abs=0.33)


def test_few_batches_use_no_controls():
    rng = np.random.default_rng(1)
    rows = rng.normal(10.0, 1.0, (8, 1 + CONTROLS + len(QUANTITIES)))
    sums = EntrySums(rows.T @ (rows / rows[:, :1]), np.full(CONTROLS, 1e6), 8, 8)
    path, first = rows[:, 0], rows[:, 1 + CONTROLS]
    assert sums.estimates()[0][0] == pytest.approx(first.sum() / path.sum())


@pytest.mark.physics
def test_uncertainty_where_energetic_electrons_are_few():
    """Small entries of fast protons: most meet none of the electrons that matter for F1 and M1."""
    sums = [compute_sums("p", 30.0, 0.05, seed=1000 + seed) for seed in range(80)]
    runs = [s.estimates() for s in sums]
    values, told = np.array([run[0] for run in runs]), np.array([run[1] for run in runs])
    z = (values - values.mean(axis=0)) / told
    for name in ("F1", "F2", "F4", "M1"):
        # without the share of rare electrons 2.3 (F1) and 2.2 (M1)
        rms = np.sqrt((z[:, QUANTITIES.index(name)] ** 2).mean())
        assert 0.7 < rms < 1.7, name
