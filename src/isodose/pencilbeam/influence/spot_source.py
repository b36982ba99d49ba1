"""What the rays of one layer give to every plane, per particle: shared by all spots of the layer.

A term is one Gaussian of one component of the layer's beam (pristine, scattered).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.layer_tables import AMPLITUDE, FIRST_CHANNEL, GAIN, STEP_MM, VARIANCE
from isodose.pencilbeam.superposition import between, widened
from isodose.pencilbeam.threads import over_chunks

AMOUNT, MOMENT, FIRST_PRODUCT = 0, 1, 2
"""What a ray gives: dose, dose times variance beyond the fluence map's, and products of dose and channels."""


class LayerSource(NamedTuple):
    """Rays of a layer.

    Parameters
    ----------
    given
        float32 ``(planes, terms, 2 + channels, nv, nu)`` on all rays of the fan; 0 where no particle passes.
    columns
        Columns of the view that are this layer's components, int64 ``(components,)``.
    gaussians
        Terms per component.
    """

    given: NDArray[np.float32]
    columns: NDArray[np.int64]
    gaussians: int


def layer_source(view: BeamView, layer: int, threads: int) -> LayerSource:
    """Compute what the rays of a layer of the beam give."""
    arrays = view.superposition
    columns = np.flatnonzero(np.array(view.order) == layer)
    gaussians, kinds = arrays.table.shape[2], FIRST_PRODUCT + arrays.table.shape[3] - FIRST_CHANNEL
    shape = (view.fan.planes, columns.size * gaussians, kinds, *view.fan.shape)
    given = np.zeros(shape, dtype=np.float32)
    part = np.array(view.part, dtype=np.float32)
    over_chunks(lambda begin, end: _give(arrays, columns, part, given, begin, end), view.fan.planes, threads)
    return LayerSource(given, columns, gaussians)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _give(view, columns, part, given, begin, end):  # type: ignore[no-untyped-def]
    table, cell, widest = view.table, view.cell, view.variance[-1]
    gaussians, channels = table.shape[2], table.shape[3] - FIRST_CHANNEL
    inverse = np.float32(1.0 / STEP_MM)
    for plane in range(begin, end):
        for ray in range(cell.shape[0]):
            at = view.depth[plane, ray] * inverse
            row = int(at)
            if row + 1 >= table.shape[0]:
                continue
            share = np.float32(at - row)
            v, u = cell[ray, 0], cell[ray, 1]
            for n in range(columns.size):
                column = columns[n]
                wider = view.excess[plane, ray, view.node[column]]
                for g in range(gaussians):
                    a, b = table[row, column, g], table[row + 1, column, g]
                    amount = part[column] * between(a[AMPLITUDE], b[AMPLITUDE], share)
                    if amount == 0.0:
                        continue
                    variance = between(a[VARIANCE], b[VARIANCE], share)
                    gain = between(a[GAIN], b[GAIN], share)
                    width = widened(variance, gain, wider, view.air[plane, column], widest)
                    term = n * gaussians + g
                    given[plane, term, AMOUNT, v, u] = amount
                    given[plane, term, MOMENT, v, u] = amount * width
                    for c in range(channels):
                        factor = between(a[FIRST_CHANNEL + c], b[FIRST_CHANNEL + c], share)
                        given[plane, term, FIRST_PRODUCT + c, v, u] = amount * factor
