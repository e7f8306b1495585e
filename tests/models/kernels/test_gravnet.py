"""The GravNet kernel against its formula written as a loop, and what it promises about memory and continuity."""

import math

import pytest
import torch
from torch import Tensor

from e2egraph.models.kernels import potential
from e2egraph.models.kernels.gravnet import GravNetKernel
from e2egraph.models.kernels.potential import gather, gather_plain
from e2egraph.models.kernels.search.neighbors import nearest
from tests.models.kept import kept_for_gradient


def loop(kernel: GravNetKernel, x: Tensor, mask: Tensor) -> Tensor:
    """W₁x_i + W₂[mean_j w h_j, max_j w h_j], node by node in float64, from the paper's formula."""
    result = torch.zeros_like(x)
    for b in range(x.shape[0]):
        valid = [i for i in range(x.shape[1]) if mask[b, i]]
        s = kernel.coordinates(x[b])
        h = kernel.message(x[b])
        for i in valid:
            d = {j: float((s[i] - s[j]).square().sum()) for j in valid if j != i}
            order = sorted(d, key=lambda j: (d[j], j))
            chosen, rest = order[: kernel.neighbors], order[kernel.neighbors :]
            fade = math.exp(-10.0 * d[rest[0]]) if rest and kernel.fading else 0.0
            width = h.shape[1]
            mean, highest = torch.zeros(width, dtype=x.dtype), torch.full((width,), -math.inf, dtype=x.dtype)
            for j in chosen:
                message = (math.exp(-10.0 * d[j]) - fade) * h[j]
                mean += message / len(chosen)
                highest = torch.maximum(highest, message)
            if not chosen:
                highest = torch.zeros(width, dtype=x.dtype)
            result[b, i] = kernel.own(x[b, i]) + kernel.gathered(torch.cat([mean, highest]))
    return result


@pytest.mark.parametrize("fading", [True, False])
@pytest.mark.parametrize("kind", ["continuous", "lattice"])
@pytest.mark.parametrize("N", [1, 2, 5, 6, 31])
def test_the_kernel_is_its_formula(N: int, kind: str, fading: bool) -> None:
    torch.manual_seed(N)
    kernel = GravNetKernel(width=6, space=3, propagated=4, neighbors=5, fading=fading).double()
    x = torch.randn(3, N, 6, dtype=torch.float64)
    if kind == "lattice":
        x = x.round()
    mask = torch.arange(N) < torch.tensor([[N], [(N + 1) // 2], [0]])
    with torch.no_grad():
        ours = kernel(x, torch.zeros(3, N, 2), mask)
        expected = loop(kernel, x, mask)
    torch.testing.assert_close(ours[mask], expected[mask], rtol=1e-9, atol=1e-12)


def neighborhood(B: int = 2, N: int = 9, k: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    s = torch.randn(B, N, 2, dtype=torch.float64, generator=generator)
    h = torch.randn(B, N, 3, dtype=torch.float64, generator=generator)
    # In the second jet only three nodes: fewer neighbours than k; and in every jet a padded one.
    mask = torch.arange(N) < torch.tensor([[N - 1], [3]])
    index, found = nearest(s, mask, k + 1)
    return s, h, index, found


def test_the_hand_written_gradient_is_the_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(potential, "CPU_BLOCK", 50)  # several blocks
    s, h, index, found = neighborhood()
    s.requires_grad_()
    h.requires_grad_()
    assert torch.autograd.gradcheck(lambda s, h: gather(s, h, index, found, 0.7), (s, h))


def test_the_fast_form_agrees_with_the_definition_in_value_and_gradient() -> None:
    s, h, index, found = neighborhood()
    results = []
    for function in (gather, gather_plain):
        leaves = s.clone().requires_grad_(), h.clone().requires_grad_()
        out = function(*leaves, index, found, 10.0)
        gradients = torch.autograd.grad((out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum(), leaves)
        results.append((out, *gradients))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_nothing_quadratic_in_the_nodes_is_kept_for_the_gradient() -> None:
    N, k, width = 600, 8, 16
    kernel = GravNetKernel(width=width, space=3, propagated=8, neighbors=k)
    x = torch.randn(1, N, width, requires_grad=True)
    with kept_for_gradient() as kept:
        kernel(x, torch.zeros(1, N, 2), torch.ones(1, N, dtype=torch.bool)).sum().backward()
    assert max(kept) <= N * max(k + 1, width)


def jump(fading: bool) -> float:
    """Change of a node's output as its last neighbour is replaced by another at almost the same distance."""
    torch.manual_seed(0)
    kernel = GravNetKernel(width=4, space=2, propagated=8, neighbors=2, fading=fading).double()
    kernel.coordinates.weight.data = torch.eye(2, 4, dtype=torch.float64)
    kernel.coordinates.bias.data.zero_()
    outputs = []
    for step in (-1e-9, 1e-9):
        x = torch.zeros(1, 4, 4, dtype=torch.float64)
        x[0, :, :2] = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2], [0.0, -0.2 - step]], dtype=torch.float64)
        x[0, :, 2] = torch.tensor([0.0, 1.0, 2.0, -3.0])
        with torch.no_grad():
            outputs.append(kernel(x, torch.zeros(1, 4, 2), torch.ones(1, 4, dtype=torch.bool))[0, 0])
    return float((outputs[0] - outputs[1]).abs().max())


def test_fading_makes_the_output_continuous_where_neighbors_change_places() -> None:
    assert jump(fading=False) > 1e-2
    assert jump(fading=True) < 1e-7
