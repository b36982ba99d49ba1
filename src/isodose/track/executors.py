"""Where entries of the database are computed: on threads of this machine, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from isodose.errors import InputError


@contextmanager
def threads(workers: int) -> Iterator[Executor]:
    """Threads of this machine; what waits is dropped when they are left.

    Raises
    ------
    InputError
        If there are no workers.
    """
    if workers < 1:
        raise InputError("workers", workers, "a positive number")
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def dask_cluster(address: str) -> Iterator[Executor]:
    """Workers of a Dask cluster, which must have isodose installed.

    Parameters
    ----------
    address
        Of its scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    InputError
        If ``distributed`` is not installed, or there is no scheduler at the address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("dask", "no package 'distributed'", "pip install 'isodose[dask]'") from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise InputError("dask", f"{address} ({error})", "the address of a running Dask scheduler") from error
    with client:
        yield client.get_executor()
