"""Nodes → one vector a jet: masked mean, maximum and compressed sum."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A typical jet has some hundreds of nodes (kernels.md): with this unit the compressed sum is of order one for it.
TYPICAL_NODES = 100.0


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``x [B, N, D]`` over the nodes of ``mask [B, N]`` (bool), [B, D]; zero for a jet without nodes."""
    return masked_sum(x, mask) / mask.sum(1, keepdim=True).clamp(min=1).to(x.dtype)


def masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    """Sum of ``x [B, N, D]`` over the nodes of ``mask [B, N]`` (bool), [B, D]."""
    return x.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)


def masked_max(x: Tensor, mask: Tensor) -> Tensor:
    """Maximum of ``x [B, N, D]`` over the nodes of ``mask [B, N]`` (bool), [B, D]; zero for a jet without nodes."""
    filled = x.masked_fill(~mask.unsqueeze(-1), float("-inf"))
    # One row more: the maximum over no nodes at all is an error in ONNX Runtime.
    top = F.pad(filled, (0, 0, 0, 1), value=float("-inf")).amax(1)
    return torch.where(mask.any(1, keepdim=True), top, torch.zeros_like(top))


class Pooling(nn.Module):
    """``x [B, N, D]`` → ``[B, 3 D]``: each node through one more layer, then mean, maximum and asinh of the sum.

    The mean sees shapes, the maximum single hard deposits, the sum multiplicities and total energy; the last is
    compressed, as it grows with the number of nodes.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.node = nn.Sequential(nn.Linear(width, width), nn.ReLU())

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.node(x)
        total = torch.asinh(masked_sum(x, mask) / TYPICAL_NODES)
        return torch.cat([masked_mean(x, mask), masked_max(x, mask), total], dim=-1)
