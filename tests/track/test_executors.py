"""Where entries are computed: threads, and a Dask cluster of this machine."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.track.database_build import build_database
from isodose.track.executors import dask_cluster, threads

WANTED = [("p", 20.0), ("He4", 60.0), ("C12", 300.0)]


def test_threads_run_and_are_counted():
    with threads(2) as pool:
        assert pool.submit(sum, [1, 2]).result() == 3
    with pytest.raises(InputError, match="workers"), threads(0):
        pass


@pytest.mark.skipif(importlib.util.find_spec("distributed") is not None, reason="distributed is installed")
def test_missing_dask_names_the_extra():
    with pytest.raises(InputError, match=r"distributed.*isodose\[dask\]"), dask_cluster("tcp://nowhere:1"):
        pass


def test_a_dask_cluster_gives_what_threads_give(tmp_path):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    with ThreadPoolExecutor(1) as pool:
        here = build_database(tmp_path / "threads", WANTED, pool, 0.08)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        dask_cluster(cluster.scheduler_address) as executor,
    ):
        there = build_database(tmp_path / "dask", WANTED, executor, 0.08)
    for a, b in zip(here.entries, there.entries, strict=True):
        assert a.tracks == b.tracks
        assert np.array_equal(a.values, b.values)


def test_no_scheduler_is_an_input_error():
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    with pytest.raises(InputError, match="running Dask scheduler"), dask_cluster("no address at all"):
        pass
