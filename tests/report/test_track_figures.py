"""Pictures of tracks and of the database."""

import numpy as np

from isodose.report.database_figures import database_pictures
from isodose.report.track_figures import cluster_size_figure, track_figure
from isodose.track.database import ClusterDatabase
from isodose.track.database_entry import Entry
from isodose.track.entry_sums import QUANTITIES
from isodose.track.track_run import run_electrons


def test_track_shows_every_kept_interaction():
    run = run_electrons(500.0, 50, 1)
    points = sum(collection.get_offsets().shape[0] for collection in track_figure(run).axes[1].collections)
    assert points == np.count_nonzero(run.events[0].kinds < 2)


def test_distribution_has_all_sizes():
    run = run_electrons(500.0, 50, 1)
    bars = cluster_size_figure(run).axes[0].patches
    assert sum(bar.get_height() for bar in bars) == np.float64(run.size_shares.sum())


def test_database_has_a_picture_of_every_quantity_and_of_residuals():
    energies = np.geomspace(0.1, 100.0, 9)
    entries = [
        Entry(ion, float(e), 1.0 / e * np.ones(12), 0.02 / e * np.ones(12), 10)
        for ion in ("p", "C12")
        for e in energies
    ]
    smooth = ClusterDatabase(tuple(entries), {})
    raised = [Entry(e.ion, e.energy_mev_u, 1.1 * e.values, e.uncertainties, e.tracks) for e in entries]
    pictures = database_pictures(smooth, ClusterDatabase(tuple(raised), {}))
    assert [picture.key for picture in pictures] == [*QUANTITIES, "residuals"]
    dots = pictures[-1].figure.axes[1].lines[0].get_ydata()
    assert np.allclose(dots, 10.0)
    curve = pictures[3].figure.axes[0].lines[0]
    assert np.allclose(curve.get_ydata(), 1e3 / energies)
