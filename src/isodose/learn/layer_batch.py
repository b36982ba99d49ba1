"""Layer images as tensors: cut to the layers that are used, and filled up to a common size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isodose.learn.layer_image import LayerImage

WET_UNIT_MM = 100.0
"""Depths enter the network in decimetres of water, near 1 like the shares."""
NOT_ALLOWED = -1e4
"""Score of layers that there are not."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerBatch:
    """Images of the delivered control points.

    Parameters
    ----------
    images
        Shares of spots in the target and of those that avoid the organs, with the depth as one more energy,
        ``(n, 2, points, energies + 1)``.
    allowed
        Which layers there are, ``(n, points, energies)``.
    points
        Which control points there are, ``(n, points)``.
    worth
        Of the layers, ``(n, points, energies)``.
    quantile
        Part of a control point's worth that lies before the middle of each layer, ``(n, points, energies)``.
    """

    images: Tensor
    allowed: Tensor
    points: Tensor
    worth: Tensor
    quantile: Tensor


def batch_of(images: Sequence[LayerImage]) -> LayerBatch:
    """Batch of images."""
    parts = [_Part(image) for image in images]
    n, points, energies = len(parts), max(p.shape[0] for p in parts), max(p.shape[1] for p in parts)
    fields = {
        "images": np.zeros((n, 2, points, energies + 1), dtype=np.float32),
        "allowed": np.zeros((n, points, energies), dtype=np.bool_),
        "points": np.zeros((n, points), dtype=np.bool_),
        "worth": np.zeros((n, points, energies), dtype=np.float32),
        "quantile": np.zeros((n, points, energies), dtype=np.float32),
    }
    for i, part in enumerate(parts):
        rows, columns = part.shape
        fields["images"][i, :, :rows, :columns] = part.shares
        fields["images"][i, :, :rows, columns] = part.depth
        fields["points"][i, :rows] = True
        for name in ("allowed", "worth", "quantile"):
            fields[name][i, :rows, :columns] = getattr(part, name)
    return LayerBatch(**{name: torch.from_numpy(values) for name, values in fields.items()})


class _Part:
    """What is used of one image."""

    def __init__(self, image: LayerImage) -> None:
        rows, columns = image.delivered, slice(*image.used)
        self.shares = np.stack([image.target[rows, columns], image.avoiding[rows, columns]])
        self.depth = image.max_wet_mm[rows] / np.float32(WET_UNIT_MM)
        self.allowed = image.allowed[rows, columns]
        self.worth = image.worth[rows, columns]
        self.quantile = _quantile(np.where(self.allowed, self.worth, np.float32(0.0)))
        self.shape = self.allowed.shape


def _quantile(worth: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.maximum(worth.sum(axis=1, keepdims=True), np.float32(1e-6))
    return np.asarray((np.cumsum(worth, axis=1) - 0.5 * worth) / total, dtype=np.float32)
