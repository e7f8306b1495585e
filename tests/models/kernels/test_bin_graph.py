"""Messages within bins: the function with its own gradient against its definition in plain operations."""

import pytest
import torch
from torch import Tensor

from e2egraph.models.kernels import bin_graph
from e2egraph.models.kernels.bin_graph import mix, mix_plain
from e2egraph.models.kernels.lsh import LshKernel
from tests.models.kept import kept_for_gradient

LEAST = 0.3


def bins(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Three bins of six places: full, with two copies and two empty places, and empty."""
    generator = torch.Generator().manual_seed(2)
    mask = torch.arange(6) < torch.tensor([[6], [4], [0]])
    d, message = (torch.randn(3, 6, width, generator=generator, dtype=dtype) for width in (2, 3))
    d[1, 1] = d[1, 0]
    return d * mask.unsqueeze(-1), message * mask.unsqueeze(-1), mask


@pytest.fixture(autouse=True)
def one_bin_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bin_graph, "CPU_BLOCK", 1)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_hand_written_gradient_is_that_of_the_definition(normalize: bool) -> None:
    d, message, mask = bins()
    results = []
    for function in (mix, mix_plain):
        leaves = d.clone().requires_grad_(), message.clone().requires_grad_()
        out = function(*leaves, mask, LEAST, normalize)
        # What comes out in empty places does not matter, and has no gradient.
        weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out) * mask.unsqueeze(-1)
        gradients = torch.autograd.grad((out * weight).sum(), leaves)
        results.append((out, *(gradient * mask.unsqueeze(-1) for gradient in gradients)))
    assert torch.equal(results[0][0], results[1][0])
    for ours, expected in zip(results[0][1:], results[1][1:], strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-14)


def test_lengths_held_at_the_least_have_no_gradient_in_float32_either() -> None:
    d, message, mask = bins(torch.float32)
    d = (0.01 * d).requires_grad_()  # all nearer than the least
    (gradient,) = torch.autograd.grad(mix(d, message, mask, LEAST, True).sum(), [d])
    assert not gradient.any()


def test_nothing_of_all_pairs_is_kept_for_the_gradient() -> None:
    n, size, width = 512, 64, 8
    kernel = LshKernel(width, 4, size, rounds=2, max_bins=16, normalize=True, unit=1.0)
    x = torch.randn(1, n, width, requires_grad=True)
    with kept_for_gradient() as kept:
        kernel(x, torch.randn(1, n, 2), torch.ones(1, n, dtype=torch.bool)).sum().backward()
    assert max(kept) < n * size
