"""Rows of numbers into blocks and back, fast in both directions: what ``serialization.Blocks`` does with vectors.

Whole rows are read instead of single numbers (some ten times faster on a CPU), and since every node has one place in
each order, the gradient of each function is the other, again a reading of rows: nothing needs to be added up in memory.
``node`` [B · rounds, M]: the node at each place of each order, the orders of one jet one after the other; ``mask``
[B · rounds, n, size], n · size = M: whether there is one; ``place`` [B · rounds, N]: where each node stands.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def split_rows(x: Tensor, node: Tensor, mask: Tensor, place: Tensor, rounds: int) -> Tensor:
    """``x [B, N, D]`` → ``[B · rounds, n, size, D]``; empty places hold zeros. Differentiable once."""
    if torch.compiler.is_exporting() or not x.is_floating_point():
        return _split(x, node, mask, rounds)
    result: Tensor = _Split.apply(x, node, mask, place, rounds)
    return result


def join_rows(rows: Tensor, node: Tensor, mask: Tensor, place: Tensor, rounds: int) -> Tensor:
    """``[B · rounds, n, size, D]`` → ``[B, N, D]``: the sum over the orders; what lies in padding does not matter.

    Differentiable once; padding has no gradient.
    """
    if torch.compiler.is_exporting() or not rows.is_floating_point():
        return _join(rows, place, rounds)
    result: Tensor = _Join.apply(rows, node, mask, place, rounds)
    return result


class _Split(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, node: Tensor, mask: Tensor, place: Tensor, rounds: int) -> Tensor:
        ctx.save_for_backward(mask, place)
        ctx.rounds = rounds
        return _split(x, node, mask, rounds)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        mask, place = ctx.saved_tensors
        return _join(gradient.masked_fill(~mask.unsqueeze(-1), 0.0), place, ctx.rounds), None, None, None, None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, node: Tensor, mask: Tensor, place: Tensor, rounds: int) -> Tensor:
        ctx.save_for_backward(node, mask)
        ctx.rounds = rounds
        return _join(rows, place, rounds)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        node, mask = ctx.saved_tensors
        return _split(gradient, node, mask, ctx.rounds), None, None, None, None


def _split(x: Tensor, node: Tensor, mask: Tensor, rounds: int) -> Tensor:
    n_jets, n_nodes, width = x.shape
    first = torch.arange(n_jets, device=x.device).view(-1, 1, 1) * n_nodes
    index = node.view(n_jets, rounds, node.shape[1]) + first
    rows = x.reshape(n_jets * n_nodes, width).index_select(0, index.flatten())
    return rows.view(*mask.shape, width).masked_fill(~mask.unsqueeze(-1), 0)


def _join(rows: Tensor, place: Tensor, rounds: int) -> Tensor:
    n_orders, n_nodes = place.shape
    n_jets = n_orders // rounds
    n_places = rows.shape[1] * rows.shape[2]
    first = torch.arange(n_orders, device=rows.device).unsqueeze(1) * n_places
    index = (place + first).view(n_jets, rounds, n_nodes)
    flat = rows.reshape(n_orders * n_places, rows.shape[-1])
    orders = [flat.index_select(0, index[:, i].flatten()) for i in range(rounds)]
    total = sum(orders[1:], orders[0])
    return total.view(n_jets, n_nodes, rows.shape[-1])
