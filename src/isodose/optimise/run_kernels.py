"""Kernels of run matrices: making them, and their products with vectors."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def _mark(indices, begin, end, row_of, bits, entry):  # type: ignore[no-untyped-def]
    """Mark the rows of a column in a set of bits, noting the entry of each; first and last word used."""
    low, high = bits.size, -1
    for n in range(begin, end):
        row = row_of[indices[n]]
        if row >= 0:
            word = row >> 6
            bits[word] |= np.uint64(1) << np.uint64(row & 63)
            entry[row] = n - begin
            low, high = min(low, word), max(high, word)
    return low, high


@njit(cache=True, nogil=True, error_model="numpy")
def count(indptr, indices, row_of, rows, runs, entries):  # type: ignore[no-untyped-def]
    """Count the runs and entries of each column that fall on rows."""
    bits, entry = np.zeros(rows // 64 + 1, np.uint64), np.empty(rows, np.int32)
    for column in range(indptr.size - 1):
        low, high = _mark(indices, indptr[column], indptr[column + 1], row_of, bits, entry)
        last = -2
        for word in range(low, high + 1):
            here = bits[word]
            if here == 0:
                continue
            for bit in range(64):
                if (here >> np.uint64(bit)) & np.uint64(1):
                    row = 64 * word + bit
                    runs[column] += row != last + 1
                    entries[column] += 1
                    last = row
            bits[word] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def fill(  # type: ignore[no-untyped-def]
    indptr, indices, row_of, rows, source, column_run, first, run_row, run_entry, kept
):
    """Write rows and entries of the runs that `count` has counted, and the values in that order."""
    bits, entry = np.zeros(rows // 64 + 1, np.uint64), np.empty(rows, np.int32)
    for column in range(indptr.size - 1):
        begin = indptr[column]
        low, high = _mark(indices, begin, indptr[column + 1], row_of, bits, entry)
        last, run, at = -2, column_run[column] - 1, first[column]
        for word in range(low, high + 1):
            here = bits[word]
            if here == 0:
                continue
            for bit in range(64):
                if (here >> np.uint64(bit)) & np.uint64(1):
                    row = 64 * word + bit
                    if row != last + 1:
                        run += 1
                        run_row[run] = row
                        run_entry[run] = at
                    kept[at] = source[begin + entry[row]]
                    at += 1
                    last = row
            bits[word] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def count_part(column_run, run_row, run_entry, columns, row_of, runs, entries):  # type: ignore[no-untyped-def]
    """Count runs and entries of chosen columns on rows that stay (``row_of`` is -1 for others)."""
    for column in columns:
        last = -2
        for run in range(column_run[column], column_run[column + 1]):
            for row in range(run_row[run], run_row[run] + run_entry[run + 1] - run_entry[run]):
                new = row_of[row]
                if new >= 0:
                    runs[column] += new != last + 1
                    entries[column] += 1
                    last = new


@njit(cache=True, nogil=True, error_model="numpy")
def fill_part(  # type: ignore[no-untyped-def]
    column_run, run_row, run_entry, columns, row_of, source, new_column_run, first, new_row, new_entry, kept
):
    """Write the runs that `count_part` has counted."""
    for column in columns:
        last, new_run, at = -2, new_column_run[column] - 1, first[column]
        for run in range(column_run[column], column_run[column + 1]):
            shift = run_entry[run] - run_row[run]
            for row in range(run_row[run], run_row[run] + run_entry[run + 1] - run_entry[run]):
                new = row_of[row]
                if new < 0:
                    continue
                if new != last + 1:
                    new_run += 1
                    new_row[new_run] = new
                    new_entry[new_run] = at
                kept[at] = source[row + shift]
                at += 1
                last = new


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def product(column_run, run_row, run_entry, values, columns, weights, out):  # type: ignore[no-untyped-def]
    """Add chosen columns times weights to rows."""
    for c in range(columns.size):
        weight, column = weights[c], columns[c]
        if weight == 0.0:
            continue
        for run in range(column_run[column], column_run[column + 1]):
            begin, length = run_entry[run], run_entry[run + 1] - run_entry[run]
            # Slices tell the compiler that the loop is contiguous, which doubles its speed.
            there, here = out[run_row[run] : run_row[run] + length], values[begin : begin + length]
            for i in range(length):
                there[i] += weight * here[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def adjoint(column_run, run_row, run_entry, values, columns, by_row, out):  # type: ignore[no-untyped-def]
    """Scalar products of chosen columns with rows."""
    for c in range(columns.size):
        column = columns[c]
        total = np.float32(0.0)
        for run in range(column_run[column], column_run[column + 1]):
            begin, length = run_entry[run], run_entry[run + 1] - run_entry[run]
            there, here = by_row[run_row[run] : run_row[run] + length], values[begin : begin + length]
            part = np.float32(0.0)
            for i in range(length):
                part += there[i] * here[i]
            total += part
        out[c] = total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def squares(column_run, run_row, run_entry, values, columns, by_row, out):  # type: ignore[no-untyped-def]
    """Sums of squared entries of chosen columns times rows."""
    for c in range(columns.size):
        column = columns[c]
        total = np.float32(0.0)
        for run in range(column_run[column], column_run[column + 1]):
            begin, length = run_entry[run], run_entry[run + 1] - run_entry[run]
            there, here = by_row[run_row[run] : run_row[run] + length], values[begin : begin + length]
            part = np.float32(0.0)
            for i in range(length):
                part += there[i] * here[i] * here[i]
            total += part
        out[c] = total
