"""Attention that fades with distance, against a loop over pairs in double precision."""

import math

import pytest
import torch
from torch import Tensor

from e2egraph.config import validate
from e2egraph.errors import UsageError
from e2egraph.models.kernels.near_attention import LARGEST, OFFSET_SCALE, NearAttentionKernel
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.models.tokens.network import TracksAndCellsOptions
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.zoo import parity

WIDTH, HEADS = 12, 3
UNIT = 0.7  # rad


def nodes(N: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(N)
    mask = torch.arange(N) < torch.tensor([[N], [(N + 1) // 2], [1]])
    return torch.randn(3, N, WIDTH, dtype=torch.float64), torch.rand(3, N, 2, dtype=torch.float64) - 0.5, mask


def kernel_of(seed: int = 0) -> NearAttentionKernel:
    torch.manual_seed(seed)
    return NearAttentionKernel(WIDTH, HEADS, UNIT).double()


def by_pairs(kernel: NearAttentionKernel, x: Tensor, points: Tensor, mask: Tensor, i: int) -> Tensor:
    """What node ``i`` of one jet gets, pair by pair, straight from the class's formula."""
    q, k, v = (part[0] for part in kernel.projection.split(x.unsqueeze(0)))  # [heads, N, C]
    values, moments = [], []
    for head in range(HEADS):
        fading = min(math.exp(float(kernel.log_fading[head])), LARGEST)
        logits, offsets = [], []
        for j in torch.nonzero(mask).flatten().tolist():
            eta, phi = (float(d) for d in points[j] - points[i])
            squared = (eta**2 + 2 - 2 * math.cos(phi)) / UNIT**2
            logits.append(float(q[head, i] @ k[head, j]) / math.sqrt(WIDTH / HEADS) - fading * squared)
            offsets.append([eta / UNIT, math.sin(phi) / UNIT, squared])
        share = torch.softmax(torch.tensor(logits, dtype=torch.float64), 0)
        values.append(share @ v[head, mask])
        moments.append(OFFSET_SCALE * share @ torch.tensor(offsets, dtype=torch.float64))
    return kernel.projection.output(torch.cat(values)) + kernel.moments(torch.cat(moments))


@pytest.mark.parametrize("N", [1, 2, 9])
def test_it_is_the_formula_pair_by_pair(N: int) -> None:
    x, points, mask = nodes(N)
    kernel = kernel_of()
    with torch.no_grad():
        ours = kernel(x, points, mask)
        for jet in range(3):
            for i in torch.nonzero(mask[jet]).flatten().tolist():
                torch.testing.assert_close(ours[jet, i], by_pairs(kernel, x[jet], points[jet], mask[jet], i))


def test_a_strong_fading_sees_the_own_place_alone() -> None:
    x, _, mask = nodes(4)
    points = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [0.8, 0.0], [0.0, 0.8]]], dtype=torch.float64).expand(3, -1, -1)
    kernel = kernel_of()
    with torch.no_grad():
        kernel.log_fading.fill_(math.log(LARGEST))
        both, alone = kernel(x[:1], points[:1], mask[:1]), kernel(x[:1, :2], points[:1, :2], mask[:1, :2])
    torch.testing.assert_close(both[:, :2], alone, atol=1e-12, rtol=0)


def test_it_turns_with_the_jet_all_around_phi() -> None:
    x, points, mask = nodes(9)
    kernel = kernel_of()
    turned = points + torch.tensor([0.0, math.pi - 0.1], dtype=torch.float64)
    turned[..., 1] = torch.remainder(turned[..., 1] + math.pi, 2 * math.pi) - math.pi
    assert (turned[..., 1].amax() - turned[..., 1].amin()) > 6.0  # both sides of ±π
    with torch.no_grad():
        expected, ours = kernel(x, points, mask), kernel(x, turned, mask)
    torch.testing.assert_close(ours[mask], expected[mask])


def test_a_jet_without_nodes_is_finite_in_value_and_gradient() -> None:
    kernel = NearAttentionKernel(WIDTH, HEADS, UNIT)
    x = torch.randn(2, 5, WIDTH, requires_grad=True)
    points = torch.full((2, 5, 2), float("nan"))
    points[0, :2] = torch.tensor([[0.0, 0.1], [0.2, 0.0]])
    mask = torch.tensor([[True, True, False, False, False], [False] * 5])
    result = kernel(x, points, mask)
    result[0, :2].square().sum().backward()
    assert result.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in kernel.parameters())


def test_half_precision_changes_distances_by_nothing_but_rounding_of_weights() -> None:
    x, points, mask = (tensor.float() if tensor.is_floating_point() else tensor for tensor in nodes(30))
    kernel = kernel_of().float()
    with torch.no_grad():
        expected = kernel(x, points, mask)
        with torch.autocast("cpu", torch.bfloat16):
            ours = kernel(x, points, mask)
    torch.testing.assert_close(ours[mask].float(), expected[mask], atol=0.03, rtol=0.03)


def near_network() -> torch.nn.Module:
    torch.manual_seed(0)
    options = ["width=16", "depth=2", "heads=2", "tracks=8", "near=true", "pairwise=false"]
    return build_model(
        load_model_config("tracks-and-cells", [f"options.{option}" for option in options]), INPUTS, TWO_CLASSES
    ).eval()


def test_the_network_exports_and_matches_with_fadings_at_their_largest() -> None:
    model = near_network()
    with torch.no_grad():
        for block in model.encoder.blocks:
            block.kernel.log_fading.fill_(10.0)
    assert parity(model, 50).cases > 40


def test_the_network_does_not_see_the_order_of_nodes() -> None:
    model = near_network()
    points, features, mask, jet = jets([23], lattice=True)
    order = torch.randperm(23)
    with torch.no_grad():
        shuffled = model(points[:, order], features[:, order], mask, jet)
        torch.testing.assert_close(shuffled, model(points, features, mask, jet), atol=1e-5, rtol=0)


def test_two_kinds_of_attention_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="near and pairwise are two kinds of attention"):
        validate(TracksAndCellsOptions, {"near": True, "pairwise": True}, "model x, options")
