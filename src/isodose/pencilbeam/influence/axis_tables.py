"""Layers of a beam as the kernel of unsplit spots reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.layer_tables import AMPLITUDE, GAIN, STEP_MM, VARIANCE

_FAINT = 1e-4
"""A Gaussian ends where it gives less than this part of the largest dose of its layer."""


class AxisTables(NamedTuple):
    """Layers as the kernel reads them; a term is a Gaussian of a component of a layer's beam.

    Parameters
    ----------
    table
        Of `isodose.pencilbeam.layer_tables`, float32 ``(terms, columns, depths)``, dose 0 behind the term's
        end.
    node
        Row of the excess variance, by term.
    air
        Coefficients of a spot's variance in air by the position along the beam, x and y, ``(terms, 2, 3)``.
    first
        Where the terms of each layer begin, and the end, int64 ``(layers + 1,)``.
    end_mm, reach_mm
        Depth where a layer ends, and the largest distance at which it gives dose, ``(layers,)``.
    """

    table: NDArray[np.float32]
    node: NDArray[np.int32]
    air: NDArray[np.float32]
    first: NDArray[np.int64]
    end_mm: NDArray[np.float32]
    reach_mm: NDArray[np.float64]


def axis_tables(view: BeamView, limit: float, scale: float, in_voxel_mm2: float) -> AxisTables:
    """Tables of a beam's layers.

    Parameters
    ----------
    view
        The beam.
    limit
        Exponent up to which a Gaussian is followed.
    scale
        Dose is multiplied by it.
    in_voxel_mm2
        Is added to variances.
    """
    arrays, planes = view.superposition, view.fan.plane_mm
    layers, gaussians = len(view.beam.layers), arrays.table.shape[2]
    columns = np.argsort(view.order, kind="stable")
    table = np.ascontiguousarray(arrays.table[:, columns].transpose(1, 2, 3, 0))
    table[:, :, AMPLITUDE] *= scale * np.array(view.part, dtype=np.float32)[columns, None, None]
    air = np.array([view.optics[c].coefficients() for c in columns])
    air[:, :, 0] += in_voxel_mm2
    end, reach = np.zeros(layers), np.zeros(layers)
    for column, terms, in_air in zip(columns, table, air, strict=True):
        layer = view.order[column]
        largest = terms[:, AMPLITUDE].sum(axis=0).max()
        widest_air = max(np.polyval(c[::-1], planes).max() for c in in_air)
        for term in terms:
            seen = np.flatnonzero(term[AMPLITUDE] > _FAINT * largest)
            last = int(seen[-1]) if seen.size else -1
            term[AMPLITUDE, last + 1 :] = 0.0
            end[layer] = max(end[layer], STEP_MM * min(last + 1, term.shape[1] - 1))
            excess = arrays.excess[..., arrays.node[column]].max(where=arrays.depth < end[layer], initial=0.0)
            widest = (term[VARIANCE] + term[GAIN] * excess)[: last + 1].max(initial=0.0) + widest_air
            reach[layer] = max(reach[layer], np.sqrt(2.0 * limit * widest))
    counts = gaussians * np.bincount(view.order, minlength=layers)
    return AxisTables(
        table.reshape(-1, *table.shape[2:]),
        np.repeat(arrays.node[columns], gaussians),
        np.repeat(air, gaussians, axis=0).astype(np.float32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        end.astype(np.float32),
        reach,
    )
