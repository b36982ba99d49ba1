"""From a network's scores to distributions over energies: control points by themselves, or as a chain.

By themselves, as in the paper, control points cannot agree: where two sequences are about as good, each point
takes from both, and the likeliest layers switch to and fro. As a chain (Lafferty et al., ICML 2001) sequences
have probabilities, by their scores and weighed switching times, and the forward-backward recursion sums over
all of them. The network is trained through it; the likeliest sequence is a shortest path.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isodose.learn.layer_batch import NOT_ALLOWED, LayerBatch
from isodose.learn.switch_times import SwitchTimes

LEAST_EXPONENT = -60.0
"""How likely a layer is at least, beside its control point's best, lest a chain underflow in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """Distributions, and what follows from them.

    Parameters
    ----------
    probability
        Of each control point's energies, ``(n, points, energies)``; 0 for control points that there are not.
    switching_s
        Expected switching time, ``(n,)`` s.
    entropy
        Of the distribution over sequences, ``(n,)``.
    """

    probability: Tensor
    switching_s: Tensor
    entropy: Tensor


def independent(scores: Tensor, batch: LayerBatch, times: SwitchTimes, temperature: float) -> Beliefs:
    """One softmax over the energies of every control point.

    The paper takes it "along the gantry angle's direction". That means one distribution for every gantry
    angle: its cross entropy sums over a gantry angle's energies, and the likeliest of them is delivered.

    Parameters
    ----------
    scores
        ``(n, points, energies)``.
    batch
        Layers that there are.
    times
        Switching times.
    temperature
        By which scores are divided.
    """
    only = torch.where(batch.allowed, scores / temperature, NOT_ALLOWED)
    p = torch.softmax(only, dim=2) * batch.points[:, :, None]
    before, after = p[:, :-1], p[:, 1:]
    up = ((before.cumsum(dim=2) - before) * after).sum(dim=(1, 2))
    down = ((after.cumsum(dim=2) - after) * before).sum(dim=(1, 2))
    entropy = -(p * torch.log(p + 1e-9)).sum(dim=(1, 2))
    return Beliefs(p, times.up_s * up + times.down_s * down, entropy)


def chained(scores: Tensor, batch: LayerBatch, times: SwitchTimes, temperature: float) -> Beliefs:
    """Marginals of sequences, whose probability is exp((scores - weighed switching time) / temperature).

    Parameters
    ----------
    scores, batch, times, temperature
        As of `independent`.
    """
    potential = torch.where(batch.allowed, scores / temperature, NOT_ALLOWED)
    top = potential.amax(dim=2, keepdim=True)
    weight = torch.exp((potential - top).clamp(min=LEAST_EXPONENT)) * batch.allowed
    weight = torch.where(batch.points[:, :, None], weight, 1.0)
    number = torch.arange(scores.shape[2])
    rises, falls = number[None, :] > number[:, None], number[None, :] < number[:, None]
    seconds = times.up_s * rises.to(scores.dtype) + times.down_s * falls.to(scores.dtype)
    price = times.weight / temperature
    step = torch.exp(-price * seconds)
    forward, log_sum = _forward(weight, step, batch.points)
    backward, behind = _backward(weight, step, batch.points)
    p = forward * backward
    p = p / p.sum(dim=2, keepdim=True) * batch.points[:, :, None]
    before = forward[:, :-1]
    mean_s = ((before @ (step * seconds)) * behind).sum(dim=2) / ((before @ step) * behind).sum(dim=2)
    switching = (mean_s * batch.points[:, 1:]).sum(dim=1)
    log_sum = log_sum + (top[:, :, 0] * batch.points).sum(dim=1)
    scored = torch.where(batch.allowed, potential, torch.zeros_like(potential))
    entropy = log_sum - (p * scored).sum(dim=(1, 2)) + price * switching
    return Beliefs(p, switching, entropy)


def _forward(weight: Tensor, step: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised sums over the sequences up to each control point, and the logarithm of the sum over all."""
    first = weight[:, 0]
    total = first.sum(dim=1)
    out, log_sum = [first / total[:, None]], torch.log(total)
    for g in range(1, weight.shape[1]):
        here = (out[-1] @ step) * weight[:, g]
        total, there = here.sum(dim=1), points[:, g]
        out.append(torch.where(there[:, None], here / total[:, None], out[-1]))
        log_sum = log_sum + torch.where(there, torch.log(total), 0.0)
    return torch.stack(out, dim=1), log_sum


def _backward(weight: Tensor, step: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised sums over the sequences behind each control point, and those with the next one's weight."""
    out, behind = [torch.ones_like(weight[:, 0])], []
    for g in range(weight.shape[1] - 1, 0, -1):
        behind.append(out[-1] * weight[:, g])
        here = behind[-1] @ step.T
        out.append(torch.where(points[:, g, None], here / here.sum(dim=1, keepdim=True), out[-1]))
    if not behind:
        return out[0][:, None], weight[:, :0]
    return torch.stack(out[::-1], dim=1), torch.stack(behind[::-1], dim=1)
