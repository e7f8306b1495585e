"""Parameters and FLOPs equal the count by hand; a multiplication and an addition are two operations."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from e2egraph.models.cost import cost, forward_flops
from e2egraph.models.registry import build_model, load_model_config
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets


class Attention(nn.Module):
    def forward(self, q, mask):
        return F.scaled_dot_product_attention(q, q, q, attn_mask=mask)


def test_a_perceptron_costs_two_operations_a_weight_and_row():
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3))
    found = cost(model, (torch.zeros(7, 10),))
    assert found.parameters == 10 * 20 + 20 + 20 * 3 + 3
    assert found.flops == 2 * (10 * 20 + 20 * 3)


def test_a_convolution_costs_two_operations_a_weight_and_pixel():
    model = nn.Conv2d(3, 8, 5, padding=2)
    assert forward_flops(model, (torch.zeros(2, 3, 11, 13),)) == 2 * 2 * (3 * 8 * 5 * 5) * 11 * 13


@pytest.mark.parametrize("masked", [False, True])
def test_attention_costs_two_products_of_all_pairs(masked):
    B, H, N, C = 2, 4, 50, 16
    mask = torch.ones(B, 1, 1, N, dtype=torch.bool) if masked else None
    assert forward_flops(Attention(), (torch.randn(B, H, N, C), mask)) == B * H * 2 * (2 * N * N * C)


def test_the_fused_transformer_layer_of_torch_is_counted():
    N, D, hidden = 9, 16, 32
    layer = nn.TransformerEncoderLayer(D, 4, hidden, batch_first=True)
    products = 4 * N * D * D + 2 * N * N * D + 2 * N * D * hidden
    assert forward_flops(layer, (torch.randn(1, N, D),)) == 2 * products


def test_the_graph_transformer_costs_what_its_layers_do():
    N, D = 40, 8
    config = load_model_config("transformer", [f"options.width={D}", "options.depth=1", "options.heads=2"])
    model = build_model(config, INPUTS, TWO_CLASSES)
    inputs = jets([N])
    first = model.embedding.layers[0].in_features
    products = N * (first * D + D * D)  # embedding
    products += N * 4 * D * D + 2 * N * N * D  # attention
    products += N * 2 * D * 2 * D  # each node's perceptron
    products += N * D * D + 4 * N * D  # pooling: mean (the sum is a multiple of it) and energy flow
    products += 6 * D * D + D * 2  # head
    assert forward_flops(model, inputs) == 2 * products


def test_counting_leaves_the_network_as_it_was():
    model = build_model(load_model_config("gravnet"), INPUTS, TWO_CLASSES).train()
    model.pooling.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    forward_flops(model, jets([5, 9]))
    assert model.training
    assert not model.pooling.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
