"""Distributions against sums over all sequences of a small arc."""

import itertools

import numpy as np
import pytest
import torch

from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.learned_evaluation import task_of
from isodose.learn.layer_batch import batch_of
from isodose.learn.layer_beliefs import chained, independent
from isodose.learn.layer_network import LayerNetwork
from isodose.learn.layer_weights import LayerWeights

TEMPERATURE = 0.7


@pytest.fixture(scope="module")
def batch(image_of):
    return batch_of([image_of(points=4, energies=14)])


@pytest.fixture(scope="module")
def scores(batch):
    torch.manual_seed(0)
    return torch.randn(batch.worth.shape)


def sums(batch, scores, times, chain):
    """Marginals, mean switching time and entropy by going through every sequence."""
    points, energies = batch.worth.shape[1:]
    paths = [
        path
        for path in itertools.product(range(energies), repeat=points)
        if all(batch.allowed[0, g, e] for g, e in enumerate(path))
    ]
    jumps = np.diff(np.array(paths), axis=1)
    seconds = times.up_s * (jumps > 0).sum(axis=1) + times.down_s * (jumps < 0).sum(axis=1)
    value = np.array([sum(float(scores[0, g, e]) for g, e in enumerate(path)) for path in paths])
    weight = np.exp((value - (times.weight * seconds if chain else 0.0)) / TEMPERATURE)
    chance = weight / weight.sum()
    marginal = np.zeros((points, energies))
    for path, c in zip(paths, chance, strict=True):
        marginal[np.arange(points), path] += c
    return marginal, (chance * seconds).sum(), -(chance * np.log(chance)).sum()


@pytest.mark.parametrize("believed", [independent, chained])
def test_they_are_sums_over_all_sequences(batch, scores, times, believed):
    found = believed(scores, batch, times, TEMPERATURE)
    marginal, seconds, entropy = sums(batch, scores, times, believed is chained)
    np.testing.assert_allclose(found.probability[0], marginal, atol=1e-6)
    assert float(found.switching_s[0]) == pytest.approx(seconds, rel=1e-5)
    assert float(found.entropy[0]) == pytest.approx(entropy, rel=1e-5)


@pytest.mark.parametrize("believed", [independent, chained])
def test_each_control_point_has_one_distribution_over_energies(image_of, times, believed):
    both = batch_of([image_of(0), image_of(1, points=12)])
    p = believed(torch.randn(both.worth.shape), both, times, 0.5).probability
    torch.testing.assert_close(p.sum(dim=2), both.points.to(p.dtype))
    assert (p[~both.allowed] < 1e-12).all()


def test_a_single_control_point_is_a_chain_too(image_of, times):
    alone = batch_of([image_of(points=1)])
    torch.manual_seed(1)
    scores = torch.randn(alone.worth.shape)
    one, other = chained(scores, alone, times, 1.0), independent(scores, alone, times, 1.0)
    torch.testing.assert_close(one.probability, other.probability)
    assert float(one.switching_s[0]) == 0.0


def test_a_cold_chain_of_the_true_worth_is_the_exact_programme(image_of, times):
    image = image_of()
    batch = batch_of([image])
    arrays = {k: v.numpy() for k, v in LayerNetwork().state_dict().items()}
    task = task_of(image, LayerWeights("aligned", times, True, arrays, {}))
    cold = chained(batch.worth, batch, times, 0.02)
    path = cold.probability[0].argmax(dim=1).numpy() + image.used[0]
    exact = ExactProgramme().select(task)
    assert task.selection(path, "").total_cost == pytest.approx(exact.total_cost, abs=0.02)
    assert float(cold.switching_s[0]) == pytest.approx(exact.switching_s, abs=0.5)
