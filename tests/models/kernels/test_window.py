"""Windowed attention against full attention, and against a loop over nodes that follows its definition."""

import math

import pytest
import torch
from torch import Tensor

from e2egraph.config import validate
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.models.kernels.attention import AttentionKernel
from e2egraph.models.kernels.window import Window, WindowKernel, WindowOptions
from e2egraph.models.layers.ordering.serialization import Order
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.kept import kept_for_gradient

WIDTH, HEADS = 6, 2
SIZES = (29, 12, 1, 0)


def nodes() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    N = max(SIZES)
    points = torch.rand(len(SIZES), N, 2, dtype=torch.float64, generator=generator) * 2 - 1
    x = torch.randn(len(SIZES), N, WIDTH, dtype=torch.float64, generator=generator)
    return x, points, torch.arange(N) < torch.tensor(SIZES).unsqueeze(1)


def along(points: Tensor, order: Order) -> list[int]:
    """Nodes of one jet along the order."""
    if order != "curve":
        return sorted(range(len(points)), key=lambda i: float(points[i, 0 if order == "eta" else 1]))
    return sorted(range(len(points)), key=lambda i: z_number(float(points[i, 0]), float(points[i, 1])))


def z_number(eta: float, phi: float) -> int:
    """Bits of row and column in eighths of a crystal in turn, the row's first."""
    row, column = (math.floor((x / pitch + 0.5) * 8) + 2048 for x, pitch in ((eta, ETA_PITCH), (phi, PHI_PITCH)))
    return int("".join(a + b for a, b in zip(f"{row:012b}", f"{column:012b}", strict=True)), 2)


def attend(kernel: WindowKernel, x: Tensor, i: int, seen: list[int]) -> Tensor:
    """Attention of node i of ``x [n, width]`` to the nodes in ``seen``, head by head."""
    q, k, v = (x @ w.T + b for w, b in zip(*(p.chunk(3) for p in kernel.projection.qkv.parameters()), strict=True))
    size = WIDTH // HEADS
    heads = []
    for h in range(HEADS):
        part = slice(h * size, (h + 1) * size)
        logits = k[seen, part] @ q[i, part] / math.sqrt(size)
        heads.append(torch.softmax(logits, 0) @ v[seen, part])
    return kernel.projection.output(torch.cat(heads))


