"""Full attention against torch.nn.MultiheadAttention with the same weights, and its bias against a loop over pairs."""

import math

import pytest
import torch
from torch import Tensor, nn

from e2egraph.config import validate
from e2egraph.detector.geometry import ETA_PITCH
from e2egraph.errors import UsageError
from e2egraph.models.kernels.attention import AttentionKernel, Transformer, TransformerOptions
from e2egraph.models.kernels.pairwise import HIDDEN, SAME_PLACE, PairwiseBias
from e2egraph.models.kernels.projection import HeadProjection
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.zoo import parity

WIDTH, HEADS = 12, 3
UNIT = 0.7  # rad


def torchs_own(kernel: AttentionKernel) -> nn.MultiheadAttention:
    oracle = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        oracle.in_proj_weight.copy_(kernel.projection.qkv.weight)
        oracle.in_proj_bias.copy_(kernel.projection.qkv.bias)
        oracle.out_proj.weight.copy_(kernel.projection.output.weight)
        oracle.out_proj.bias.copy_(kernel.projection.output.bias)
    return oracle


def nodes(N: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(N)
    points = torch.randn(3, N, 2, dtype=torch.float64)
    mask = torch.arange(N) < torch.tensor([[N], [(N + 1) // 2], [1]])
    return torch.randn(3, N, WIDTH, dtype=torch.float64), points, mask


@pytest.mark.parametrize("N", [1, 2, 17])
def test_full_attention_is_torchs_multihead_attention(N: int) -> None:
    x, points, mask = nodes(N)
    kernel = AttentionKernel(WIDTH, HEADS).double()
    with torch.no_grad():
        expected, _ = torchs_own(kernel)(x, x, x, key_padding_mask=~mask, need_weights=False)
        ours = kernel(x, points, mask)
    torch.testing.assert_close(ours[mask], expected[mask], rtol=1e-10, atol=1e-12)


def bias_of_a_pair(bias: PairwiseBias, x_i: Tensor, x_j: Tensor, i: Tensor, j: Tensor) -> Tensor:
    eta, phi = float(i[0] - j[0]), math.remainder(float(i[1] - j[1]), 2 * math.pi)
    near = math.log((eta**2 + phi**2 + SAME_PLACE**2) / UNIT**2)
    first, second = bias.ends(x_i)[:HIDDEN], bias.ends(x_j)[HIDDEN:]
    return bias.heads(torch.relu(first + second + near * bias.closeness))


def test_the_pairwise_bias_is_added_to_the_logits_of_each_head() -> None:
    N = 9
    x, points, mask = nodes(N)
    points[0, 1] = points[0, 0]  # coincident
    kernel = AttentionKernel(WIDTH, HEADS, pairwise=UNIT).double()
    assert kernel.bias is not None
    with torch.no_grad():
        added = torch.zeros(3, HEADS, N, N, dtype=torch.float64)
        for b in range(3):
            for i in range(N):
                for j in range(N):
                    added[b, :, i, j] = bias_of_a_pair(kernel.bias, x[b, i], x[b, j], points[b, i], points[b, j])
        added = added.masked_fill(~mask[:, None, None, :], float("-inf")).flatten(0, 1)
        expected, _ = torchs_own(kernel)(x, x, x, attn_mask=added, need_weights=False)
        ours = kernel(x, points, mask)
    torch.testing.assert_close(ours[mask], expected[mask], rtol=1e-10, atol=1e-12)


def test_the_pairwise_bias_knows_that_phi_is_a_circle() -> None:
    bias = PairwiseBias(WIDTH, HEADS, UNIT).double()
    x = torch.randn(1, 2, WIDTH, dtype=torch.float64)
    here = torch.tensor([[[0.0, 3.1], [0.0, -3.1]]], dtype=torch.float64)
    turned = torch.tensor([[[0.0, 0.1], [0.0, 0.1 + 2 * math.pi - 6.2]]], dtype=torch.float64)
    torch.testing.assert_close(bias(x, here), bias(x, turned))
    assert not torch.allclose(bias(x, here), bias(x, here * 0.5))


@pytest.mark.parametrize("pairwise", [None, UNIT])
def test_a_jet_without_nodes_is_finite_in_value_and_gradient(pairwise: float | None) -> None:
    kernel = AttentionKernel(WIDTH, HEADS, pairwise)
    x = torch.randn(2, 5, WIDTH, requires_grad=True)
    points = torch.full((2, 5, 2), float("nan"))
    points[0, :2] = ETA_PITCH
    mask = torch.tensor([[True, True, False, False, False], [False] * 5])
    result = kernel(x, points, mask)
    result[0, :2].sum().backward()
    assert result.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in kernel.parameters())


def test_the_pairwise_network_exports_and_matches() -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerOptions(width=8, depth=1, heads=2, pairwise=True), INPUTS, TWO_CLASSES).eval()
    report = parity(model, 50)
    assert report.cases > 40


def test_the_pairwise_network_does_not_see_the_order_of_nodes() -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerOptions(width=8, depth=2, heads=2, pairwise=True), INPUTS, TWO_CLASSES).eval()
    points, features, mask, jet = jets([23], lattice=True)
    order = torch.randperm(23)
    with torch.no_grad():
        shuffled = model(points[:, order], features[:, order], mask, jet)
        torch.testing.assert_close(shuffled, model(points, features, mask, jet), atol=1e-5, rtol=0)


def test_heads_are_cut_as_they_are_joined() -> None:
    projection = HeadProjection(WIDTH, HEADS)
    with torch.no_grad():
        projection.qkv.weight.copy_(torch.eye(WIDTH).repeat(3, 1))
        projection.qkv.bias.zero_()
        projection.output.weight.copy_(torch.eye(WIDTH))
        projection.output.bias.zero_()
    x = torch.randn(2, 7, WIDTH)
    for part in projection.split(x):
        assert part.shape == (2, HEADS, 7, WIDTH // HEADS)
        torch.testing.assert_close(projection.join(part), x)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(UsageError, match=r"heads \(3\) must divide width \(64\)"):
        validate(TransformerOptions, {"heads": 3}, "model transformer, options")
    with pytest.raises(ValueError, match="3 heads do not divide a width of 64"):
        HeadProjection(64, 3)
