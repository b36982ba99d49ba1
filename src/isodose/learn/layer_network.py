"""The U-Net of Yang et al., arXiv 2506.15803 (SPArc_dl), which reads an arc's spot counts.

Four levels of 16, 32, 64 and 128 channels; two 3 x 3 convolutions of stride 1 a level, each followed by a
LeakyReLU of slope 0.2; average pooling on the way down, upsampling and the encoder's features on the way up
(Ronneberger et al., MICCAI 2015); one output channel. The paper does not tell how many convolutions a level
has: two are U-Net's.

The greatest water-equivalent depth of each control point is one more column of both matrices, which is how
102 energies become the paper's input of 2 x 72 x 103. Its output belongs to the 102 energies.

A whole turn closes, its delivery does not: between the last control point and the first nothing is switched.
So the gantry's axis is padded with zeros like the energies', which also tells the network where a delivery
begins and ends; that any control point may be the first, it learns from turned examples.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64, 128)
SLOPE = 0.2
STEP = 2 ** (len(WIDTHS) - 1)
"""Both sides of an image are padded to multiples of this."""


class LayerNetwork(nn.Module):
    """Scores of layers, of any number of control points and energies."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (2, *WIDTHS[:-1])
        self.down = nn.ModuleList(_level(i, o) for i, o in zip(inputs, WIDTHS, strict=True))
        pairs = list(pairwise(WIDTHS))
        self.up = nn.ModuleList(_level(fine + coarse, fine) for fine, coarse in reversed(pairs))
        self.last = nn.Conv2d(WIDTHS[0], 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(n, points, energies)`` of images ``(n, 2, points, energies + 1)``."""
        points, columns = images.shape[2:]
        features = functional.pad(images, (0, -columns % STEP, 0, -points % STEP))
        kept: list[Tensor] = []
        for i, level in enumerate(self.down):
            features = level(features if i == 0 else functional.avg_pool2d(features, 2))
            kept.append(features)
        for level, fine in zip(self.up, reversed(kept[:-1]), strict=True):
            coarse = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = level(torch.cat([fine, coarse], dim=1))
        scores: Tensor = self.last(features)
        return scores[:, 0, :points, : columns - 1]


def _level(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.LeakyReLU(SLOPE),
    )
