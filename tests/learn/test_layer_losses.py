import numpy as np
import pytest
import torch

from isodose.learn.layer_batch import batch_of
from isodose.learn.layer_beliefs import chained, independent
from isodose.learn.layer_inference import layer_spread
from isodose.learn.layer_losses import LOSSES, lack, spread


def one_hot(batch, energies):
    out = torch.zeros(batch.worth.shape)
    out[0, torch.arange(len(energies)), torch.as_tensor(energies)] = 1.0
    return out


def test_aligned_loss_of_a_sequence_is_what_it_costs(image_of, times):
    image = image_of()
    batch = batch_of([image])
    first = image.used[0]
    path = image.worth.argmax(axis=1)
    path[::2] = np.minimum(path[::2] + 1, image.used[1] - 1)
    jump = np.diff(path)
    time = times.up_s * (jump > 0).sum() + times.down_s * (jump < 0).sum()
    lacking = (image.worth.max(axis=1) - image.worth[np.arange(len(path)), path]).sum()
    certain = independent(100.0 * one_hot(batch, path - first), batch, times, 0.1)
    found = LOSSES["aligned"](certain, batch, times)
    assert float(found[0]) == pytest.approx(lacking + times.weight * time, rel=1e-5)
    assert float(lack(one_hot(batch, image.worth.argmax(axis=1) - first), batch)[0]) == pytest.approx(
        0.0, abs=1e-5
    )


def test_papers_loss_by_hand(image_of, times):
    image = image_of(points=3)
    batch = batch_of([image])
    torch.manual_seed(1)
    beliefs = independent(torch.randn(batch.worth.shape), batch, times, 1.0)
    p = beliefs.probability
    entropies = []
    for share in (image.target, image.avoiding):
        total = 0.0
        for g in range(3):
            for e in range(share.shape[1]):
                if share[g, e] == share[g].max():
                    total -= float(torch.log(p[0, g, e - image.used[0]]))
        entropies.append(total / 3)
    time = float(beliefs.switching_s[0]) / 3
    wanted = 0.5 * entropies[0] + 0.4 * entropies[1] + 0.1 * time
    assert float(LOSSES["paper"](beliefs, batch, times)[0]) == pytest.approx(wanted, rel=1e-4)


def test_spread_by_numpy(image_of):
    image = image_of()
    worth = image.worth
    path = worth.argmax(axis=1)
    before = np.cumsum(worth, axis=1) - 0.5 * worth
    place = (before / worth.sum(axis=1, keepdims=True))[np.arange(len(path)), path]
    q = (np.arange(20) + 0.5) / 20
    cover = np.exp(-0.5 * ((place[:, None] - q) / 0.05) ** 2)
    number = np.arange(len(path))
    near = np.exp(-4.0 * np.log(2.0) * ((number[:, None] - number) / 10.0) ** 2)
    near /= near.sum(axis=1, keepdims=True)
    wanted = np.log(0.1 + near @ cover).mean()
    assert layer_spread(image, path) == pytest.approx(wanted, rel=1e-4)


def test_neighbours_that_share_a_layer_spread_worse_than_those_that_differ(image_of):
    image = image_of()
    same = image.worth.argmax(axis=1)
    saw = same + np.tile([-3, 0, 3], len(same) // 3)
    assert layer_spread(image, saw) > layer_spread(image, same)


@pytest.mark.parametrize("believed", [independent, chained])
def test_control_points_that_fill_a_batch_up_count_for_nothing(image_of, times, believed):
    alone, filled = batch_of([image_of(1, points=12)]), batch_of([image_of(1, points=12), image_of(0)])
    torch.manual_seed(0)
    scores = torch.randn(filled.worth.shape)
    width = alone.worth.shape[2]
    one, two = believed(scores[:1, :12, :width], alone, times, 1.0), believed(scores, filled, times, 1.0)
    for name, loss in LOSSES.items():
        found = float(loss(two, filled, times)[0])
        assert float(loss(one, alone, times)[0]) == pytest.approx(found, rel=1e-5), name
    assert float(one.entropy[0]) == pytest.approx(float(two.entropy[0]), rel=1e-5)
    assert float(spread(one.probability, alone)[0]) == pytest.approx(
        float(spread(two.probability, filled)[0]), rel=1e-5
    )
