"""Columns come in any order and in pieces, and the matrix is the same."""

import numpy as np
import pytest

from isodose.pencilbeam.influence import columns as influence_columns
from isodose.pencilbeam.influence.columns import ColumnStore

COUNT = 40
ORDER = np.random.default_rng(1).permutation(COUNT)
LENGTH = np.random.default_rng(2).integers(0, 30, COUNT)


def column(number: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.sort(np.random.default_rng(number).choice(1000, LENGTH[number], replace=False))
    return rows.astype(np.int32), np.stack([rows + number, rows - number]).astype(np.float32)


def fill(begin, end, indices, values, length):
    used = 0
    for task in range(begin, end):
        rows, numbers = column(ORDER[task])
        if used + rows.size > indices.size:
            return task, used, rows.size
        indices[used : used + rows.size] = rows
        values[:, used : used + rows.size] = numbers
        length[ORDER[task]] = rows.size
        used += rows.size
    return end, used, 0


@pytest.mark.parametrize(("block", "threads"), [(1000000, 1), (35, 1), (5, 1), (35, 3)])
def test_joined_columns(monkeypatch: pytest.MonkeyPatch, block: int, threads: int) -> None:
    monkeypatch.setattr(influence_columns, "_BLOCK", block)
    store = ColumnStore(COUNT, 2)
    half = COUNT // 2
    for first in (0, half):

        def work(begin, end, *room, first=first):
            following, used, needed = fill(begin + first, end + first, *room)
            return following - first, used, needed

        columns = lambda begin, end, first=first: ORDER[first + begin : first + end]  # noqa: E731
        store.run(work, columns, half, threads)
    indptr, indices, values = store.join()
    np.testing.assert_array_equal(np.diff(indptr), LENGTH)
    for number in range(COUNT):
        rows, numbers = column(number)
        place = slice(indptr[number], indptr[number + 1])
        np.testing.assert_array_equal(indices[place], rows)
        np.testing.assert_array_equal([v[place] for v in values], numbers)


def test_no_columns() -> None:
    indptr, indices, values = ColumnStore(0, 1).join()
    assert indptr.tolist() == [0]
    assert indices.size == values[0].size == 0
