"""Outputs in physical units, of any network, wherever it goes."""

import copy

import pytest
import torch
from torch import nn

from e2egraph.models.output_scale import scale_outputs
from e2egraph.tasks.outputs import Head, Outputs, class_outputs

SCALED = Outputs(
    heads=(
        Head(name="class", columns=("qcd", "top"), activation="softmax"),
        Head(name="mass", columns=("mass", "pt"), units=("GeV", "GeV"), offset=(173.0, 500.0), scale=(20.0, 100.0)),
    )
)


class Raw(nn.Module):
    """Anybody's network."""

    def __init__(self, columns):
        super().__init__()
        self.layer = nn.Linear(3, columns)

    def forward(self, points, features, mask, jet):
        return self.layer(features.sum(1))


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(5, 7, 2), torch.randn(5, 7, 3), torch.ones(5, 7, dtype=torch.bool), torch.randn(5, 1)


def networks(outputs=SCALED):
    torch.manual_seed(2)
    plain = Raw(outputs.size)
    physical = copy.deepcopy(plain)
    scale_outputs(physical, outputs)
    return plain, physical


def test_raw_numbers_are_shifted_and_scaled_and_those_of_classes_stay(inputs):
    plain, physical = networks()
    raw, found = plain(*inputs), physical(*inputs)
    assert torch.equal(found[:, :2], raw[:, :2])
    torch.testing.assert_close(found[:, 2], 173 + 20 * raw[:, 2])
    torch.testing.assert_close(found[:, 3], 500 + 100 * raw[:, 3])


def test_a_network_of_raw_numbers_zero_predicts_the_offset(inputs):
    _, physical = networks()
    nn.init.zeros_(physical.layer.weight)
    nn.init.zeros_(physical.layer.bias)
    assert physical(*inputs)[0].tolist() == [0.0, 0.0, 173.0, 500.0]


def test_weights_keep_their_names_and_a_network_of_classes_is_left_alone(inputs):
    plain, physical = networks()
    assert list(physical.state_dict()) == list(plain.state_dict())
    plain, same = networks(class_outputs(("qcd", "top")))
    assert not same._forward_hooks
    assert not list(same.buffers())
    assert torch.equal(same(*inputs), plain(*inputs))


def test_copies_compiled_and_exported_networks_are_physical_too(inputs):
    _, physical = networks()
    expected = physical(*inputs)
    assert torch.equal(copy.deepcopy(physical)(*inputs), expected)
    assert torch.equal(torch.compile(physical, backend="eager")(*inputs), expected)
    torch.testing.assert_close(torch.export.export(physical.eval(), inputs).module()(*inputs), expected)


def test_in_mixed_precision_the_raw_numbers_alone_are_rounded(inputs):
    plain, physical = networks()
    with torch.autocast("cpu", torch.bfloat16):
        raw, found = plain(*inputs), physical(*inputs)
    assert (raw.dtype, found.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(found[:, 2], 173 + 20 * raw[:, 2].float())
