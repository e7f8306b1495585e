import torch
from torch import nn

from e2egraph.models.layers.standardize import RunningStandardize
from e2egraph.training.steps.ema import WeightAverage


class Redrawn(nn.Module):
    """A buffer that is replaced, not followed, and one that counts."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rotation", torch.randn(3))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), RunningStandardize(3), nn.BatchNorm1d(3), Redrawn())


def moved(source):
    with torch.no_grad():
        for value in (*source.parameters(), *source.buffers()):
            value.copy_(torch.randn_like(value) if value.is_floating_point() else value + 1)


def test_the_average_is_that_of_a_plain_loop_and_of_statistics_as_of_weights():
    source = network()
    average = WeightAverage(source, 0.8)
    followed = {"0.weight", "0.bias", "2.weight", "2.bias", "1.mean", "1.variance", "2.running_mean", "2.running_var"}
    expected = {name: value.clone().double() for name, value in source.state_dict().items() if name in followed}
    for update in range(40):
        moved(source)
        average.update()
        decay = min(0.8, (1 + update) / (10 + update))
        for name, value in source.state_dict().items():
            if name in followed:
                expected[name] = decay * expected[name] + (1 - decay) * value.double()
    for name, value in average.network.state_dict().items():
        if name in followed:
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(value, source.state_dict()[name]), name


def test_a_weight_that_rests_is_its_own_average_to_the_bit():
    source = network()
    average = WeightAverage(source, 0.999)
    for _ in range(100):
        average.update()
    state = source.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in average.network.state_dict().items())


def test_the_averaged_network_is_apart_from_the_trained_one():
    source = network()
    average = WeightAverage(source, 0.5)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    moved(source)
    assert not torch.equal(average.network[0].weight, source[0].weight)


def test_a_buffer_that_the_network_replaces_is_followed():
    source = network()
    average = WeightAverage(source, 0.5)
    source[3].rotation = torch.randn(3)
    average.update()
    assert torch.equal(average.network[3].rotation, source[3].rotation)
