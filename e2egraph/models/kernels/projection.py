"""Attention heads: the linear maps before and after attention, and how vectors are cut into heads and joined again."""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.graph_network import GraphOptions
from e2egraph.models.layers.node_wise import node_wise


class HeadProjection(nn.Module):
    """Queries, keys and values of ``heads`` heads, and the output projection.

    A. Vaswani et al., NeurIPS 2017, arXiv:1706.03762, §3.2.2, with width / heads numbers a head. Weights are laid out
    as in ``torch.nn.MultiheadAttention``: ``qkv`` is its in_proj, ``output`` its out_proj. ValueError: ``heads`` does
    not divide ``width``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``x [B, N, width]`` → queries, keys and values, each ``[B, heads, N, width / heads]``."""
        n_jets, n_nodes, width = x.shape
        rows = node_wise(self.qkv, x).view(n_jets, n_nodes, 3, self.heads, width // self.heads)
        q, k, v = rows.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

    def join(self, values: Tensor) -> Tensor:
        """``[B, heads, N, width / heads]`` → output projection of the heads side by side, ``[B, N, width]``."""
        # A copy, though fused attention needs none: its memory layout is not that of the attention that is exported.
        rows = values.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        return node_wise(self.output, rows.flatten(2))


@configuration
class AttentionOptions(GraphOptions):
    """Options of every network of attention kernels: ``heads`` divides ``width``.

    ``heads``: of attention, which share the width.
    """

    heads: Annotated[int, Field(ge=1)] = 4

    @model_validator(mode="after")
    def _whole_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self
