"""Threads over independent outputs; the kernels release the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def over_chunks(work: Callable[[int, int], None], count: int, threads: int, pieces: int = 4) -> None:
    """Call ``work(begin, end)`` for pieces of ``range(count)``, some per thread so that the load is even."""
    if threads == 1 or count < 2:
        work(0, count)
        return
    chunks = min(count, pieces * threads)
    edges = [count * i // chunks for i in range(chunks + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, a, b) for a, b in pairwise(edges)]:
            future.result()
