import pytest
import torch
from torch import nn

from isodose.learn.layer_network import LayerNetwork


def test_it_is_the_papers_architecture():
    network = LayerNetwork()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert {(m.kernel_size, m.stride) for m in convolutions} == {((3, 3), (1, 1))}
    assert [m.out_channels for level in network.down for m in level if isinstance(m, nn.Conv2d)] == [
        16, 16, 32, 32, 64, 64, 128, 128,
    ]  # fmt: skip
    assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert convolutions[0].in_channels == 2
    assert network.last.out_channels == 1


@pytest.mark.parametrize(("points", "energies"), [(72, 102), (72, 98), (180, 61), (7, 5), (1, 1)])
def test_any_number_of_control_points_and_energies(points, energies):
    with torch.inference_mode():
        scores = LayerNetwork()(torch.rand(2, 2, points, energies + 1))
    assert scores.shape == (2, points, energies)
    assert torch.isfinite(scores).all()


def test_all_of_a_turn_is_seen():
    """A change at the first control point reaches the scores half a turn on."""
    torch.manual_seed(0)
    network = LayerNetwork()
    images = torch.rand(1, 2, 72, 41)
    changed = images.clone()
    changed[0, :, 0] = 0.0
    with torch.inference_mode():
        difference = (network(images) - network(changed)).abs().amax(dim=2)[0]
    assert difference[36] > 0.0
