"""The stack of blocks between embedding and pooling: a kernel mixes nodes, a perceptron works on each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from e2egraph.models.layers.node_wise import node_wise
from e2egraph.models.layers.ordering.merging import Merge


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
        return x + node_wise(self.node, self.node_norm(x))


class Encoder(nn.Module):
    """``depth`` blocks in a row; ``make_kernel(i)`` gives block i its own ``(x [B, N, D], points, mask) → [B, N, D]``.

    ``merge``: factors by which neighbouring nodes are merged before each block (1: none; those not given are 1).
    ``periodic``: whether φ closes on itself.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        make_kernel: Callable[[int], nn.Module],
        merge: Sequence[int] = (),
        periodic: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, make_kernel(i)) for i in range(depth))
        merges = {str(i): Merge(width, factor, periodic) for i, factor in enumerate(merge) if factor > 1}
        self.merges = nn.ModuleDict(merges)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, points: Tensor, energy: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors [B, M, D], energies [B, M, E] and mask [B, M] of the M nodes that the last block works on."""
        for i, block in enumerate(self.blocks):
            if str(i) in self.merges:
                x, points, energy, mask = self.merges[str(i)](x, points, energy, mask)
            x = block(x, points, mask)
        return self.norm(x), energy, mask
