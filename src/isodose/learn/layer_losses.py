"""What networks that choose energy layers are trained for. None needs an answer to imitate.

``paper``
    The loss of Yang et al., arXiv 2506.15803, eq. 4: cross entropies with the layers of most spots in the
    target and of most spots that avoid the organs, and the expected switching time, 0.5, 0.4 and 0.1.
``aligned``
    What the exact programme minimises, expected under the distribution over sequences: what layers lack in
    worth, and the weighted switching time. Its least value is that of the best sequence.
``spread``
    The same switching time against how evenly neighbouring control points spread their layers over the
    target, by the worth of layers. Within 50 degrees of a turn in steps of 5, they are to lie at all
    quantiles of a control point's worth: near ones cover the target together then, and the optimiser can
    shape the dose at its edges. Over 44 sequences for one nasopharynx-like head, the logarithm of the plan's
    objective goes with this better (correlation 0.9) than with any cover of the target's voxels (0.4).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from isodose.learn.layer_batch import LayerBatch
from isodose.learn.layer_beliefs import Beliefs
from isodose.learn.switch_times import SwitchTimes

PAPER_WEIGHTS = (0.5, 0.4, 0.1)
"""Of both cross entropies and the time in s per control point (Yang et al., below eq. 4)."""
NEIGHBOURS = 10.0
"""Full width at half maximum of the weights of neighbours, in control points."""
QUANTILES = 20
QUANTILE_WIDTH = 0.05
"""Standard deviation of a layer's share in quantiles around its own."""
LEAST_COVER = 0.1
"""Added to the cover of a quantile before the logarithm: how bad it is to leave one out."""


def spread(probability: Tensor, batch: LayerBatch) -> Tensor:
    """How evenly layers spread over quantiles of worth, ``(n,)``, summed over control points; more is better.

    Parameters
    ----------
    probability
        Distributions of the control points, ``(n, points, energies)``.
    batch
        Their layers.
    """
    places = (torch.arange(QUANTILES) + 0.5) / QUANTILES
    reach = torch.exp(-0.5 * ((batch.quantile[..., None] - places) / QUANTILE_WIDTH) ** 2)
    cover = torch.einsum("nge,ngeq->ngq", probability, reach)
    number = torch.arange(probability.shape[1], dtype=probability.dtype)
    sigma = NEIGHBOURS / math.sqrt(8.0 * math.log(2.0))
    near = torch.exp(-0.5 * ((number[:, None] - number) / sigma) ** 2) * batch.points[:, None, :]
    covered = (near / near.sum(dim=2, keepdim=True)) @ cover
    return (torch.log(LEAST_COVER + covered).mean(dim=2) * batch.points).sum(dim=1)


def lack(probability: Tensor, batch: LayerBatch) -> Tensor:
    """Expected lack of worth against each control point's best layer, ``(n,)``."""
    best = batch.worth.amax(dim=2).sum(dim=1)
    return best - (probability * batch.worth).sum(dim=(1, 2))


def _aligned(beliefs: Beliefs, batch: LayerBatch, times: SwitchTimes) -> Tensor:
    return lack(beliefs.probability, batch) + times.weight * beliefs.switching_s


def _spread(beliefs: Beliefs, batch: LayerBatch, times: SwitchTimes) -> Tensor:
    return times.weight * beliefs.switching_s - spread(beliefs.probability, batch)


def _paper(beliefs: Beliefs, batch: LayerBatch, times: SwitchTimes) -> Tensor:
    likely = torch.log(beliefs.probability + 1e-9)
    total = PAPER_WEIGHTS[2] * beliefs.switching_s
    for share, weight in zip(batch.images[..., :-1].unbind(dim=1), PAPER_WEIGHTS[:2], strict=True):
        most = (share == share.amax(dim=2, keepdim=True)) & batch.allowed
        total = total - weight * (most * likely).sum(dim=(1, 2))
    return total / batch.points.sum(dim=1)


Loss = Callable[[Beliefs, LayerBatch, SwitchTimes], Tensor]
LOSSES: Mapping[str, Loss] = {"aligned": _aligned, "spread": _spread, "paper": _paper}
"""Losses ``(n,)`` by name, of distributions, batch and switching times."""
