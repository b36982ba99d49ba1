"""What a trained network says about an arc's layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.learn.layer_batch import NOT_ALLOWED, batch_of
from isodose.learn.layer_image import LayerImage
from isodose.learn.layer_losses import spread
from isodose.learn.layer_network import LayerNetwork
from isodose.learn.layer_weights import LayerWeights


@lru_cache(maxsize=4)
def layer_network(weights: LayerWeights) -> LayerNetwork:
    """Network with its weights.

    Raises
    ------
    InputError
        If the weights are not those of such a network.
    """
    network = LayerNetwork()
    try:
        network.load_state_dict({name: torch.from_numpy(v) for name, v in weights.arrays.items()})
    except RuntimeError as error:
        raise InputError("weights", " ".join(str(error).split())[:120], "parameters of the U-Net") from error
    network.requires_grad_(False)
    return network.eval()


def layer_scores(image: LayerImage, weights: LayerWeights) -> NDArray[np.float64]:
    """Scores of layers, of which the largest of a control point is the likeliest.

    Parameters
    ----------
    image
        Layers of an arc.
    weights
        Of the network.

    Returns
    -------
    ndarray
        ``(points, energies)``; minus infinity where there is no layer.
    """
    batch = batch_of([image])
    with torch.inference_mode(), _one_thread():
        found = torch.where(batch.allowed, layer_network(weights)(batch.images), NOT_ALLOWED)
    out = np.full(image.target.shape, -np.inf)
    first, beyond = image.used
    out[image.delivered, first:beyond] = found[0].numpy()
    return np.where(image.allowed, out, -np.inf)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread: with so small a network more of them wait for each other than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def layer_spread(image: LayerImage, energies: NDArray[np.int64]) -> float:
    """How evenly chosen layers spread over the target, per control point; see `isodose.learn.layer_losses`.

    Parameters
    ----------
    image
        Layers of an arc.
    energies
        Index of the energy at each delivered control point.
    """
    batch = batch_of([image])
    chosen = torch.zeros(batch.worth.shape)
    chosen[0, torch.arange(energies.size), torch.from_numpy(energies - image.used[0])] = 1.0
    return float(spread(chosen, batch)[0]) / energies.size