def seen_by(place: int, n: int, kernel: WindowKernel) -> list[int]:
    """Places 0 … n − 1 that the node at ``place`` attends to, by definition."""
    window, shift = kernel.window, kernel.shift
    if kernel.sliding:
        away = [abs(other - place) for other in range(n)]
        if kernel.wrap:
            away = [min(d, n - d) for d in away]
        return [other for other in range(n) if away[other] <= window]
    moved = [(other + shift) % n if kernel.wrap else other + shift for other in range(n)]
    return [other for other in range(n) if moved[other] // window == moved[place] // window]


KINDS = {
    "blocks": {"order": "curve"},
    "shifted": {"order": "eta", "shift": 2},
    "wrapped": {"order": "phi", "shift": 2, "wrap": True},
    "sliding": {"order": "curve", "sliding": True},
    "sliding on a circle": {"order": "phi", "sliding": True, "wrap": True},
}


@pytest.mark.parametrize("window", [3, 4, 6, 14])
@pytest.mark.parametrize("kind", KINDS)
def test_a_node_attends_to_the_nodes_of_its_window(kind: str, window: int) -> None:
    torch.manual_seed(0)
    kernel = WindowKernel(WIDTH, HEADS, window, **KINDS[kind]).double()
    x, points, mask = nodes()
    with torch.no_grad():
        ours = kernel(x, points, mask)
        for b, n in enumerate(SIZES):
            order = along(points[b, :n], kernel.order)
            for place, node in enumerate(order):
                seen = [order[other] for other in seen_by(place, n, kernel)]
                torch.testing.assert_close(ours[b, node], attend(kernel, x[b], node, seen), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("window", [29, 64])
@pytest.mark.parametrize("kind", ["blocks", "sliding", "wrapped", "sliding on a circle"])
def test_a_window_that_holds_the_whole_jet_is_full_attention(kind: str, window: int) -> None:
    torch.manual_seed(0)
    kernel = WindowKernel(WIDTH, HEADS, window, **KINDS[kind]).double()
    full = AttentionKernel(WIDTH, HEADS).double()
    full.load_state_dict(kernel.state_dict())
    x, points, mask = nodes()
    with torch.no_grad():
        torch.testing.assert_close(kernel(x, points, mask)[mask], full(x, points, mask)[mask], rtol=1e-9, atol=1e-11)


def turned_by(kernel: WindowKernel, n: int, angle: float) -> tuple[Tensor, Tensor]:
    """Results for n nodes evenly spread in φ, before and after they are turned by ``angle``."""
    x = torch.randn(1, n, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    phi = (torch.arange(n, dtype=torch.float64) + 0.5) * 2 * math.pi / n - math.pi
    turned = torch.remainder(phi + angle + math.pi, 2 * math.pi) - math.pi
    mask = torch.ones(1, n, dtype=torch.bool)
    with torch.no_grad():
        before, after = (kernel(x, torch.stack([0 * p, p], -1).unsqueeze(0), mask) for p in (phi, turned))
    return before, after


@pytest.mark.parametrize("n", [5, 13, 40])
def test_a_sliding_window_on_a_circle_does_not_know_where_phi_begins(n: int) -> None:
    kernel = WindowKernel(WIDTH, HEADS, 4, "phi", sliding=True, wrap=True).double()
    before, after = turned_by(kernel, n, 1.23)
    torch.testing.assert_close(after, before)


@pytest.mark.parametrize("shift", [0, 2])
def test_turning_by_whole_blocks_changes_nothing_on_a_circle(shift: int) -> None:
    kernel = WindowKernel(WIDTH, HEADS, 4, "phi", shift=shift, wrap=True).double()
    before, after = turned_by(kernel, 20, 2 * math.pi * 8 / 20)
    torch.testing.assert_close(after, before)


@pytest.mark.parametrize("sliding", [False, True])
def test_without_wrap_the_seam_in_phi_is_felt(sliding: bool) -> None:
    kernel = WindowKernel(WIDTH, HEADS, 4, "phi", shift=0 if sliding else 2, sliding=sliding).double()
    before, after = turned_by(kernel, 20, 2 * math.pi * 8 / 20)
    assert (after - before).abs().max() > 1e-3


@pytest.mark.parametrize("sliding", [False, True])
def test_what_is_kept_for_the_gradient_grows_with_the_window_not_with_the_square_of_nodes(sliding: bool) -> None:
    N, window = 600, 16
    kernel = WindowKernel(WIDTH, HEADS, window, sliding=sliding)
    x = torch.randn(1, N, WIDTH, requires_grad=True)
    with kept_for_gradient() as kept:
        kernel(x, torch.randn(1, N, 2), torch.ones(1, N, dtype=torch.bool)).sum().backward()
    assert max(kept) <= (N + window) * 3 * max(window * HEADS, WIDTH)


def test_odd_blocks_of_the_network_shift_their_cuts_by_half_a_window() -> None:
    for sliding, expected in ((False, [0, 8, 0]), (True, [0, 0, 0])):
        network = Window(WindowOptions(width=8, heads=2, depth=3, window=16, sliding=sliding), INPUTS, TWO_CLASSES)
        kernels = [block.kernel for block in network.encoder.blocks]
        assert [kernel.shift for kernel in kernels] == expected


@pytest.mark.parametrize("order", ["curve", "eta"])
def test_a_circle_in_anything_but_phi_is_refused(order: str) -> None:
    with pytest.raises(UsageError, match=f"wrap needs order phi, not {order}"):
        validate(WindowOptions, {"wrap": True, "order": order}, "model window, options")
