"""Windowed attention: nodes in a row along physical coordinates, each attending to those near it in the row.

Swin's windows and shifted windows (Z. Liu et al., ICCV 2021, arXiv:2103.14030, §3.2) on a serialised point cloud, as in
Point Transformer V3 (X. Wu et al., CVPR 2024, arXiv:2312.10035, §4) and HEPT (S. Miao et al., ICML 2024,
arXiv:2402.12535, §4). Sliding windows along φ with wrap-around: S. Van Stroud et al., arXiv:2411.07149 (hepattn). The
order comes from raw coordinates, so it is the same whatever the network has learned; time and memory are O(N · window).
"""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from e2egraph.config import configuration
from e2egraph.models.graph_network import GraphNetwork
from e2egraph.models.kernels.attention import attention
from e2egraph.models.kernels.projection import AttentionOptions, HeadProjection
from e2egraph.models.layers.ordering.serialization import Blocks, Order, order_code, serialize


class WindowKernel(nn.Module):
    """x [B, N, width] → attention of each node to the nodes of its window, of the same shape.

    Nodes are ordered along ``order`` (``models.serialization``) and the row is cut into blocks of ``window``; a node
    attends to its block. ``shift`` moves the cuts. With ``sliding`` there are no cuts to feel: a node attends to the
    ``window`` nodes before it and after it, which lie in its own block, the one before and the one after. ``wrap``: the
    row is a circle. ``periodic``: φ closes on itself, and the curve with it.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        window: int,
        order: Order = "curve",
        shift: int = 0,
        sliding: bool = False,
        wrap: bool = False,
        periodic: bool = False,
    ) -> None:
        super().__init__()
        self.window, self.periodic = window, periodic
        self.order: Order = order
        self.shift = shift
        self.sliding = sliding
        self.wrap = wrap
        self.projection = HeadProjection(width, heads)

    def extra_repr(self) -> str:
        return f"window={self.window}, order={self.order}, shift={self.shift}, sliding={self.sliding}, wrap={self.wrap}"

    def forward(self, x: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        code = order_code(points, self.order, self.periodic)
        if self.sliding:
            return self._slide(x, serialize(code, x, mask, self.window), mask)
        blocks = serialize(code, x, mask, self.window, shift=self.shift, wrap=self.wrap)
        rows = blocks.split(x)
        q, k, v = self.projection.split(rows.flatten(0, 1))
        values = self.projection.join(attention(q, k, v, blocks.mask.flatten(0, 1)[:, None, None, :]))
        return blocks.join(values.view_as(rows))

    def _slide(self, x: Tensor, blocks: Blocks, mask: Tensor) -> Tensor:
        rows = blocks.split(x)
        n_jets, n_blocks, window, _ = rows.shape
        # [B · blocks, heads, window, C]
        q, k, v = self.projection.split(rows.flatten(0, 1))
        place, seen = _surroundings(mask.sum(1), n_blocks, window, self.wrap)
        # Keys and values of the three blocks, from the row laid flat: [B · blocks, heads, 3 · window, C].
        first = torch.arange(n_jets, device=x.device).view(-1, 1, 1) * (n_blocks * window)
        index = (place + first).flatten()
        k, v = (
            h.transpose(1, 2).flatten(0, 1).index_select(0, index).unflatten(0, (n_jets * n_blocks, 3 * window))
            for h in (k, v)
        )
        values = attention(q, k.transpose(1, 2), v.transpose(1, 2), seen.flatten(0, 1).unsqueeze(1))
        return blocks.join(self.projection.join(values).view_as(rows))


def _surroundings(n_valid: Tensor, n_blocks: int, window: int, wrap: bool) -> tuple[Tensor, Tensor]:
    """Places of the keys of each block, and which of them each of its nodes sees.

    ``n_valid`` [B] nodes stand first in each row of ``n_blocks · window`` places. Returns ``place [B, blocks,
    3 · window]`` and ``seen [B, blocks, window, 3 · window]`` (bool): the nodes at most ``window`` places away, each
    once, however short the circle is.
    """
    device = n_valid.device
    here = torch.arange(window, device=device).unsqueeze(1)  # of a node, from the start of its block
    there = torch.arange(3 * window, device=device) - window  # of its keys, from the same start
    distance = there - here  # [window, 3 · window]
    start = torch.arange(n_blocks, device=device).view(1, -1, 1) * window
    place, n = start + there, n_valid.view(-1, 1, 1)
    near = (distance.abs() <= window).view(1, 1, window, 3 * window)
    if wrap:
        # On a circle of n nodes every node lies at one distance in (−n / 2, n / 2].
        n_wide = n.unsqueeze(-1)
        seen = near & (2 * distance <= n_wide) & (2 * distance > -n_wide) & (start < n).unsqueeze(-1)
        return torch.remainder(place, n.clamp(min=1)), seen
    exists = (place >= 0) & (place < n)
    return place.clamp(min=0, max=n_blocks * window - 1).expand_as(exists), near & exists.unsqueeze(2)


@configuration
class WindowOptions(AttentionOptions):
    """``window``: nodes a block; ``order``: what the row runs along; ``sliding``: each node sees the ``window``
    nodes before and after it, in place of its block; ``wrap``: the row is a circle.

    Without ``sliding``, odd blocks shift the cuts by half a window, so that information crosses them. ``wrap``: the row
    along φ closes on itself; it needs order ``phi``. On whole events it always does, and so does that along the curve.
    """

    window: Annotated[int, Field(ge=2)] = 64
    order: Order = "curve"
    sliding: bool = False
    wrap: bool = False

    @model_validator(mode="after")
    def _a_circle_is_one_in_phi(self) -> Self:
        if self.wrap and self.order != "phi":
            raise ValueError(f"wrap needs order phi, not {self.order}")
        return self


class Window(GraphNetwork):
    """Graph network of windowed attention."""

    Options = WindowOptions

    def make_kernel(self, block: int) -> nn.Module:
        o = self.options
        shift = o.window // 2 if block % 2 and not o.sliding else 0
        wrap = o.wrap or (self.periodic and o.order != "eta")
        return WindowKernel(o.width, o.heads, o.window, o.order, shift, o.sliding, wrap, self.periodic)
