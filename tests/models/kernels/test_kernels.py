"""What every graph kernel promises (DESIGN §7), on its own: x [B, N, D], points [B, N, 2], mask → [B, N, D]."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.models.jets import jets
from tests.models.kept import kept_for_gradient
from tests.models.zoo import SMALL, build_kernel, graph_models

WIDTH = SMALL["width"]
KERNELS = [(name, block) for name in graph_models() for block in (0, 1)]

# Full attention compares all pairs, and is there to be compared with.
LINEAR_KERNELS = [(name, block) for name, block in KERNELS if name != "transformer"]


def inputs(
    counts: list[int], lattice: bool = False, n: int | None = None, twins: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes as a kernel gets them; on the lattice many share a place. Twins: x takes few values, and many are equal."""
    points, _, mask, _ = jets(counts, lattice=lattice, n=n)
    x = torch.randn(*mask.shape, WIDTH, generator=torch.Generator().manual_seed(1))
    if twins:
        x[..., 2:] = 0.0
        x = x.round()
    return x, points, mask


def mix(kernel: nn.Module, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
    """What the kernel gives at nodes; zero in padding, where it does not matter."""
    with torch.no_grad():
        return kernel(x, points, mask).masked_fill(~mask.unsqueeze(-1), 0.0)


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_nodes_in_another_order_give_the_same_in_that_order(name: str, block: int, lattice: bool) -> None:
    kernel = build_kernel(name, block)
    x, points, mask = inputs([61, 40, 2, 1, 0], lattice)
    order = torch.randperm(61, generator=torch.Generator().manual_seed(3))
    shuffled = mix(kernel, x[:, order], points[:, order], mask[:, order])
    torch.testing.assert_close(shuffled, mix(kernel, x, points, mask)[:, order], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_what_equal_nodes_get_together_does_not_depend_on_the_order(name: str, block: int) -> None:
    # Of two nodes equal in place and content one may stand at the end of a block and one at the start of the next:
    # which of them is which cannot be told, so it is the sums over what is equal that must agree.
    kernel = build_kernel(name, block)
    x, points, mask = inputs([61, 40, 2], lattice=True, twins=True)
    order = torch.randperm(61, generator=torch.Generator().manual_seed(3))
    results = []
    for i in (torch.arange(61), order):
        content = torch.cat([x[:, i, :2], points[:, i], mask[:, i].unsqueeze(-1)], -1)
        results.append(torch.einsum("bnc,bnd->bcd", content, mix(kernel, x[:, i], points[:, i], mask[:, i])))
    torch.testing.assert_close(results[0], results[1], atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_padding_changes_nothing_whatever_it_holds(name: str, block: int, lattice: bool) -> None:
    kernel = build_kernel(name, block)
    # Odd and prime lengths, fewer nodes than neighbours, one, none; more padding than a whole block or bin.
    counts = [37, 23, 9, 8, 7, 3, 2, 1, 0]
    x, points, mask = inputs(counts, lattice, n=64)
    together = mix(kernel, x, points, mask)
    assert together.isfinite().all()
    padding = ~mask.unsqueeze(-1)
    junk = mix(kernel, x.masked_fill(padding, -30.0), points.masked_fill(padding, math.nan), mask)
    torch.testing.assert_close(junk, together, atol=1e-6, rtol=0)
    for i, n in enumerate(counts):
        alone = mix(kernel, x[i : i + 1, :n], points[i : i + 1, :n], mask[i : i + 1, :n])
        torch.testing.assert_close(alone[0], together[i, :n], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_jets_do_not_see_each_other(name: str, block: int) -> None:
    kernel = build_kernel(name, block)
    x, points, mask = inputs([29, 29, 17])
    before = mix(kernel, x, points, mask)
    x[1], points[1] = 3.0 * x[1].flip(0), -points[1]
    after = mix(kernel, x, points, mask)
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]], atol=1e-6, rtol=0)
    assert not torch.allclose(after[1], before[1])


@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_every_node_hears_of_others(name: str, block: int) -> None:
    kernel = build_kernel(name, block)
    x, points, mask = inputs([31])
    x.requires_grad_()
    for node in range(31):
        (gradient,) = torch.autograd.grad(kernel(x, points, mask)[0, node].square().sum(), x)
        assert (gradient[0].abs().sum(-1) > 0).sum() > 1


@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_equal_inputs_give_equal_bits(name: str, block: int) -> None:
    x, points, mask = inputs([53, 30], lattice=True, twins=True)
    first, second = (mix(build_kernel(name, block), x.clone(), points.clone(), mask) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_the_gradient_reaches_every_parameter_and_is_finite(name: str, block: int, lattice: bool) -> None:
    kernel = build_kernel(name, block).train()
    x, points, mask = inputs([61, 40, 7, 2, 1, 0], lattice)
    x.requires_grad_()
    weights = torch.randn(WIDTH, generator=torch.Generator().manual_seed(2))
    result = kernel(x, points, mask)
    (result * weights * mask.unsqueeze(-1)).square().sum().backward()
    for parameter, p in kernel.named_parameters():
        assert p.grad is not None, parameter
        assert p.grad.isfinite().all(), parameter
        assert p.grad.abs().sum() > 0, parameter
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert not x.grad[~mask].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("name", "block"), KERNELS)
def test_reduced_precision_stays_finite(name: str, block: int, dtype: torch.dtype) -> None:
    kernel = build_kernel(name, block)
    # As large as vectors between blocks become.
    x, points, mask = inputs([61, 7, 1, 0], lattice=True)
    x = (10.0 * x).requires_grad_()
    with torch.autocast("cpu", dtype):
        result = kernel(x, points, mask)[mask]
        result.float().square().mean().backward()
    assert result.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in kernel.parameters())
    assert x.grad is not None
    assert x.grad.isfinite().all()


def kept_for_backward(kernel: Callable[..., Tensor], n: int) -> int:
    """Numbers in the largest tensor kept for the gradient, for one jet of ``n`` nodes."""
    x, points, mask = inputs([n])
    x.requires_grad_()
    with kept_for_gradient() as kept:
        kernel(x, points, mask).sum().backward()
    return max(kept)


@pytest.mark.parametrize(("name", "block"), LINEAR_KERNELS)
def test_nothing_quadratic_in_the_nodes_is_kept_for_the_gradient(name: str, block: int) -> None:
    kernel = build_kernel(name, block)
    small, large = (kept_for_backward(kernel, n) for n in (500, 2000))
    assert large <= 4.5 * small
