"""The stack of blocks between embedding and pooling: a kernel mixes nodes, a perceptron works on each."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Block(nn.Module):
    """One residual block: x + kernel(norm x), then x + perceptron(norm x).

    The normalisation stands before each part (pre-norm: Xiong et al., ICML 2020, arXiv:2002.04745), so that the sum
    over blocks is a plain one and training needs no warm-up.
    """

    def __init__(self, width: int, kernel: nn.Module) -> None:
        super().__init__()
        self.kernel_norm = nn.LayerNorm(width)
        self.kernel = kernel
        self.node_norm = nn.LayerNorm(width)
        self.node = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        x = x + self.kernel(self.kernel_norm(x), points, mask)
        x = x + self.node(self.node_norm(x))
        return x


class Encoder(nn.Module):
    """``depth`` blocks in a row; ``make_kernel()`` gives each its own ``(x [B, N, D], points, mask) → [B, N, D]``."""

    def __init__(self, width: int, depth: int, make_kernel: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, make_kernel()) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, points, mask)
        normed: Tensor = self.norm(x)
        return normed
